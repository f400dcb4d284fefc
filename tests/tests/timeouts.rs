//! Calls that end while they wait for a lock, or in the middle of a long batch: the error is the timeout's, nothing is
//! half written, and no lock and no mark is left.

use message_store_tests::consumer::streams_are_gapless;
use message_store_tests::namespaces::wait_until_blocked;
use message_store_tests::{Failure, Session, Store, Target};
use std::thread;

const TABLE: &str = "message_store.messages";

fn write(stream: &str) -> String {
    format!("SELECT write_message(NULL, '{stream}', 'T', '{{}}')")
}

/// What waits for the one who has written to `account-1`, in each mode: for the lock of the category, or of a stream.
fn waiting(mode: &str) -> Vec<String> {
    let batch = r#"SELECT write_messages('account-1', '[{"type": "T"}, {"type": "U"}]')"#;
    let mut calls = vec![
        write("account-1"),
        batch.into(),
        // After much has been written.
        "SELECT max(write_message(NULL, CASE n WHEN 300 THEN 'account-1' ELSE 'order-' || n END, 'T', '{}')) FROM generate_series(1, 300) AS n".into(),
        "SELECT acquire_lock('account-1')".into(),
        r#"SELECT import_messages('[{"id": "00000000-0000-4000-8000-0000000000ff", "stream_name": "imported-1",
           "type": "T", "position": 0, "global_position": 1000000, "time": "2026-01-31 12:00:00"}]')"#
            .into(),
    ];
    if mode == "category" {
        calls.push(write("account-2"));
        calls.push(batch.replace("account-1", "account"));
    }
    calls
}

/// The ways in which a call ends before it has what it waits for.
#[derive(Clone, Copy, Debug)]
enum End {
    LockTimeout,
    StatementTimeout,
    Cancelled,
}

impl End {
    fn prepare(self) -> &'static str {
        match self {
            End::LockTimeout => "SET lock_timeout = '40ms'",
            End::StatementTimeout => "SET statement_timeout = '80ms'",
            End::Cancelled => "SELECT 1",
        }
    }

    fn sqlstate(self) -> &'static str {
        match self {
            End::LockTimeout => "55P03",
            End::StatementTimeout | End::Cancelled => "57014",
        }
    }

    /// Runs the call, which must end this way.
    fn failure(self, store: &Store, session: &mut Session, call: &str) -> Failure {
        session.ok(self.prepare());
        let backend = session.number("SELECT pg_backend_pid()");
        let failure = thread::scope(|scope| {
            let failing = scope.spawn(|| session.error(call));
            if matches!(self, End::Cancelled) {
                let mut superuser = store.superuser();
                wait_until_blocked(&mut superuser, backend);
                superuser.ok(&format!("SELECT pg_cancel_backend({backend})"));
            }
            failing.join().expect("a failure")
        });
        failure.assert_clean();
        assert_eq!(failure.sqlstate, self.sqlstate(), "{self:?}, {call}: {failure}");
        failure
    }
}

/// How many locks a backend holds or waits for, of ours: advisory ones, and marks.
fn locks(store: &Store, session: &mut Session) -> i64 {
    let backend = session.number("SELECT pg_backend_pid()");
    store.superuser().number(&format!(
        "SELECT count(*) FROM pg_locks WHERE pid = {backend} AND locktype IN ('advisory', 'userlock', 'relation')"
    ))
}

fn reset(session: &mut Session) {
    session.ok("RESET lock_timeout; RESET statement_timeout");
}

#[test]
fn a_call_that_does_not_get_its_lock_writes_nothing_and_leaves_no_lock() {
    for (mode, direct, end) in [
        ("category", "on", End::LockTimeout),
        ("category", "off", End::StatementTimeout),
        ("category", "on", End::Cancelled),
        ("stream", "on", End::LockTimeout),
        ("stream", "on", End::StatementTimeout),
        ("stream", "off", End::Cancelled),
    ] {
        let store = Store::fresh(Target::Ours);
        store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
        let (mut holder, mut waiter) = (store.session(), store.superuser());
        waiter.ok(&format!("SET message_store.direct_access = {direct}"));
        // Also one that is warm: it has written before.
        for warm in [false, true] {
            if warm {
                waiter.ok(&write("account-2"));
            }
            for call in waiting(mode) {
                let before = holder.number(&format!("SELECT count(*) FROM {TABLE}"));
                holder.ok(&format!("BEGIN; {}", write("account-1")));
                end.failure(&store, &mut waiter, &call);
                reset(&mut waiter);
                assert_eq!(locks(&store, &mut waiter), 0, "{mode}, {call}: locks are left");
                // In a transaction that goes on: what it wrote before stays, what failed does not.
                waiter.ok(&format!("BEGIN; {}; SAVEPOINT s", write("other-1")));
                end.failure(&store, &mut waiter, &call);
                reset_after_failure(&mut waiter);
                waiter.ok(&format!("{}; COMMIT", write("other-1")));
                assert_eq!(locks(&store, &mut waiter), 0, "{mode}, {call}: locks are left after a transaction");
                holder.ok("COMMIT");
                assert_eq!(holder.number(&format!("SELECT count(*) FROM {TABLE}")), before + 3, "{mode}, {call}");
                // The same call, now that the lock is free; and nothing is held back from readers.
                // An import that was rolled back has moved the sequence all the same.
                let free = "SELECT last_value + 1000 FROM message_store.messages_global_position_seq";
                let free = waiter.number(free).to_string();
                waiter.ok(&format!("BEGIN; {}; ROLLBACK", call.replace("1000000", &free)));
                let all = "SELECT count(*) FROM get_all_messages(1, -1)";
                assert_eq!(holder.number(all), before + 3, "{mode}, {call}: held back");
            }
        }
        streams_are_gapless(&mut holder, TABLE);
    }
}

/// The settings that the failed part of a transaction set go with it.
fn reset_after_failure(session: &mut Session) {
    session.ok("ROLLBACK TO s; SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0");
}

#[test]
fn a_long_batch_that_is_cancelled_leaves_nothing_and_no_lock() {
    let batch = "SELECT write_messages('account-1', (SELECT jsonb_agg('{\"type\": \"T\"}'::jsonb) FROM generate_series(1, 60000)))";
    let many = "SELECT max(write_message(NULL, 'account-' || n % 100, 'T', '{}')) FROM generate_series(1, 100000) AS n";
    for (mode, direct) in [("category", "off"), ("stream", "on"), ("stream", "off")] {
        let store = Store::fresh(Target::Ours);
        store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
        let (mut session, mut other) = (store.session(), store.session());
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        other.ok("SET lock_timeout = '5s'");
        for (n, call) in [batch, many].into_iter().enumerate() {
            let written = i64::try_from(n).expect("small") * 3;
            session.ok("SET statement_timeout = '200ms'");
            let failure = session.error(call);
            failure.assert_clean();
            assert_eq!(failure.sqlstate, "57014", "{mode}, {direct}: {failure}");
            session.ok("RESET statement_timeout");
            assert_eq!(locks(&store, &mut session), 0, "locks are left");
            assert_eq!(other.number(&write("account-1")), written, "nobody is in the way");
            session.ok(&format!("BEGIN; {}; SAVEPOINT s; SET LOCAL statement_timeout = '200ms'", write("account-1")));
            assert_eq!(session.error(call).sqlstate, "57014");
            session.ok(&format!("ROLLBACK TO s; {}; COMMIT", write("account-1")));
            assert_eq!(locks(&store, &mut session), 0, "locks are left");
            assert_eq!(other.number("SELECT count(*) FROM get_all_messages(1, -1)"), written + 3);
        }
        streams_are_gapless(&mut other, TABLE);
    }
}
