//! DROP EXTENSION never destroys a message.

use message_store_tests::{Session, Store, Target, catalog};

const WRITE: &str = "SELECT write_message(gen_random_uuid()::varchar, 'account-' || n % 7, 'T', '{\"a\": 1}')
    FROM generate_series(1, 100) AS n";
const MESSAGES: &str = "SELECT * FROM message_store.messages ORDER BY global_position";

fn filled() -> (Store, Session) {
    let store = Store::fresh(Target::Ours);
    store.session().ok(WRITE);
    let session = store.superuser();
    (store, session)
}

#[test]
fn without_cascade_it_refuses() {
    let (store, mut session) = filled();
    let failure = session.error("DROP EXTENSION message_store");
    assert_eq!(failure.sqlstate, "2BP01");
    assert_eq!(failure.hint.as_deref(), Some("Use DROP ... CASCADE to drop the dependent objects too."));
    assert_eq!(store.session().number("SELECT count(*) FROM get_category_messages('account')"), 100);
}

#[test]
fn with_cascade_every_message_stays_readable() {
    let (_store, mut session) = filled();
    let before = session.rows(MESSAGES);
    session.ok("DROP EXTENSION message_store CASCADE");
    assert_eq!(session.rows(MESSAGES), before);
    assert_eq!(session.number("SELECT count(*) FROM pg_proc WHERE pronamespace = 'message_store'::regnamespace"), 0);
    // The table is whole: its constraints hold and its positions go on.
    let insert =
        "INSERT INTO messages (stream_name, position, type) VALUES ('account-1', 99, 'T') RETURNING global_position";
    assert_eq!(session.number(insert), 101);
    assert_eq!(session.error(insert).constraint.as_deref(), Some("messages_stream"));
}

#[test]
fn created_again_it_works_on_the_kept_table() {
    let (store, mut session) = filled();
    let (before, catalog) = (session.rows(MESSAGES), catalog::read(&store));
    session.ok("DROP EXTENSION message_store CASCADE");
    session.ok("CREATE EXTENSION message_store");
    assert_eq!(session.rows(MESSAGES), before);
    assert_eq!(catalog::read(&store), catalog);

    let mut client = store.session();
    assert_eq!(client.number("SELECT count(*) FROM get_category_messages('account', 1, 1000, NULL, 0, 1)"), 100);
    let version = client.number("SELECT stream_version('account-1')");
    let write = format!("SELECT write_message(gen_random_uuid()::varchar, 'account-1', 'T', '{{}}', NULL, {version})");
    assert_eq!(client.number(&write), version + 1);
    assert_eq!(client.number("SELECT global_position FROM get_last_stream_message('account-1')"), 101);
}

#[test]
fn dropped_under_an_open_connection_its_functions_are_gone_and_back_without_a_reconnect() {
    let (store, mut session) = filled();
    let mut client = store.session();
    client.ok(WRITE);
    session.ok("DROP EXTENSION message_store CASCADE");
    assert_eq!(client.error(WRITE).sqlstate, "42883");
    session.ok("CREATE EXTENSION message_store");
    client.ok(WRITE);
    assert_eq!(client.number("SELECT count(*) FROM get_category_messages('account')"), 300);
}

/// Whoever completes the default store, its objects are its owner's: of a table of somebody else's nothing is removed.
#[test]
fn what_another_superuser_completes_is_the_owner_s() {
    let (store, mut session) = filled();
    session.ok("CREATE ROLE other_superuser SUPERUSER");
    session.ok("DROP TABLE message_store.stream_heads, message_store.consumer_positions");
    session.ok("DROP VIEW message_store.stream_summary");
    session.ok("SET ROLE other_superuser; SELECT create_namespace('message_store'); RESET ROLE");
    let owners = "SELECT string_agg(DISTINCT pg_get_userbyid(relowner)::text, ' ') FROM pg_class
        WHERE relnamespace = 'message_store'::regnamespace";
    assert_eq!(session.value(owners).as_deref(), Some("postgres"));
    assert_eq!(session.number("SELECT delete_stream('account-1')"), 15);
    let mut client = store.session();
    assert_eq!(client.number("SELECT record_consumer_position('account', 'c', 7)"), 7);
    assert_eq!(client.number("SELECT count(*) FROM stream_summary"), 6);

    session.ok("DROP TABLE message_store.messages CASCADE");
    session.ok("SET ROLE other_superuser; SELECT create_namespace('message_store'); RESET ROLE");
    assert_eq!(session.value(owners).as_deref(), Some("postgres"));
    assert_eq!(client.number("SELECT write_message(NULL, 'account-1', 'T', '{}')"), 15);
    session.ok("DROP ROLE other_superuser");
}
