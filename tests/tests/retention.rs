//! Removing and redacting messages: positions are never given out twice, and readers miss nothing.

use message_store_tests::namespaces::{role, waits};
use message_store_tests::{Session, Store, Target};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

const MODES: [&str; 2] = ["category", "stream"];

fn store(append_lock: &str) -> Store {
    let store = Store::fresh(Target::Ours);
    store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{append_lock}')"));
    store
}

fn write(stream: &str) -> String {
    format!("SELECT write_message(NULL, '{stream}', 'T', '{{}}')")
}

#[test]
fn a_removal_waits_for_who_writes_to_the_category_and_keeps_others_out() {
    for mode in MODES {
        let store = store(mode);
        let (mut writer, mut remover) = (store.session(), store.superuser());
        writer.ok(&write("account-1"));
        writer.ok("BEGIN");
        assert_eq!(writer.number(&write("account-1")), 1);
        let removed = waits(&store, &mut remover, "SELECT delete_stream('account-1')", || writer.ok("COMMIT"));
        assert_eq!(removed.value().as_deref(), Some("2"), "{mode}");

        remover.ok("BEGIN");
        assert_eq!(remover.number("SELECT delete_stream('account-1')"), 0);
        let written = waits(&store, &mut writer, &write("account-1"), || remover.ok("COMMIT"));
        assert_eq!(written.value().as_deref(), Some("2"), "{mode}");
    }
}

#[test]
fn positions_are_not_given_out_twice_while_streams_are_removed() {
    for mode in MODES {
        let store = store(mode);
        let ended = AtomicBool::new(false);
        let removed = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|_| {
                    let mut session = store.session();
                    scope.spawn(move || {
                        let mut positions = Vec::new();
                        for n in 0..300 {
                            let stream = format!("account-{}", n % 3);
                            positions.push((stream.clone(), session.number(&write(&stream))));
                        }
                        positions
                    })
                })
                .collect();
            let remover = scope.spawn(|| {
                let mut session = store.superuser();
                let mut removed = 0;
                while !ended.load(Ordering::Relaxed) {
                    for n in 0..3 {
                        removed += session.number(&format!("SELECT delete_stream('account-{n}')"));
                        removed += session.number(&format!("SELECT truncate_stream('account-{n}', 100000)"));
                    }
                }
                removed
            });
            let mut given = HashSet::new();
            for writer in writers {
                for position in writer.join().expect("a writer") {
                    assert!(given.insert(position.clone()), "{mode}: {position:?} was given out twice");
                }
            }
            ended.store(true, Ordering::Relaxed);
            // Of each stream every position up to its version was given out.
            let mut session = store.session();
            let versions: i64 =
                (0..3).map(|n| session.number(&format!("SELECT stream_version('account-{n}') + 1"))).sum();
            assert_eq!((given.len(), versions), (1200, 1200), "{mode}");
            remover.join().expect("the one who removed")
        });
        let left = store.superuser().number("SELECT count(*) FROM messages");
        assert_eq!(removed + left, 1200, "{mode}");
    }
}

/// In REPEATABLE READ a removal is not seen, but neither are its positions given out again.
#[test]
fn an_old_snapshot_gives_no_position_out_again() {
    let store = store("category");
    let (mut old, mut other) = (store.session(), store.superuser());
    old.ok("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    old.ok("SELECT stream_version('account-1')");
    for _ in 0..3 {
        other.ok(&write("account-1"));
    }
    other.ok("SELECT delete_stream('account-1')");
    assert_eq!(old.number(&write("account-1")), 3);
    old.ok("COMMIT");
    assert_eq!(other.number("SELECT stream_version('account-1')"), 3);
}

/// Messages that came and went since its snapshot leave no trace in the index: the write is refused as one of two
/// changes of a row would be.
#[test]
fn a_transaction_too_old_to_see_what_was_removed_cannot_write_there() {
    let store = store("category");
    let (mut old, mut other) = (store.session(), store.superuser());
    for direct in ["on", "off"] {
        old.ok(&format!("SET message_store.direct_access = {direct}"));
        for (n, (seen, level, removal)) in [
            (2, "REPEATABLE READ", "delete_stream('{}')"),
            (2, "REPEATABLE READ", "truncate_stream('{}', 3)"),
            (2, "SERIALIZABLE", "truncate_stream('{}', 3)"),
            (0, "REPEATABLE READ", "truncate_stream('{}', 1)"),
        ]
        .into_iter()
        .enumerate()
        {
            let stream = format!("{direct}-{n}");
            (0..seen).for_each(|_| other.ok(&write(&stream)));
            old.ok(&format!("BEGIN ISOLATION LEVEL {level}; SELECT 1"));
            (0..2).for_each(|_| other.ok(&write(&stream)));
            other.ok(&format!("SELECT {}", removal.replace("{}", &stream)));
            for call in [write(&stream), format!("SELECT write_messages('{stream}', '[{{\"type\": \"T\"}}]')")] {
                old.ok("SAVEPOINT s");
                let failure = old.error(&call);
                let expected = ("40001", "could not serialize access due to concurrent delete");
                assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), expected, "{level}, {removal}");
                old.ok("ROLLBACK TO s");
            }
            old.ok("ROLLBACK");
            assert_eq!(old.number(&write(&stream)), seen + 2, "{level}, {removal}");
        }
    }
}

/// Whoever is kept from removing the first messages of a stream would set its version back.
#[test]
fn what_a_trigger_keeps_sets_no_version_back() {
    let store = store("category");
    let mut session = store.superuser();
    session.ok("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN IF OLD.type = ''Kept'' THEN RETURN NULL; END IF; RETURN OLD; END';
        CREATE TRIGGER keep BEFORE DELETE ON messages FOR EACH ROW EXECUTE FUNCTION keep()");
    for stream in ["first-1", "last-1"] {
        let kept = if stream == "first-1" { 1 } else { 4 };
        session.ok(&format!(
            "SELECT write_message(NULL, '{stream}', CASE n WHEN {kept} THEN 'Kept' ELSE 'T' END, '{{}}')
             FROM generate_series(1, 4) AS n"
        ));
    }
    for call in ["delete_stream('first-1')", "truncate_stream('first-1', 4)"] {
        let failure = session.error(&format!("SELECT {call}"));
        let expected =
            "Messages of the stream were kept back, and its version would go back: first-1 (Stream Version: 3)";
        assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("P0001", expected));
    }
    assert_eq!(session.number("SELECT count(*) FROM get_stream_messages('first-1')"), 4);
    assert_eq!(session.number("SELECT truncate_stream('first-1', 3)"), 2, "the last one stays: so does the version");
    assert_eq!(session.number("SELECT delete_stream('last-1')"), 3);
    assert_eq!(session.number(&write("last-1")), 4);
    session.ok("DROP TRIGGER keep ON messages");
    assert_eq!(session.number("SELECT delete_stream('first-1')"), 2);
    assert_eq!(session.number(&write("first-1")), 4);
}

#[test]
fn both_ways_to_the_table_go_on_counting() {
    let store = store("category");
    let mut session = store.superuser();
    for (n, direct) in ["on", "off"].into_iter().enumerate() {
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        let stream = format!("account-{n}");
        session.ok(&format!("SELECT write_messages('{stream}', '[{{\"type\": \"A\"}}, {{\"type\": \"B\"}}]')"));
        assert_eq!(session.number(&format!("SELECT delete_stream('{stream}')")), 2);
        assert_eq!(session.number(&format!("SELECT stream_version('{stream}')")), 1);
        let failure = session.error(&format!("SELECT write_message(NULL, '{stream}', 'T', '{{}}', NULL, -1)"));
        assert_eq!(failure.message, format!("Wrong expected version: -1 (Stream: {stream}, Stream Version: 1)"));
        assert_eq!(session.number(&write(&stream)), 2);
    }
}

/// A role that was granted the table by hand, as for Message DB, knows nothing of the other tables.
#[test]
fn who_may_write_needs_no_privilege_on_the_heads() {
    let store = store("category");
    let role = role(&store, "app");
    let mut superuser = store.superuser();
    superuser.ok(&format!(
        "GRANT USAGE ON SCHEMA message_store TO {role}; GRANT SELECT, INSERT ON messages TO {role};
         GRANT USAGE, SELECT ON SEQUENCE messages_global_position_seq TO {role}"
    ));
    superuser.ok(&write("account-1"));
    superuser.ok("SELECT delete_stream('account-1')");
    let mut app = store.session_as(&role);
    app.ok("SET search_path = message_store");
    assert_eq!(app.number(&write("account-1")), 1);
    assert_eq!(app.number(&write("account-2")), 0);
    assert_eq!(app.error("SELECT position FROM stream_heads").sqlstate, "42501");
    assert_eq!(app.error("SELECT record_consumer_position('account', 'c', 1)").sqlstate, "42501");
}

#[test]
fn what_each_mode_allows() {
    let store = store("category");
    let mut superuser = store.superuser();
    superuser.ok("SELECT create_namespace('tenant-a')");
    let calls = [
        ("read", "SELECT record_consumer_position('account', 'c', 1, NULL, 'tenant-a')"),
        ("read", "SELECT message_count FROM stats('tenant-a')"),
        (
            "write",
            "SELECT write_message('00000000-0000-4000-8000-000000000001', 'account-1', 'T', '{}', NULL, NULL, 'tenant-a')",
        ),
        ("admin", "SELECT redact_message('00000000-0000-4000-8000-000000000001', 'tenant-a')"),
        ("admin", "SELECT truncate_stream('account-1', 1, 'tenant-a')"),
        ("admin", "SELECT delete_stream('account-1', 'tenant-a')"),
    ];
    let modes = ["read", "write", "admin"];
    for (rank, mode) in modes.into_iter().enumerate() {
        let role = role(&store, mode);
        superuser.ok(&format!("SELECT grant_namespace('tenant-a', '{role}', '{mode}')"));
        let mut session = store.session_as(&role);
        session.ok("SET search_path = message_store");
        for (needed, call) in calls {
            if modes.iter().position(|mode| *mode == needed) <= Some(rank) {
                superuser.ok("DELETE FROM \"tenant-a\".messages WHERE type = 'T'");
                if needed == "admin" {
                    superuser.ok(calls[2].1);
                }
                session.ok(call);
            } else {
                assert_eq!(session.error(call).sqlstate, "42501", "{mode}: {call}");
            }
        }
        superuser.ok(&format!("SELECT revoke_namespace('tenant-a', '{role}')"));
        assert_eq!(session.error(calls[0].1).sqlstate, "42501", "{mode}, revoked");
    }
    let failure = superuser.error("SELECT grant_namespace('tenant-a', 'postgres', 'owner')");
    assert_eq!(failure.message, "Mode must be read or write: owner");
}

/// Row security on the table holds for what is removed and redacted as well.
#[test]
fn row_security_is_honoured() {
    let store = store("category");
    let role = role(&store, "clerk");
    let mut superuser = store.superuser();
    superuser.ok(&format!("SELECT grant_namespace('message_store', '{role}', 'admin')"));
    superuser.ok("SELECT write_message('00000000-0000-4000-8000-000000000001', 'secret-1', 'T', '{\"a\": 1}')");
    superuser.ok("SELECT write_message('00000000-0000-4000-8000-000000000002', 'open-1', 'T', '{\"a\": 1}')");
    superuser.ok("ALTER TABLE messages ENABLE ROW LEVEL SECURITY");
    superuser.ok("CREATE POLICY open ON messages USING (stream_name LIKE 'open-%')");
    let mut clerk = store.session_as(&role);
    clerk.ok("SET search_path = message_store");
    assert_eq!(clerk.number("SELECT delete_stream('secret-1')"), 0);
    let failure = clerk.error("SELECT redact_message('00000000-0000-4000-8000-000000000001')");
    assert_eq!(failure.message, "Message does not exist: 00000000-0000-4000-8000-000000000001");
    assert_eq!(clerk.number("SELECT redact_message('00000000-0000-4000-8000-000000000002')"), 1);
    assert_eq!(clerk.number("SELECT delete_stream('open-1')"), 1);
    assert_eq!(superuser.number("SELECT count(*) FROM messages WHERE data = '{\"a\": 1}'"), 1);
}

/// Messages that a policy hides from the one who removes the others count for the stream's version.
#[test]
fn what_a_policy_hides_sets_no_version_back() {
    let store = store("category");
    let role = role(&store, "clerk");
    let mut superuser = store.superuser();
    superuser.ok(&format!("SELECT grant_namespace('message_store', '{role}', 'admin')"));
    for (stream, first, second) in [("first-1", "Hidden", "T"), ("last-1", "T", "Hidden")] {
        superuser.ok(&format!(
            "SELECT write_message(NULL, '{stream}', CASE WHEN n < 3 THEN '{first}' ELSE '{second}' END, '{{}}')
             FROM generate_series(1, 4) AS n"
        ));
    }
    superuser.ok("ALTER TABLE messages ENABLE ROW LEVEL SECURITY; CREATE POLICY shown ON messages USING (type = 'T')");
    let mut clerk = store.session_as(&role);
    clerk.ok("SET search_path = message_store");
    let failure = clerk.error("SELECT delete_stream('first-1')");
    let expected = "Messages of the stream were kept back, and its version would go back: first-1 (Stream Version: 3)";
    assert_eq!(failure.message, expected);
    assert_eq!(clerk.number("SELECT delete_stream('last-1')"), 2);
    assert_eq!(superuser.number("SELECT count(*) FROM messages"), 6);
    for stream in ["first-1", "last-1"] {
        assert_eq!(superuser.number(&write(stream)), 4);
    }
}

/// What is put in the place of the heads by the owner of a schema crashes nobody.
#[test]
fn a_strange_table_of_heads_is_refused() {
    let store = store("category");
    let mut superuser = store.superuser();
    superuser.ok("SELECT create_namespace('tenant-a')");
    for heads in [
        "CREATE VIEW \"tenant-a\".stream_heads AS SELECT 'x'::text AS stream_name, 1::bigint AS position",
        "CREATE TABLE \"tenant-a\".stream_heads (stream_name text PRIMARY KEY, position text)",
        "CREATE TABLE \"tenant-a\".stream_heads (stream_name text, position bigint)",
        "CREATE TABLE \"tenant-a\".stream_heads (stream_name text, position bigint, PRIMARY KEY (stream_name, position))",
    ] {
        superuser.ok("BEGIN");
        superuser.ok("DROP TABLE \"tenant-a\".stream_heads");
        superuser.ok(heads);
        let failure = superuser.error("SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, 'tenant-a')");
        assert_eq!(failure.message, "Not a message store: tenant-a", "{heads}");
        superuser.ok("ROLLBACK");
    }
}

/// A connection keeps what it has found of the heads, until they change.
#[test]
fn a_table_of_heads_that_is_replaced_is_found_anew() {
    let store = store("category");
    let mut superuser = store.superuser();
    superuser.ok("SELECT create_namespace('tenant-a')");
    let mut app = store.session_as("postgres");
    let write = |stream: &str| {
        format!("SELECT message_store.write_message(NULL, '{stream}', 'T', '{{}}', NULL, NULL, 'tenant-a')")
    };
    assert_eq!(app.number(&write("a-1")), 0);
    superuser.ok("ALTER TABLE \"tenant-a\".stream_heads RENAME TO set_aside");
    superuser.ok("CREATE TABLE \"tenant-a\".stream_heads (stream_name text, position bigint)");
    assert_eq!(app.error(&write("a-2")).message, "Not a message store: tenant-a");
    superuser.ok("DROP TABLE \"tenant-a\".stream_heads");
    superuser.ok("ALTER TABLE \"tenant-a\".set_aside RENAME TO stream_heads");
    assert_eq!(app.number(&write("a-2")), 0);
    superuser.ok("SELECT delete_stream('a-2', 'tenant-a')");
    superuser.ok("ALTER TABLE \"tenant-a\".stream_heads DROP CONSTRAINT stream_heads_pkey");
    assert_eq!(app.error(&write("a-2")).message, "Not a message store: tenant-a");
    superuser.ok("ALTER TABLE \"tenant-a\".stream_heads ADD PRIMARY KEY (stream_name)");
    assert_eq!(app.number(&write("a-2")), 1);
}

/// Whoever asks for positions runs no code of the schema's owner, and reads no other types as if they were these.
#[test]
fn a_strange_table_of_positions_is_refused() {
    let store = store("category");
    let mut superuser = store.superuser();
    superuser.ok("SELECT create_namespace('tenant-a'); CREATE FUNCTION trap() RETURNS bigint LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''the trap sprang as %'', current_user; END'");
    let key = "PRIMARY KEY (category, consumer)";
    for positions in [
        "VIEW {} AS SELECT 'a'::text AS category, 'c'::text AS consumer, trap() AS position, now()::timestamp AS time",
        &format!("TABLE {{}} (category text, consumer text, position text, time timestamp, {key})"),
        &format!("TABLE {{}} (category text, consumer text, position bigint, time text, {key})"),
        &format!("TABLE {{}} (category text, consumer text, time timestamp, position bigint, {key})"),
        &format!("TABLE {{}} (category text, consumer text, position bigint, {key})"),
    ] {
        let positions = positions.replace("{}", "\"tenant-a\".consumer_positions");
        superuser.ok(&format!("BEGIN; DROP TABLE \"tenant-a\".consumer_positions; CREATE {positions}"));
        for call in [
            "SELECT record_consumer_position('a', 'c', 1, NULL, 'tenant-a')",
            "SELECT * FROM consumer_positions(NULL, 'tenant-a')",
        ] {
            superuser.ok("SAVEPOINT s");
            assert_eq!(superuser.error(call).message, "Not a message store: tenant-a", "{positions}");
            superuser.ok("ROLLBACK TO s");
        }
        superuser.ok("ROLLBACK");
    }
}

/// As one that somebody has left in the schema before an upgrade.
#[test]
fn a_table_of_somebody_else_s_beside_the_messages_is_refused() {
    let store = store("category");
    let mallory = role(&store, "mallory");
    let mut superuser = store.superuser();
    superuser.ok("SELECT create_namespace('tenant-a')");
    for (table, calls) in [
        ("stream_heads", ["SELECT delete_stream('a-1', 'tenant-a')", "SELECT truncate_stream('a-1', 1, 'tenant-a')"]),
        (
            "consumer_positions",
            [
                "SELECT record_consumer_position('a', 'c', 1, NULL, 'tenant-a')",
                "SELECT * FROM consumer_positions(NULL, 'tenant-a')",
            ],
        ),
    ] {
        superuser.ok(&format!("ALTER TABLE \"tenant-a\".{table} OWNER TO {mallory}"));
        for call in calls {
            let failure = superuser.error(call);
            assert_eq!(failure.message, "Namespace is not owned by its recorded owner: tenant-a", "{call}");
        }
        superuser.ok(&format!("ALTER TABLE \"tenant-a\".{table} OWNER TO postgres"));
        calls.iter().for_each(|call| superuser.ok(call));
    }
}

fn everything(session: &mut Session) -> String {
    let relations = session.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'message_store'::regnamespace AND relkind IN ('r', 'v')",
    );
    let mut all = String::new();
    for relation in relations.into_iter().flatten().flatten() {
        all += &format!("{:?}", session.rows(&format!("SELECT r::text FROM message_store.{relation} AS r")));
    }
    for call in [
        "get_stream_messages('account-1')",
        "get_category_messages('account')",
        "get_last_stream_message('account-1')",
        "get_all_messages()",
    ] {
        all += &format!("{:?}", session.rows(&format!("SELECT m::text FROM {call} AS m")));
    }
    all
}

#[test]
fn what_was_redacted_is_told_by_nothing() {
    let store = store("category");
    let mut session = store.superuser();
    session.ok("SELECT write_message('00000000-0000-4000-8000-000000000001', 'account-1', 'T', '{\"name\": \"Ada Lovelace\"}', '{\"by\": \"Ada Lovelace\"}')");
    assert!(everything(&mut session).contains("Lovelace"));
    session.ok("SELECT redact_message('00000000-0000-4000-8000-000000000001')");
    assert!(!everything(&mut session).contains("Lovelace"));
    let dump = store.cluster.command("pg_dump").arg(&store.database).output().expect("pg_dump");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(dump.contains("{\"redacted\": true}") && !dump.contains("Lovelace"));
}
