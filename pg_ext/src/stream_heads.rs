//! The versions of streams that have lost their last message, so that no position is given out twice.
//!
//! They are looked up only for a stream that has no message, and asked for without a privilege: who may write to the
//! stream, or read it, may know its version. As long as nothing was ever removed from the store the table has no page,
//! and finding that out is all that a look costs.

use message_store_core::{Error, Result};
use pgrx::pg_sys::{self, Datum, Oid};

use crate::namespace::{Store, relation_oid};

const TABLE: &str = "stream_heads";
/// The columns by their numbers.
const STREAM_NAME: i16 = 1;
const POSITION: i32 = 2;

/// Refuses a store that has no such table, as one that an earlier release has made.
pub fn check(store: &Store) -> Result<()> {
    table(store)?.map(drop).ok_or_else(|| Error::NamespaceIsIncomplete(store.namespace.as_ref().to_owned()))
}

/// The version that a stream had when its last message was removed, as of now; `None` when none ever was.
pub fn position(store: &Store, stream_name: Datum) -> Result<Option<i64>> {
    match table(store)? {
        // SAFETY: a table of two columns, a text with a primary key and a bigint.
        Some((table, index)) => Ok(unsafe { look_up(table, index, stream_name) }),
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

/// The table and its primary key, once it is certain that they are what they should be: whoever owns a schema could put
/// anything there.
fn table(store: &Store) -> Result<Option<(Oid, Oid)>> {
    let Some(table) = relation_oid(TABLE, store.schema) else { return Ok(None) };
    let refused = || Error::NotAMessageStore(store.namespace.as_ref().to_owned());
    let index = relation_oid("stream_heads_pkey", store.schema).ok_or_else(refused)?;
    // SAFETY: catalog look-ups.
    let is_table = unsafe {
        let is_kind = |relation, kind: u8| pg_sys::get_rel_relkind(relation).cast_unsigned() == kind;
        is_kind(table, pg_sys::RELKIND_RELATION)
            && is_kind(index, pg_sys::RELKIND_INDEX)
            && pg_sys::get_atttype(table, STREAM_NAME) == pg_sys::TEXTOID
            && pg_sys::get_atttype(table, 2) == pg_sys::INT8OID
            && pg_sys::IndexGetRelation(index, true) == table
            && pg_sys::get_index_isvalid(index)
            && pg_sys::get_atttype(index, 1) == pg_sys::TEXTOID
            && pg_sys::get_atttype(index, 2) == pg_sys::InvalidOid
    };
    if is_table { Ok(Some((table, index))) } else { Err(refused()) }
}

/// # Safety
/// The relation must be open.
unsafe fn has_pages(relation: pg_sys::Relation) -> bool {
    // SAFETY: as the caller's.
    unsafe { pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM) > 0 }
}

/// # Safety
/// They must be a table of a text and a bigint, and its index on the first.
unsafe fn look_up(table: Oid, index: Oid, stream_name: Datum) -> Option<i64> {
    // SAFETY: an index scan of one key, with a snapshot as of now, ended in the reverse order.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::AccessShareLock.cast_signed());
        let position = if has_pages(relation) { scan(relation, index, stream_name) } else { None };
        pg_sys::table_close(relation, pg_sys::NoLock.cast_signed());
        position
    }
}

/// # Safety
/// As that of [`look_up`]; the table must be open.
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
