//! Servers that take over, that acknowledge, and that have a copy: `docs/replication.md`, whose statements run here.

use message_store_tests::consumer::{Consumer, Polling, Seen, SetAtEnd, Source, all, of_source, streams_are_gapless};
use message_store_tests::namespaces::count;
use message_store_tests::race::{self, Plan};
use message_store_tests::{Cluster, Session, Store, Target, page};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

const PAGE: &str = include_str!("../../docs/replication.md");

/// The statements of a section that run at one place, block by block.
fn statements(section: &str, place: &str) -> Vec<Vec<&'static str>> {
    page::blocks(page::section(PAGE, section), &format!("sql {place}")).map(page::statements).collect()
}

/// A cluster of a test's own. It stops when the tests end.
fn cluster(settings: &[&str]) -> &'static Cluster {
    let settings: Vec<&str> = ["fsync=off", "shared_buffers=16MB"].iter().chain(settings).copied().collect();
    Box::leak(Box::new(Cluster::start(&settings)))
}

fn session(cluster: &Cluster, database: &str) -> Session {
    let mut session = Session::open(cluster.config(database, "postgres"));
    session.ok("SET search_path = message_store, public");
    session
}

/// How long anything is waited for.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits for a query to return 1.
fn wait_for(session: &mut Session, query: &str) {
    let started = Instant::now();
    while started.elapsed() < LONGEST {
        if session.number(query) == 1 {
            return;
        }
        sleep(Duration::from_millis(5));
    }
    panic!("in vain: {query}");
}

fn catch_up(primary: &mut Session, standby: &mut Session) {
    let position = primary.value("SELECT pg_current_wal_insert_lsn()").expect("a position");
    wait_for(standby, &format!("SELECT (pg_last_wal_replay_lsn() >= '{position}')::int"));
}

fn signal(process: i64, signal: i32) {
    let process = i32::try_from(process).expect("a process");
    // SAFETY: a plain call; the process is one of a cluster of this test's.
    assert_eq!(unsafe { libc::kill(process, signal) }, 0, "kill {signal} {process}");
}

/// A process that is stopped, and goes on when this is dropped.
struct Stopped(i64);

impl Stopped {
    fn process(process: i64) -> Stopped {
        signal(process, libc::SIGSTOP);
        Stopped(process)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, libc::SIGCONT);
    }
}

/// Ends every process of a cluster at once, and does not start it again.
fn end(cluster: &Cluster) {
    let file = std::fs::read_to_string(cluster.socket_folder().join("data/postmaster.pid")).expect("a pid file");
    signal(file.lines().next().and_then(|pid| pid.parse().ok()).expect("a pid"), libc::SIGQUIT);
    for _ in 0..2000 {
        if !cluster.socket_folder().join("data/postmaster.pid").exists() {
            return;
        }
        sleep(Duration::from_millis(5));
    }
    panic!("the server does not end");
}

fn write(stream: &str) -> String {
    write_to(stream, "NULL")
}

/// The namespace is an SQL expression.
fn write_to(stream: &str, namespace: &str) -> String {
    format!("SELECT write_message(NULL, '{stream}', 'T', '{{}}', NULL, NULL, {namespace})")
}

/// The primary goes while it is written to, and while a transaction is prepared; what the standby has is gone on with.
#[test]
fn a_promoted_standby_goes_on_and_gives_no_position_twice() {
    let store = Store::fresh_in(cluster(&[]), Target::Ours);
    let mut at_primary = store.superuser();
    at_primary.ok("SELECT create_namespace('tenant-a'); SELECT create_namespace('lanes')");
    at_primary.ok("SELECT set_namespace_option('lanes', 'append_lock', 'stream')");
    let promoted: &'static Cluster = Box::leak(Box::new(store.cluster.standby()));
    let tables =
        [("NULL", "message_store.messages"), ("'tenant-a'", "\"tenant-a\".messages"), ("'lanes'", "lanes.messages")];
    // A standby does not read where writers lock streams.
    let read_by_standby = &tables[..2];

    // It keeps readers of everything from whatever is written from here on. No writer below needs its locks.
    let mut readers = tables.map(|(namespace, _)| Consumer::new(store.superuser(), Polling::EachByItself, namespace));
    tables.iter().for_each(|(namespace, _)| at_primary.ok(&write_to("account-0", namespace)));
    readers.iter_mut().for_each(|reader| assert_eq!(reader.poll(), 1));
    at_primary.ok("BEGIN");
    at_primary.ok(&write_to("held-1", "NULL"));
    at_primary.ok(&write_to("held-1", "'tenant-a'"));
    at_primary.ok(&write_to("account-held", "'lanes'"));
    at_primary.ok("PREPARE TRANSACTION 'outlives the primary'");

    // The writers are cut off in the midst of their work.
    let writer = |number: usize| {
        let mut session = store.superuser();
        for round in 0.. {
            for (namespace, _) in tables {
                let sql = format!(
                    "SELECT write_message(NULL, 'account-{}', 'T', '{{\"writer\": {number}}}', NULL, NULL, {namespace})",
                    round % 3
                );
                if session.client().batch_execute(&sql).is_err() {
                    return;
                }
            }
        }
    };
    let account = Source::Category("account");
    let mut consumers: Vec<Consumer> = read_by_standby
        .iter()
        .map(|(namespace, _)| {
            Consumer::of(account, session(promoted, &store.database), Polling::EachByItself, namespace)
        })
        .collect();
    scope(|scope| {
        let writers: Vec<_> = (0..4).map(|number| scope.spawn(move || writer(number))).collect();
        let started = Instant::now();
        while consumers.iter().any(|consumer| consumer.seen().len() < 500) && started.elapsed() < LONGEST {
            for consumer in &mut consumers {
                consumer.poll();
            }
        }
        readers.iter_mut().for_each(|reader| assert_eq!(reader.poll(), 0, "what comes behind the prepared one"));
        // The writers end with it, whatever the consumers have seen.
        end(store.cluster);
        writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
    });

    assert!(consumers.iter().all(|consumer| consumer.seen().len() >= 500), "too few messages in {LONGEST:?}");
    let mut session = session(promoted, &store.database);
    assert_eq!(session.error(&write("account-1")).sqlstate, "25006");
    for statement in statements("Taking over", "standby").concat() {
        assert_eq!(session.value(statement).as_deref(), Some("t"), "{statement}");
    }
    let before = tables.map(|(_, table)| all(&mut session, table));
    for (namespace, table) in tables {
        let last = session.number(&format!("SELECT max(global_position) FROM {table}"));
        let kept = session.number(&format!("SELECT stream_version('account-1', {namespace})"));
        let version =
            session.number(&format!("SELECT write_message(NULL, 'account-1', 'T', '{{}}', NULL, {kept}, {namespace})"));
        assert_eq!(version, kept + 1);
        let next = session.number(&format!("SELECT max(global_position) FROM {table}"));
        assert!(next > last && next <= last + 34, "{next} after {last}");
        for _ in 0..100 {
            session.ok(&write_to("account-2", namespace));
        }
        streams_are_gapless(&mut session, table);
    }
    for reader in &mut readers {
        reader.connect(self::session(promoted, &store.database));
        assert_eq!(reader.poll(), 0, "what comes behind the prepared one, after the promotion");
    }
    let category = "SELECT count(*) FROM get_category_messages('account', 1, -1, NULL, NULL, NULL, NULL, 'lanes')";
    assert_eq!(session.number(category), 1, "its stream is of this category");

    session.ok("COMMIT PREPARED 'outlives the primary'");
    for ((mut reader, before), (namespace, table)) in readers.into_iter().zip(&before).zip(tables) {
        while reader.poll() > 0 {}
        let now = all(&mut session, table);
        assert!(reader.seen() == now, "{table}: the reader has missed something, or seen it twice");
        let kept = before.iter().filter(|message| now.binary_search(message).is_ok()).count();
        assert!(kept == before.len() && now.len() == before.len() + 102, "{table}: {kept} of {}", before.len());
        let everything = format!("SELECT count(*) FROM get_all_messages(1, -1, {namespace})");
        assert_eq!(session.number(&everything), session.number(&format!("SELECT count(*) FROM {table}")));
        streams_are_gapless(&mut session, table);
    }
    for ((mut consumer, before), (_, table)) in consumers.into_iter().zip(before).zip(read_by_standby) {
        while consumer.poll() > 0 {}
        let now = of_source(&mut session, table, account);
        assert!(consumer.seen() == now, "the consumer has missed something, or seen what is no more");
        let kept: Vec<&Seen> = now.iter().filter(|message| before.binary_search(message).is_ok()).collect();
        assert!(kept.len() == before.len() && now.len() == before.len() + 101);
    }
}

/// The standby's receiver is stopped: then nobody hears of a commit, and nobody sees it.
#[test]
fn a_write_is_acknowledged_when_the_synchronous_standby_has_it() {
    let store = Store::fresh_in(cluster(&[]), Target::Ours);
    let standby = store.cluster.standby();
    let (mut watcher, mut writer) = (store.superuser(), store.superuser());
    let mut reader = session(&standby, &store.database);
    // The connection's commits have been pipelined so far.
    for _ in 0..3 {
        writer.ok(&write("account-1"));
    }
    for statement in statements("A synchronous standby", "primary").concat() {
        watcher.ok(statement);
    }
    wait_for(&mut watcher, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'");
    let backend = writer.number("SELECT pg_backend_pid()");
    let receiver = reader.number("SELECT pid FROM pg_stat_wal_receiver");
    let read = "SELECT count(*) FROM get_stream_messages('account-1')";

    for (round, level) in ["on", "remote_apply", "remote_write", "on", "remote_apply"].into_iter().enumerate() {
        let written = 3 + i64::try_from(round).expect("a round");
        writer.ok(&format!("SET synchronous_commit = {level}"));
        writer.ok("SHOW message_store.commit_pipelining");
        let answered = AtomicBool::new(false);
        scope(|scope| {
            let stopped = Stopped::process(receiver);
            let waiting = scope.spawn(|| {
                let position = writer.number(&write("account-1"));
                answered.store(true, Ordering::SeqCst);
                position
            });
            let sync_rep =
                format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {backend} AND wait_event = 'SyncRep'");
            wait_for(&mut watcher, &sync_rep);
            sleep(Duration::from_millis(200));
            assert!(!answered.load(Ordering::SeqCst), "an answer before the standby's, with {level}");
            assert_eq!(watcher.number(read), written, "nobody sees it yet");
            let held = format!("SELECT count(*) FROM pg_locks WHERE pid = {backend} AND locktype = 'advisory'");
            assert_eq!(watcher.number(&held), 1, "the category's lock is held until the standby answers");
            drop(stopped);
            assert_eq!(waiting.join().expect("the writer"), written);
        });
        if level == "remote_apply" {
            assert_eq!(reader.number(read), written + 1, "the standby shows what was acknowledged");
        } else if level == "on" {
            let flushed = "SELECT (flushed_lsn >= latest_end_lsn)::int FROM pg_stat_wal_receiver";
            wait_for(&mut reader, flushed);
        }
        catch_up(&mut watcher, &mut reader);
        assert_eq!(reader.number(read), written + 1);
    }
    watcher.ok("ALTER SYSTEM RESET synchronous_standby_names");
    watcher.ok("SELECT pg_reload_conf()");
}

/// What the page says, from the publication to the first write on the copy.
#[test]
fn a_namespace_is_copied_by_logical_replication_and_the_copy_takes_over() {
    const SECTION: &str = "A copy of one namespace";
    let publisher = Store::fresh_in(cluster(&["wal_level=logical"]), Target::Ours);
    let subscriber = Store::fresh_in(cluster(&[]), Target::Ours);
    let mut at_publisher = publisher.superuser();
    at_publisher.ok("SELECT create_namespace('tenant-a')");
    // Some is there before the subscription, and a position was given to nobody.
    for _ in 0..50 {
        at_publisher.ok("SELECT write_message(NULL, 'account-0', 'T', '{\"a\": 1.50}', NULL, NULL, 'tenant-a')");
    }
    at_publisher.ok("BEGIN; SELECT write_message(NULL, 'account-0', 'T', '{}', NULL, NULL, 'tenant-a'); ROLLBACK");
    at_publisher.ok(&write("account-0"));

    let (published, subscribed) = (statements(SECTION, "publisher"), statements(SECTION, "subscriber"));
    for statement in &published[0] {
        at_publisher.ok(statement);
    }
    let folder = publisher.cluster.socket_folder().display().to_string();
    let mut at_subscriber = subscriber.superuser();
    for statement in &subscribed[0] {
        let here = format!("host={folder} dbname={}", publisher.database);
        at_subscriber.ok(&statement.replace("host=publisher dbname=bank", &here));
    }

    let table = "\"tenant-a\".messages";
    let ended = AtomicBool::new(false);
    let seen = scope(|scope| {
        let consumers = [Source::Category("account"), Source::Member("account", 1, 2)].map(|source| {
            let consumer = Consumer::of(source, subscriber.superuser(), Polling::EachByItself, "'tenant-a'");
            let ended = &ended;
            (source, scope.spawn(move || consumer.follow(ended)))
        });
        let plan = Plan {
            store: &publisher,
            namespace: "'tenant-a'",
            categories: &["account", "order"],
            streams: 4,
            writers: 3,
            target: race::messages(1_000, 20_000),
        };
        let end = SetAtEnd(&ended);
        race::run(&plan, Vec::new(), |_| {});
        wait_for(&mut at_publisher, &format!("SELECT count(*) FROM ({}) AS caught_up", published[1][0]));
        wait_for(
            &mut at_subscriber,
            "SELECT (count(*) FILTER (WHERE srsubstate <> 'r') = 0)::int FROM pg_subscription_rel",
        );
        drop(end);
        consumers.map(|(source, consumer)| (source, consumer.join().expect("a consumer")))
    });
    for (source, seen) in seen {
        let written = of_source(&mut at_publisher, table, source);
        assert!(written.len() > 50 && seen == written, "{source:?}: {} seen of {}", seen.len(), written.len());
    }
    let whole = format!("SELECT md5(string_agg(m::text, ' ' ORDER BY global_position)) FROM {table} AS m");
    assert_eq!(at_subscriber.value(&whole), at_publisher.value(&whole), "ids, positions, times and JSON");
    let copied = count(&subscriber, "tenant-a");
    assert_eq!(count(&subscriber, "message_store"), 0, "that namespace, and no other");

    // As the page warns.
    let everything = "SELECT count(*) FROM get_all_messages(1, -1, 'tenant-a')";
    assert_eq!(at_subscriber.number(everything), 0);
    let first = "SELECT write_message(NULL, 'account-0', 'T', '{}', NULL, NULL, 'tenant-a')";
    let failure = at_subscriber.error(first);
    failure.assert_clean();
    assert_eq!((failure.sqlstate.as_str(), failure.constraint.as_deref()), ("23505", Some("messages_pkey")));

    let last = at_publisher.number(&format!("SELECT max(global_position) FROM {table}"));
    let version = at_publisher.number("SELECT stream_version('account-0', 'tenant-a')");
    for statement in &subscribed[1] {
        at_subscriber.ok(statement);
    }
    assert_eq!(at_subscriber.number(everything), copied);
    assert_eq!(at_subscriber.number(first), version + 1);
    assert_eq!(at_subscriber.number(&format!("SELECT max(global_position) FROM {table}")), last + 1);
    assert_eq!(at_subscriber.number(everything), copied + 1);
    streams_are_gapless(&mut at_subscriber, table);
}
