//! The horizon: up to where global positions are settled, so that a read of everything never skips a message.
//!
//! Global positions are drawn before their transactions commit, and commits come in any order. So each writer leaves a
//! mark before it draws its first position: a lock, held to the end of its transaction, whose tag carries the lowest
//! position it may draw. A reader takes the highest position drawn so far, then the lowest mark that still stands, and
//! then its snapshot: whatever lies below both is either visible in that snapshot or will never come.
//!
//! A mark is a share lock in Postgres' space of user locks. Nothing ever waits for it; it is there to be seen in the
//! lock table, and to vanish with its transaction, prepared ones included.

use std::ptr::null_mut;

use message_store_core::{Error, Result, lock_key::category_tag};
use pgrx::pg_sys;

use crate::lock_tag::{self, Mode};
use crate::namespace::{self, Store, refuse, relation_oid};
use crate::postgres_version::acl_mode;
use crate::store_objects::SEQUENCE;
use crate::{table_layout, transaction_memory};

/// How many categories of a namespace a transaction marks singly, before one mark for all of them takes over.
const MAX_CATEGORIES: usize = 64;
/// In place of a category's tag: every category.
const EVERY_CATEGORY: u16 = 0;

/// Leaves this transaction's mark for a category, before it draws its first position for it.
///
/// The table must be locked, so that its sequence is the one that the insert will draw from.
pub fn mark(store: &Store, category: &[u8]) -> Result<()> {
    let tag = category_tag(category);
    let tag = transaction_memory::with(|memory| {
        let marks = &memory.marks;
        if marks.contains(&(store.table, tag)) || marks.contains(&(store.table, EVERY_CATEGORY)) {
            return None;
        }
        let categories = marks.iter().filter(|(table, _)| *table == store.table).count();
        Some(if categories < MAX_CATEGORIES { tag } else { EVERY_CATEGORY })
    });
    let Some(tag) = tag else { return Ok(()) };
    let sequence = sequence(store)?;
    // What the insert asks for, and what looking asks for.
    check(sequence, pg_sys::ACL_USAGE | pg_sys::ACL_SELECT);
    let lowest = last_drawn(sequence).unwrap_or(0).wrapping_add(1);
    hold(store.table, lowest, tag);
    transaction_memory::with(|memory| memory.marks.insert((store.table, tag)));
    Ok(())
}

/// Raises Postgres' error where the caller has none of these privileges on the sequence.
fn check(sequence: pg_sys::Oid, privileges: u32) {
    // SAFETY: a catalog look-up; one of the privileges is enough.
    let result = unsafe { pg_sys::pg_class_aclcheck(sequence, pg_sys::GetUserId(), acl_mode(privileges)) };
    refuse(result, pg_sys::ObjectType::OBJECT_SEQUENCE, SEQUENCE);
}

/// Makes sure that the caller may move the sequence, as an import does.
pub fn check_may_set(store: &Store) -> Result<()> {
    check(named(store)?, pg_sys::ACL_UPDATE);
    Ok(())
}

/// The sequence of the store's name for it.
fn named(store: &Store) -> Result<pg_sys::Oid> {
    relation_oid(SEQUENCE, store.schema).ok_or_else(|| unusable(store))
}

/// The same, once it is certain that the table's rows draw from it. The table must be locked.
fn sequence(store: &Store) -> Result<pg_sys::Oid> {
    let sequence = named(store)?;
    if table_layout::of(store).sequence == Some(sequence) { Ok(sequence) } else { Err(unusable(store)) }
}

/// Leaves a mark for every category, from a position on that this transaction is about to take.
pub fn mark_all(store: &Store, lowest: i64) {
    hold(store.table, lowest, EVERY_CATEGORY);
    transaction_memory::with(|memory| memory.marks.insert((store.table, EVERY_CATEGORY)));
}

/// The highest global position drawn so far, `None` when none was. The caller must be allowed to read the sequence, and
/// have locked the table.
pub fn last_position_drawn(store: &Store) -> Result<Option<i64>> {
    let sequence = sequence(store)?;
    check_sequence(store, sequence)?;
    Ok(last_drawn(sequence))
}

/// Up to which global position the store is settled as of now, or one of its categories. The table must be locked; the
/// snapshot to read with is to be taken after.
pub fn settled(store: &Store, category: Option<&[u8]>) -> Result<i64> {
    // SAFETY: reads the backend's state.
    if unsafe { pg_sys::RecoveryInProgress() } {
        return Err(Error::NotOnAStandby(category.map_or("all messages", |_| "a category written by stream")));
    }
    let Some(last) = last_position_drawn(store)? else { return Ok(0) };
    Ok(lowest_mark(store.table, category.map(category_tag), last).map_or(last, |mark| last.min(mark - 1)))
}

fn unusable(store: &Store) -> Error {
    Error::UnusableSequence(store.namespace.as_ref().to_owned())
}

/// Makes sure that the caller may read the sequence, and that its last value is the highest one drawn.
fn check_sequence(store: &Store, sequence: pg_sys::Oid) -> Result<()> {
    check(sequence, pg_sys::ACL_SELECT);
    let number = |column| namespace::catalog_value(pg_sys::SysCacheIdentifier::SEQRELID, sequence, column);
    let steady =
        number(SEQUENCE_INCREMENT) == Some(1) && number(SEQUENCE_CACHE) == Some(1) && number(SEQUENCE_CYCLE) == Some(0);
    if steady { Ok(()) } else { Err(unusable(store)) }
}

/// Columns of the catalog pg_sequence, by their numbers.
const SEQUENCE_INCREMENT: u32 = 4;
const SEQUENCE_CACHE: u32 = 7;
const SEQUENCE_CYCLE: u32 = 8;

/// The last value drawn from a sequence, `None` when none was. One that was moved forward has drawn what it passed.
fn last_drawn(sequence: pg_sys::Oid) -> Option<i64> {
    // SAFETY: a function of one OID argument that returns a bigint or NULL.
    let last = unsafe {
        pgrx::direct_function_call_as_datum(pg_sys::pg_sequence_last_value, &[Some(pg_sys::Datum::from(sequence))])
    };
    match last {
        Some(last) => Some(last.value().cast_signed() as i64),
        None => next_to_draw(sequence).and_then(|next| next.checked_sub(1)).filter(|last| *last >= 1),
    }
}

/// The value that a sequence goes on with, where it has drawn none since it was made or set.
fn next_to_draw(sequence: pg_sys::Oid) -> Option<i64> {
    // SAFETY: a sequence is a table of one row that is changed in place, and its first column a bigint. The scan is ended
    // in the reverse order.
    unsafe {
        let relation = pg_sys::table_open(sequence, pg_sys::AccessShareLock.cast_signed());
        let (any, no_index) = (&raw mut pg_sys::SnapshotAnyData, pg_sys::InvalidOid);
        let scan = pg_sys::systable_beginscan(relation, no_index, false, any, 0, null_mut());
        let row = pg_sys::systable_getnext(scan);
        let next = (!row.is_null()).then(|| {
            let mut is_null = false;
            pg_sys::heap_getattr(row, LAST_VALUE, (*relation).rd_att, &mut is_null).value().cast_signed() as i64
        });
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, pg_sys::NoLock.cast_signed());
        next
    }
}

/// The column of a sequence's row, by its number.
const LAST_VALUE: i32 = 1;

/// Takes the share lock that is a mark, until the transaction ends, whatever savepoint is rolled back before.
fn hold(table: pg_sys::Oid, lowest: i64, category: u16) {
    let tag = pg_sys::LOCKTAG {
        // SAFETY: reads the backend's state.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: table.to_u32(),
        locktag_field3: lowest as u32, // the low half; a reader completes it
        locktag_field4: category,
        locktag_type: USER_LOCK,
        locktag_lockmethodid: USER_LOCK_METHOD,
    };
    lock_tag::acquire_for_transaction(&tag, Mode::Share);
}

const USER_LOCK: u8 = pg_sys::LockTagType::LOCKTAG_USERLOCK as u8;
const USER_LOCK_METHOD: u8 = pg_sys::USER_LOCKMETHOD as u8;

/// The lowest mark that any other transaction holds on a table, or of those that concern a category.
fn lowest_mark(table: pg_sys::Oid, category: Option<u16>, last: i64) -> Option<i64> {
    // SAFETY: the lock table as of now, copied into the current memory context: so many entries at that place.
    let (locks, database, pid) = unsafe {
        let data = pg_sys::GetLockStatusData();
        let count = usize::try_from((*data).nelements).unwrap_or(0);
        (std::slice::from_raw_parts((*data).locks, count), pg_sys::MyDatabaseId, pg_sys::MyProcPid)
    };
    locks
        .iter()
        .filter(|lock| {
            let tag = &lock.locktag;
            tag.locktag_type == USER_LOCK
                && tag.locktag_lockmethodid == USER_LOCK_METHOD
                && tag.locktag_field1 == database.to_u32()
                && tag.locktag_field2 == table.to_u32()
                && category.is_none_or(|category| [category, EVERY_CATEGORY].contains(&tag.locktag_field4))
                && lock.holdMask != 0
                && lock.pid != pid
        })
        .map(|lock| completed(lock.locktag.locktag_field3, last))
        .min()
}

/// The position whose low half is `low`, the nearest one to `last`.
fn completed(low: u32, last: i64) -> i64 {
    let distance = low.wrapping_sub(last as u32).cast_signed();
    last.saturating_add(distance.into())
}

#[cfg(test)]
mod tests {
    use super::completed;

    #[test]
    fn a_mark_is_completed_to_the_nearest_position() {
        assert_eq!(completed(7, 5), 7);
        assert_eq!(completed(5, 7), 5);
        let wrapped = (1_i64 << 32) + 3;
        assert_eq!(completed(u32::MAX, wrapped), (1 << 32) - 1);
        assert_eq!(completed(4, (1 << 32) - 2), (1 << 32) + 4);
    }
}
