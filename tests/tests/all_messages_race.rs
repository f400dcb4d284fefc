//! Consumers of everything, while writers draw global positions in one order and commit in another.
//!
//! `MESSAGE_STORE_LONG=1` runs it over 100,000 messages, `MESSAGE_STORE_SEED` repeats a run's random choices.

use message_store_tests::consumer::{Consumer, Polling, Seen, all, streams_are_gapless};
use message_store_tests::race::{Plan, Run, messages, run};
use message_store_tests::writer::Deeds;
use message_store_tests::{Session, Store, Target};

const WRITERS: usize = 8;
const CATEGORIES: [&str; 6] = ["c0", "c1", "c2", "c3", "c4", "c5"];

const POLLINGS: [Polling; 5] = [
    Polling::EachByItself,
    Polling::Several("READ COMMITTED"),
    Polling::Several("REPEATABLE READ"),
    Polling::AllInOne("REPEATABLE READ"),
    Polling::AllInOne("SERIALIZABLE"),
];

struct Race {
    written: Vec<Seen>,
    /// What each consumer saw.
    seen: Vec<Vec<Seen>>,
    deeds: Deeds,
}

/// Runs the writers until they have committed `target` messages, and a consumer for each session and polling.
fn race(store: &Store, namespace: &str, table: &str, target: usize, consumers: Vec<(Session, Polling)>) -> Race {
    let plan = Plan { store, namespace, categories: &CATEGORIES, streams: 10, writers: WRITERS, target };
    let consumers =
        consumers.into_iter().map(|(session, polling)| Consumer::new(session, polling, namespace)).collect();
    let Run { seen, deeds, committed } = run(&plan, consumers, |_| ());
    let written = all(&mut store.superuser(), table);
    assert_eq!(written.len(), committed, "the table holds what was committed");
    Race { written, seen, deeds }
}

fn check(race: &Race, target: usize) {
    assert!(race.written.len() >= target);
    assert!(!race.deeds.contains_key("deadlock victims"), "they lock categories in one order");
    for deed in [
        "single statements",
        "batches",
        "rollbacks",
        "savepoints rolled back and written again",
        "prepared transactions",
        "transactions of 70 categories",
    ] {
        assert!(race.deeds.contains_key(deed), "no {deed}");
    }
    for (seen, polling) in race.seen.iter().zip(POLLINGS) {
        let missed = race.written.iter().filter(|message| seen.binary_search(message).is_err()).count();
        assert!(missed == 0, "{polling:?}: {missed} of {} missed", race.written.len());
        assert!(*seen == race.written, "{polling:?}: something was seen twice, or in another order");
    }
}

#[test]
fn consumers_miss_nothing_and_see_nothing_twice() {
    let store = Store::fresh(Target::Ours);
    let target = messages(20_000, 100_000);
    let consumers = POLLINGS.map(|polling| (store.session(), polling)).into();
    check(&race(&store, "NULL", "message_store.messages", target, consumers), target);
    streams_are_gapless(&mut store.superuser(), "message_store.messages");
}

#[test]
fn consumers_of_a_namespace_miss_nothing_either() {
    let store = Store::fresh(Target::Ours);
    store.superuser().ok("SELECT create_namespace('tenant-a'); SELECT grant_namespace('tenant-a', 'message_store')");
    let target = messages(5_000, 20_000);
    let consumers = POLLINGS.map(|polling| (store.session(), polling)).into();
    check(&race(&store, "'tenant-a'", "\"tenant-a\".messages", target, consumers), target);
    streams_are_gapless(&mut store.superuser(), "\"tenant-a\".messages");
}

/// What the horizon prevents, or else the test above proves nothing.
#[test]
fn consumers_that_disregard_the_horizon_miss_messages() {
    let store = Store::fresh(Target::Ours);
    let naive = || {
        let mut session = store.superuser();
        session.ok("SET message_store.test_without_horizon = 'on'");
        session
    };
    let consumers = POLLINGS.map(|polling| (naive(), polling)).into();
    let race = race(&store, "NULL", "message_store.messages", messages(3_000, 20_000), consumers);
    for (seen, polling) in race.seen.iter().zip(POLLINGS) {
        assert!(seen.len() < race.written.len(), "{polling:?} missed nothing");
        eprintln!("{polling:?}: {} of {} missed", race.written.len() - seen.len(), race.written.len());
    }
}

const WRITE: &str = "SELECT message_store.write_message(NULL, 'NAME', 'T', '{}')";

fn write(stream: &str) -> String {
    WRITE.replace("NAME", stream)
}

/// The smallest such race, step by step.
#[test]
fn a_message_waits_for_those_before_it() {
    let store = Store::fresh(Target::Ours);
    let mut naive = store.superuser();
    naive.ok("SET message_store.test_without_horizon = 'on'");
    let mut naive = Consumer::new(naive, Polling::EachByItself, "NULL");
    let mut careful: Vec<Consumer> =
        POLLINGS.iter().map(|polling| Consumer::new(store.session(), *polling, "NULL")).collect();
    let (mut slow, mut quick) = (store.session(), store.session());

    slow.ok(&format!("BEGIN; {}", write("a-1")));
    quick.ok(&write("b-1"));
    assert_eq!(naive.poll(), 1, "it sees the second message");
    for consumer in &mut careful {
        assert_eq!(consumer.poll(), 0, "the first message is still to come");
    }
    slow.ok("COMMIT");
    assert_eq!(naive.poll(), 0, "and so it never sees the first");
    let written = all(&mut store.superuser(), "message_store.messages");
    assert_eq!(written.len(), 2);
    for consumer in &mut careful {
        while consumer.poll() > 0 {}
        assert_eq!(consumer.seen(), written);
    }
}

/// A savepoint that is rolled back releases its locks, but what the transaction wrote before stays to come.
#[test]
fn a_rolled_back_savepoint_leaves_the_mark() {
    let store = Store::fresh(Target::Ours);
    let mut consumer = Consumer::new(store.session(), Polling::EachByItself, "NULL");
    let (mut slow, mut quick) = (store.session(), store.session());
    slow.ok(&format!("BEGIN; SAVEPOINT s; {}; ROLLBACK TO SAVEPOINT s", write("a-1")));
    quick.ok(&write("b-1"));
    slow.ok(&write("a-1"));
    quick.ok(&write("b-1"));
    assert_eq!(consumer.poll(), 0);
    slow.ok("COMMIT");
    while consumer.poll() > 0 {}
    let written = all(&mut store.superuser(), "message_store.messages");
    assert_eq!((written.len(), consumer.seen()), (3, &written[..]));
}

#[test]
fn a_prepared_transaction_is_waited_for() {
    let store = Store::fresh(Target::Ours);
    let mut consumers: Vec<Consumer> =
        POLLINGS.iter().map(|polling| Consumer::new(store.session(), *polling, "NULL")).collect();
    let mut writer = store.session();
    writer.ok(&format!("BEGIN; {}; PREPARE TRANSACTION 'step'", write("a-1")));
    // The one who prepared it too.
    assert_eq!(writer.number("SELECT count(*) FROM get_all_messages()"), 0);
    writer.ok(&write("b-1"));
    assert_eq!(writer.number("SELECT count(*) FROM get_all_messages()"), 0);
    for consumer in &mut consumers {
        assert_eq!(consumer.poll(), 0);
    }
    store.session().ok("COMMIT PREPARED 'step'");
    let written = all(&mut store.superuser(), "message_store.messages");
    for consumer in &mut consumers {
        while consumer.poll() > 0 {}
        assert_eq!((written.len(), consumer.seen()), (2, &written[..]));
    }
}

/// A writer sees its own, in its own transaction, and nothing that another's message could still precede.
#[test]
fn a_writer_reads_what_it_wrote_itself() {
    let store = Store::fresh(Target::Ours);
    let (mut writer, mut other) = (store.session(), store.session());
    writer.ok(&format!("BEGIN; {}", write("a-1")));
    assert_eq!(writer.number("SELECT count(*) FROM get_all_messages()"), 1);
    other.ok(&format!("BEGIN; {}", write("b-1")));
    assert_eq!(writer.number("SELECT count(*) FROM get_all_messages()"), 1);
    writer.ok(&write("a-1"));
    assert_eq!(writer.number("SELECT count(*) FROM get_all_messages()"), 1, "the other's comes before it");
    other.ok("ROLLBACK");
    assert_eq!(writer.number("SELECT count(*) FROM get_all_messages()"), 2);
}

/// A transaction that has written, and then waits, holds back the readers of its own namespace only.
#[test]
fn one_namespace_does_not_hold_back_another() {
    let store = Store::fresh(Target::Ours);
    store
        .superuser()
        .ok("SELECT create_namespace('tenant-a'); SELECT grant_namespace('tenant-a', 'message_store', 'write')");
    let (mut slow, mut quick) = (store.session(), store.session());
    slow.ok(&format!("BEGIN; {}", write("a-1")));
    quick.ok("SELECT write_message(NULL, 'a-1', 'T', '{}', NULL, NULL, 'tenant-a')");
    assert_eq!(quick.number("SELECT count(*) FROM get_all_messages(1, 10, 'tenant-a')"), 1);
    assert_eq!(quick.number("SELECT count(*) FROM get_all_messages()"), 0);
}
