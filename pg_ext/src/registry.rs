//! The registry of namespaces: the table `message_store.namespaces`, as the functions look it up.
//!
//! A look-up asks for no privilege: it finds out which namespaces exist and who owned them, which everyone may see.
//! What it found is kept until the table changes; a trigger on the table tells every connection.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CString;

use message_store_core::Result;
use pgrx::pg_sys;

use crate::call::{Answer, Call, sql_functions};
use crate::namespace::{relation_oid, schema_oid};
use crate::spi::text_datum;

sql_functions! {
    "message_store_registry_changed" => registry_changed;
}

thread_local! {
    /// The recorded owner of each name that was looked up; `None` for a name that is not registered.
    static OWNERS: RefCell<HashMap<String, Option<pg_sys::Oid>>> = RefCell::default();
    /// The registry's OID as of the last look-up.
    static REGISTRY: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// How many names are kept before they are all looked up anew.
const MAX_KEPT: usize = 16_384;

/// The role that owned the namespace when it was registered; `None` when it is not registered.
pub fn recorded_owner(name: &str) -> Option<pg_sys::Oid> {
    listen();
    if let Some(owner) = OWNERS.with_borrow(|owners| owners.get(name).copied()) {
        return owner;
    }
    let owner = look_up(name);
    OWNERS.with_borrow_mut(|owners| {
        if owners.len() >= MAX_KEPT {
            owners.clear();
        }
        owners.insert(name.to_owned(), owner);
    });
    owner
}

/// The registry's OID, where the extension has one.
fn registry() -> Option<pg_sys::Oid> {
    relation_oid("namespaces", schema_oid("message_store")?)
}

/// The registry's columns that a look-up needs, by their numbers.
const NAME: i16 = 1;
const OWNER: i32 = 2;

fn look_up(name: &str) -> Option<pg_sys::Oid> {
    let registry = registry()?;
    REGISTRY.set(registry);
    let index = relation_oid("namespaces_pkey", schema_oid("message_store")?)?;
    let name = text_datum(name.as_bytes());
    // SAFETY: an index scan of one key over the registry, with a snapshot as of now, ended in the reverse order.
    unsafe {
        let table = pg_sys::table_open(registry, pg_sys::AccessShareLock.cast_signed());
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            NAME,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::Oid::from(pg_sys::F_TEXTEQ),
            name,
        );
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let scan = pg_sys::systable_beginscan(table, index, true, snapshot, 1, &mut key);
        let row = pg_sys::systable_getnext(scan);
        let owner = (!row.is_null()).then(|| {
            let mut is_null = false;
            let owner = pg_sys::heap_getattr(row, OWNER, (*table).rd_att, &mut is_null);
            crate::namespace::oid_of(owner).unwrap_or(pg_sys::InvalidOid)
        });
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(table, pg_sys::AccessShareLock.cast_signed());
        owner
    }
}

/// Asks to be told when the registry changes.
fn listen() {
    if !LISTENING.replace(true) {
        // SAFETY: the callback lives as long as the backend.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), pg_sys::Datum::null()) };
    }
}

/// Postgres calls it with the OID of a changed table, or with none when any may have changed. It must not fail.
unsafe extern "C-unwind" fn forget(_argument: pg_sys::Datum, changed: pg_sys::Oid) {
    if changed == pg_sys::InvalidOid || changed == REGISTRY.get() || REGISTRY.get() == pg_sys::InvalidOid {
        OWNERS.with(|owners| {
            if let Ok(mut owners) = owners.try_borrow_mut() {
                owners.clear();
            }
        });
    }
}

/// The trigger on the registry.
fn registry_changed(call: &Call<'_>) -> Result<Answer> {
    let _ = call;
    if let Some(registry) = registry() {
        // SAFETY: sends the message that makes every backend call `forget`, once this transaction commits.
        unsafe { pg_sys::CacheInvalidateRelcacheByRelid(registry) };
    }
    Ok(Some(pg_sys::Datum::null()))
}

/// A name as an SQL identifier.
pub fn quoted(name: &str) -> String {
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: copies a NUL-terminated name, with quotes where it needs them.
    unsafe { std::ffi::CStr::from_ptr(pg_sys::quote_identifier(name.as_ptr())).to_string_lossy().into_owned() }
}
