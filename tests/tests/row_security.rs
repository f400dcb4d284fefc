//! Row security policies on a table of messages hold for every function, whichever way it reaches the table.

use message_store_tests::namespaces::{count, granted, role};
use message_store_tests::{Session, Store, Target};

const NAMESPACES: [&str; 2] = ["message_store", "guarded"];

/// Two roles that each see and write their own types of messages only, by one policy, in both namespaces.
fn guarded() -> (Store, [String; 2]) {
    let store = Store::fresh(Target::Ours);
    let roles = ["ann", "ben"].map(|name| role(&store, name));
    let mut superuser = store.superuser();
    granted(&store, "guarded", &roles[0]);
    superuser.ok(&format!("SELECT grant_namespace('guarded', '{}', 'write')", roles[1]));
    for role in &roles {
        superuser.ok(&format!("SELECT grant_namespace('message_store', '{role}', 'write')"));
    }
    for namespace in NAMESPACES {
        for (position, role) in [&roles[0], &roles[1], &roles[0], &roles[1]].into_iter().enumerate() {
            superuser.ok(&format!(
                "SELECT write_message(NULL, 'account-{}', '{role}', '{{}}', NULL, NULL, '{namespace}')",
                position / 2
            ));
        }
        superuser.ok(&format!(
            "CREATE POLICY own ON \"{namespace}\".messages USING (type = current_user) WITH CHECK (type = current_user);
             ALTER TABLE \"{namespace}\".messages ENABLE ROW LEVEL SECURITY"
        ));
    }
    (store, roles)
}

/// Every way to read, as an expression of a number, and what one of the two roles gets.
fn reads(namespace: &str) -> [(String, i64); 10] {
    let count = |call: &str| format!("SELECT count(*) FROM message_store.{call}, '{namespace}')");
    [
        (count("get_stream_messages('account-0', 0, 10, NULL"), 1),
        (count("get_category_messages('account', 1, 10, NULL, NULL, NULL, NULL"), 2),
        (count("get_category_messages('account', 1, 10, NULL, 0, 1, NULL"), 2),
        (count("get_last_stream_message('account-0', NULL"), 1),
        (count("get_all_messages(1, 10"), 2),
        (count("list_streams(NULL, NULL, 10"), 2),
        (count("list_streams(NULL, NULL, -1"), 2),
        (
            format!("SELECT sum(message_count)::bigint FROM message_store.list_streams(NULL, NULL, 10, '{namespace}')"),
            2,
        ),
        (format!("SELECT message_count FROM message_store.list_categories('{namespace}')"), 2),
        (format!("SELECT count(*) FROM \"{namespace}\".messages"), 2),
    ]
}

fn checks(session: &mut Session, role: &str, other: &str, namespace: &str) {
    for (read, expected) in reads(namespace) {
        assert_eq!(session.number(&read), expected, "{read} as {role}");
    }
    let last = format!("SELECT type FROM message_store.get_last_stream_message('account-1', NULL, '{namespace}')");
    assert_eq!(session.value(&last).as_deref(), Some(role));
    let of_other = format!("message_store.get_last_stream_message('account-1', '{other}', '{namespace}')");
    assert_eq!(session.number(&format!("SELECT count(*) FROM {of_other}")), 0, "a message of {other}'s");

    let refused = "new row violates row-level security policy for table \"messages\"";
    for write in [
        format!("write_message(NULL, '{role}-1', '{other}', '{{}}', NULL, NULL, '{namespace}')"),
        format!(
            "write_messages('{role}-1', '[{{\"type\": \"{role}\"}}, {{\"type\": \"{other}\"}}]', NULL, '{namespace}')"
        ),
    ] {
        let failure = session.error(&format!("SELECT message_store.{write}"));
        failure.assert_clean();
        assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("42501", refused), "{write}");
    }
    session.ok("BEGIN");
    let write =
        format!("SELECT message_store.write_message(NULL, '{role}-1', '{role}', '{{}}', NULL, -1, '{namespace}')");
    assert_eq!(session.number(&write), 0);
    let version = format!("SELECT message_store.stream_version('{role}-1', '{namespace}')");
    assert_eq!(session.number(&version), 0);
    session.ok("ROLLBACK");
}

#[test]
fn each_role_reads_and_writes_what_its_policy_allows() {
    let (store, [ann, ben]) = guarded();
    for direct in ["on", "off"] {
        for namespace in NAMESPACES {
            for (role, other) in [(&ann, &ben), (&ben, &ann)] {
                let mut session = store.session_as(role);
                session.ok(&format!("SET message_store.direct_access = {direct}"));
                checks(&mut session, role, other, namespace);
            }
            assert_eq!(count(&store, namespace), 4);
        }
    }
}

/// The connection has kept its plans from when it was another role.
#[test]
fn a_connection_that_changes_its_role_changes_its_rows() {
    let (store, [ann, ben]) = guarded();
    let mut session = store.session_as("postgres");
    for direct in ["on", "off"] {
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        for _ in 0..3 {
            for (role, other) in [(&ann, &ben), (&ben, &ann)] {
                session.ok(&format!("SET ROLE {role}"));
                checks(&mut session, role, other, "guarded");
                session.ok("RESET ROLE");
            }
            let all = "SELECT count(*) FROM message_store.get_all_messages(1, 10, 'guarded')";
            assert_eq!(session.number(all), 4, "the superuser is above policies");
        }
    }
}

/// A role with row_security off is told so, and sees nothing less than it thinks it sees.
#[test]
fn row_security_that_is_off_is_an_error_and_never_a_filter() {
    let (store, [ann, _]) = guarded();
    let mut session = store.session_as(&ann);
    for direct in ["on", "off"] {
        session.ok(&format!("SET row_security = off; SET message_store.direct_access = {direct}"));
        for (read, _) in reads("guarded") {
            let failure = session.error(&read);
            failure.assert_clean();
            assert_eq!(failure.sqlstate, "42501", "{read}");
            assert!(failure.message.starts_with("query would be affected by row-level security"), "{read}: {failure}");
        }
        let write = format!("SELECT message_store.write_message(NULL, 'a-1', '{ann}', '{{}}', NULL, NULL, 'guarded')");
        assert_eq!(session.error(&write).sqlstate, "42501");
    }
    assert_eq!(count(&store, "guarded"), 4);
}

/// The version that a role sees may lie below the stream's own; the index keeps the position from coming twice.
#[test]
fn a_position_that_is_out_of_sight_is_not_given_twice() {
    let (store, [ann, _]) = guarded();
    for direct in ["on", "off"] {
        let mut session = store.session_as(&ann);
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        let failure = session.error(&format!(
            "SELECT message_store.write_message(NULL, 'account-1', '{ann}', '{{}}', NULL, NULL, 'guarded')"
        ));
        failure.assert_clean();
        assert_eq!(failure.sqlstate, "23505");
        assert_eq!(failure.constraint.as_deref(), Some("messages_stream"));
        assert_eq!(failure.detail, None, "the detail would show a row out of sight");
    }
    assert_eq!(count(&store, "guarded"), 4);
}

/// An import goes by the same policy, for its owner too where the table says so.
#[test]
fn an_import_and_an_owner_under_forced_row_security_go_by_the_policy() {
    let (store, [ann, ben]) = guarded();
    let mut superuser = store.superuser();
    superuser.ok(&format!("GRANT UPDATE ON SEQUENCE guarded.messages_global_position_seq TO {ann}"));
    let import = |kind: &str, position: i64| {
        format!(
            "SELECT message_store.import_messages('[{{\"id\": \"00000000-0000-4000-8000-{position:012}\", \"stream_name\":
             \"import-{position}\", \"type\": \"{kind}\", \"position\": 0, \"global_position\": {position},
             \"time\": \"2026-01-01 00:00:00\"}}]', 'guarded')"
        )
    };
    let mut session = store.session_as(&ann);
    assert_eq!(session.error(&import(&ben, 1000)).sqlstate, "42501");
    assert_eq!(session.number(&import(&ann, 1001)), 1);
    assert_eq!(count(&store, "guarded"), 5);

    superuser.ok(&format!(
        "GRANT CREATE ON DATABASE {} TO {ann}; GRANT INSERT ON message_store.namespaces TO {ann}",
        store.database
    ));
    session.ok("SELECT message_store.create_namespace('own')");
    session.ok("CREATE POLICY p ON own.messages USING (type = current_user) WITH CHECK (type = current_user);
                ALTER TABLE own.messages ENABLE ROW LEVEL SECURITY");
    let write =
        |kind: &str| format!("SELECT message_store.write_message(NULL, 'a-1', '{kind}', '{{}}', NULL, NULL, 'own')");
    session.ok(&write("other"));
    session.ok("ALTER TABLE own.messages FORCE ROW LEVEL SECURITY");
    for direct in ["on", "off"] {
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        assert_eq!(session.error(&write("other")).sqlstate, "42501");
        assert_eq!(
            session.number("SELECT count(*) FROM message_store.get_stream_messages('a-1', 0, 10, NULL, 'own')"),
            0
        );
    }
}
