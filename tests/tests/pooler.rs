//! Clients behind pgbouncer in transaction mode: more of them than connections, each for a transaction at a time.

use message_store_tests::load::{Acknowledged, Load, connect_with, is_long, is_whole, lost};
use message_store_tests::pooler::Pooler;
use message_store_tests::{Session, Store, Target, follower};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const CONNECTIONS: usize = 3;
const WRITERS: usize = 10;
const TABLE: &str = "message_store.messages";

fn seconds() -> u64 {
    if is_long() { 60 } else { 2 }
}

fn client(pooler: &Pooler, store: &Store) -> Session {
    Session::open(pooler.config(&store.database, "message_store"))
}

/// Two clients of one connection.
fn two_clients(pooler: &Pooler, store: &Store) -> (Session, Session) {
    let (mut one, mut other) = (client(pooler, store), client(pooler, store));
    let backend = "SELECT pg_backend_pid()";
    assert_eq!(one.number(backend), other.number(backend), "not the same connection");
    (one, other)
}

#[test]
fn more_clients_than_connections_lose_nothing() {
    let store = Store::fresh(Target::Ours);
    let pooler = Pooler::start(store.cluster, CONNECTIONS);
    let connect = || connect_with(&pooler.config(&store.database, "message_store"));
    let mut superuser = store.superuser();
    let mut followers = follower::of_each_kind(&mut superuser, "message_store");
    let mut all = Acknowledged::new();
    for (round, mode) in ["category", "stream"].into_iter().enumerate() {
        superuser.ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
        let (done, failed) = (AtomicBool::new(false), AtomicUsize::new(0));
        let gone = thread::scope(|scope| {
            for follower in &mut followers {
                scope.spawn(|| follower.until_done(connect, &done));
            }
            let writers: Vec<_> = (0..WRITERS)
                .map(|number| {
                    let (done, failed) = (&done, &failed);
                    scope.spawn(move || {
                        let mut load = Load::new(number, round);
                        load.until_done(connect, done, failed);
                        load.acknowledged()
                    })
                })
                .collect();
            // Clients that go away in the middle of a transaction.
            let leaving = scope.spawn(|| {
                let mut gone = 0;
                while !done.load(Ordering::SeqCst) {
                    let mut session = client(&pooler, &store);
                    session.ok("BEGIN");
                    session.ok("SELECT message_store.write_message(NULL, 'account-0', 'Gone', '{}')");
                    drop(session);
                    gone += 1;
                    thread::sleep(Duration::from_millis(10));
                }
                gone
            });
            thread::sleep(Duration::from_secs(seconds()));
            let shared = superuser.number(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'message_store'",
            );
            assert!((1..=CONNECTIONS as i64).contains(&shared), "{shared} connections");
            done.store(true, Ordering::SeqCst);
            all.extend(writers.into_iter().flat_map(|writer| writer.join().expect("a writer")));
            leaving.join().expect("clients")
        });
        assert_eq!(failed.into_inner(), 0, "a call failed");
        assert_eq!(lost(&mut superuser, TABLE, &all), 0, "of {}", all.len());
        assert_eq!(superuser.number(&format!("SELECT count(*) FROM {TABLE} WHERE type = 'Gone'")), 0);
        is_whole(&mut superuser, "message_store");
        for follower in &mut followers {
            follower.must_have_seen_all(connect, &mut superuser);
        }
        let left = "SELECT count(*) FROM pg_locks WHERE locktype IN ('advisory', 'userlock')";
        assert_eq!(superuser.number(left), 0, "locks are left behind");
        eprintln!("{mode}: {} messages by {WRITERS} writers on {CONNECTIONS} connections, {gone} went away", all.len());
    }
}

#[test]
fn settings_of_one_client_s_transaction_are_not_another_s() {
    let store = Store::fresh(Target::Ours);
    // What the setting goes back to. As in Message DB it is empty otherwise, and that lets conditions through.
    store.superuser().ok(&format!("ALTER DATABASE {} SET message_store.sql_condition = 'off'", store.database));
    let pooler = Pooler::start(store.cluster, 1);
    let (mut one, mut other) = two_clients(&pooler, &store);
    one.ok("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')");
    let conditional = "SELECT count(*) FROM message_store.get_stream_messages('account-1', 0, 10, 'position = 0')";
    for end in ["COMMIT", "ROLLBACK"] {
        one.ok("BEGIN; SET LOCAL message_store.sql_condition = 'on'; SET LOCAL message_store.commit_pipelining = off;
                SET LOCAL message_store.direct_access = off");
        assert_eq!(one.number(conditional), 1);
        one.ok(end);
        let failure = other.error(conditional);
        assert_eq!(failure.message, "Retrieval with SQL condition is not activated", "{failure}");
        for (setting, default) in [("commit_pipelining", "auto"), ("direct_access", "on")] {
            assert_eq!(other.value(&format!("SHOW message_store.{setting}")).as_deref(), Some(default));
        }
    }
}

#[test]
fn the_connection_s_synchronous_commit_stays_what_it_is() {
    let store = Store::fresh(Target::Ours);
    let pooler = Pooler::start(store.cluster, 1);
    let (mut one, mut other) = two_clients(&pooler, &store);
    let write = "SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')";
    let wrong = "SELECT message_store.write_message(NULL, 'account-1', 'T', '{}', NULL, 1000)";
    let mut is_on = |after: &str| {
        let now = other.value("SHOW synchronous_commit");
        assert_eq!(now.as_deref(), Some("on"), "after {after}");
    };
    for transaction in [
        vec![write],
        vec!["BEGIN", write, "COMMIT"],
        vec!["BEGIN", write, "ROLLBACK"],
        vec!["BEGIN", "SET LOCAL synchronous_commit = off", write, "COMMIT"],
        vec!["BEGIN", write, "SAVEPOINT s", write, "ROLLBACK TO s", "COMMIT"],
        vec!["BEGIN", write, "PREPARE TRANSACTION 'pooled'"],
        vec!["COMMIT PREPARED 'pooled'"],
    ] {
        for statement in &transaction {
            one.ok(statement);
        }
        is_on(&transaction.join("; "));
    }
    one.error(wrong);
    is_on("an error");
    one.ok("BEGIN");
    one.ok(write);
    one.error(wrong);
    one.ok("COMMIT");
    is_on("an error in a transaction");
    one.ok("BEGIN");
    one.ok(write);
    drop(one);
    is_on("a client that went away");
    let mut superuser = store.superuser();
    assert_eq!(superuser.number("SELECT stream_version('account-1')"), 4);
}

#[test]
fn namespaces_by_argument_and_by_a_local_search_path_stay_apart() {
    let store = Store::fresh(Target::Ours);
    let mut superuser = store.superuser();
    for tenant in ["tenant-a", "tenant-b"] {
        superuser.ok(&format!("SELECT create_namespace('{tenant}')"));
        superuser.ok(&format!("SELECT grant_namespace('{tenant}', 'message_store', 'write')"));
    }
    let pooler = Pooler::start(store.cluster, 1);
    let (mut one, mut other) = two_clients(&pooler, &store);
    for round in 0..20 {
        let write = |namespace: &str| {
            format!("SELECT message_store.write_message(NULL, 'account-1', 'T', '{{}}', NULL, NULL, {namespace})")
        };
        assert_eq!(one.number(&write("'tenant-a'")), round);
        assert_eq!(other.number(&write("'tenant-b'")), 2 * round);
        one.ok("BEGIN; SET LOCAL search_path = 'tenant-b'");
        assert_eq!(one.number(&write("NULL")), 2 * round + 1);
        one.ok("COMMIT");
        // Not in tenant-b any more.
        assert_eq!(other.number(&write("NULL")), round);
    }
    let count = |namespace: &str| format!("SELECT count(*) FROM get_all_messages(1, -1, '{namespace}')");
    let counts = ["tenant-a", "tenant-b", "message_store"].map(|namespace| superuser.number(&count(namespace)));
    assert_eq!(counts, [20, 40, 20]);
}
