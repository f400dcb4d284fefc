//! What a large transaction takes from the lock table that all connections share.

use message_store_tests::{Session, Store, Target};

const CATEGORIES: usize = 200;
const MESSAGES: usize = 20_000;

/// The lock table has the size that the server gives it by itself.
fn default_size(session: &mut Session) {
    let setting = "SELECT setting = boot_val FROM pg_settings WHERE name = 'max_locks_per_transaction'";
    assert_eq!(session.value(setting).as_deref(), Some("t"));
}

#[test]
fn one_transaction_writes_20_000_messages_to_200_categories() {
    let store = Store::fresh(Target::Ours);
    let (mut session, mut other) = (store.session(), store.session());
    default_size(&mut session);
    let held = |session: &mut Session| {
        let backend = session.number("SELECT pg_backend_pid()");
        session.number(&format!("SELECT count(*) FROM pg_locks WHERE pid = {backend}"))
    };
    let write = "SELECT max(write_message(NULL, 'category' || n % 200 || '-' || n % 7, 'T', '{}'))";
    for (end, seen) in [("ROLLBACK", 0), ("COMMIT", MESSAGES as i64)] {
        session.ok("BEGIN");
        session.ok(&format!("{write} FROM generate_series(1, {MESSAGES}) AS n"));
        let locks = held(&mut session);
        eprintln!("{locks} locks for {MESSAGES} messages in {CATEGORIES} categories");
        assert!(locks < 300, "a lock a category, and no more marks than 64");
        // Others still get theirs, and know of what is to come.
        other.ok("SELECT write_message(NULL, 'other-1', 'T', '{}')");
        let below = other.number("SELECT count(*) FROM get_all_messages(1, -1)");
        assert_eq!(below, if end == "COMMIT" { 1 } else { 0 }, "what the other wrote comes later");
        session.ok(end);
        assert_eq!(
            other.number("SELECT count(*) FROM get_category_messages('category0', 1, -1)"),
            seen / CATEGORIES as i64
        );
    }
    assert_eq!(other.number("SELECT count(*) FROM get_all_messages(1, -1)"), MESSAGES as i64 + 2);
    let streams = "SELECT count(*) FROM (SELECT position, row_number() OVER (PARTITION BY stream_name ORDER BY global_position) AS n
                   FROM messages) AS m WHERE position <> n - 1";
    assert_eq!(other.number(streams), 0);
}

#[test]
fn one_transaction_writes_to_many_namespaces() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    default_size(&mut session);
    (0..100).for_each(|n| session.ok(&format!("SELECT create_namespace('tenant-{n}')")));
    session.ok(
        "SELECT write_messages('account' || n % 10 || '-1', '[{\"type\": \"T\"}, {\"type\": \"T\"}]', NULL, 'tenant-' || n / 10)
         FROM generate_series(0, 999) AS n",
    );
    for n in [0, 99] {
        assert_eq!(session.number(&format!("SELECT count(*) FROM get_all_messages(1, -1, 'tenant-{n}')")), 20);
    }
}

/// A batch takes one lock and one mark, however large it is.
#[test]
fn a_batch_of_10_000_takes_a_handful_of_locks() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    session.ok("BEGIN");
    session
        .ok("SELECT write_messages('account-1', jsonb_agg('{\"type\": \"T\"}'::jsonb)) FROM generate_series(1, 10000)");
    let locks = session.number("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()");
    assert!(locks < 20, "{locks}");
    session.ok("COMMIT");
    assert_eq!(session.number("SELECT stream_version('account-1')"), 9999);
}
