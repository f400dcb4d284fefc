//! What a connection remembers of its own transaction, until it ends.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use pgrx::pg_sys;

/// What was done in this transaction.
#[derive(Debug, Default)]
pub struct TransactionMemory {
    /// The marks left for readers: of a table, for a category's tag.
    pub marks: HashSet<(pg_sys::Oid, u16)>,
    /// The streams locked singly, by the key of their category's lock.
    pub streams: HashMap<i64, HashSet<i64>>,
}

thread_local! {
    static MEMORY: RefCell<TransactionMemory> = RefCell::default();
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// Looks at or changes what is remembered of this transaction.
pub fn with<T>(work: impl FnOnce(&mut TransactionMemory) -> T) -> T {
    if !LISTENING.replace(true) {
        // SAFETY: the callback lives as long as the backend.
        unsafe { pg_sys::RegisterXactCallback(Some(transaction_ended), std::ptr::null_mut()) };
    }
    MEMORY.with_borrow_mut(work)
}

/// Postgres calls it at the end of each transaction. It must not fail.
unsafe extern "C-unwind" fn transaction_ended(event: pg_sys::XactEvent::Type, _argument: *mut std::ffi::c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        MEMORY.with(|memory| {
            if let Ok(mut memory) = memory.try_borrow_mut() {
                memory.marks.clear();
                memory.streams.clear();
            }
        });
    }
}
