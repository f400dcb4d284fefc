//! The write-ahead log, seen from outside: how far it has been written and flushed, and ways to keep it from being
//! flushed.

use crate::{Cluster, Session, Store, Target};
use std::ops::Deref;
use std::sync::{Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Settings under which only a commit, or what a test looks for, flushes the log: nothing does it in the background for
/// ten seconds. Nor does anything write to it: with a level for standbys the running transactions are noted every now and
/// then. The buffers hold what [`HeldFlush`] writes several times.
const SETTINGS: [&str; 9] = [
    "wal_level=minimal",
    "max_wal_senders=0",
    "fsync=on",
    "wal_writer_delay=10s",
    "wal_writer_flush_after=1GB",
    "wal_buffers=128MB",
    "checkpoint_timeout=1h",
    "autovacuum=off",
    "shared_buffers=32MB",
];

/// A fresh store of ours in a cluster with [`SETTINGS`], where no other test writes as long as this lives.
pub struct Alone {
    store: Store,
    _others_wait: MutexGuard<'static, ()>,
}

impl Deref for Alone {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

/// Waits until other tests of this kind have ended.
pub fn alone() -> Alone {
    static ONE: Mutex<()> = Mutex::new(());
    let others_wait = ONE.lock().unwrap_or_else(|e| e.into_inner());
    Cluster::shared_with(&SETTINGS);
    let store = Store::fresh(Target::Ours);
    // Else the first reads of each connection would do that, and so write to the log.
    store.superuser().ok("VACUUM");
    Alone { store, _others_wait: others_wait }
}

/// A connection that looks at the log.
pub struct Wal(Session);

impl Wal {
    /// Connects, as the superuser.
    pub fn of(store: &Store) -> Wal {
        let mut wal = Wal(store.session_as("postgres"));
        // The first reads of a connection may write to the log themselves: they tidy up pages of the catalogs.
        wal.flushed();
        wal.end();
        wal
    }

    /// Where the last record ends, in bytes.
    pub fn end(&mut self) -> u64 {
        // At the end of a page the next record starts behind the next page's header, of 24 or 40 bytes.
        const PAGE: u64 = 8192;
        let next = self.position("pg_current_wal_insert_lsn()");
        if [24, 40].contains(&(next % PAGE)) { next - next % PAGE } else { next }
    }

    /// Up to where it has been flushed, in bytes.
    pub fn flushed(&mut self) -> u64 {
        self.position("pg_current_wal_flush_lsn()")
    }

    fn position(&mut self, function: &str) -> u64 {
        self.0.number(&format!("SELECT ({function} - '0/0')::bigint")).try_into().expect("a position")
    }

    /// Waits until a backend waits for the flush of another, for at most ten seconds.
    pub fn wait_until_flushing(&mut self, backend: i64) {
        let waits = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {backend} AND wait_event_type = 'LWLock' AND wait_event = 'WALWrite'"
        );
        for _ in 0..2000 {
            if self.0.number(&waits) == 1 {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("backend {backend} did not wait for a flush");
    }
}

/// While it lives no flush ends: a backend is stopped in the middle of one, and all others wait for it.
pub struct HeldFlush {
    backend: libc::pid_t,
    flushing: Option<JoinHandle<Session>>,
}

impl HeldFlush {
    /// Commits much and stops the backend that does, until that hits it in a flush.
    pub fn hold(store: &Store) -> HeldFlush {
        let mut watcher = store.session_as("postgres");
        for _ in 0..50 {
            let mut session = store.session_as("postgres");
            let backend = session.number("SELECT pg_backend_pid()").try_into().expect("a process");
            let write = "SELECT pg_logical_emit_message(true, 'test', repeat('x', 16 * 1024 * 1024))";
            let flushing = thread::spawn(move || {
                session.ok(write);
                session
            });
            let held = HeldFlush { backend, flushing: Some(flushing) };
            // Postgres 17 and later spell them WalWrite and WalSync.
            let flushes = format!(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}
                 AND wait_event_type = 'IO' AND lower(wait_event) IN ('walwrite', 'walsync')"
            );
            let mut flushes = || watcher.number(&flushes) == 1;
            while !held.has_ended() {
                if flushes() {
                    held.signal(libc::SIGSTOP);
                    held.wait_until_stopped();
                    if flushes() {
                        return held;
                    }
                    held.signal(libc::SIGCONT);
                }
            }
        }
        panic!("no flush was caught");
    }

    /// Lets flushes go on.
    pub fn release(self) {}

    fn has_ended(&self) -> bool {
        self.flushing.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn signal(&self, signal: libc::c_int) {
        // SAFETY: a plain call. The backend is there: its connection is open until the thread has been joined.
        unsafe { libc::kill(self.backend, signal) };
    }

    fn wait_until_stopped(&self) {
        let state = format!("/proc/{}/stat", self.backend);
        while std::fs::read_to_string(&state).is_ok_and(|stat| !stat.contains(") T ")) {
            thread::yield_now();
        }
    }
}

impl Drop for HeldFlush {
    fn drop(&mut self) {
        self.signal(libc::SIGCONT);
        if let Some(flushing) = self.flushing.take() {
            let ended = flushing.join();
            assert!(ended.is_ok() || thread::panicking(), "the held commit failed");
        }
    }
}
