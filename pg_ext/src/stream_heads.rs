//! The versions of streams that have lost their last message, so that no position is given out twice.
//!
//! They are looked up only for a stream that has no message, and asked for without a privilege: who may write to the
//! stream, or read it, may know its version. As long as nothing was ever removed from the store the table has no page,
//! and finding that out is all that a look costs.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use message_store_core::{Error, Result};
use pgrx::pg_sys::{self, Datum, Oid};

use crate::namespace::{Store, relation_oid};
use crate::store_objects;

const TABLE: &str = "stream_heads";
/// The columns by their numbers.
const STREAM_NAME: i16 = 1;
const POSITION: i32 = 2;
const KINDS: [Oid; 2] = [pg_sys::TEXTOID, pg_sys::INT8OID];

/// Tables that were found, and the indexes that are their primary keys.
#[derive(Default)]
struct Found {
    by_schema: HashMap<Oid, (Oid, Oid)>,
    relations: HashSet<Oid>,
}

thread_local! {
    static FOUND: RefCell<Found> = RefCell::default();
    /// Counts the changes that were heard of.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// How many tables are kept before all are looked for anew.
const MAX_KEPT: usize = 16_384;

/// Locks the table of a store, and refuses one that nobody should write to.
pub fn lock(store: &Store) -> Result<()> {
    table(store)?;
    store_objects::lock_table_beside(store, TABLE, &[(c"stream_name", KINDS[0]), (c"position", KINDS[1])])
}

/// The version that a stream had when its last message was removed, as of now; `None` when none ever was.
pub fn position(store: &Store, stream_name: Datum) -> Result<Option<i64>> {
    match table(store)? {
        // SAFETY: the index is one on a text, if the table is what it was when it was found.
        Some((table, index)) => unsafe { look_up(table, index, stream_name) }.ok_or_else(|| refused(store)),
        None => Ok(None),
    }
}

/// Whether any stream ever lost its last message.
pub fn is_any(store: &Store) -> Result<bool> {
    let Some((table, _)) = table(store)? else { return Ok(false) };
    // SAFETY: the table is opened and closed.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock.cast_signed());
        let is_any = has_pages(relation);
        pg_sys::table_close(relation, pg_sys::NoLock.cast_signed());
        Ok(is_any)
    }
}

/// The table and its primary key, kept until one of them changes.
fn table(store: &Store) -> Result<Option<(Oid, Oid)>> {
    let kept = FOUND.with_borrow(|found| found.by_schema.get(&store.schema).copied());
    if kept.is_some() {
        return Ok(kept);
    }
    if !LISTENING.replace(true) {
        // SAFETY: the callback lives as long as the backend.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), Datum::null()) };
    }
    let changes = CHANGES.get();
    let found = look_for(store)?;
    if let Some((table, index)) = found
        && changes == CHANGES.get()
    {
        FOUND.with_borrow_mut(|found| {
            if found.by_schema.len() >= MAX_KEPT {
                *found = Found::default();
            }
            found.by_schema.insert(store.schema, (table, index));
            found.relations.extend([table, index]);
        });
    }
    Ok(found)
}

/// Postgres calls it with the OID of a changed relation, or with none when any may have changed. It must not fail.
unsafe extern "C-unwind" fn forget(_argument: Datum, changed: Oid) {
    CHANGES.set(CHANGES.get() + 1);
    FOUND.with(|found| {
        if let Ok(mut found) = found.try_borrow_mut()
            && (changed == pg_sys::InvalidOid || found.relations.contains(&changed))
        {
            *found = Found::default();
        }
    });
}

/// The table and its primary key, once it is certain that they are what they should be: whoever owns a schema could put
/// anything there.
fn look_for(store: &Store) -> Result<Option<(Oid, Oid)>> {
    let Some(table) = relation_oid(TABLE, store.schema) else { return Ok(None) };
    let index = relation_oid("stream_heads_pkey", store.schema).ok_or_else(|| refused(store))?;
    // SAFETY: catalog look-ups.
    let is_table = unsafe {
        let is_kind = |relation, kind: u8| pg_sys::get_rel_relkind(relation).cast_unsigned() == kind;
        is_kind(table, pg_sys::RELKIND_RELATION)
            && is_kind(index, pg_sys::RELKIND_INDEX)
            && pg_sys::get_atttype(table, STREAM_NAME) == KINDS[0]
            && pg_sys::get_atttype(table, 2) == KINDS[1]
            && pg_sys::IndexGetRelation(index, true) == table
            && pg_sys::get_index_isvalid(index)
            && pg_sys::get_atttype(index, 1) == pg_sys::TEXTOID
            && pg_sys::get_atttype(index, 2) == pg_sys::InvalidOid
    };
    if is_table { Ok(Some((table, index))) } else { Err(refused(store)) }
}

fn refused(store: &Store) -> Error {
    Error::NotAMessageStore(store.namespace.as_ref().to_owned())
}

/// # Safety
/// The relation must be open.
unsafe fn has_pages(relation: pg_sys::Relation) -> bool {
    // SAFETY: as the caller's.
    unsafe { pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM) > 0 }
}

/// The position of a stream, the outer `None` where the table has become another one while its lock was waited for.
///
/// # Safety
/// They must be a table of a text and a bigint, or what has become of one, and its index on the first.
unsafe fn look_up(table: Oid, index: Oid, stream_name: Datum) -> Option<Option<i64>> {
    // SAFETY: with a lock the table stays as it is.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock.cast_signed());
        let position = store_objects::begin_with((*relation).rd_att, &KINDS)
            .then(|| if has_pages(relation) { scan(relation, index, stream_name) } else { None });
        pg_sys::table_close(relation, pg_sys::NoLock.cast_signed());
        position
    }
}

/// # Safety
/// As that of [`look_up`]; the table must be open, and of a text and a bigint.
unsafe fn scan(table: pg_sys::Relation, index: Oid, stream_name: Datum) -> Option<i64> {
    // SAFETY: as the caller's.
    unsafe {
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            STREAM_NAME,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            Oid::from(pg_sys::F_TEXTEQ),
            stream_name,
        );
        // What this transaction has removed counts, too.
        pg_sys::CommandCounterIncrement();
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let scan = pg_sys::systable_beginscan(table, index, true, snapshot, 1, &mut key);
        let row = pg_sys::systable_getnext(scan);
        let position = (!row.is_null()).then(|| {
            let mut is_null = false;
            pg_sys::heap_getattr(row, POSITION, (*table).rd_att, &mut is_null).value().cast_signed() as i64
        });
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        position
    }
}
