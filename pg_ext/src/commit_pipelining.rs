//! Commit pipelining: the locks of a commit are released before the log is flushed, and the client hears after it.
//!
//! While one commit of a category waits for the disk, the next ones already write, and one flush serves them all (early
//! lock release with flush pipelining: Johnson et al., "Aether", VLDB 2010). Postgres has the first half as an
//! asynchronous commit: so the commit is made one, and flushed when its locks are released.
//!
//! Only for a transaction that writes nothing but messages. What else it wrote, or locked, would be let out before it
//! is durable; what is told of messages, [`crate::durability`] flushes first.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;

use pgrx::pg_sys::{self, XLogRecPtr};

use crate::settings;

/// How far this transaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has written no message.
    Idle,
    /// It has written messages and nothing else; the log ended there for it.
    OnlyMessages(XLogRecPtr),
    /// It has written something else, too.
    Mixed,
    /// It commits; `synchronous_commit` was this.
    Committing(i32),
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Idle) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// Says that messages are about to be written to a table, to which that writes nothing else if `is_self_contained`.
pub fn before_write(is_self_contained: bool) {
    listen();
    let before = last_record();
    let unchanged = match STATE.get() {
        State::Idle => before == 0,
        State::OnlyMessages(end) => before == end,
        State::Mixed | State::Committing(_) => false,
    };
    STATE.set(if unchanged && is_self_contained { State::OnlyMessages(before) } else { State::Mixed });
}

/// Says that they have been written.
pub fn after_write() {
    if matches!(STATE.get(), State::OnlyMessages(_)) {
        STATE.set(State::OnlyMessages(last_record()));
    }
}

/// Where the last record ends that this transaction has written to the log; 0 for none.
fn last_record() -> XLogRecPtr {
    // SAFETY: reads the backend's state.
    unsafe { pg_sys::XactLastRecEnd }
}

fn listen() {
    if !LISTENING.replace(true) {
        // SAFETY: the callbacks live as long as the backend.
        unsafe {
            pg_sys::RegisterXactCallback(Some(transaction_event), null_mut());
            pg_sys::RegisterResourceReleaseCallback(Some(resources_released), null_mut());
        }
    }
}

/// Postgres calls it at the end of each transaction. It must not fail.
unsafe extern "C-unwind" fn transaction_event(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_PRE_COMMIT, XACT_EVENT_PREPARE};
    match (event, STATE.get()) {
        (XACT_EVENT_PRE_COMMIT, State::OnlyMessages(end)) if end != 0 && end == last_record() && is_wanted() => {
            // SAFETY: a backend has one thread. The setting is put back before Postgres looks at settings again.
            unsafe {
                STATE.set(State::Committing(pg_sys::synchronous_commit));
                pg_sys::synchronous_commit = OFF;
            }
        }
        (XACT_EVENT_PRE_COMMIT | XACT_EVENT_PREPARE, _) => STATE.set(State::Idle),
        (XACT_EVENT_ABORT, state) => {
            put_back(state);
            STATE.set(State::Idle);
        }
        _ => {}
    }
}

/// Postgres calls it when a transaction's locks have been released, among others. It must not fail: after the commit
/// an error would stop the server.
unsafe extern "C-unwind" fn resources_released(
    phase: pg_sys::ResourceReleasePhase::Type,
    is_commit: bool,
    is_top_level: bool,
    _argument: *mut c_void,
) {
    let state = STATE.get();
    let released = phase == pg_sys::ResourceReleasePhase::RESOURCE_RELEASE_AFTER_LOCKS && is_top_level && is_commit;
    if released && matches!(state, State::Committing(_)) {
        put_back(state);
        STATE.set(State::Idle);
        // SAFETY: the commit's record is in the log, and ends there.
        unsafe { raw::XLogFlush(pg_sys::XactLastCommitEnd) };
    }
}

fn put_back(state: State) {
    if let State::Committing(synchronous_commit) = state {
        // SAFETY: a backend has one thread.
        unsafe { pg_sys::synchronous_commit = synchronous_commit };
    }
}

const OFF: i32 = pg_sys::SyncCommitLevel::SYNCHRONOUS_COMMIT_OFF.cast_signed();

/// Whether the commit is one that waits for the local disk, and for nothing else.
fn is_wanted() -> bool {
    // SAFETY: reads the backend's state; the setting is a text or null.
    unsafe {
        let standbys = pg_sys::SyncRepStandbyNames;
        pg_sys::synchronous_commit > OFF && (standbys.is_null() || *standbys == 0) && settings::commit_pipelining()
    }
}

mod raw {
    use pgrx::pg_sys::XLogRecPtr;

    unsafe extern "C-unwind" {
        pub fn XLogFlush(to: XLogRecPtr);
    }
}
