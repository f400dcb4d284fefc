//! A prepared transaction that outlives the server: its locks do too, and with them what readers are kept from.

use message_store_tests::consumer::Source;
use message_store_tests::follower::{Follower, Keeping};
use message_store_tests::load::connect;
use message_store_tests::namespaces::{count, granted, write};
use message_store_tests::{Crash, Store, Target};

/// The default store, whose writers lock categories, and one whose writers lock streams.
const NAMESPACES: [&str; 2] = ["message_store", "lanes"];

fn poll(store: &Store, follower: &mut Follower) -> usize {
    follower.poll(&mut connect(store)).expect("a poll")
}

/// What is written elsewhere, behind what was prepared: three messages.
fn write_elsewhere(store: &Store) {
    let mut session = store.session();
    session.ok(&write("message_store", "order-1"));
    session.ok(&write("lanes", "order-1"));
    session.ok(&write("lanes", "account-2"));
}

fn is_waited_for_after_a_crash(way: Crash, end: &str) {
    let store = Store::fresh(Target::Ours);
    granted(&store, "lanes", "message_store");
    store.superuser().ok("SELECT set_namespace_option('lanes', 'append_lock', 'stream')");
    let mut followers = vec![
        Follower::new(Source::Everything, "message_store", Keeping::Outside),
        Follower::new(Source::Everything, "lanes", Keeping::Outside),
        Follower::new(Source::Category("account"), "lanes", Keeping::Outside),
    ];
    let mut session = store.session();
    NAMESPACES.iter().for_each(|namespace| session.ok(&write(namespace, "account-0")));
    for follower in &mut followers {
        assert_eq!(poll(&store, follower), 1);
    }
    session.ok("BEGIN");
    NAMESPACES.iter().for_each(|namespace| session.ok(&write(namespace, "account-1")));
    session.ok("PREPARE TRANSACTION 'outlives'");
    write_elsewhere(&store);
    for follower in &mut followers {
        assert_eq!(poll(&store, follower), 0, "before the crash");
    }

    store.cluster.crash(way);
    for follower in &mut followers {
        assert_eq!(poll(&store, follower), 0, "after the crash, {way:?}");
    }
    write_elsewhere(&store);
    for follower in &mut followers {
        assert_eq!(poll(&store, follower), 0, "written after the crash, {way:?}");
    }
    let mut session = store.session();
    session.ok("SET lock_timeout = '100ms'");
    for namespace in NAMESPACES {
        let failure = session.error(&write(namespace, "account-1"));
        assert_eq!(failure.sqlstate, "55P03", "{namespace}: the lock that a writer needs");
    }

    session.ok(&format!("{end} PREPARED 'outlives'"));
    let committed = usize::from(end == "COMMIT");
    let mut superuser = store.superuser();
    let seen = followers.iter_mut().map(|follower| follower.must_have_seen_all(|| connect(&store), &mut superuser));
    assert_eq!(seen.collect::<Vec<_>>(), [3 + committed, 5 + committed, 3 + committed], "{way:?}, {end}");
    for namespace in NAMESPACES {
        assert_eq!(session.number(&write(namespace, "account-1")), i64::try_from(committed).expect("0 or 1"));
    }
    assert_eq!(count(&store, "lanes"), i64::try_from(6 + committed).expect("a number"));
}

/// One after the other: it is the server of both.
#[test]
fn what_comes_behind_a_prepared_transaction_is_withheld_after_a_crash_until_that_ends() {
    is_waited_for_after_a_crash(Crash::Kill, "COMMIT");
    is_waited_for_after_a_crash(Crash::Stop, "ROLLBACK");
}
