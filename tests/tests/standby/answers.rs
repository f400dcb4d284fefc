//! What each function answers on a standby, and what it refuses.

use super::{pair, write};
use message_store_tests::Session;
use message_store_tests::consumer::SetAtEnd;
use message_store_tests::race::{self, Plan};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;

/// In Postgres' own words: a standby writes nothing, and locks no table against its readers.
#[test]
fn whatever_writes_is_refused() {
    let mut pair = pair();
    pair.primary.ok("SELECT write_message('00000000-0000-4000-8000-000000000001', 'account-1', 'T', '{}')");
    pair.primary.ok("SELECT create_namespace('set-aside'); DELETE FROM namespaces WHERE name = 'set-aside'");
    pair.catch_up();
    let mut session = pair.session();
    let import = r#"import_messages('[{"id": "00000000-0000-4000-8000-000000000002", "stream_name": "order-1", "type": "T",
        "position": 0, "global_position": 1000, "time": "2026-01-01 00:00:00"}]')"#;
    for direct in ["on", "off"] {
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        for (sqlstate, call) in [
            ("25006", "write_message(NULL, 'account-1', 'T', '{}')"),
            ("25006", "write_messages('account-1', '[{\"type\": \"T\"}]')"),
            ("25006", "delete_stream('account-1')"),
            ("25006", "truncate_stream('account-1', 1)"),
            ("25006", "redact_message('00000000-0000-4000-8000-000000000001')"),
            ("25006", "record_consumer_position('account', 'totals', 1)"),
            ("25006", "create_namespace('tenant-b')"),
            ("25006", "register_namespace('set-aside')"),
            ("25006", "grant_namespace('tenant-a', 'message_store')"),
            ("25006", "revoke_namespace('tenant-a', 'message_store')"),
            ("55000", import),
            ("55000", "clear_namespace('tenant-a')"),
            ("55000", "delete_namespace('tenant-a')"),
            ("55000", "set_namespace_option('tenant-a', 'append_lock', 'category')"),
        ] {
            let failure = session.error(&format!("SELECT {call}"));
            assert_eq!(failure.sqlstate, sqlstate, "direct access {direct}, {call}: {failure}");
        }
    }
}

/// It excludes who asks for the same lock on the standby, and nobody on the primary.
#[test]
fn a_lock_is_the_standby_s_own() {
    let mut pair = pair();
    let [mut holder, mut other] = [(); 2].map(|()| pair.session());
    other.ok("SET lock_timeout = '100ms'");
    pair.primary.ok("SET lock_timeout = '10s'");
    for (namespace, literal) in [("NULL", "account-1"), ("'tenant-a'", "account-2")] {
        let acquire = format!("SELECT acquire_lock('{literal}', {namespace})");
        holder.ok("BEGIN");
        assert_eq!(holder.number(&acquire), holder.number("SELECT hash_64('account')"));
        assert_eq!(other.error(&acquire).sqlstate, "55P03");
        pair.primary.ok(&write(literal, namespace));
        holder.ok("COMMIT");
        other.ok(&acquire);
    }
}

/// What a snapshot of the standby says about a namespace, each number in two ways.
const AGREES: &[(&str, &str)] = &[
    ("SELECT message_count FROM stats({})", "SELECT count(*) FROM \"tenant-a\".messages"),
    ("SELECT stream_count FROM stats({})", "SELECT count(DISTINCT stream_name) FROM \"tenant-a\".messages"),
    ("SELECT last_global_position FROM stats({})", "SELECT max(global_position) FROM \"tenant-a\".messages"),
    ("SELECT sum(message_count) FROM list_streams(NULL, NULL, -1, {})", "SELECT count(*) FROM \"tenant-a\".messages"),
    ("SELECT count(*) FROM list_streams('account', NULL, -1, {}) WHERE version <> message_count - 1", "SELECT 0"),
    ("SELECT sum(message_count) FROM list_categories({})", "SELECT count(*) FROM \"tenant-a\".messages"),
    (
        "SELECT count(*) FROM get_stream_messages('account-1', 0, -1, NULL, {})",
        "SELECT 1 + stream_version('account-1', {})",
    ),
    (
        "SELECT count(*) FROM (SELECT position, row_number() OVER () AS n
         FROM get_stream_messages('account-1', 0, -1, NULL, {})) AS m WHERE position <> n - 1",
        "SELECT 0",
    ),
    (
        "SELECT position FROM get_last_stream_message('account-1', NULL, {})",
        "SELECT max(position) FROM \"tenant-a\".messages WHERE stream_name = 'account-1'",
    ),
    (
        "SELECT sum(lag) FROM consumer_positions('account', {})",
        "SELECT count(*) FROM \"tenant-a\".messages AS m, \"tenant-a\".consumer_positions AS c
         WHERE message_store.category(m.stream_name) = 'account' AND m.global_position > c.position",
    ),
    ("SELECT count(*) FROM list_namespaces() WHERE name IN ('message_store', {})", "SELECT 2"),
    ("SELECT count(*) FROM get_namespace({})", "SELECT 1"),
];

/// Reads until the flag is set, a snapshot each time. None shows less than the one before it. How many it was.
fn look(session: &mut Session, ended: &AtomicBool) -> usize {
    let (mut count, mut before) = (0, 0);
    while !ended.load(Ordering::SeqCst) {
        session.ok("BEGIN ISOLATION LEVEL REPEATABLE READ");
        for (one, other) in AGREES {
            let [one, other] = [one, other].map(|query| query.replace("{}", "'tenant-a'"));
            assert_eq!(session.value(&one), session.value(&other), "{one}");
        }
        let messages = session.number("SELECT message_count FROM stats('tenant-a')");
        session.ok("COMMIT");
        assert!(messages >= before, "{messages} messages after {before}");
        (count, before) = (count + 1, messages);
        // Without a transaction around it each call sees what there is by now.
        let version = session.number("SELECT stream_version('account-1', 'tenant-a')");
        let read = "SELECT count(*) FROM get_stream_messages('account-1', 0, -1, NULL, 'tenant-a')";
        assert!(session.number(read) > version);
    }
    count
}

/// Beside the writers' messages: namespaces that come and go, and a consumer that records how far it has come.
fn come_and_go(primary: &mut Session, ended: &AtomicBool) {
    for n in 1.. {
        primary.ok(&format!("SELECT create_namespace('comes-{n}')"));
        primary.ok(&format!("SELECT record_consumer_position('account', 'totals', {n}, NULL, 'tenant-a')"));
        primary.ok(&format!("SELECT delete_namespace('comes-{n}')"));
        if ended.load(Ordering::SeqCst) {
            return;
        }
    }
}

#[test]
fn its_answers_agree_with_one_another_while_the_primary_is_written_to() {
    let mut pair = pair();
    pair.primary.ok("SELECT record_consumer_position('account', 'totals', 0, NULL, 'tenant-a')");
    pair.catch_up();
    let plan = Plan {
        store: &pair.store,
        namespace: "'tenant-a'",
        categories: &["account", "order"],
        streams: 5,
        writers: 3,
        target: race::messages(1_000, 10_000),
    };
    let ended = AtomicBool::new(false);
    scope(|scope| {
        let readers = ["on", "off"].map(|direct| {
            let (mut session, ended) = (pair.session(), &ended);
            session.ok(&format!("SET message_store.direct_access = {direct}"));
            scope.spawn(move || look(&mut session, ended))
        });
        let end = SetAtEnd(&ended);
        let mut admin = pair.store.superuser();
        race::run(&plan, Vec::new(), |ended| come_and_go(&mut admin, ended));
        drop(end);
        for reader in readers {
            let looks = reader.join().expect("a reader");
            assert!(looks > 2, "{looks} looks");
            eprintln!("{looks} looks");
        }
    });
}

/// A large store's numbers come from some of its pages.
#[test]
fn it_estimates_what_a_large_store_holds() {
    let mut pair = pair();
    pair.primary.ok("INSERT INTO messages (stream_name, type, position, data)
         SELECT 'category' || s % 3 || '-' || s, 'T', p, jsonb_build_object('text', repeat('x', 900))
         FROM generate_series(0, 19) AS p, generate_series(1, 500) AS s");
    pair.catch_up();
    let numbers = "SELECT message_count BETWEEN 9000 AND 11000, category_count, last_global_position FROM stats()";
    let at_standby = pair.session().rows(numbers);
    assert_eq!(at_standby, pair.primary.rows(numbers));
    assert_eq!(at_standby[0].iter().flatten().collect::<Vec<_>>(), ["t", "4", "10001"]);
}
