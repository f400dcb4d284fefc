//! Row security policies on a table of messages hold for every function that reads or writes messages, whichever way it
//! reaches the table. They do not hold for what is not read from it, or is read with its owner's rights.

use message_store_tests::namespaces::{count, granted, role};
use message_store_tests::{Session, Store, Target, version};

const NAMESPACES: [&str; 2] = ["message_store", "guarded"];
const VIEWS: [&str; 6] = [
    "stream_summary",
    "type_summary",
    "stream_type_summary",
    "type_stream_summary",
    "category_type_summary",
    "type_category_summary",
];

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
        superuser.ok(&format!("SELECT record_consumer_position('account', 'totals', 0, NULL, '{namespace}')"));
        superuser.ok(&format!(
            "CREATE POLICY own ON \"{namespace}\".messages USING (type = current_user) WITH CHECK (type = current_user);
             ALTER TABLE \"{namespace}\".messages ENABLE ROW LEVEL SECURITY"
        ));
    }
    (store, roles)
}

/// Every way to read, as an expression of a number, and what one of the two roles gets.
fn reads(namespace: &str) -> [(String, i64); 14] {
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
        (format!("SELECT message_count FROM message_store.stats('{namespace}')"), 2),
        (format!("SELECT stream_count FROM message_store.stats('{namespace}')"), 2),
        (format!("SELECT lag FROM message_store.consumer_positions(NULL, '{namespace}')"), 2),
        (format!("SELECT lag FROM message_store.consumer_positions('account', '{namespace}')"), 2),
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

/// The views read with their owner's rights, as Message DB's do; versions of emptied streams and positions of consumers
/// are in tables of their own. A stream whose messages are all out of sight has no version.
#[test]
fn views_emptied_streams_and_consumers_are_not_hidden_by_a_policy_on_messages() {
    let (store, [ann, ben]) = guarded();
    for namespace in NAMESPACES {
        emptied_and_unseen(&store, namespace, &ben);
        let mut session = store.session_as(&ann);
        for view in VIEWS {
            assert_eq!(session.number(&messages_in(namespace, view)), 5, "{view}");
        }
        assert_eq!(session.number(&format!("SELECT count(*) FROM \"{namespace}\".stream_heads")), 1);
        assert_eq!(session.number(&format!("SELECT count(*) FROM \"{namespace}\".consumer_positions")), 1);
        for direct in ["on", "off"] {
            session.ok(&format!("SET message_store.direct_access = {direct}"));
            assert_eq!(session.number(&version_of("emptied-1", namespace)), 0);
            assert_eq!(session.value(&version_of("unseen-1", namespace)), None);
        }
        let last = format!("SELECT last_global_position FROM message_store.stats('{namespace}')");
        assert_eq!(session.number(&last), 3, "the last message that the policy shows");
    }
}

/// Since Postgres 15 a view can read with its reader's rights.
#[test]
fn a_view_that_reads_as_its_reader_goes_by_the_policy() {
    if version() < 15 {
        return;
    }
    let (store, [ann, _]) = guarded();
    let mut superuser = store.superuser();
    for namespace in NAMESPACES {
        for view in VIEWS {
            superuser.ok(&format!("ALTER VIEW \"{namespace}\".{view} SET (security_invoker = true)"));
            assert_eq!(store.session_as(&ann).number(&messages_in(namespace, view)), 2, "{view}");
        }
    }
}

/// Functions ask for the version of an emptied stream without a privilege, so nothing but the table itself is out of
/// reach without SELECT on it, and the last message of a stream cannot be removed.
#[test]
fn without_a_privilege_on_the_heads_versions_go_on_and_streams_are_not_emptied() {
    let (store, [ann, ben]) = guarded();
    let mut superuser = store.superuser();
    for namespace in NAMESPACES {
        emptied_and_unseen(&store, namespace, &ben);
        superuser.ok(&format!("SELECT grant_namespace('{namespace}', '{ann}', 'admin')"));
        superuser.ok(&format!("REVOKE SELECT ON \"{namespace}\".stream_heads FROM {ann}"));
        let mut session = store.session_as(&ann);
        let failure = session.error(&format!("SELECT * FROM \"{namespace}\".stream_heads"));
        assert_eq!(failure.sqlstate, "42501");
        assert_eq!(session.number(&version_of("emptied-1", namespace)), 0);
        let write = |version: i64| {
            format!(
                "SELECT message_store.write_message(NULL, 'emptied-1', '{ann}', '{{}}', NULL, {version}, '{namespace}')"
            )
        };
        assert_eq!([write(0), write(1)].map(|write| session.number(&write)), [1, 2]);
        let truncate = format!("SELECT message_store.truncate_stream('emptied-1', 2, '{namespace}')");
        assert_eq!(session.number(&truncate), 1);
        let failure = session.error(&format!("SELECT message_store.delete_stream('emptied-1', '{namespace}')"));
        failure.assert_clean();
        assert_eq!(
            (failure.sqlstate.as_str(), failure.message.as_str()),
            ("42501", "permission denied for table stream_heads")
        );
    }
}

/// Without SELECT nobody records a position, either; a policy on the table lets each consumer see its own.
#[test]
fn consumers_see_their_own_positions_by_a_policy_of_their_table() {
    let (store, [ann, ben]) = guarded();
    let mut superuser = store.superuser();
    for namespace in NAMESPACES {
        let mut session = store.session_as(&ann);
        let record = |consumer: &str| {
            format!("SELECT message_store.record_consumer_position('account', '{consumer}', 1, NULL, '{namespace}')")
        };
        let positions = format!("SELECT consumer FROM message_store.consumer_positions(NULL, '{namespace}')");
        superuser.ok(&format!("REVOKE SELECT ON \"{namespace}\".consumer_positions FROM {ann}"));
        for call in [&record(&ann), &positions] {
            let failure = session.error(call);
            failure.assert_clean();
            assert_eq!(failure.message, "permission denied for table consumer_positions", "{call}");
        }
        superuser.ok(&format!(
            "GRANT SELECT ON \"{namespace}\".consumer_positions TO {ann};
             CREATE POLICY own ON \"{namespace}\".consumer_positions USING (consumer = current_user);
             ALTER TABLE \"{namespace}\".consumer_positions ENABLE ROW LEVEL SECURITY"
        ));
        assert_eq!(store.session_as(&ben).number(&record(&ben)), 1);
        assert_eq!(session.number(&record(&ann)), 1);
        assert_eq!(session.rows(&positions), [[Some(ann.clone())]]);
        for other in [&ben, "totals"] {
            let failure = session.error(&record(other));
            failure.assert_clean();
            assert_eq!(failure.sqlstate, "42501", "{other}: {failure}");
        }
    }
}

/// A stream of somebody's that has lost its only message, and another that has one.
fn emptied_and_unseen(store: &Store, namespace: &str, role: &str) {
    let mut superuser = store.superuser();
    for stream in ["emptied-1", "unseen-1"] {
        superuser.ok(&format!("SELECT write_message(NULL, '{stream}', '{role}', '{{}}', NULL, NULL, '{namespace}')"));
    }
    superuser.ok(&format!("SELECT delete_stream('emptied-1', '{namespace}')"));
}

fn messages_in(namespace: &str, view: &str) -> String {
    format!("SELECT sum(message_count)::bigint FROM \"{namespace}\".{view}")
}

fn version_of(stream: &str, namespace: &str) -> String {
    format!("SELECT message_store.stream_version('{stream}', '{namespace}')")
}
