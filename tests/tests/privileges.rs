//! Who may do what.

use message_store_tests::{Store, Target, for_both};

for_both!(
    a_role_without_grants_can_do_nothing,
    a_role_that_may_read_cannot_write,
    the_role_message_store_cannot_change_what_is_written,
);

const WRITE: &str = "SELECT write_message(gen_random_uuid()::varchar, 'account-1', 'T', '{}')";

/// Roles belong to the cluster, which the tests share, hence one name a test and target.
fn role(store: &Store, name: &str, grants: &[&str]) -> String {
    let role = format!("{name}_{}", store.target);
    let mut session = store.superuser();
    session.ok(&format!("CREATE ROLE {role} LOGIN"));
    for grant in grants {
        session.ok(&format!("GRANT {grant} TO {role}"));
    }
    role
}

fn a_role_without_grants_can_do_nothing(store: &Store) {
    let mut session = store.session_as(&role(store, "stranger", &[]));
    for call in ["message_store.category('a-1')", "message_store.stream_version('a-1')"] {
        let failure = session.error(&format!("SELECT {call}"));
        assert_eq!(
            (failure.sqlstate.as_str(), failure.message.as_str()),
            ("42501", "permission denied for schema message_store")
        );
    }
}

fn a_role_that_may_read_cannot_write(store: &Store) {
    let role = role(store, "reader", &["USAGE ON SCHEMA message_store", "SELECT ON message_store.messages"]);
    store.session().ok(WRITE);
    let mut session = store.session_as(&role);
    session.ok("SET search_path = message_store, public");
    assert_eq!(session.number("SELECT count(*) FROM get_stream_messages('account-1')"), 1);
    assert_eq!(session.number("SELECT stream_version('account-1')"), 0);
    let failure = session.error(WRITE);
    failure.assert_clean();
    assert_eq!(failure.sqlstate, "42501");
    assert_eq!(store.session().number("SELECT count(*) FROM messages"), 1);
}

fn the_role_message_store_cannot_change_what_is_written(store: &Store) {
    let mut session = store.session();
    session.ok(WRITE);
    for sql in [
        "UPDATE messages SET type = 'x'",
        "DELETE FROM messages",
        "TRUNCATE messages",
        "DROP TABLE messages",
        "ALTER SEQUENCE messages_global_position_seq RESTART",
        "CREATE TABLE message_store.mine (a int)",
    ] {
        assert_eq!(session.error(sql).sqlstate, "42501", "{sql}");
    }
    assert_eq!(session.number("SELECT count(*) FROM messages WHERE type = 'T'"), 1);
}

/// The functions reach the table themselves; they must ask for what a query would have to ask for.
#[test]
fn a_role_with_the_schema_alone_gets_no_message_through_our_functions() {
    let store = Store::fresh(Target::Ours);
    store.session().ok(WRITE);
    let mut session = store.session_as(&role(&store, "user", &["USAGE ON SCHEMA message_store"]));
    for call in [
        "message_store.write_message(gen_random_uuid()::varchar, 'account-1', 'T', '{}')",
        "message_store.get_stream_messages('account-1')",
        "message_store.get_category_messages('account')",
        "message_store.get_last_stream_message('account-1')",
        "message_store.stream_version('account-1')",
    ] {
        let failure = session.error(&format!("SELECT {call}"));
        failure.assert_clean();
        let expected = ("42501", "permission denied for table messages");
        assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), expected, "{call}");
    }
    assert_eq!(store.session().number("SELECT count(*) FROM messages"), 1);
}

/// A condition is the caller's SQL and runs with the caller's rights.
#[test]
fn a_condition_runs_with_the_caller_s_rights() {
    let store = Store::fresh(Target::Ours);
    store.superuser().ok("CREATE TABLE secret (a int)");
    let mut session = store.session();
    session.ok(WRITE);
    session.ok("SET message_store.sql_condition = 'on'");
    let read = "SELECT * FROM get_stream_messages('account-1', condition => 'EXISTS (SELECT FROM secret)')";
    let failure = session.error(read);
    assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("42501", "permission denied for table secret"));
}
