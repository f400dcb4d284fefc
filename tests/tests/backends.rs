//! Backends that end under load: by pg_cancel_backend, pg_terminate_backend, and SIGKILL, which restarts the server.
//! `MESSAGE_STORE_LONG=1` for ten times as many.

use message_store_tests::load::{Acknowledged, Load, connect, is_long, is_whole, lost};
use message_store_tests::wal::alone;
use message_store_tests::{Store, follower};
use rand::Rng;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const WRITERS: usize = 6;

fn times(short: usize) -> usize {
    if is_long() { 10 * short } else { short }
}

/// One of the backends of this store, but the one that asks; one that does something if there is any.
const BACKENDS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
     AND usename = 'message_store' AND backend_type = 'client backend' ORDER BY state <> 'active', random() LIMIT 1";

/// Does `fault` to a backend at a time, while all write and read.
fn under_load(fault: &str, times: usize, apply: impl Fn(&Store)) {
    let store = alone();
    let mut followers = follower::of_each_kind(&mut store.superuser(), "message_store");
    for (round, mode) in ["category", "stream"].into_iter().enumerate() {
        store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
        let (done, failed) = (AtomicBool::new(false), AtomicUsize::new(0));
        let acknowledged: Acknowledged = thread::scope(|scope| {
            for follower in &mut followers {
                scope.spawn(|| follower.until_done(|| connect(&store), &done));
            }
            let writers: Vec<_> = (0..WRITERS)
                .map(|number| {
                    let (store, done, failed) = (&store, &done, &failed);
                    scope.spawn(move || {
                        let mut load = Load::new(number, round);
                        load.until_done(|| connect(store), done, failed);
                        load.acknowledged()
                    })
                })
                .collect();
            let mut applied = 0;
            // Many a call is over before it is hit, or it is a follower's.
            while applied < times || (failed.load(Ordering::SeqCst) == 0 && applied < 10 * times) {
                thread::sleep(rand::rng().random_range(Duration::from_millis(5)..Duration::from_millis(60)));
                apply(&store);
                applied += 1;
            }
            done.store(true, Ordering::SeqCst);
            writers.into_iter().flat_map(|writer| writer.join().expect("a writer")).collect()
        });
        let failed = failed.into_inner();
        let mut session = store.superuser();
        assert_eq!(lost(&mut session, "message_store.messages", &acknowledged), 0, "of {}", acknowledged.len());
        is_whole(&mut session, "message_store");
        for follower in &mut followers {
            follower.must_have_seen_all(|| connect(&store), &mut session);
        }
        eprintln!("{mode}: {fault} {times} times, {failed} calls failed, {} messages acknowledged", acknowledged.len());
        assert!(failed > 0, "{fault} hit no writer");
        let left = "SELECT count(*) FROM pg_locks WHERE locktype IN ('advisory', 'userlock')";
        assert_eq!(session.number(left), 0, "locks are left behind");
    }
}

fn told(store: &Store, function: &str) {
    let mut superuser = connect_as_superuser(store);
    superuser.batch_execute(&format!("SELECT {function}(pid) {BACKENDS}")).expect("told");
}

fn connect_as_superuser(store: &Store) -> postgres::Client {
    message_store_tests::load::connect_with(&store.cluster.config(&store.database, "postgres"))
}

#[test]
fn a_cancelled_call_loses_nothing_and_leaves_no_part() {
    under_load("pg_cancel_backend", times(150), |store| told(store, "pg_cancel_backend"));
}

#[test]
fn a_terminated_backend_loses_nothing_and_leaves_no_part() {
    under_load("pg_terminate_backend", times(60), |store| told(store, "pg_terminate_backend"));
}

/// The server ends all others, and recovers by itself.
#[test]
fn a_killed_backend_loses_nothing_and_leaves_no_part() {
    under_load("SIGKILL", times(2), |store| {
        let mut superuser = connect_as_superuser(store);
        thread::sleep(Duration::from_millis(300));
        let victim = superuser.query_opt(&format!("SELECT pid {BACKENDS}"), &[]).expect("backends");
        let victim: i32 = victim.expect("a backend").get(0);
        // SAFETY: a plain call, of the id of a process that was there a moment ago.
        assert_eq!(unsafe { libc::kill(victim, libc::SIGKILL) }, 0, "no kill of {victim}");
        // Until it is noticed, this connection goes on.
        while superuser.simple_query("SELECT 1").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
}
