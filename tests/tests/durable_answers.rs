//! Whatever a client is told is on disk: the answer to its commit, and the messages that it reads or hears of.

use message_store_tests::wal::{HeldFlush, Wal, alone};
use message_store_tests::{Session, Store};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const WRITE: &str = "SELECT write_message(NULL, 'account-1', 'T', '{}')";
const ID: &str = "00000000-0000-4000-8000-000000000001";

/// The ways to write and commit.
fn writes() -> Vec<String> {
    let write = &WRITE[7..];
    vec![
        WRITE.into(),
        "SELECT write_messages('account-1', '[{\"type\": \"T\"}, {\"type\": \"U\"}]')".into(),
        format!("BEGIN; {WRITE}; {WRITE}; COMMIT"),
        format!("BEGIN; {WRITE}; SAVEPOINT s; {WRITE}; ROLLBACK TO s; COMMIT"),
        format!("BEGIN; {WRITE}; INSERT INTO other VALUES (1); COMMIT"),
        format!("WITH written AS ({WRITE}) SELECT * FROM written"),
        format!("{WRITE} FROM generate_series(1, 200)"),
        format!("DO $$ BEGIN PERFORM {write}; COMMIT; PERFORM {write}; END $$"),
        "CALL writing()".into(),
    ]
}

fn prepare(store: &Store) {
    store.superuser().ok(&format!(
        "CREATE TABLE other (n int); GRANT INSERT ON other TO message_store;
         CREATE PROCEDURE writing() LANGUAGE plpgsql AS $$ BEGIN PERFORM {0}; COMMIT; PERFORM {0}; COMMIT; END $$",
        &WRITE[7..]
    ));
}

#[test]
fn an_answered_commit_is_flushed() {
    let store = alone();
    prepare(&store);
    let mut wal = Wal::of(&store);
    for direct in ["on", "off"] {
        for level in ["on", "local", "off"] {
            let mut session = store.session();
            session.ok(&format!("SET message_store.direct_access = {direct}; SET synchronous_commit = {level}"));
            for write in writes().iter().chain(&writes()) {
                session.ok(write);
                let (end, flushed) = (wal.end(), wal.flushed());
                // Without it, nothing has been flushed: there is something to see.
                assert_eq!(flushed >= end, level != "off", "{level}: {write}: flushed to {flushed} of {end}");
            }
        }
    }
}

/// By the protocol of prepared statements, several of them on their way before the first is answered.
#[test]
fn a_commit_in_the_extended_protocol_is_flushed() {
    let store = alone();
    let mut wal = Wal::of(&store);
    let mut session = store.session();
    for _ in 0..20 {
        let client = session.client();
        let write = client.prepare("SELECT write_message(NULL, $1, 'T', '{}')").expect("prepared");
        client.query_one(&write, &[&"account-1"]).expect("written");
        assert!(wal.flushed() >= wal.end());
        let mut transaction = session.client().transaction().expect("begun");
        (0..3).for_each(|_| drop(transaction.query_one(&write, &[&"account-2"]).expect("written")));
        transaction.commit().expect("committed");
        assert!(wal.flushed() >= wal.end());
    }
}

/// A commit's record comes after what the transaction wrote.
#[test]
fn answered_commits_are_flushed_while_eight_clients_write() {
    let store = alone();
    for (mode, direct) in [("category", "on"), ("stream", "on"), ("category", "off")] {
        store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
        thread::scope(|scope| {
            for n in 0..8 {
                let (mut session, mut wal) = (store.superuser(), Wal::of(&store));
                scope.spawn(move || {
                    session.ok(&format!("SET message_store.direct_access = {direct}"));
                    for _ in 0..100 {
                        session.ok("BEGIN");
                        session.ok(&format!("SELECT write_message(NULL, 'account-{n}', 'T', '{{}}')"));
                        let before = session.number("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint");
                        session.ok("COMMIT");
                        let flushed = wal.flushed();
                        assert!(
                            flushed > before.cast_unsigned(),
                            "{flushed} at the answer, {before} before the commit"
                        );
                    }
                });
            }
        });
    }
}

/// What tells of a message, and the SQLSTATE of that.
fn tells() -> Vec<(String, Option<&'static str>)> {
    let reads = [
        "get_stream_messages('account-1')",
        "get_stream_messages('account-1', 0, -1)",
        "get_category_messages('account')",
        "get_category_messages('account', 1, 10, NULL, 0, 1)",
        "get_category_messages('account', 1, 10, 'order')",
        "get_last_stream_message('account-1')",
        "get_last_stream_message('account-1', 'T')",
        "get_all_messages()",
        "stream_version('account-1')",
        "list_streams()",
        "list_streams('account', NULL, 10)",
        "list_categories()",
        "stats()",
        "consumer_positions()",
    ];
    let reads = reads.map(|read| (format!("SELECT * FROM {read}"), None));
    let condition = "SELECT * FROM get_stream_messages('account-1', 0, 10, 'position >= 0')".to_owned();
    let version = |call: &str| (format!("SELECT {call}"), Some("P0001"));
    let errors = [
        version("write_message(NULL, 'account-1', 'T', '{}', NULL, -1)"),
        version("write_messages('account-1', '[{\"type\": \"T\"}]', 1000000)"),
        (format!("SELECT write_message('{ID}', 'other-1', 'T', '{{}}')"), Some("23505")),
        (
            format!("SELECT write_messages('other-1', '[{{\"type\": \"T\"}}, {{\"type\": \"T\", \"id\": \"{ID}\"}}]')"),
            Some("23505"),
        ),
    ];
    let nothing_written = "SELECT write_messages('account-1', '[]')".to_owned();
    reads.into_iter().chain([(condition, None), (nothing_written, None)]).chain(errors).collect()
}

/// Of whom is told how much is before it.
fn a_consumer(store: &Store) {
    store.superuser().ok("SELECT record_consumer_position('account', 'totals', 0)");
}

/// Writes a message that nothing flushes, of which [`tells`] tell. It is the last in its stream and has the id.
fn write_unflushed(wal: &mut Wal, writer: &mut Session) -> u64 {
    writer.ok(&format!("DELETE FROM message_store.messages WHERE id = '{ID}'"));
    writer.ok(&format!(
        "SELECT write_message('{ID}', 'account-1', 'T', '{{}}', '{{\"correlationStreamName\": \"order-1\"}}')"
    ));
    let (end, flushed) = (wal.end(), wal.flushed());
    assert!(flushed < end, "an asynchronous commit is not flushed by itself: {flushed} of {end}");
    end
}

fn tell(session: &mut Session, (call, sqlstate): &(String, Option<&str>)) {
    match (session.run(call).result, sqlstate) {
        (Ok(rows), None) => assert!(!rows.rows.is_empty(), "{call} tells of nothing"),
        (Err(failure), Some(sqlstate)) => assert_eq!(failure.sqlstate, *sqlstate, "{call}: {failure}"),
        (Ok(_), Some(_)) => panic!("{call}: no error"),
        (Err(failure), None) => panic!("{call}: {failure}"),
    }
}

#[test]
fn no_answer_tells_of_a_message_that_is_not_flushed() {
    let store = alone();
    let (mut wal, mut writer) = (Wal::of(&store), store.superuser());
    a_consumer(&store);
    writer.ok("SET synchronous_commit = off");
    let reader = |direct: &str, level: &str| {
        let mut session = store.session();
        session.ok(&format!(
            "SET message_store.direct_access = {direct}; SET synchronous_commit = {level}; SET message_store.sql_condition = on"
        ));
        session
    };
    for (mode, isolation) in
        [("category", "READ COMMITTED"), ("category", "REPEATABLE READ"), ("stream", "READ COMMITTED")]
    {
        store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
        for direct in ["on", "off"] {
            let (mut warm, mut careless) = (reader(direct, "on"), reader(direct, "off"));
            for session in [&mut warm, &mut careless] {
                session.ok(&format!("SET default_transaction_isolation = '{isolation}'"));
            }
            for told in &tells() {
                let what = format!("{} ({mode}, {isolation}, direct {direct})", told.0);
                // Twice in a connection that has heard of earlier ones; then in a fresh one.
                for _ in 0..2 {
                    let end = write_unflushed(&mut wal, &mut writer);
                    tell(&mut careless, told);
                    assert!(wal.flushed() < end, "{what}: flushed for one who does not ask for it");
                    tell(&mut warm, told);
                    assert!(wal.flushed() >= end, "{what}: not flushed");
                }
                let end = write_unflushed(&mut wal, &mut writer);
                tell(&mut reader(direct, "local"), told);
                assert!(wal.flushed() >= end, "{what}: not flushed for a fresh connection");
            }
        }
    }
}

/// The same for a pipelined commit: who asks for a message that is visible and not durable waits for the flush.
#[test]
fn a_read_of_a_pipelined_message_waits_for_the_flush() {
    let store = alone();
    let mut wal = Wal::of(&store);
    a_consumer(&store);
    for direct in ["on", "off"] {
        for (n, told) in tells().iter().enumerate() {
            let (mut writer, mut reader, mut careless) = (store.session(), store.session(), store.session());
            for session in [&mut reader, &mut careless] {
                session
                    .ok(&format!("SET message_store.direct_access = {direct}; SET message_store.sql_condition = on"));
            }
            careless.ok("SET synchronous_commit = off");
            let mut superuser = store.superuser();
            superuser.ok("TRUNCATE message_store.messages");
            // Else the writer's first look into the catalog may tidy it up, and so be the transaction's first record.
            superuser.ok("VACUUM pg_catalog.pg_class");
            // Some have asked before.
            if n % 2 == 0 {
                reader.ok("SELECT * FROM get_all_messages()");
            }
            let [writing, reading] =
                [&mut writer, &mut reader].map(|session| session.number("SELECT pg_backend_pid()"));
            let write = format!(
                "SELECT write_message('{ID}', 'account-1', 'T', '{{}}', '{{\"correlationStreamName\": \"order-1\"}}')"
            );
            let flush = HeldFlush::hold(&store);
            thread::scope(|scope| {
                let writer = scope.spawn(|| writer.ok(&write));
                wal.wait_until_flushing(writing);
                tell(&mut careless, told);
                let reader = scope.spawn(|| tell(&mut reader, told));
                wal.wait_until_flushing(reading);
                assert!(!writer.is_finished() && !reader.is_finished(), "{}: answered before the flush", told.0);
                flush.release();
                writer.join().expect("the writer");
                reader.join().unwrap_or_else(|_| panic!("{}: failed", told.0));
            });
        }
    }
}

/// Reads beside writers that do not wait for their commits: each message read is flushed when it has been read.
#[test]
fn readers_beside_eight_writers_are_told_only_what_is_flushed() {
    let store = alone();
    // A commit's record comes after this place in the log, which is known before the commit.
    let (places, running) = (Mutex::new(HashMap::<String, u64>::new()), AtomicUsize::new(8));
    let (store, places, running) = (&store, &places, &running);
    thread::scope(|scope| {
        for writer in 0..8 {
            scope.spawn(move || {
                let _end = Ended(running);
                let mut session = store.superuser();
                session.ok("SET synchronous_commit = off");
                for n in 0..100 {
                    let id = format!("00000000-{writer:04}-4000-8000-{n:012}");
                    session.ok(&format!("BEGIN; SELECT write_message('{id}', 'account-{writer}', 'T', '{{}}')"));
                    let place = session.number("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint");
                    places.lock().expect("places").insert(id, place.cast_unsigned());
                    session.ok("COMMIT");
                }
            });
        }
        for direct in ["on", "off"] {
            scope.spawn(move || {
                let (mut session, mut wal) = (store.session(), Wal::of(store));
                session.ok(&format!("SET message_store.direct_access = {direct}"));
                let calls = [
                    "get_category_messages('account', 1, -1)",
                    "get_all_messages(1, -1)",
                    "get_stream_messages('account-3', 0, -1)",
                    "get_last_stream_message('account-5')",
                ];
                let mut told = 0;
                for call in calls.iter().cycle() {
                    if running.load(Ordering::SeqCst) == 0 {
                        break;
                    }
                    let rows = session.rows(&format!("SELECT id FROM {call}"));
                    let flushed = wal.flushed();
                    let places = places.lock().expect("places");
                    for row in &rows {
                        let place = places[row[0].as_ref().expect("an id")];
                        assert!(flushed > place, "{call} told of {row:?} at {place}, flushed to {flushed}");
                    }
                    told += rows.len();
                }
                assert!(told > 0, "the reader saw something");
            });
        }
    });
}

/// Counts down however a writer ends.
struct Ended<'a>(&'a AtomicUsize);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The first transaction of a page of Postgres' commit log has no place there before it begins.
#[test]
fn nothing_is_asked_of_transactions_that_do_not_exist_yet() {
    let store = alone();
    let (mut session, mut superuser) = (store.session(), store.superuser());
    superuser.ok("SET synchronous_commit = off");
    session.ok(WRITE);
    superuser.ok("DO $$ BEGIN
           LOOP
             EXIT WHEN (pg_current_xact_id()::text::bigint + 1) % 32768 = 0;
             COMMIT;
           END LOOP;
         END $$");
    let next = superuser.number("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint");
    assert_eq!(next % 32768, 0, "the next transaction is a page's first");
    for _ in 0..3 {
        for call in ["get_stream_messages('account-1')", "stream_version('account-1')", "list_streams()"] {
            assert_eq!(session.rows(&format!("SELECT * FROM {call}")).len(), 1, "{call}");
        }
    }
}
