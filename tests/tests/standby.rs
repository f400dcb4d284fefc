//! A hot standby: what it reads, and what it refuses since it does not know the writers' locks.

#[path = "standby/answers.rs"]
mod answers;

use message_store_tests::consumer::{Consumer, Polling, SetAtEnd, Source, of_source};
use message_store_tests::race::{self, Plan};
use message_store_tests::writer::CORRELATED;
use message_store_tests::{Cluster, Session, Store, Target};
use rand::Rng;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

struct Pair {
    store: Store,
    standby: &'static Cluster,
    primary: Session,
}

/// The standby that all tests share: it has their databases, as the primary has.
fn standby() -> &'static Cluster {
    static STANDBY: OnceLock<Cluster> = OnceLock::new();
    STANDBY.get_or_init(|| Cluster::shared().standby())
}

fn pair() -> Pair {
    let store = Store::fresh(Target::Ours);
    let mut primary = store.superuser();
    primary.ok("SELECT create_namespace('tenant-a'); SELECT set_namespace_option('tenant-a', 'append_lock', 'stream')");
    primary.ok(&format!("{}; {}", write("account-1", "NULL"), write("account-1", "'tenant-a'")));
    let pair = Pair { store, standby: standby(), primary };
    pair.catch_up();
    pair
}

impl Pair {
    fn session(&self) -> Session {
        session(self.standby, &self.store)
    }

    /// Waits until the standby has replayed what the primary has written.
    fn catch_up(&self) {
        let position = self.store.superuser().value("SELECT pg_current_wal_insert_lsn()").expect("a position");
        // Of a database that it has in any case.
        let mut session = Session::open(self.standby.config("postgres", "postgres"));
        for _ in 0..12_000 {
            let replayed = format!("SELECT (pg_last_wal_replay_lsn() >= '{position}')::int");
            if session.number(&replayed) == 1 {
                return;
            }
            sleep(Duration::from_millis(5));
        }
        panic!("the standby does not follow");
    }
}

fn session(standby: &Cluster, store: &Store) -> Session {
    let mut session = Session::open(standby.config(&store.database, "postgres"));
    session.ok("SET search_path = message_store, public");
    session
}

fn write(stream: &str, namespace: &str) -> String {
    format!("SELECT write_message(NULL, '{stream}', 'T', '{{}}', NULL, NULL, {namespace})")
}

fn category(namespace: &str) -> String {
    format!("SELECT count(*) FROM get_category_messages('account', 1, 10, NULL, NULL, NULL, NULL, {namespace})")
}

fn refused(session: &mut Session, sql: &str) {
    let failure = session.error(sql);
    failure.assert_clean();
    let what = if sql.contains("get_all_messages") { "all messages" } else { "a category written by stream" };
    let message = format!("Reading {what} needs the primary: a standby does not know the writers' locks");
    assert_eq!((failure.sqlstate.as_str(), failure.message), ("P0001", message), "{sql}");
}

#[test]
fn it_reads_what_does_not_depend_on_the_writers_locks() {
    let pair = pair();
    let mut session = pair.session();
    for direct in ["on", "off"] {
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        for namespace in ["NULL", "'tenant-a'"] {
            for read in [
                format!("get_stream_messages('account-1', 0, 10, NULL, {namespace})"),
                format!("get_last_stream_message('account-1', NULL, {namespace})"),
                format!("list_streams(NULL, NULL, 10, {namespace})"),
                format!("list_categories({namespace})"),
            ] {
                assert_eq!(session.number(&format!("SELECT count(*) FROM {read}")), 1, "{read}");
            }
            assert_eq!(session.number(&format!("SELECT stream_version('account-1', {namespace})")), 0);
            refused(&mut session, &format!("SELECT count(*) FROM get_all_messages(1, 10, {namespace})"));
        }
        assert_eq!(session.number(&category("NULL")), 1);
        assert_eq!(session.number(&category("'message_store'")), 1);
        refused(&mut session, &category("'tenant-a'"));
        session.ok("BEGIN ISOLATION LEVEL REPEATABLE READ");
        assert_eq!(session.number(&category("NULL")), 1);
        refused(&mut session, &category("'tenant-a'"));
        session.ok("ROLLBACK");
        assert_eq!(session.error(&write("account-1", "NULL")).sqlstate, "25006");
        assert_eq!(session.error(&write("account-1", "'tenant-a'")).sqlstate, "25006");
    }
}

#[test]
fn it_follows_the_switch() {
    let mut pair = pair();
    let mut session = pair.session();
    refused(&mut session, &category("'tenant-a'"));
    for (value, allowed) in [("category", true), ("stream", false), ("category", true)] {
        pair.primary.ok(&format!("SELECT set_namespace_option('tenant-a', 'append_lock', '{value}')"));
        pair.primary.ok(&write("account-2", "'tenant-a'"));
        pair.catch_up();
        if allowed {
            let written = pair.primary.number("SELECT count(*) FROM \"tenant-a\".messages");
            assert_eq!(session.number(&category("'tenant-a'")), written);
        } else {
            refused(&mut session, &category("'tenant-a'"));
        }
    }
}

/// Its snapshot shows the second message of the category and not the first, from when writers locked their streams
/// alone. A consumer that read the second one now would go on after it.
#[test]
fn a_snapshot_from_before_the_switch_shows_no_message_without_those_before_it() {
    let mut pair = pair();
    let mut slow = pair.store.superuser();
    slow.ok(&format!("BEGIN; {}", write("account-2", "'tenant-a'")));
    pair.primary.ok(&write("account-3", "'tenant-a'"));
    pair.catch_up();
    let mut session = pair.session();
    session.ok("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    slow.ok("COMMIT");
    pair.primary.ok("SELECT set_namespace_option('tenant-a', 'append_lock', 'category')");
    pair.catch_up();
    let read = "SELECT string_agg(global_position::text, ' ') FROM
        get_category_messages('account', 1, 10, NULL, NULL, NULL, NULL, 'tenant-a')";
    if let Ok(rows) = session.run(read).result {
        let seen = rows.rows[0][0].clone();
        assert!(matches!(seen.as_deref(), Some("1" | "1 2 3")), "it shows {seen:?}");
    }
}

/// What consumers on the standby read while the primary is written to, and how they poll.
const FOLLOWED: [(Source, Polling); 5] = [
    (Source::Category("account"), Polling::EachByItself),
    (Source::Category("payment"), Polling::Several("REPEATABLE READ")),
    (Source::Correlated("account", CORRELATED), Polling::EachByItself),
    (Source::Member("account", 0, 2), Polling::EachByItself),
    (Source::Member("account", 1, 2), Polling::Several("READ COMMITTED")),
];

/// Writers that commit, roll back, prepare and write to several categories at once; consumers that only know the standby.
#[test]
fn consumers_on_the_standby_miss_nothing_while_the_primary_is_written_to() {
    let mut pair = pair();
    pair.primary.ok("SELECT create_namespace('tenant-b')");
    pair.catch_up();
    for (namespace, table) in [("NULL", "message_store.messages"), ("'tenant-b'", "\"tenant-b\".messages")] {
        let ended = AtomicBool::new(false);
        let (standby, ended) = (&pair, &ended);
        let plan = Plan {
            store: &pair.store,
            namespace,
            categories: &["account", "order", "payment"],
            streams: 5,
            writers: 4,
            target: race::messages(2_000, 20_000),
        };
        let (run, seen) = scope(|scope| {
            let consumers: Vec<_> = FOLLOWED
                .into_iter()
                .map(|(source, polling)| {
                    let consumer = Consumer::of(source, standby.session(), polling, namespace);
                    scope.spawn(move || consumer.follow(ended))
                })
                .collect();
            let end = SetAtEnd(ended);
            let run = race::run(&plan, Vec::new(), |_| {});
            standby.catch_up();
            drop(end);
            (run, consumers.into_iter().map(|consumer| consumer.join().expect("a consumer")).collect::<Vec<_>>())
        });
        for ((source, _), seen) in FOLLOWED.into_iter().zip(seen) {
            let written = of_source(&mut pair.primary, table, source);
            assert!(!written.is_empty(), "{source:?}: no message");
            assert!(seen == written, "{source:?}: {} seen of {}", seen.len(), written.len());
        }
        assert!(run.committed >= plan.target && run.deeds.contains_key("prepared transactions"));
    }
}

/// A consumer that changes between primary and standby, and takes nothing with it but its position. How many messages it
/// saw on each.
fn follow_on_both(consumer: &mut Consumer, store: &Store, standby: &Cluster, ended: &AtomicBool) -> [usize; 2] {
    let mut seen = [0, 0];
    for server in (0..2).cycle() {
        consumer.connect(if server == 0 { store.superuser() } else { session(standby, store) });
        let last = ended.load(Ordering::SeqCst);
        for _ in 0..rand::rng().random_range(1..8) {
            match consumer.poll() {
                0 => sleep(Duration::from_millis(1)),
                count => seen[server] += count,
            }
        }
        if last {
            break;
        }
    }
    while consumer.poll() > 0 {}
    seen
}

#[test]
fn consumers_that_change_between_primary_and_standby_see_each_message_once() {
    let mut pair = pair();
    pair.primary.ok("SELECT create_namespace('tenant-b')");
    pair.catch_up();
    let namespace = "'tenant-b'";
    let plan = Plan {
        store: &pair.store,
        namespace,
        categories: &["account", "order", "payment"],
        streams: 5,
        writers: 4,
        target: race::messages(2_000, 20_000),
    };
    let ended = AtomicBool::new(false);
    let seen = scope(|scope| {
        let (store, standby, ended) = (&pair.store, pair.standby, &ended);
        let consumers: Vec<_> = FOLLOWED
            .into_iter()
            .map(|(source, _)| {
                let mut consumer = Consumer::of(source, store.superuser(), Polling::EachByItself, namespace);
                scope.spawn(move || {
                    let on_each = follow_on_both(&mut consumer, store, standby, ended);
                    (consumer, on_each)
                })
            })
            .collect();
        let end = SetAtEnd(ended);
        race::run(&plan, Vec::new(), |_| {});
        pair.catch_up();
        drop(end);
        consumers.into_iter().map(|consumer| consumer.join().expect("a consumer")).collect::<Vec<_>>()
    });
    let mut in_all = [0, 0];
    for ((source, _), (consumer, on_each)) in FOLLOWED.into_iter().zip(seen) {
        let written = of_source(&mut pair.primary, "\"tenant-b\".messages", source);
        assert!(consumer.seen() == written, "{source:?}: {} seen of {}", consumer.seen().len(), written.len());
        in_all.iter_mut().zip(on_each).for_each(|(sum, count)| *sum += count);
    }
    assert!(in_all.iter().all(|count| *count > 100), "{in_all:?} seen on primary and standby");
}
