//! The horizon: up to where global positions are settled, so that a read of everything never skips a message.
//!
//! Global positions are drawn before their transactions commit, and commits come in any order. So each writer leaves a
//! mark before it draws its first position: a lock, held to the end of its transaction, whose tag carries the lowest
//! position it may draw. A reader takes the highest position drawn so far, then the lowest mark that still stands, and
//! then its snapshot: whatever lies below both is either visible in that snapshot or will never come.
//!
//! A mark is a share lock in Postgres' space of user locks. Nothing ever waits for it; it is there to be seen in the
//! lock table, and to vanish with its transaction, prepared ones included.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use message_store_core::{Error, Result, lock_key::category_tag};
use pgrx::pg_sys;

use crate::namespace::{self, Store, refuse, relation_oid};
use crate::postgres_error::protect;
use crate::store_objects::SEQUENCE;

/// How many categories of a namespace a transaction marks singly, before one mark for all of them takes over.
const MAX_CATEGORIES: usize = 64;
/// In place of a category's tag: every category.
const EVERY_CATEGORY: u16 = 0;

thread_local! {
    /// What this transaction has marked: table, and category or all of them.
    static MARKS: RefCell<HashSet<(pg_sys::Oid, u16)>> = RefCell::default();
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// Leaves this transaction's mark for a category, before it draws its first position for it.
///
/// The table must be locked, so that its sequence is the one that the insert will draw from.
pub fn mark(store: &Store, category: &[u8]) -> Result<()> {
    let tag = category_tag(category);
    let tag = MARKS.with_borrow(|marks| {
        if marks.contains(&(store.table, tag)) || marks.contains(&(store.table, EVERY_CATEGORY)) {
            return None;
        }
        let categories = marks.iter().filter(|(table, _)| *table == store.table).count();
        Some(if categories < MAX_CATEGORIES { tag } else { EVERY_CATEGORY })
    });
    let Some(tag) = tag else { return Ok(()) };
    forget_at_end();
    let sequence = sequence(store)?;
    // What the insert asks for, and what looking asks for.
    check(sequence, pg_sys::ACL_USAGE | pg_sys::ACL_SELECT);
    let lowest = last_drawn(sequence).unwrap_or(0).wrapping_add(1);
    hold(store.table, lowest, tag);
    MARKS.with_borrow_mut(|marks| marks.insert((store.table, tag)));
    Ok(())
}

/// Raises Postgres' error where the caller has none of these privileges on the sequence.
fn check(sequence: pg_sys::Oid, privileges: pg_sys::AclMode) {
    // SAFETY: a catalog look-up; one of the privileges is enough.
    let result = unsafe { pg_sys::pg_class_aclcheck(sequence, pg_sys::GetUserId(), privileges) };
    refuse(result, pg_sys::ObjectType::OBJECT_SEQUENCE, SEQUENCE);
}

/// Makes sure that the caller may move the sequence, as an import does.
pub fn check_may_set(store: &Store) -> Result<()> {
    check(sequence(store)?, pg_sys::ACL_UPDATE);
    Ok(())
}

fn sequence(store: &Store) -> Result<pg_sys::Oid> {
    relation_oid(SEQUENCE, store.schema).ok_or_else(|| unusable(store))
}

/// Leaves a mark for every category, from a position on that this transaction is about to take.
pub fn mark_all(store: &Store, lowest: i64) {
    forget_at_end();
    hold(store.table, lowest, EVERY_CATEGORY);
    MARKS.with_borrow_mut(|marks| marks.insert((store.table, EVERY_CATEGORY)));
}

/// The highest global position drawn so far, `None` when none was. The caller must be allowed to read the sequence.
pub fn last_position_drawn(store: &Store) -> Result<Option<i64>> {
    let sequence = sequence(store)?;
    check_sequence(store, sequence)?;
    Ok(last_drawn(sequence))
}

/// Up to which global position the store is settled as of now. The snapshot to read with is to be taken after.
pub fn settled(store: &Store) -> Result<i64> {
    // SAFETY: reads the backend's state.
    if unsafe { pg_sys::RecoveryInProgress() } {
        return Err(Error::NotOnAStandby);
    }
    let Some(last) = last_position_drawn(store)? else { return Ok(0) };
    Ok(lowest_mark(store.table, last).map_or(last, |mark| last.min(mark - 1)))
}

fn unusable(store: &Store) -> Error {
    Error::UnusableSequence(store.namespace.clone())
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

/// The last value drawn from a sequence, `None` when none was.
fn last_drawn(sequence: pg_sys::Oid) -> Option<i64> {
    // SAFETY: a function of one OID argument that returns a bigint or NULL.
    let last = unsafe {
        pgrx::direct_function_call_as_datum(pg_sys::pg_sequence_last_value, &[Some(pg_sys::Datum::from(sequence))])
    };
    last.map(|value| value.value().cast_signed() as i64)
}

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
    let mode = pg_sys::ShareLock.cast_signed();
    // SAFETY: a plain call. The transaction's own resource owner holds the lock; the current one is put back on both
    // ways out, since the end of the transaction resets it after an error.
    unsafe {
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::CurrentResourceOwner = pg_sys::TopTransactionResourceOwner;
        protect(|| raw::LockAcquire(&tag, mode, false, false));
        pg_sys::CurrentResourceOwner = owner;
    }
}

const USER_LOCK: u8 = pg_sys::LockTagType::LOCKTAG_USERLOCK as u8;
const USER_LOCK_METHOD: u8 = pg_sys::USER_LOCKMETHOD as u8;

/// The lowest mark that any other transaction holds on a table.
fn lowest_mark(table: pg_sys::Oid, last: i64) -> Option<i64> {
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

/// Forgets what this transaction has marked when it ends.
fn forget_at_end() {
    if !LISTENING.replace(true) {
        // SAFETY: the callback lives as long as the backend.
        unsafe { pg_sys::RegisterXactCallback(Some(transaction_ended), std::ptr::null_mut()) };
    }
}

/// Postgres calls it at the end of each transaction. It must not fail.
unsafe extern "C-unwind" fn transaction_ended(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        MARKS.with(|marks| {
            if let Ok(mut marks) = marks.try_borrow_mut() {
                marks.clear();
            }
        });
    }
}

mod raw {
    use std::ffi::c_int;

    use pgrx::pg_sys::{LOCKTAG, LockAcquireResult};

    unsafe extern "C-unwind" {
        pub fn LockAcquire(tag: *const LOCKTAG, mode: c_int, session: bool, dont_wait: bool)
        -> LockAcquireResult::Type;
    }
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
