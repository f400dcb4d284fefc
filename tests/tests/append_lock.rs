//! What writers and readers of a namespace wait for where it locks by stream, step by step.

use message_store_tests::consumer::{Consumer, Polling, Source, of_source, streams_are_gapless};
use message_store_tests::namespaces::waits;
use message_store_tests::{Session, Store, Target};

const TABLE: &str = "message_store.messages";

fn store(append_lock: &str) -> Store {
    let store = Store::fresh(Target::Ours);
    store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{append_lock}')"));
    store
}

fn write(stream: &str) -> String {
    write_after(stream, "NULL")
}

fn write_after(stream: &str, expected_version: &str) -> String {
    format!("SELECT write_message(NULL, '{stream}', 'T', '{{}}', NULL, {expected_version})")
}

/// How many advisory locks the session holds, of a mode or of any.
fn held(session: &mut Session, mode: &str) -> i64 {
    session.number(&format!(
        "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND mode LIKE '{mode}'"
    ))
}

#[test]
fn writers_of_different_streams_go_on_side_by_side() {
    let store = store("stream");
    let (mut one, mut two) = (store.session(), store.session());
    two.ok("SET lock_timeout = '2s'");
    one.ok(&format!("BEGIN; {}", write("account-1")));
    assert_eq!(two.number(&write("account-2")), 0);
    two.ok("BEGIN");
    assert_eq!(two.number("SELECT jsonb_array_length(write_messages('account-3', '[{\"type\": \"T\"}]'))"), 1);
    // A stream without an id is its own category.
    assert_eq!(two.number(&write("account")), 0);
    one.ok(&write("account-4"));
    one.ok("COMMIT");
    two.ok("COMMIT");
    assert_eq!(two.number("SELECT count(*) FROM messages"), 5);
}

#[test]
fn by_category_they_wait() {
    let store = store("category");
    let (mut one, mut two) = (store.session(), store.session());
    one.ok(&format!("BEGIN; {}", write("account-1")));
    let written = waits(&store, &mut two, &write("account-2"), || one.ok("COMMIT"));
    assert_eq!(written.value().as_deref(), Some("0"));
}

#[test]
fn writers_of_one_stream_exclude_each_other() {
    let store = store("stream");
    let (mut one, mut two) = (store.session(), store.session());
    for (expected, answer) in [("NULL", Ok("1")), ("0", Ok("1")), ("-1", Err(0))] {
        store.superuser().ok("TRUNCATE messages");
        one.ok(&format!("BEGIN; {}", write("account-1")));
        let written = waits(&store, &mut two, &write_after("account-1", expected), || one.ok("COMMIT"));
        match answer {
            Ok(position) => assert_eq!(written.value().as_deref(), Some(position)),
            Err(version) => assert_eq!(
                written.result.expect_err("a conflict").message,
                format!("Wrong expected version: {expected} (Stream: account-1, Stream Version: {version})")
            ),
        }
    }
}

#[test]
fn after_a_rollback_the_next_writer_takes_its_position() {
    let store = store("stream");
    let (mut one, mut two) = (store.session(), store.session());
    one.ok(&format!("BEGIN; {}", write("account-1")));
    let written = waits(&store, &mut two, &write_after("account-1", "-1"), || one.ok("ROLLBACK"));
    assert_eq!(written.value().as_deref(), Some("0"));
}

#[test]
fn acquire_lock_waits_for_writers_of_streams_and_keeps_them_out() {
    let store = store("stream");
    let (mut writer, mut locker) = (store.session(), store.session());
    let lock = "SELECT acquire_lock('account-9')::text";
    writer.ok(&format!("BEGIN; {}", write("account-1")));
    locker.ok("BEGIN");
    waits(&store, &mut locker, lock, || writer.ok("COMMIT")).value();
    let written = waits(&store, &mut writer, &write("account-2"), || locker.ok("COMMIT"));
    assert_eq!(written.value().as_deref(), Some("0"));
}

#[test]
fn who_holds_the_category_takes_no_locks_of_streams() {
    let store = store("stream");
    let mut session = store.session();
    session.ok("BEGIN; SELECT acquire_lock('account-1')");
    session.ok("SELECT write_message(NULL, 'account-' || n, 'T', '{}') FROM generate_series(1, 10) AS n");
    assert_eq!((held(&mut session, "ExclusiveLock"), held(&mut session, "%")), (1, 1));
    session.ok("SAVEPOINT s; SELECT acquire_lock('order-1')");
    session.ok(&write("order-1"));
    assert_eq!((held(&mut session, "ExclusiveLock"), held(&mut session, "%")), (2, 2));
    // The category's lock goes with the savepoint; the next write shares it.
    session.ok("ROLLBACK TO s");
    session.ok(&write("order-1"));
    assert_eq!((held(&mut session, "ExclusiveLock"), held(&mut session, "ShareLock")), (2, 1));
    session.ok("COMMIT");
}

/// A lock of the session can be released before its transaction ends, and the transaction's own must stay.
#[test]
fn a_session_s_lock_of_the_category_is_not_the_transaction_s() {
    let store = store("stream");
    let (mut one, mut two) = (store.session(), store.session());
    one.ok("SELECT pg_advisory_lock(hash_64('account'))");
    one.ok(&format!("BEGIN; {}", write("account-1")));
    one.ok("SELECT pg_advisory_unlock(hash_64('account'))");
    let written = waits(&store, &mut two, &write("account-1"), || one.ok("COMMIT"));
    assert_eq!(written.value().as_deref(), Some("1"));
}

#[test]
fn many_streams_of_a_category_become_its_lock() {
    let store = store("stream");
    let (mut session, mut other) = (store.session(), store.session());
    let write_to = |session: &mut Session, from: i64, to: i64| {
        session.ok(&format!(
            "SELECT write_message(NULL, 'account-' || n, 'T', '{{}}') FROM generate_series({from}, {to}) AS n"
        ));
    };
    session.ok("BEGIN");
    write_to(&mut session, 1, 256);
    assert_eq!((held(&mut session, "ExclusiveLock"), held(&mut session, "ShareLock")), (256, 1));
    write_to(&mut session, 1, 256);
    assert_eq!(held(&mut session, "%"), 257);
    other.ok(&format!("BEGIN; {}", write("account-2000")));
    let escalated = waits(&store, &mut session, &write("account-257"), || other.ok("COMMIT"));
    assert_eq!(escalated.value().as_deref(), Some("0"));
    assert_eq!((held(&mut session, "ExclusiveLock"), held(&mut session, "ShareLock")), (257, 1));
    write_to(&mut session, 258, 2000);
    assert_eq!(held(&mut session, "%"), 258, "no more");
    let after = waits(&store, &mut other, &write("account-2001"), || session.ok("COMMIT"));
    assert_eq!(after.value().as_deref(), Some("0"));
    streams_are_gapless(&mut session, TABLE);
}

#[test]
fn one_transaction_writes_to_20_000_streams() {
    let store = store("stream");
    let (mut session, mut other) = (store.session(), store.session());
    let default = "SELECT setting = boot_val FROM pg_settings WHERE name = 'max_locks_per_transaction'";
    assert_eq!(session.value(default).as_deref(), Some("t"));
    for (stream, most) in [("'one-' || n", 300), ("'category' || n % 200 || '-' || n", 1_600)] {
        session.ok("BEGIN");
        session
            .ok(&format!("SELECT max(write_message(NULL, {stream}, 'T', '{{}}')) FROM generate_series(1, 20000) AS n"));
        let locks = session.number("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()");
        eprintln!("{locks} locks for 20,000 streams: {stream}");
        assert!(locks < most, "{locks}");
        other.ok(&write("other-1"));
        session.ok("COMMIT");
    }
    assert_eq!(session.number("SELECT count(*) FROM get_all_messages(1, -1)"), 40_002);
}

#[test]
fn a_savepoint_rolled_back_releases_its_streams() {
    let store = store("stream");
    let (mut one, mut two) = (store.session(), store.session());
    two.ok("SET lock_timeout = '2s'");
    one.ok("BEGIN; SAVEPOINT s");
    assert_eq!(one.number(&write("account-1")), 0);
    one.ok("ROLLBACK TO s");
    assert_eq!(held(&mut one, "%"), 0);
    assert_eq!(two.number(&write("account-1")), 0);
    assert_eq!(one.number(&write("account-1")), 1, "after the other's");
    let third = waits(&store, &mut two, &write("account-1"), || one.ok("COMMIT"));
    assert_eq!(third.value().as_deref(), Some("2"));
    streams_are_gapless(&mut one, TABLE);
}

#[test]
fn a_deadlock_of_streams_ends_one_of_the_two() {
    let store = store("stream");
    let (mut one, mut two) = (store.session(), store.session());
    one.ok(&format!("BEGIN; {}", write("account-1")));
    two.ok(&format!("BEGIN; {}", write("account-2")));
    // The one who waited first finds the deadlock.
    let victim = waits(&store, &mut one, &write("account-2"), || match two.run(&write("account-1")).result {
        Ok(_) => two.ok("COMMIT"),
        Err(failure) => {
            assert_eq!(failure.sqlstate, "40P01", "{failure}");
            two.ok("ROLLBACK");
        }
    });
    if let Err(failure) = victim.result {
        assert_eq!(failure.sqlstate, "40P01", "{failure}");
    }
    one.ok("ROLLBACK");
    streams_are_gapless(&mut one, TABLE);
}

const POLLINGS: [Polling; 4] = [
    Polling::EachByItself,
    Polling::Several("READ COMMITTED"),
    Polling::AllInOne("REPEATABLE READ"),
    Polling::AllInOne("SERIALIZABLE"),
];

const SOURCES: [Source; 4] = [
    Source::Everything,
    Source::Category("account"),
    Source::Member("account", 0, 1),
    Source::Correlated("account", "order"),
];

/// The smallest race: the first message is written by a transaction that ends after the second one's, or is prepared.
#[test]
fn a_message_waits_for_those_before_it() {
    let correlated = |stream: &str| {
        format!("SELECT write_message(NULL, '{stream}', 'T', '{{}}', '{{\"correlationStreamName\": \"order-1\"}}')")
    };
    for prepare in [false, true] {
        let store = store("stream");
        let mut consumers = Vec::new();
        for (n, (source, polling)) in SOURCES.iter().flat_map(|s| POLLINGS.map(|p| (*s, p))).enumerate() {
            let mut session = store.session();
            session.ok(&format!("SET message_store.direct_access = {}", n % 3 > 0));
            consumers.push((source, Consumer::of(source, session, polling, "NULL")));
        }
        let mut elsewhere = Consumer::of(Source::Category("invoice"), store.session(), Polling::EachByItself, "NULL");
        let mut naive = store.superuser();
        naive.ok("SET message_store.test_without_horizon = 'on'");
        let mut naive = Consumer::of(Source::Category("account"), naive, Polling::EachByItself, "NULL");

        let (mut slow, mut quick) = (store.session(), store.session());
        slow.ok(&format!("BEGIN; {}", correlated("account-1")));
        if prepare {
            slow.ok("PREPARE TRANSACTION 'smallest'");
        }
        quick.ok(&correlated("account-2"));
        quick.ok(&write("invoice-1"));
        assert_eq!(naive.poll(), 1, "it sees the second message");
        assert_eq!(elsewhere.poll(), 1, "of another category");
        for (source, consumer) in &mut consumers {
            assert_eq!(consumer.poll(), 0, "{source:?}: the first message is still to come");
        }
        slow.ok(if prepare { "COMMIT PREPARED 'smallest'" } else { "COMMIT" });
        assert_eq!(naive.poll(), 0, "and so it never sees the first");
        for (source, consumer) in &mut consumers {
            while consumer.poll() > 0 {}
            assert_eq!(consumer.seen(), of_source(&mut store.superuser(), TABLE, *source), "{source:?}");
        }
    }
}

#[test]
fn a_writer_reads_what_it_wrote_itself() {
    let store = store("stream");
    let (mut writer, mut other) = (store.session(), store.session());
    let seen = |session: &mut Session| session.number("SELECT count(*) FROM get_category_messages('account')");
    for level in ["READ COMMITTED", "REPEATABLE READ"] {
        let before = seen(&mut other);
        writer.ok(&format!("BEGIN ISOLATION LEVEL {level}; {}", write("account-1")));
        assert_eq!((seen(&mut writer), seen(&mut other)), (before + 1, before));
        other.ok(&format!("BEGIN; {}", write("account-2")));
        writer.ok(&write("account-1"));
        assert_eq!(seen(&mut writer), before + 1, "the other's comes before it");
        other.ok("COMMIT");
        assert_eq!(seen(&mut writer), before + 3, "as of now, at {level}");
        writer.ok("ROLLBACK");
        assert_eq!(seen(&mut other), before + 1);
    }
}
