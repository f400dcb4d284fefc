//! What the connections of the load do, round by round.

use message_store_tests::Session;

/// A connection's work: its name, and a round of it.
type Work = (&'static str, fn(&mut Session, usize));

/// The work of each.
pub const WORK: [Work; 12] = [
    ("writer", write),
    ("writer 2", write),
    ("batches", batches),
    ("reader", read),
    ("group", group),
    ("statements", by_statements),
    ("errors", errors),
    ("rollbacks", rollbacks),
    ("removals", removals),
    ("positions", positions),
    ("imports", imports),
    ("told", told),
];

/// The store of a round: the default one and two others in turn.
fn store_of(round: usize) -> &'static str {
    ["NULL", "'work'", "'lanes'"][round % 3]
}

fn write(session: &mut Session, round: usize) {
    let (stream, store) = (round % 50, store_of(round));
    session.ok(&format!(
        "SELECT write_message(NULL, 'account-{stream}', 'T', '{{\"amount\": {round}}}',
         '{{\"correlationStreamName\": \"order-{stream}\"}}', NULL, {store})"
    ));
}

fn batches(session: &mut Session, round: usize) {
    let element = r#"{"type": "T", "data": {"a": [1.50, null]}}"#;
    let elements = vec![element; 1 + round % 20].join(", ");
    session.ok(&format!("SELECT write_messages('order-{}', '[{elements}]', NULL, {})", round % 20, store_of(round)));
}

fn read(session: &mut Session, round: usize) {
    let store = store_of(round);
    let call = match round % 8 {
        0 => format!("get_stream_messages('account-{}', 0, 50, NULL, {store})", round % 50),
        1 => format!("get_last_stream_message('account-{}', NULL, {store})", round % 50),
        2 => format!("get_category_messages('account', 1, 50, NULL, NULL, NULL, NULL, {store})"),
        3 => format!("get_category_messages('account', 1, 20, 'order', NULL, NULL, NULL, {store})"),
        4 => format!("get_all_messages(1, 100, {store})"),
        5 => format!("list_streams('account', NULL, 20, {store})"),
        6 => format!("list_categories({store})"),
        _ => format!("stream_version('order-{}', {store})", round % 20),
    };
    session.ok(&format!("SELECT count(*) FROM {call}"));
}

fn group(session: &mut Session, round: usize) {
    session.ok(&format!(
        "SELECT count(*) FROM get_category_messages('account', 1, 50, NULL, {}, 4, NULL, {})",
        round % 4,
        store_of(round)
    ));
}

/// The same work without direct access.
fn by_statements(session: &mut Session, round: usize) {
    session.ok("SET message_store.direct_access = off; SET message_store.sql_condition = 'on'");
    write(session, round);
    read(session, round);
    let condition = format!("position >= {}", round % 7);
    session.ok(&format!(
        "SELECT count(*) FROM get_stream_messages('account-1', 0, 10, '{condition}', {})",
        store_of(round)
    ));
}

fn errors(session: &mut Session, round: usize) {
    let statements = [
        "SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, 999999999)",
        "SELECT write_message('xyz', 'account-1', 'T', '{}')",
        "SELECT write_message(NULL, NULL, 'T', '{}')",
        "SELECT write_messages('account-1', '[{\"type\": 1}]')",
        "SELECT * FROM get_stream_messages('account')",
        "SELECT * FROM get_category_messages('account', 1, -2)",
        "SELECT create_namespace('work')",
        "SELECT create_namespace('Bad Name')",
        "SELECT stream_version('a-1', 'nobody-made-this')",
        "SELECT import_messages('[{}]')",
    ];
    session.error(statements[round % statements.len()]);
}

fn rollbacks(session: &mut Session, round: usize) {
    session.ok("BEGIN");
    write(session, round);
    session.ok("SAVEPOINT s");
    batches(session, round);
    errors(session, round);
    session.ok("ROLLBACK TO SAVEPOINT s");
    write(session, round);
    session.ok(if round.is_multiple_of(2) { "ROLLBACK" } else { "COMMIT" });
    if round.is_multiple_of(16) {
        session.ok("BEGIN");
        write(session, round);
        session.ok("PREPARE TRANSACTION 'soak'");
        session.ok(if round.is_multiple_of(32) { "COMMIT PREPARED 'soak'" } else { "ROLLBACK PREPARED 'soak'" });
    }
}

/// In one transaction, so that nobody clears the store meanwhile.
fn removals(session: &mut Session, round: usize) {
    let (stream, store) = (format!("gone-{}", round % 50), store_of(round));
    let id = format!("00000000-0000-4000-8000-{round:012x}");
    session.ok("BEGIN");
    session.ok(&format!("SELECT write_message('{id}', '{stream}', 'T', '{{\"name\": \"x\"}}', NULL, NULL, {store})"));
    session
        .ok(&format!("SELECT write_messages('{stream}', '[{{\"type\": \"T\"}}, {{\"type\": \"T\"}}]', NULL, {store})"));
    assert_eq!(session.number(&format!("SELECT redact_message('{id}', {store})")), 1);
    let last = session.number(&format!("SELECT stream_version('{stream}', {store})"));
    assert!(session.number(&format!("SELECT truncate_stream('{stream}', {last}, {store})")) >= 2);
    if round % 4 < 2 {
        assert_eq!(session.number(&format!("SELECT delete_stream('{stream}', {store})")), 1);
    }
    session.ok(if round.is_multiple_of(8) { "ROLLBACK" } else { "COMMIT" });
}

fn positions(session: &mut Session, round: usize) {
    let store = store_of(round);
    session.ok(&format!(
        "SELECT record_consumer_position('account', 'consumer-{}', {round}, {}, {store})",
        round % 4,
        round.is_multiple_of(5)
    ));
    session.ok(&format!("SELECT count(*) FROM consumer_positions('account', {store})"));
    assert_eq!(session.number(&format!("SELECT count(*) FROM stats({store})")), 1);
}

/// Into a namespace that nobody else writes to. It stays small.
fn imports(session: &mut Session, round: usize) {
    if round.is_multiple_of(200) {
        session.ok("SELECT clear_namespace('imports')");
    }
    let last = session.number("SELECT coalesce(max(last_global_position), 0) FROM stats('imports')");
    let message = |n: i64| {
        format!(
            r#"{{"id": "00000000-0000-4000-8000-{:012x}", "stream_name": "account-{round}", "type": "T", "position": {n},
                "global_position": {}, "data": {{"n": {n}}}, "time": "2026-01-01 00:00:00"}}"#,
            16 * round as i64 + n,
            last + 2 * n + 1
        )
    };
    let messages = (0..10).map(message).collect::<Vec<_>>().join(", ");
    assert_eq!(session.number(&format!("SELECT import_messages('[{messages}]', 'imports')")), 10);
}

/// Writes to a namespace that tells who listens, and is switched off and on again now and then.
fn told(session: &mut Session, round: usize) {
    if round.is_multiple_of(500) {
        session.ok("SELECT set_namespace_option('told', 'notify', 'off')");
        session.ok("SELECT set_namespace_option('told', 'notify', 'on')");
    }
    session.ok(&format!("SELECT write_message(NULL, 'account-{}', 'T', '{{}}', NULL, NULL, 'told')", round % 50));
    session.ok(&format!("SELECT write_messages('order-{}', '[{{\"type\": \"T\"}}]', NULL, 'told')", round % 20));
}
