//! Errors of ours are Postgres errors like any other: no trace of Rust in them, and nothing written.

use message_store_tests::{Session, Store, Target};

/// Statements that fail, each in another place, with their SQLSTATE.
const FAILING: [(&str, &str); 24] = [
    ("SELECT write_message('xyz', 'a-1', 'T', '{}')", "22P02"),
    ("SELECT write_message('00000000-0000-4000-8000-000000000001', 'a-1', 'T', '{')", "22P02"),
    ("SELECT write_message('00000000-0000-4000-8000-000000000001', 'a-1', 'T', '\"\\u0000\"')", "22P05"),
    ("SELECT write_message('00000000-0000-4000-8000-000000000001', NULL, 'T', '{}')", "23502"),
    ("SELECT write_message('00000000-0000-4000-8000-000000000001', 'a-1', NULL, '{}')", "23502"),
    ("SELECT write_message('00000000-0000-4000-8000-000000000001', 'a-1', 'T', '{}', NULL, 7)", "P0001"),
    ("SELECT write_message('00000000-0000-4000-8000-0000000000ff', 'a-1', 'T', '{}')", "23505"),
    ("SELECT write_message('00000000-0000-4000-8000-000000000001', 'end-1', 'T', '{}')", "22003"),
    (
        "SELECT write_message('00000000-0000-4000-8000-000000000001', \
         'a-' || (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 150) AS i), 'T', '{}')",
        "54000",
    ),
    ("SELECT * FROM get_stream_messages('a')", "P0001"),
    ("SELECT * FROM get_stream_messages('a-1', 0, -2)", "2201W"),
    ("SELECT * FROM get_stream_messages('a-1', condition => 'true')", "P0001"),
    ("SELECT * FROM get_category_messages('a-1')", "P0001"),
    ("SELECT * FROM get_category_messages('a', 1, -2)", "2201W"),
    ("SELECT * FROM get_category_messages('a', correlation => 'b-1')", "P0001"),
    ("SELECT * FROM get_category_messages('a', consumer_group_member => 1)", "P0001"),
    ("SELECT * FROM get_category_messages('a', consumer_group_member => 0, consumer_group_size => 32768)", "22003"),
    ("SELECT get_category_messages('a', 1, 1000, NULL, -1, 2)", "P0001"),
    (
        "SET message_store.sql_condition = 'on'; SELECT * FROM get_stream_messages('a-1', condition => '1/0 = 1')",
        "22012",
    ),
    (
        "SET message_store.sql_condition = 'on'; SELECT * FROM get_stream_messages('a-1', condition => 'nonsense')",
        "42703",
    ),
    ("SET message_store.sql_condition = 'on'; SELECT * FROM get_category_messages('a', condition => ')')", "42601"),
    (
        "SET TRANSACTION READ ONLY; SELECT write_message('00000000-0000-4000-8000-000000000001', 'a-1', 'T', '{}')",
        "25006",
    ),
    (
        "SET statement_timeout = 1; SELECT write_message(gen_random_uuid()::varchar, 'a-1', 'T', '{}') FROM generate_series(1, 1e6)",
        "57014",
    ),
    ("SELECT get_last_stream_message()", "42883"),
];

const COUNT: &str = "SELECT count(*) FROM messages";

#[test]
fn errors_show_nothing_of_rust_and_write_nothing() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    session.ok("SELECT write_message('00000000-0000-4000-8000-0000000000ff', 'a-1', 'T', '{}')");
    session.ok("INSERT INTO messages (stream_name, position, type) VALUES ('end-1', 9223372036854775807, 'T')");
    for (sql, sqlstate) in FAILING {
        let failure = store.session().error(sql);
        assert_eq!(failure.sqlstate, sqlstate, "{sql}: {failure}");
        failure.assert_clean();
        assert_eq!(session.number(COUNT), 2, "{sql}");
    }
}

/// plpgsql shows the caller's own frames, and none of ours.
#[test]
fn errors_under_plpgsql_keep_the_caller_s_context_only() {
    let mut session = Store::fresh(Target::Ours).session();
    let failure = session.error("DO $$ BEGIN PERFORM write_message('xyz', 'a-1', 'T', '{}'); END $$");
    assert_eq!(failure.sqlstate, "22P02");
    failure.assert_clean();
    let context = failure.context.expect("plpgsql's context");
    assert!(context.contains("PL/pgSQL function inline_code_block line 1 at PERFORM"), "{context}");
}

/// The backend goes on after every kind of error, and a savepoint brings its transaction back.
#[test]
fn an_error_leaves_the_session_usable() {
    let mut session = Store::fresh(Target::Ours).session();
    session.ok("BEGIN; SELECT write_message(gen_random_uuid()::varchar, 'b-1', 'T', '{}')");
    for (sql, _) in FAILING.iter().filter(|(sql, _)| !sql.starts_with("SET") && !sql.contains("end-1")) {
        session.ok("SAVEPOINT before");
        session.run(sql);
        session.ok("ROLLBACK TO SAVEPOINT before");
    }
    assert_eq!(session.number("SELECT write_message(gen_random_uuid()::varchar, 'b-1', 'T', '{}')"), 1);
    session.ok("COMMIT");
    assert_eq!(session.number(COUNT), 2);
}

/// A superuser's session in a database of its own with a store, of another encoding than the client's.
fn in_encoding(encoding: &str) -> Session {
    let store = Store::fresh(Target::Ours);
    let database = format!("{}_{}", store.database, encoding.to_lowercase());
    let create = format!("CREATE DATABASE {database} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
    store.superuser().ok(&create);
    let mut session = Session::open(store.cluster.config(&database, "postgres"));
    session.ok("CREATE EXTENSION message_store; SET search_path = message_store, public");
    session
}

#[test]
fn errors_and_notices_show_texts_of_the_database_s_encoding() {
    let mut session = in_encoding("LATIN1");
    session.ok("SELECT write_message(NULL, 'straße-1', 'Tür', '{\"ä\": \"Ã©\"}')");
    for (call, message) in [
        (
            "write_message(NULL, 'straße-1', 'T', '{}', NULL, 5)",
            "Wrong expected version: 5 (Stream: straße-1, Stream Version: 0)",
        ),
        ("get_category_messages('straße-1')", "Must be a category: straße-1"),
        ("get_category_messages('a', 1, 1, 'Ã©-1')", "Correlation must be a category (Correlation: Ã©-1)"),
        ("write_message('é', 'a-1', 'T', '{}')", "invalid input syntax for type uuid: \"é\""),
        (
            "write_messages('a-1', '[{\"type\": \"T\", \"dätä\": 1}]')",
            "Messages must be a JSON array of objects (Element 0: unknown key \"dätä\")",
        ),
        ("set_namespace_option('message_store', 'ä', 'b')", "Unknown namespace option: ä"),
        ("grant_namespace('message_store', 'public', 'ä')", "Mode must be read or write: ä"),
        ("grant_namespace('message_store', 'rôle')", "role \"rôle\" does not exist"),
    ] {
        assert_eq!(session.error(&format!("SELECT {call}")).message, message);
    }
    session
        .ok("BEGIN; CREATE ROLE \"rôle\"; SELECT grant_namespace('message_store', 'rôle', 'write'); SET ROLE \"rôle\"");
    session.ok("SET LOCAL message_store.debug_write = 'on'");
    let notices = session.run("SELECT write_message(NULL, 'straße-1', 'Tür', '{\"ä\": \"ö\"}')").notices;
    let notices: Vec<&str> = notices.iter().map(|(_, text)| text.as_str()).collect();
    for notice in ["» write_message", "stream_name ($2): straße-1", "type ($3): Tür", "data ($4): {\"ä\": \"ö\"}"]
    {
        assert!(notices.contains(&notice), "{notice}: {notices:?}");
    }
    session.ok("ROLLBACK");
}

#[test]
fn what_an_encoding_lacks_is_a_question_mark() {
    let mut session = in_encoding("KOI8R");
    session.ok("SET message_store.debug_write = 'on'");
    let notices = session.run("SELECT write_message(NULL, 'Москва-1', 'T', '{}')").notices;
    let notices: Vec<&str> = notices.iter().map(|(_, text)| text.as_str()).collect();
    for notice in ["? write_message", "stream_name ($2): Москва-1"] {
        assert!(notices.contains(&notice), "{notice}: {notices:?}");
    }
}
