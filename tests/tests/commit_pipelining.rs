//! Which commits let go of their locks before the log is flushed, and what they leave behind in the session.

use message_store_tests::wal::{HeldFlush, Wal, alone};
use message_store_tests::{Session, Store, version};
use std::thread;
use std::time::Duration;

const WRITE: &str = "SELECT write_message(NULL, 'account-1', 'T', '{}')";

/// What others see of a transaction that is at its end, while the log is not flushed that far.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    lock_is_free: bool,
    messages: i64,
}

const PIPELINED: Seen = Seen { lock_is_free: true, messages: 1 };
const AS_USUAL: Seen = Seen { lock_is_free: false, messages: 0 };

/// Runs what ends a transaction, looks at it while no flush ends, and checks that it has no answer before.
fn seen_before_the_flush(store: &Store, wal: &mut Wal, session: &mut Session, script: &str) -> Seen {
    // Whoever would be told of a message by one of our functions would wait, too: this one looks for itself.
    let mut other = store.superuser();
    let count = "SELECT count(*) FROM message_store.messages WHERE stream_name LIKE 'account-%'";
    let before = other.number(count);
    let backend = session.number("SELECT pg_backend_pid()");
    let flush = HeldFlush::hold(store);
    let seen = thread::scope(|scope| {
        let running = scope.spawn(|| session.ok(script));
        wal.wait_until_flushing(backend);
        let lock = "SELECT pg_try_advisory_xact_lock(message_store.hash_64('account'))";
        let seen = Seen {
            lock_is_free: other.value(lock).as_deref() == Some("t"),
            messages: (other.number(count) - before).signum(),
        };
        let (flushed, end) = (wal.flushed(), wal.end());
        assert!(flushed < end, "the flush was not held: {flushed} of {end}");
        assert!(!running.is_finished(), "{script}: answered before the flush");
        flush.release();
        running.join().unwrap_or_else(|_| panic!("{script} failed"));
        seen
    });
    assert!(wal.flushed() >= wal.end(), "{script}: answered, and not flushed");
    seen
}

fn check(cases: &[(&str, &str, &str)], expected: &Seen) {
    for (name, prepare, script) in cases {
        let store = alone();
        let mut wal = Wal::of(&store);
        store.superuser().ok("CREATE TABLE other (n int); INSERT INTO other VALUES (0);
            CREATE TABLE kinds (type text PRIMARY KEY); INSERT INTO kinds VALUES ('T');
            CREATE FUNCTION note() RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO other VALUES (1); RETURN 'noted'; END $$;
            CREATE FUNCTION note_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO other VALUES (1); RETURN NULL; END $$");
        let mut session = store.superuser();
        session.ok(prepare);
        session.ok("INSERT INTO other VALUES (2)");
        let seen = seen_before_the_flush(&store, &mut wal, &mut session, script);
        assert_eq!(seen, *expected, "{name}: {script}");
    }
}

#[test]
fn a_transaction_that_writes_only_messages_is_visible_and_gives_up_its_locks_before_the_flush() {
    check(
        &[
            ("a statement", "", WRITE),
            ("a warm connection", WRITE, WRITE),
            ("a batch", "", "SELECT write_messages('account-1', '[{\"type\": \"T\"}, {\"type\": \"U\"}]')"),
            ("an explicit transaction", "", &format!("BEGIN; {WRITE}; {WRITE}; COMMIT")),
            (
                "reads in between",
                "",
                &format!(
                    "BEGIN; SELECT * FROM get_stream_messages('account-1'); {WRITE}; SELECT * FROM get_all_messages(); {WRITE}; COMMIT"
                ),
            ),
            (
                "several streams and categories",
                "",
                "SELECT write_message(NULL, s, 'T', '{}') FROM unnest('{account-1,account-2,order-1}'::text[]) AS s",
            ),
            (
                "two namespaces",
                "SELECT create_namespace('tenant')",
                &format!(
                    "BEGIN; {WRITE}; SELECT write_message(NULL, 'account-1', 'T', '{{}}', NULL, NULL, 'tenant'); COMMIT"
                ),
            ),
            ("by stream", "SELECT set_namespace_option('message_store', 'append_lock', 'stream')", WRITE),
            ("by statements", "SET message_store.direct_access = off", WRITE),
            ("an index more", "CREATE INDEX ON messages (type)", WRITE),
            ("a savepoint released", "", &format!("BEGIN; {WRITE}; SAVEPOINT s; {WRITE}; RELEASE s; {WRITE}; COMMIT")),
            ("a subquery", "", &format!("WITH written AS ({WRITE}) SELECT * FROM written")),
            ("a block that commits", "", &format!("DO $$ BEGIN PERFORM {}; COMMIT; END $$", &WRITE[7..])),
            (
                "a procedure that commits",
                &format!("CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN PERFORM {}; COMMIT; END $$", &WRITE[7..]),
                "CALL p()",
            ),
            ("a chain", "", &format!("BEGIN; {WRITE}; COMMIT AND CHAIN; {WRITE}; COMMIT")),
            (
                "a large message",
                "",
                "SELECT write_message(NULL, 'account-1', 'T', jsonb_build_object('text', repeat('x', 100000)))",
            ),
            ("after another transaction wrote elsewhere", "BEGIN; INSERT INTO other VALUES (1); COMMIT", WRITE),
            ("after one was rolled back", &format!("BEGIN; {WRITE}; INSERT INTO other VALUES (1); ROLLBACK"), WRITE),
        ],
        &PIPELINED,
    );
}

#[test]
fn a_transaction_that_writes_anything_else_keeps_its_locks_until_the_flush() {
    const NOTE: &str = "INSERT INTO other VALUES (1)";
    check(
        &[
            ("before", "", &format!("BEGIN; {NOTE}; {WRITE}; COMMIT")),
            ("after", "", &format!("BEGIN; {WRITE}; {NOTE}; COMMIT")),
            ("in between", "", &format!("BEGIN; {WRITE}; {NOTE}; {WRITE}; COMMIT")),
            (
                "before, in the same statement",
                "",
                &format!("WITH n AS ({NOTE} RETURNING n) SELECT n, ({WRITE}) FROM n"),
            ),
            (
                "after, in the same statement",
                "",
                &format!("WITH w AS ({WRITE}) INSERT INTO other SELECT write_message FROM w"),
            ),
            ("by a function of the same statement", "", &format!("SELECT note(), ({WRITE})")),
            ("a row lock", "", &format!("BEGIN; SELECT * FROM other FOR UPDATE; {WRITE}; COMMIT")),
            ("a row lock after", "", &format!("BEGIN; {WRITE}; SELECT * FROM other FOR UPDATE; COMMIT")),
            ("another sequence", "CREATE SEQUENCE s", &format!("BEGIN; {WRITE}; SELECT nextval('s'); COMMIT")),
            ("a savepoint rolled back", "", &format!("BEGIN; {WRITE}; SAVEPOINT s; {NOTE}; ROLLBACK TO s; COMMIT")),
            (
                "a block's exception",
                "",
                &format!(
                    "DO $$ BEGIN PERFORM {}; BEGIN {NOTE}; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END; END $$",
                    &WRITE[7..]
                ),
            ),
            ("a trigger", "CREATE TRIGGER t AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION note_row()", WRITE),
            (
                "a statement's trigger",
                "CREATE TRIGGER t BEFORE INSERT ON messages FOR EACH STATEMENT EXECUTE FUNCTION note_row()",
                WRITE,
            ),
            (
                "a deferred trigger",
                "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_row()",
                WRITE,
            ),
            ("a rule", "CREATE RULE r AS ON INSERT TO messages DO ALSO INSERT INTO other VALUES (1)", WRITE),
            (
                "a column's default",
                "ALTER TABLE messages ADD COLUMN noted text; ALTER TABLE messages ALTER noted SET DEFAULT note()",
                WRITE,
            ),
            ("a check constraint", "ALTER TABLE messages ADD CHECK (note() = 'noted')", WRITE),
            (
                "an index' expression",
                "CREATE FUNCTION sly(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 || note(); END $$; \
                 CREATE INDEX sly ON messages (sly(type))",
                WRITE,
            ),
            (
                "an index' condition",
                "CREATE FUNCTION sly(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 || note(); END $$; \
                 CREATE INDEX sly ON messages (type) WHERE sly(type) <> 'T'",
                WRITE,
            ),
            ("a foreign key", "ALTER TABLE messages ADD FOREIGN KEY (type) REFERENCES kinds", WRITE),
            ("a namespace", "", &format!("BEGIN; {WRITE}; SELECT create_namespace('tenant'); COMMIT")),
            (
                "a batch by a table with a trigger",
                "CREATE TRIGGER t AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION note_row()",
                "SELECT write_messages('account-1', '[{\"type\": \"T\"}]')",
            ),
        ],
        &AS_USUAL,
    );
}

/// An import keeps the whole table, and takes no category's lock.
#[test]
fn an_import_is_committed_as_usual() {
    const IMPORT: &str = r#"SELECT import_messages('[{"id": "00000000-0000-4000-8000-0000000000ff", "stream_name": "account-1",
        "type": "T", "position": 0, "global_position": 1000000, "time": "2026-01-31 12:00:00"}]')"#;
    check(
        &[
            ("alone", "", IMPORT),
            (
                "with a write",
                "",
                &format!("BEGIN; {IMPORT}; SELECT write_message(NULL, 'order-1', 'T', '{{}}'); COMMIT"),
            ),
        ],
        &Seen { lock_is_free: true, messages: 0 },
    );
}

#[test]
fn a_commit_that_must_not_be_pipelined_is_not() {
    check(
        &[
            ("turned off", "SET message_store.commit_pipelining = off", WRITE),
            (
                "turned off within the transaction",
                "",
                &format!("BEGIN; {WRITE}; SET LOCAL message_store.commit_pipelining = off; COMMIT"),
            ),
            ("prepared", "", &format!("BEGIN; {WRITE}; PREPARE TRANSACTION 'at_once'")),
        ],
        &AS_USUAL,
    );
}

#[test]
fn a_prepared_transaction_is_committed_as_usual() {
    let store = alone();
    let (mut wal, mut session) = (Wal::of(&store), store.superuser());
    session.ok(&format!("BEGIN; {WRITE}; PREPARE TRANSACTION 'p'"));
    assert!(wal.flushed() >= wal.end());
    assert_eq!(seen_before_the_flush(&store, &mut wal, &mut session, "COMMIT PREPARED 'p'"), AS_USUAL);
    // What was prepared is no concern of the next transaction.
    assert_eq!(seen_before_the_flush(&store, &mut wal, &mut session, WRITE), PIPELINED);
}

#[test]
fn with_synchronous_standbys_commits_are_as_usual() {
    let store = alone();
    let (mut wal, mut session) = (Wal::of(&store), store.superuser());
    let set = |session: &mut Session, names: &str| {
        // Nobody but this test's transactions waits for a standby.
        session.ok("ALTER SYSTEM SET synchronous_commit = local");
        session.ok(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        session.ok("SELECT pg_reload_conf()");
        while session.value("SHOW synchronous_standby_names").as_deref() != Some(names) {
            thread::yield_now();
        }
    };
    set(&mut session, "nobody");
    let seen = seen_before_the_flush(&store, &mut wal, &mut session, WRITE);
    set(&mut session, "");
    assert_eq!(seen, AS_USUAL);
    assert_eq!(seen_before_the_flush(&store, &mut wal, &mut session, WRITE), PIPELINED);
}

/// Transactions of every kind and end. After each, the setting is what the session made it, and the next commit is as durable as
/// that says.
#[test]
fn the_session_s_synchronous_commit_stays_as_it_was() {
    const PREPARE: &str = "BEGIN; SELECT write_message(NULL, 'order-1', 'T', '{}'); PREPARE TRANSACTION";
    const SERIALIZABLE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    let store = alone();
    let mut wal = Wal::of(&store);
    let mut superuser = store.superuser();
    superuser.ok("SELECT create_namespace('checked'); SELECT grant_namespace('checked', 'message_store', 'write');
        CREATE TABLE counters (n int); INSERT INTO counters VALUES (0), (0); GRANT ALL ON counters TO message_store;
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
        CREATE CONSTRAINT TRIGGER t AFTER INSERT ON checked.messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
        CREATE TABLE refusing (n int); GRANT ALL ON refusing TO message_store;
        CREATE CONSTRAINT TRIGGER t AFTER INSERT ON refusing DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()");
    let other = &mut store.session();
    for level in ["on", "local", "remote_write", "remote_apply", "off"] {
        let mut session = store.session();
        session.ok(&format!("SET synchronous_commit = {level}"));
        let wrong = "SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, 1000000)";
        let scripts: [(String, Option<&str>); 16] = [
            (WRITE.into(), None),
            (format!("BEGIN; {WRITE}; COMMIT"), None),
            (format!("BEGIN; {WRITE}; ROLLBACK"), None),
            (format!("BEGIN; {WRITE}; {wrong}"), Some("P0001")),
            (format!("BEGIN; {WRITE}; SAVEPOINT s; {WRITE}; ROLLBACK TO s; {WRITE}; COMMIT"), None),
            (format!("BEGIN; {WRITE}; SAVEPOINT s; {WRITE}; RELEASE s; COMMIT"), None),
            (
                format!(
                    "DO $$ BEGIN PERFORM {0}; BEGIN PERFORM {0}; PERFORM {1}; EXCEPTION WHEN OTHERS THEN NULL; END; END $$",
                    &WRITE[7..],
                    &wrong[7..]
                ),
                None,
            ),
            ("SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, 'checked')".into(), Some("P0001")),
            (format!("BEGIN; {WRITE}; INSERT INTO refusing VALUES (1); COMMIT"), Some("P0001")),
            (format!("{PREPARE} 'p'"), None),
            ("COMMIT PREPARED 'p'".into(), None),
            (format!("{PREPARE} 'p'"), None),
            ("ROLLBACK PREPARED 'p'".into(), None),
            (format!("BEGIN; SET LOCAL synchronous_commit = off; {WRITE}; COMMIT"), None),
            (format!("BEGIN; {WRITE}; SET LOCAL synchronous_commit = on; COMMIT"), None),
            (format!("BEGIN; SET synchronous_commit = on; {WRITE}; ROLLBACK"), None),
        ];
        for (script, sqlstate) in scripts {
            let failed = session.run(&script).result.err().map(|failure| failure.sqlstate);
            assert_eq!(failed.as_deref(), sqlstate, "{script}");
            session.ok("ROLLBACK");
            goes_on(&mut wal, &mut session, level, &script);
        }

        // Each has read what the other writes: one of them fails, at its commit.
        other.ok(&format!("{SERIALIZABLE}; SELECT * FROM counters; SELECT stream_version('account-7')"));
        session.ok(&format!("{SERIALIZABLE}; SELECT * FROM counters; SELECT stream_version('account-7')"));
        session.ok("SELECT write_message(NULL, 'order-7', 'T', '{}')");
        other.ok("UPDATE counters SET n = n + 1");
        session.ok("SELECT count(*) FROM counters");
        other.ok("COMMIT");
        let _ = session.run("COMMIT");
        session.ok("ROLLBACK");
        goes_on(&mut wal, &mut session, level, "a serializable transaction");

        // Set for the session, before and after a write in the same transaction.
        session.ok(&format!("BEGIN; SET synchronous_commit = off; {WRITE}; SET synchronous_commit = {level}; COMMIT"));
        goes_on(&mut wal, &mut session, level, "SET");
    }
}

fn goes_on(wal: &mut Wal, session: &mut Session, level: &str, after: &str) {
    assert_eq!(session.value("SHOW synchronous_commit").as_deref(), Some(level), "after {after}");
    // Every fifteen seconds the background writer logs which transactions run, and nobody waits for that to be flushed:
    // not twice in a row.
    let mut positions = (0, 0);
    for _ in 0..2 {
        session.ok(WRITE);
        positions = (wal.end(), wal.flushed());
        if (positions.1 >= positions.0) == (level != "off") {
            return;
        }
    }
    let (end, flushed) = positions;
    panic!("{level}, after {after}: {flushed} of {end}");
}

/// The failure comes when the setting is already another: after the deferred triggers.
#[test]
fn a_serialization_failure_at_commit_leaves_the_session_as_it_was() {
    let store = alone();
    let mut wal = Wal::of(&store);
    let mut failures = 0;
    for level in ["on", "local", "off"] {
        let (mut one, mut two) = (store.session(), store.session());
        one.ok(&format!("SET synchronous_commit = {level}"));
        // A write skew in two streams of two categories: each reads the stream that the other writes.
        one.ok("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT * FROM get_stream_messages('right-1')");
        two.ok("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT * FROM get_stream_messages('left-1')");
        one.ok("SELECT write_message(NULL, 'left-1', 'T', '{}')");
        two.ok("SELECT write_message(NULL, 'right-1', 'T', '{}')");
        two.ok("COMMIT");
        if let Err(failure) = one.run("COMMIT").result {
            assert_eq!(failure.sqlstate, "40001");
            failures += 1;
        }
        goes_on(&mut wal, &mut one, level, "a failed commit");
    }
    assert_eq!(failures, 3, "serializable transactions that cannot both commit");
}

/// One flush serves several commits of a category.
#[test]
fn writers_of_a_category_share_flushes() {
    const WRITERS: usize = 8;
    const MESSAGES: i64 = 200;
    let store = alone();
    let mut watcher = store.superuser();
    let (counted_with, counted) = if version() < 18 {
        ("wal", "SELECT wal_sync FROM pg_stat_wal")
    } else {
        ("io", "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'")
    };
    let mut flushes_a_commit = |pipelining: &str| {
        let mut sessions: Vec<Session> = (0..WRITERS).map(|_| store.session()).collect();
        watcher.ok(&format!("SELECT pg_stat_reset_shared('{counted_with}')"));
        thread::scope(|scope| {
            for (n, session) in sessions.iter_mut().enumerate() {
                scope.spawn(move || {
                    session.ok(&format!("SET message_store.commit_pipelining = {pipelining}"));
                    let write = format!("SELECT write_message(NULL, 'account-{n}', 'T', '{{}}')");
                    (0..MESSAGES).for_each(|_| session.ok(&write));
                    if version() >= 15 {
                        session.ok("SELECT pg_stat_force_next_flush()");
                    }
                });
            }
        });
        drop(sessions);
        if version() < 15 {
            // The ends of the connections have told the collector, which writes twice a second.
            thread::sleep(Duration::from_secs(2));
        }
        let flushes = watcher.number(counted);
        flushes as f64 / (WRITERS as i64 * MESSAGES) as f64
    };
    let (pipelined, usual) = (flushes_a_commit("auto"), flushes_a_commit("off"));
    eprintln!("flushes a commit: {pipelined:.2} pipelined, {usual:.2} as usual");
    assert!(usual > 0.9, "writers of one category wait for each other's flush: {usual:.2}");
    assert!(pipelined < 0.8 * usual, "{pipelined:.2} against {usual:.2}");
}
