//! `create_namespace` and `register_namespace`.

use message_store_core::{Error, Result, namespace_name};
use pgrx::pg_sys::{self, Datum, JSONBOID, VARCHAROID};

use crate::call::{Answer, Call, sql_functions};
use crate::namespace::{check_ownership, relation_oid, relation_owner, schema_oid, schema_owner};
use crate::registry::recorded_owner;
use crate::spi::{Parameter, Spi, connected, text_datum};
use crate::store_objects;

sql_functions! {
    "message_store_create_namespace" => create_namespace;
    "message_store_register_namespace" => register_namespace;
}

/// `create_namespace(name, token_hash, description, metadata)`: the name.
fn create_namespace(call: &Call<'_>) -> Result<Answer> {
    let name = call.text(0);
    let name = namespace_name::check(name.as_deref())?;
    connected(|spi| {
        if name == namespace_name::DEFAULT {
            return complete_default_store(spi);
        }
        if recorded_owner(name).is_some() {
            return Err(Error::NamespaceExists(name.to_owned()));
        }
        if schema_oid(name).is_some() {
            return Err(Error::NotARegisteredNamespace(name.to_owned()));
        }
        // The registry first: of two who create the same namespace, one waits there for the other.
        // SAFETY: reads the backend's state.
        record(spi, call, name, unsafe { pg_sys::GetUserId() })?;
        spi.script(&format!("CREATE SCHEMA \"{name}\""));
        let schema = schema_oid(name).ok_or_else(|| Error::NamespaceDoesNotExist(Some(name.to_owned())))?;
        store_objects::create_missing(spi, name, schema)?;
        Ok(())
    })?;
    Ok(Some(text_datum(name.as_bytes())))
}

/// `register_namespace(name, token_hash, description, metadata)`: the name.
fn register_namespace(call: &Call<'_>) -> Result<Answer> {
    let name = call.text(0);
    let name = namespace_name::check(name.as_deref())?;
    let recorded = recorded_owner(name);
    let exists = || Error::NamespaceExists(name.to_owned());
    if name == namespace_name::DEFAULT {
        return Err(exists());
    }
    let refused = || if recorded.is_some() { exists() } else { Error::NotAMessageStore(name.to_owned()) };
    let schema = schema_oid(name).ok_or_else(refused)?;
    if recorded.is_some() && recorded == schema_owner(schema) {
        // SAFETY: reads the backend's state.
        let is_own = recorded == Some(unsafe { pg_sys::GetUserId() });
        // One that an earlier release has made is completed.
        let created =
            if is_own { connected(|spi| store_objects::create_missing(spi, name, schema))? } else { Vec::new() };
        return if created.is_empty() { Err(exists()) } else { Ok(Some(text_datum(name.as_bytes()))) };
    }
    check_ownership(schema, name);
    store_objects::check_table(name, schema)?;
    let owner = schema_owner(schema).ok_or_else(refused)?;
    if relation_oid("messages", schema).and_then(relation_owner) != Some(owner) {
        return Err(refused());
    }
    connected(|spi| {
        if recorded.is_some() {
            // The schema has changed hands: its new owner is recorded, by whoever may change the registry.
            spi.run_text(
                "UPDATE message_store.namespaces SET owner = pg_catalog.pg_get_userbyid($2) \
                 WHERE name OPERATOR(pg_catalog.=) $1",
                &[
                    Parameter { kind: VARCHAROID, value: Some(text_datum(name.as_bytes())) },
                    Parameter { kind: pg_sys::OIDOID, value: Some(Datum::from(owner)) },
                ],
            );
        } else {
            record(spi, call, name, owner)?;
        }
        // DROP EXTENSION ... CASCADE takes the indexes and views that use its functions.
        // SAFETY: reads the backend's state.
        if unsafe { pg_sys::GetUserId() } == owner {
            store_objects::create_missing(spi, name, schema)?;
        }
        Ok(())
    })?;
    Ok(Some(text_datum(name.as_bytes())))
}

/// Adds a namespace to the registry, with the caller's rights.
fn record(spi: &Spi, call: &Call<'_>, name: &str, owner: pg_sys::Oid) -> Result<()> {
    let text = |index| Parameter { kind: VARCHAROID, value: call.text(index).map(|text| text.datum()) };
    let added = spi.run_text(
        "INSERT INTO message_store.namespaces (name, owner, token_hash, description, metadata) \
         VALUES ($1, pg_catalog.pg_get_userbyid($2), $3, $4, $5) ON CONFLICT DO NOTHING",
        &[
            Parameter { kind: VARCHAROID, value: Some(text_datum(name.as_bytes())) },
            Parameter { kind: pg_sys::OIDOID, value: Some(Datum::from(owner)) },
            text(1),
            text(2),
            Parameter { kind: JSONBOID, value: call.jsonb(3) },
        ],
    );
    match (added, recorded_owner(name)) {
        (1.., _) => Ok(()),
        (0, Some(_)) => Err(Error::NamespaceExists(name.to_owned())),
        (0, None) => Err(Error::TokenHashInUse),
    }
}

/// Creates what is missing of the default store. Nothing missing is a namespace that exists.
fn complete_default_store(spi: &Spi) -> Result<()> {
    let name = namespace_name::DEFAULT;
    let schema = schema_oid(name).ok_or(Error::DefaultStoreMissing)?;
    check_default_owner(schema)?;
    // SAFETY: reads a flag of the backend.
    let installing = unsafe { pg_sys::creating_extension };
    let adopted = if installing { store_objects::replace_adopted_views(spi, name, schema) } else { Vec::new() };
    let created = store_objects::create_missing(spi, name, schema)?;
    if created.is_empty() && adopted.is_empty() {
        return Err(Error::NamespaceExists(name.to_owned()));
    }
    if let Some(owner) = schema_owner(schema) {
        store_objects::give_to(spi, name, &created, owner);
    }
    // SAFETY: catalog look-up by a NUL-terminated name.
    let role = unsafe { pg_sys::get_role_oid(c"message_store".as_ptr(), true) };
    if role != pg_sys::InvalidOid {
        store_objects::grant_to_role(spi, name, &created);
    }
    if installing {
        store_objects::detach_from_extension(spi, name, &adopted);
        store_objects::detach_from_extension(spi, name, &created);
    }
    Ok(())
}

/// Refuses a schema that someone else has prepared: what is in it, or comes to be in it, would run with the rights of
/// everyone who uses the store.
fn check_default_owner(schema: pg_sys::Oid) -> Result<()> {
    let refused = || Error::NamespaceOwnerChanged(namespace_name::DEFAULT.to_owned());
    let owner = schema_owner(schema).ok_or_else(refused)?;
    // SAFETY: reads the backend's state and the catalog.
    let trusted = unsafe { owner == pg_sys::GetUserId() || pg_sys::superuser_arg(owner) };
    let table = relation_oid("messages", schema).and_then(relation_owner);
    if trusted && table.is_none_or(|table| table == owner) { Ok(()) } else { Err(refused()) }
}
