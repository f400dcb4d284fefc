//! Transactions with an older snapshot than what they write to.

use message_store_tests::{Session, Store, Target, for_both};

for_both!(
    a_repeatable_read_transaction_that_is_too_old_fails_at_the_insert,
    a_serializable_transaction_that_is_too_old_fails_at_the_insert,
    a_transaction_that_is_too_old_without_a_version_fails_too,
    a_version_that_the_old_snapshot_rules_out_is_reported_as_such,
    a_repeatable_read_transaction_reads_what_was_there,
    read_committed_sees_the_version_after_the_lock,
);

fn write(version: &str) -> String {
    format!("SELECT write_message(gen_random_uuid()::varchar, 'account-1', 'T', '{{}}', NULL, {version})")
}

/// A transaction whose snapshot was taken before another connection wrote position 0.
fn old_transaction(store: &Store, level: &str) -> Session {
    let mut session = store.session();
    session.ok(&format!("BEGIN ISOLATION LEVEL {level}"));
    assert_eq!(session.number("SELECT count(*) FROM messages"), 0);
    assert_eq!(store.session().number(&write("-1")), 0);
    session
}

/// The version check may pass, since it sees the old snapshot; the index does not let the message in.
fn fails_at_the_insert(session: &mut Session, version: &str) {
    let failure = session.error(&write(version));
    failure.assert_clean();
    assert_eq!(failure.sqlstate, "23505");
    assert_eq!(failure.message, "duplicate key value violates unique constraint \"messages_stream\"");
    assert_eq!(failure.detail.as_deref(), Some("Key (stream_name, \"position\")=(account-1, 0) already exists."));
    assert_eq!(failure.constraint.as_deref(), Some("messages_stream"));
    session.ok("ROLLBACK");
    assert_eq!(session.number("SELECT count(*) FROM messages"), 1);
}

fn a_repeatable_read_transaction_that_is_too_old_fails_at_the_insert(store: &Store) {
    fails_at_the_insert(&mut old_transaction(store, "REPEATABLE READ"), "-1");
}

fn a_serializable_transaction_that_is_too_old_fails_at_the_insert(store: &Store) {
    let mut session = store.session();
    session.ok("BEGIN ISOLATION LEVEL SERIALIZABLE");
    // Not of the stream: a read of what the other writes would make it a serialization failure.
    session.ok("SELECT 1");
    assert_eq!(store.session().number(&write("-1")), 0);
    fails_at_the_insert(&mut session, "-1");
}

fn a_transaction_that_is_too_old_without_a_version_fails_too(store: &Store) {
    fails_at_the_insert(&mut old_transaction(store, "REPEATABLE READ"), "NULL");
}

fn a_version_that_the_old_snapshot_rules_out_is_reported_as_such(store: &Store) {
    let failure = old_transaction(store, "REPEATABLE READ").error(&write("0"));
    assert_eq!(failure.sqlstate, "P0001");
    assert_eq!(failure.message, "Wrong expected version: 0 (Stream: account-1, Stream Version: -1)");
}

fn a_repeatable_read_transaction_reads_what_was_there(store: &Store) {
    let mut session = old_transaction(store, "REPEATABLE READ");
    assert_eq!(session.value("SELECT stream_version('account-1')"), None);
    for read in ["get_stream_messages('account-1')", "get_last_stream_message('account-1')"] {
        assert_eq!(session.number(&format!("SELECT count(*) FROM {read}")), 0, "{read}");
    }
    let seen = |session: &mut Session| session.number("SELECT count(*) FROM get_category_messages('account')");
    // The other's message comes before what this transaction is about to write: genuine Message DB shows only the
    // later one, and a consumer would never see the first. Ours reads a category as of now.
    let others = match store.target {
        Target::Genuine => 0,
        Target::Ours => 1,
    };
    assert_eq!(seen(&mut session), others);
    // Its own writes it sees.
    session.ok("SELECT write_message(gen_random_uuid()::varchar, 'account-2', 'T', '{}')");
    assert_eq!(seen(&mut session), others + 1);
    session.ok("COMMIT");
    assert_eq!(session.number("SELECT count(*) FROM get_category_messages('account')"), 2);
}

/// The statement began, and took its snapshot, before the holder of the lock committed.
fn read_committed_sees_the_version_after_the_lock(store: &Store) {
    let (mut holder, mut waiter, mut watcher) = (store.session(), store.session(), store.session());
    holder.ok(&format!("BEGIN; {}", write("-1")));
    let backend = waiter.number("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waiter.number(&write("0")));
        let blocked = format!("SELECT cardinality(pg_blocking_pids({backend}))");
        while watcher.number(&blocked) == 0 {
            assert!(!waiting.is_finished(), "it did not wait for the lock");
        }
        holder.ok("COMMIT");
        assert_eq!(waiting.join().expect("the waiter"), 1);
    });
}
