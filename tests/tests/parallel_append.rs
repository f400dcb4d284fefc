//! Writers that lock their streams alone, and consumers beside them, while the namespace's option is switched.
//!
//! `MESSAGE_STORE_LONG=1` runs it over 200,000 messages.

use message_store_tests::consumer::{Consumer, Polling, Seen, Source, of_source, streams_are_gapless};
use message_store_tests::race::{Plan, Run, messages, run};
use message_store_tests::writer::{self, Deeds};
use message_store_tests::{Cluster, Session, Store, Target};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

const WRITERS: usize = 16;
const NAMESPACE: &str = "'tenant-a'";
const TABLE: &str = "\"tenant-a\".messages";
const BUSY: &str = "busy";
/// Several writes of a transaction go to one category, in streams of any order.
const CATEGORIES: [&str; 6] = [BUSY, BUSY, "side", BUSY, BUSY, BUSY];

const SOURCES: [Source; 6] = [
    Source::Everything,
    Source::Category(BUSY),
    Source::Correlated(BUSY, writer::CORRELATED),
    Source::Member(BUSY, 0, 3),
    Source::Member(BUSY, 1, 3),
    Source::Member(BUSY, 2, 3),
];

fn store(append_lock: &str) -> Store {
    // Each test has 16 writers, of two connections each, and up to 18 consumers.
    Cluster::shared_with(&["fsync=off", "shared_buffers=16MB", "max_connections=200"]);
    let store = Store::fresh(Target::Ours);
    store.superuser().ok(&format!(
        "SELECT create_namespace('tenant-a'); SELECT grant_namespace('tenant-a', 'message_store');
         {}",
        switch(append_lock)
    ));
    store
}

fn switch(append_lock: &str) -> String {
    format!("SELECT message_store.set_namespace_option('tenant-a', 'append_lock', '{append_lock}')")
}

/// A consumer of each source for each polling, half of them past the executor.
fn consumers(session: impl Fn() -> Session, pollings: &[Polling]) -> Vec<(Source, Polling, bool, Consumer)> {
    let mut consumers = Vec::new();
    for (p, polling) in pollings.iter().enumerate() {
        for (s, source) in SOURCES.into_iter().enumerate() {
            let direct = (p + s) % 2 == 0;
            let mut session = session();
            session.ok(&format!("SET message_store.direct_access = {direct}"));
            consumers.push((source, *polling, direct, Consumer::of(source, session, *polling, NAMESPACE)));
        }
    }
    consumers
}

/// Who read, what they saw and what they should have seen.
struct Reader {
    who: String,
    seen: Vec<Seen>,
    written: Vec<Seen>,
}

impl Reader {
    fn missed(&self) -> usize {
        self.written.iter().filter(|message| self.seen.binary_search(message).is_err()).count()
    }
}

fn stress(
    store: &Store,
    target: usize,
    consumers: Vec<(Source, Polling, bool, Consumer)>,
    beside: impl FnOnce(&AtomicBool) + Send,
) -> (Vec<Reader>, Deeds) {
    let plan = Plan { store, namespace: NAMESPACE, categories: &CATEGORIES, streams: 40, writers: WRITERS, target };
    let (readers, consumers): (Vec<_>, Vec<_>) =
        consumers.into_iter().map(|(source, polling, direct, consumer)| ((source, polling, direct), consumer)).unzip();
    let Run { seen, deeds, committed } = run(&plan, consumers, beside);
    let mut superuser = store.superuser();
    assert_eq!(superuser.number(&format!("SELECT count(*) FROM {TABLE}")), committed as i64);
    streams_are_gapless(&mut superuser, TABLE);
    let reader = |((source, polling, direct), seen)| {
        let who = format!("{source:?}, {polling:?}, direct access {direct}");
        Reader { who, seen, written: of_source(&mut superuser, TABLE, source) }
    };
    (readers.into_iter().zip(seen).map(reader).collect(), deeds)
}

fn nobody_missed_anything(readers: &[Reader]) {
    let broken: Vec<String> = readers
        .iter()
        .filter(|reader| reader.seen != reader.written)
        .map(|reader| {
            let Reader { who, seen, written } = reader;
            format!("{who}: saw {} of {}, missed {}", seen.len(), written.len(), reader.missed())
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Switches the option back and forth, as fast as the writers let it.
fn switching(mut session: Session, done: &AtomicBool) {
    session.ok("SET deadlock_timeout = '20ms'");
    let mut switches = 0;
    while !done.load(Ordering::SeqCst) {
        session.ok(&switch(["category", "stream"][switches % 2]));
        switches += 1;
        sleep(Duration::from_millis(50));
    }
    eprintln!("{switches} switches");
    assert!(switches > 2);
}

#[test]
fn nothing_is_missed_while_the_option_is_switched() {
    let store = store("stream");
    let pollings = [Polling::EachByItself, Polling::Several("READ COMMITTED"), Polling::Several("REPEATABLE READ")];
    let consumers = consumers(|| store.session(), &pollings);
    let admin = store.superuser();
    let (readers, deeds) = stress(&store, messages(8_000, 200_000), consumers, |done| switching(admin, done));
    nobody_missed_anything(&readers);
    for deed in [
        "single statements",
        "batches",
        "commits",
        "rollbacks",
        "savepoints kept",
        "savepoints rolled back and written again",
        "prepared transactions",
        "transactions of 70 categories",
        "deadlock victims",
    ] {
        assert!(deeds.contains_key(deed), "no {deed}");
    }
}

/// Transactions that do not end would keep the option from being switched.
#[test]
fn nothing_is_missed_in_one_long_transaction() {
    let store = store("stream");
    let pollings = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"].map(Polling::AllInOne);
    let consumers = consumers(|| store.session(), &pollings);
    nobody_missed_anything(&stress(&store, messages(4_000, 50_000), consumers, |_| ()).0);
}

/// What the horizon prevents, or else the tests above prove nothing.
#[test]
fn without_the_horizon_messages_are_missed() {
    let store = store("stream");
    let naive = || {
        let mut session = store.superuser();
        session.ok("SET message_store.test_without_horizon = 'on'");
        session
    };
    let pollings = [Polling::EachByItself, Polling::Several("REPEATABLE READ")];
    let (readers, _) = stress(&store, messages(4_000, 20_000), consumers(naive, &pollings), |_| ());
    for reader in readers {
        eprintln!("{}: {} of {} missed", reader.who, reader.missed(), reader.written.len());
        assert!(reader.missed() > 0, "{} missed nothing", reader.who);
    }
}
