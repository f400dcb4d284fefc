//! `grant_namespace` and `revoke_namespace`.

use std::ffi::{CStr, CString};

use message_store_core::{Error, Result, namespace_name};
use pgrx::pg_sys::{self, VARCHAROID};

use crate::call::{Answer, Call, Text, sql_functions};
use crate::encoding::decoded;
use crate::namespace::{Store, check_ownership, find};
use crate::spi::{Parameter, connected, text_datum};
use crate::store_objects;

sql_functions! {
    "message_store_grant_namespace" => grant_namespace;
    "message_store_revoke_namespace" => revoke_namespace;
}

/// What a role is let do; each with what the ones before it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    /// Read messages, and record positions as a consumer.
    Read,
    /// Write messages.
    Write,
    /// Remove and redact messages.
    Admin,
}

/// `grant_namespace(name, role, mode)`: the name.
fn grant_namespace(call: &Call<'_>) -> Result<Answer> {
    let name = call.text(0);
    let name = namespace_name::check(name.as_deref())?;
    let mode = match call.text(2).map(|mode| mode.bytes()) {
        Some(b"read") => Mode::Read,
        Some(b"write") => Mode::Write,
        Some(b"admin") => Mode::Admin,
        mode => return Err(Error::InvalidGrantMode(mode.map(decoded))),
    };
    let store = find(name)?;
    check_ownership(store.schema, name);
    let role = role_name(call.text(1))?;
    connected(|spi| {
        let role = quoted(&role);
        let relations = relations(&store);
        // Whoever may use the functions' schema already needs no grant on it, which the caller may not be able to give.
        let usable = spi.text_of(
            "SELECT pg_catalog.has_schema_privilege($1::pg_catalog.name, 'message_store', 'USAGE')",
            &[Parameter { kind: VARCHAROID, value: call.text(1).map(|role| role.datum()) }],
        );
        if usable.as_deref() != Some("t") {
            spi.script(&format!("GRANT USAGE ON SCHEMA message_store TO {role}"));
        }
        spi.script(&format!("GRANT USAGE ON SCHEMA \"{name}\" TO {role}"));
        spi.script(&format!("GRANT SELECT ON {relations} TO {role}"));
        spi.script(&format!("GRANT SELECT ON SEQUENCE \"{name}\".{} TO {role}", store_objects::SEQUENCE));
        let has = |table| store_objects::existing(store.schema).any(|name| name == table);
        if has("consumer_positions") {
            // Whoever reads keeps its own position.
            spi.script(&format!("GRANT INSERT, UPDATE ON \"{name}\".consumer_positions TO {role}"));
        }
        if mode >= Mode::Write {
            spi.script(&format!("GRANT INSERT ON \"{name}\".messages TO {role}"));
            spi.script(&format!("GRANT USAGE ON SEQUENCE \"{name}\".{} TO {role}", store_objects::SEQUENCE));
        }
        if mode == Mode::Admin {
            spi.script(&format!("GRANT UPDATE, DELETE ON \"{name}\".messages TO {role}"));
            if has("stream_heads") {
                spi.script(&format!("GRANT INSERT, UPDATE ON \"{name}\".stream_heads TO {role}"));
            }
        }
        Ok(())
    })?;
    Ok(Some(text_datum(name.as_bytes())))
}

/// `revoke_namespace(name, role)`: the name.
fn revoke_namespace(call: &Call<'_>) -> Result<Answer> {
    let name = call.text(0);
    let name = namespace_name::check(name.as_deref())?;
    let store = find(name)?;
    check_ownership(store.schema, name);
    let role = role_name(call.text(1))?;
    connected(|spi| {
        let role = quoted(&role);
        let relations = relations(&store);
        spi.script(&format!("REVOKE ALL ON {relations} FROM {role}"));
        spi.script(&format!("REVOKE ALL ON SEQUENCE \"{name}\".{} FROM {role}", store_objects::SEQUENCE));
        if name != namespace_name::DEFAULT {
            spi.script(&format!("REVOKE ALL ON SCHEMA \"{name}\" FROM {role}"));
        }
        Ok(())
    })?;
    Ok(Some(text_datum(name.as_bytes())))
}

/// The name of a role that exists.
fn role_name(argument: Option<Text<'_>>) -> Result<String> {
    let exists = argument.and_then(|name| CString::new(name.bytes()).ok()).is_some_and(|name| {
        // SAFETY: catalog look-up by a NUL-terminated name.
        unsafe { pg_sys::get_role_oid(name.as_ptr(), true) != pg_sys::InvalidOid }
    });
    match argument.map(|name| decoded(name.bytes())) {
        Some(name) if exists => Ok(name),
        name => Err(Error::RoleDoesNotExist(name)),
    }
}

/// The tables and views that there are.
fn relations(store: &Store) -> String {
    let names = store_objects::existing(store.schema);
    names.map(|name| format!("\"{}\".{name}", store.namespace)).collect::<Vec<_>>().join(", ")
}

/// A name as an SQL identifier.
pub fn quoted(name: &str) -> String {
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: copies a NUL-terminated name, with quotes where it needs them.
    unsafe { CStr::from_ptr(pg_sys::quote_identifier(name.as_ptr())).to_string_lossy().into_owned() }
}
