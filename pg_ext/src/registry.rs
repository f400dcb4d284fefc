//! The registry of namespaces: the table `message_store.namespaces`, as the functions look it up.
//!
//! A look-up asks for no privilege: it finds out which namespaces exist and who owned them, which everyone may see.
//! What it found is kept until the table changes; a trigger on the table tells every connection.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ffi::c_int;
use std::rc::Rc;

use message_store_core::{Error, Result, namespace_name};
use pgrx::pg_sys;

use crate::call::{Answer, Call, sql_functions};
use crate::namespace::{Store, relation_oid, schema_oid};
use crate::spi::text_datum;
use crate::store_objects::begin_with;

sql_functions! {
    "message_store_registry_changed" => registry_changed;
}

thread_local! {
    /// The recorded owner of each name that was looked up; `None` for a name that is not registered.
    static OWNERS: RefCell<HashMap<String, Option<pg_sys::Oid>>> = RefCell::default();
    /// The registry's OID as of the last look-up.
    static REGISTRY: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
    /// Counts the changes that were heard of.
    static GENERATION: Cell<u64> = const { Cell::new(0) };
    /// The tables that were looked at and found to be tables of messages.
    static TABLES: RefCell<HashSet<pg_sys::Oid>> = RefCell::default();
    /// Counts the changes of anything that were heard of.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    /// The stores that were found, by their namespace.
    static STORES: RefCell<HashMap<Rc<str>, Store>> = RefCell::default();
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
    let generation = GENERATION.get();
    let owner = look_up(name);
    if generation != GENERATION.get() {
        // The registry changed meanwhile: this answer is as good as any, but not to be kept.
        return owner;
    }
    OWNERS.with_borrow_mut(|owners| {
        if owners.len() >= MAX_KEPT {
            owners.clear();
        }
        owners.insert(name.to_owned(), owner);
    });
    owner
}

/// Whether there is a namespace of that name, the default one included.
pub fn is_registered(name: &str) -> bool {
    name == namespace_name::DEFAULT || recorded_owner(name).is_some()
}

/// The store of a namespace as `look` finds it, kept until its schema, its table or the registry changes.
pub fn find_once(name: &str, look: impl FnOnce() -> Result<Store>) -> Result<Store> {
    listen();
    if let Some(store) = STORES.with_borrow(|stores| stores.get(name).cloned()) {
        return Ok(store);
    }
    let changes = CHANGES.get();
    let store = look()?;
    if changes == CHANGES.get() {
        STORES.with_borrow_mut(|stores| {
            if stores.len() >= MAX_KEPT {
                stores.clear();
            }
            stores.insert(Rc::clone(&store.namespace), store.clone());
        });
    }
    Ok(store)
}

/// Whether the table has been found to be a table of messages; `look` finds out, once until the table changes. What
/// changes while it looks may have been seen in part: then nothing is kept, and who locks the table looks again.
pub fn check_once(table: pg_sys::Oid, look: impl FnOnce() -> Result<()>) -> Result<()> {
    listen();
    if TABLES.with_borrow(|tables| tables.contains(&table)) {
        return Ok(());
    }
    let changes = CHANGES.get();
    look()?;
    if changes == CHANGES.get() {
        TABLES.with_borrow_mut(|tables| {
            if tables.len() >= MAX_KEPT {
                tables.clear();
            }
            tables.insert(table);
        });
    }
    Ok(())
}

/// The registry's OID, where the extension has one.
fn registry() -> Option<pg_sys::Oid> {
    relation_oid("namespaces", schema_oid("message_store")?)
}

/// The registry's columns that a look-up needs, by their numbers.
const NAME: i16 = 1;
const OWNER: i32 = 2;
const KINDS: [pg_sys::Oid; 2] = [pg_sys::VARCHAROID, pg_sys::NAMEOID];

fn look_up(name: &str) -> Option<pg_sys::Oid> {
    let registry = registry()?;
    REGISTRY.set(registry);
    let index = relation_oid("namespaces_pkey", schema_oid("message_store")?)?;
    let name = text_datum(name.as_bytes());
    // SAFETY: an index scan of one key over the registry, with a snapshot as of now, ended in the reverse order.
    unsafe {
        let table = pg_sys::table_open(registry, pg_sys::AccessShareLock.cast_signed());
        assert!(begin_with((*table).rd_att, &KINDS), "the registry of namespaces has columns of other types");
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            NAME,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::Oid::from(pg_sys::F_TEXTEQ),
            name,
        );
        // Opening either may bring news of a change, which the snapshot must then see: so it is taken after.
        let index_relation = pg_sys::index_open(index, pg_sys::AccessShareLock.cast_signed());
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let scan = pg_sys::systable_beginscan(table, index, true, snapshot, 1, &mut key);
        let row = pg_sys::systable_getnext(scan);
        let owner = (!row.is_null()).then(|| {
            let mut is_null = false;
            let owner = pg_sys::heap_getattr(row, OWNER, (*table).rd_att, &mut is_null);
            // A role that is no more owns nothing: then the namespace is not its recorded owner's.
            pg_sys::get_role_oid(owner.cast_mut_ptr::<pg_sys::NameData>().cast::<std::ffi::c_char>(), true)
        });
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::index_close(index_relation, pg_sys::AccessShareLock.cast_signed());
        pg_sys::table_close(table, pg_sys::AccessShareLock.cast_signed());
        owner
    }
}

/// Asks to be told when the registry changes.
fn listen() {
    if !LISTENING.replace(true) {
        // SAFETY: the callbacks live as long as the backend.
        unsafe {
            use pg_sys::SysCacheIdentifier::{AUTHNAME, NAMESPACEOID};
            let none = pg_sys::Datum::null();
            pg_sys::CacheRegisterRelcacheCallback(Some(forget), none);
            pg_sys::CacheRegisterSyscacheCallback(NAMESPACEOID.cast_signed(), Some(forget_stores), none);
            pg_sys::CacheRegisterSyscacheCallback(AUTHNAME.cast_signed(), Some(forget_owners), none);
        }
    }
}

/// Postgres calls it with the OID of a changed table, or with none when any may have changed. It must not fail.
unsafe extern "C-unwind" fn forget(_argument: pg_sys::Datum, changed: pg_sys::Oid) {
    TABLES.with(|tables| {
        if let Ok(mut tables) = tables.try_borrow_mut() {
            if changed == pg_sys::InvalidOid {
                tables.clear();
            } else {
                tables.remove(&changed);
            }
        }
    });
    CHANGES.set(CHANGES.get() + 1);
    let concerns_registry =
        changed == pg_sys::InvalidOid || changed == REGISTRY.get() || REGISTRY.get() == pg_sys::InvalidOid;
    STORES.with(|stores| {
        if let Ok(mut stores) = stores.try_borrow_mut() {
            stores.retain(|_, store| !concerns_registry && store.table != changed);
        }
    });
    if concerns_registry {
        forget_registry();
    }
}

fn forget_registry() {
    GENERATION.set(GENERATION.get() + 1);
    OWNERS.with(|owners| {
        if let Ok(mut owners) = owners.try_borrow_mut() {
            owners.clear();
        }
    });
}

/// Postgres calls it when a role has changed: the registry has owners by their names. It must not fail.
unsafe extern "C-unwind" fn forget_owners(argument: pg_sys::Datum, cache: c_int, hash: u32) {
    forget_registry();
    // SAFETY: it fails no more than this.
    unsafe { forget_stores(argument, cache, hash) };
}

/// Postgres calls it when a schema has changed. It must not fail.
unsafe extern "C-unwind" fn forget_stores(_argument: pg_sys::Datum, _cache: c_int, _hash: u32) {
    CHANGES.set(CHANGES.get() + 1);
    STORES.with(|stores| {
        if let Ok(mut stores) = stores.try_borrow_mut() {
            stores.clear();
        }
    });
}

/// The trigger on the registry.
///
/// Called by anybody else, or by a trigger on a table of theirs, it would make every connection read the registry again,
/// as often as one likes.
fn registry_changed(call: &Call<'_>) -> Result<Answer> {
    let table = call.table_of_trigger().ok_or(Error::NotCalledByTrigger("registry_changed"))?;
    if registry() != Some(table) {
        return Err(Error::NotCalledByRegistry("registry_changed"));
    }
    // SAFETY: sends the message that makes every backend call `forget`, once this transaction commits.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(table) };
    Ok(Some(pg_sys::Datum::null()))
}
