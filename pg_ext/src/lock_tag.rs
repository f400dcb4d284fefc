//! Locks in Postgres' space of user locks, where the advisory locks are.

use std::ffi::c_int;

use pgrx::pg_sys::{self, LOCKTAG};

use crate::postgres_error::protect;
use crate::postgres_version;

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Beside others that share it.
    Share,
    /// By one transaction only.
    Exclusive,
}

impl Mode {
    fn number(self) -> c_int {
        match self {
            Self::Share => pg_sys::ShareLock.cast_signed(),
            Self::Exclusive => pg_sys::ExclusiveLock.cast_signed(),
        }
    }
}

/// The tag of the advisory lock of a key, the one that `pg_advisory_xact_lock(key)` takes.
pub fn advisory(key: i64) -> LOCKTAG {
    let key = key.cast_unsigned();
    LOCKTAG {
        // SAFETY: reads the backend's state.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (key >> 32) as u32, // its halves
        locktag_field3: key as u32,
        locktag_field4: 1,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

/// Waits for a lock, until the transaction or the savepoint ends.
pub fn acquire(tag: &LOCKTAG, mode: Mode) {
    let mode = mode.number();
    // SAFETY: a plain call.
    unsafe { protect(|| raw::LockAcquire(tag, mode, false, false)) };
}

/// The same, whatever savepoint is rolled back before the transaction ends.
pub fn acquire_for_transaction(tag: &LOCKTAG, mode: Mode) {
    let mode = mode.number();
    // SAFETY: a plain call. The transaction's own resource owner holds the lock; the current one is put back, after an
    // error by the end of the transaction.
    unsafe {
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::CurrentResourceOwner = pg_sys::TopTransactionResourceOwner;
        protect(|| raw::LockAcquire(tag, mode, false, false));
        pg_sys::CurrentResourceOwner = owner;
    }
}

/// Whether this session holds the lock in that mode.
pub fn is_held(tag: &LOCKTAG, mode: Mode) -> bool {
    // SAFETY: looks into the session's own table of locks.
    unsafe { postgres_version::lock_is_held(tag, mode.number()) }
}

mod raw {
    use std::ffi::c_int;

    use pgrx::pg_sys::{LOCKTAG, LockAcquireResult};

    unsafe extern "C-unwind" {
        pub fn LockAcquire(tag: *const LOCKTAG, mode: c_int, session: bool, dont_wait: bool)
        -> LockAcquireResult::Type;
    }
}
