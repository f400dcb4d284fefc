//! Stores and conditions made to be misread, and what becomes of a call that half failed.

use message_store_tests::namespaces::{assert_own_error, wait_until_blocked, waits, write};
use message_store_tests::{Session, Store, Target};

const WRITE: &str = "SELECT write_message(NULL, 'account-1', 'T', '{}')";

/// Rows that are not a message's would be read as one: whatever bytes a caller likes, taken for pointers and lengths.
#[test]
fn a_condition_cannot_make_other_columns_pass_for_a_message() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    session.ok("SET message_store.sql_condition = 'on'");
    session.ok(WRITE);
    for condition in [
        "1=1) UNION ALL SELECT 'x'::varchar, 'y'::varchar, 'z'::varchar, 1.5::numeric, 2::bigint, 'd'::varchar, \
         'm'::varchar, now()::timestamp WHERE (1=1",
        "1=0); SELECT 1::bigint AS position, 2::bigint AS global_position, 3::bigint, 4::int, 'abc'::varchar, 5::int --",
    ] {
        let condition = condition.replace('\'', "''");
        for call in [
            format!("SELECT * FROM get_stream_messages('account-1', 0, 10, '{condition}')"),
            format!("SELECT * FROM get_category_messages('account', 1, 10, NULL, NULL, NULL, '{condition}')"),
        ] {
            let failure = session.error(&call);
            failure.assert_clean();
            assert_eq!(
                (failure.sqlstate.as_str(), failure.message.as_str()),
                ("42804", "structure of query does not match function result type")
            );
        }
    }
    assert_eq!(session.number("SELECT stream_version('account-1')"), 0, "the connection goes on");
}

/// Whatever a namespace's owner makes of its table, its readers do not run the owner's code or read other types.
#[test]
fn a_namespace_whose_table_is_something_else_is_refused() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    for (namespace, change) in [
        ("a_view", "DROP TABLE messages CASCADE; CREATE VIEW messages AS SELECT 1 AS global_position"),
        (
            "a_type",
            "ALTER TABLE messages RENAME TO was; CREATE TABLE messages (LIKE was); ALTER TABLE messages ALTER \
          position TYPE numeric",
        ),
        ("a_name", "ALTER TABLE messages RENAME position TO place"),
    ] {
        session.ok(&format!("SELECT message_store.create_namespace('{namespace}')"));
        session.ok(&format!("SET search_path = {namespace}, message_store"));
        session.ok(WRITE);
        session.ok(change);
        for call in ["SELECT stream_version('account-1')", "SELECT * FROM get_all_messages()", WRITE] {
            let failure = session.error(call);
            assert_eq!(failure.sqlstate, "P0001", "{namespace}: {failure}");
            assert_eq!(failure.message, format!("Not a message store: {namespace}"));
        }
    }
}

/// A failed import leaves its mark behind: it must not lie above what the transaction goes on to write.
#[test]
fn what_follows_a_failed_import_is_not_skipped() {
    let store = Store::fresh(Target::Ours);
    let (mut writer, mut other) = (store.superuser(), store.superuser());
    for session in [&mut writer, &mut other] {
        session.ok("SET search_path = message_store, public");
    }
    let id = "00000000-0000-4000-8000-000000000001";
    other.ok(&format!("SELECT write_message('{id}', 'account-1', 'T', '{{}}')"));
    writer.ok("BEGIN; SAVEPOINT s");
    let import = format!(
        r#"SELECT import_messages('[{{"id": "{id}", "stream_name": "other-1", "type": "T", "position": 0,
           "global_position": 1000, "time": "2026-01-01 00:00:00"}}]')"#
    );
    assert_eq!(writer.error(&import).sqlstate, "23505");
    writer.ok("ROLLBACK TO s; SELECT write_message(NULL, 'first-1', 'T', '{}')");
    other.ok("SELECT write_message(NULL, 'second-1', 'T', '{}')");
    let seen = "SELECT count(*) FROM get_all_messages()";
    assert_eq!(other.number(seen), 1, "what was written after the open transaction's message is withheld");
    writer.ok("COMMIT");
    assert_eq!(other.number(seen), 3);
}

/// The answer of a batch names each message by its place, so none may be missing.
#[test]
fn a_trigger_cannot_keep_back_part_of_a_batch_unnoticed() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("SET search_path = message_store, public");
    session.ok("CREATE FUNCTION keep_back() RETURNS trigger LANGUAGE plpgsql \
         AS 'BEGIN IF NEW.type = ''Kept'' THEN RETURN NULL; END IF; RETURN NEW; END'; \
         CREATE TRIGGER keep_back BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION keep_back()");
    let failure = session.error(r#"SELECT write_messages('account-1', '[{"type": "A"}, {"type": "Kept"}]')"#);
    assert_eq!(failure.message, "A trigger on the table kept back messages of the batch: 1 of 2 would be written");
    assert_eq!(session.number("SELECT count(*) FROM messages"), 0);
}

/// What another role has put into the schema of the default store would run with the rights of all its users.
#[test]
fn a_default_store_prepared_by_another_role_is_not_adopted() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("DROP EXTENSION message_store CASCADE; DROP SCHEMA message_store CASCADE");
    session.ok("CREATE ROLE preparer; CREATE SCHEMA message_store AUTHORIZATION preparer");
    let failure = session.error("CREATE EXTENSION message_store");
    assert_eq!(failure.message, "Namespace is not owned by its recorded owner: message_store");
    assert_eq!(session.number("SELECT count(*) FROM pg_extension WHERE extname = 'message_store'"), 0);
}

/// A namespace `tenant`, and a session of the superuser's that has called its functions in another one.
fn tenant(store: &Store) -> (Session, Session) {
    let (mut owner, mut reader) = (store.superuser(), store.superuser());
    for namespace in ["other", "tenant"] {
        owner.ok(&format!("SELECT create_namespace('{namespace}')"));
        owner.ok(&write(namespace, "account-1"));
    }
    // A column that a view shows keeps its type.
    owner.ok("DROP VIEW tenant.type_summary, tenant.stream_type_summary, tenant.type_stream_summary, \
         tenant.category_type_summary, tenant.type_category_summary");
    reader.ok(&READ.replace("tenant", "other"));
    (owner, reader)
}

const READ: &str = "SELECT type FROM get_stream_messages('account-1', NULL, NULL, NULL, 'tenant')";

/// The first five columns are looked at before the change, the others after it: a number would be read as a place in
/// memory.
#[test]
fn a_column_that_changes_while_the_table_is_looked_at_is_noticed() {
    let store = Store::fresh(Target::Ours);
    let (mut owner, mut reader) = tenant(&store);
    reader.ok("SELECT has_column_privilege('tenant.messages'::regclass, n::smallint, 'SELECT') FROM generate_series(1, 5) AS n");
    let backend = reader.number("SELECT pg_backend_pid()");
    // Nobody can connect while the catalog is locked.
    let mut watcher = store.superuser();
    watcher.ok("SELECT cardinality(pg_blocking_pids(0))");
    owner.ok("BEGIN; ALTER TABLE tenant.messages ALTER type TYPE bigint USING 8");
    owner.ok("LOCK TABLE pg_catalog.pg_attribute IN ACCESS EXCLUSIVE MODE");
    let failure = std::thread::scope(|scope| {
        let reading = scope.spawn(|| reader.run(READ).result.expect_err("refused"));
        wait_until_blocked(&mut watcher, backend);
        owner.ok("COMMIT");
        reading.join().expect("the reader")
    });
    assert_own_error(&failure, "Not a message store: tenant");
    assert_own_error(&reader.error(&write("tenant", "account-1")), "Not a message store: tenant");
    owner.ok("ALTER TABLE tenant.messages ALTER type TYPE text");
    assert_eq!(reader.value(READ).as_deref(), Some("8"));
}

/// A text where a number was would be answered as its place in memory.
#[test]
fn a_table_beside_the_messages_that_changes_while_its_lock_is_waited_for_is_refused() {
    let store = Store::fresh(Target::Ours);
    let (mut owner, mut caller) = tenant(&store);
    owner.ok("INSERT INTO tenant.stream_heads VALUES ('gone-1', 5)");
    let (version, record) = (
        "SELECT stream_version('gone-1', 'tenant')",
        "SELECT record_consumer_position('account', 'c', 7, NULL, 'tenant')",
    );
    assert_eq!((caller.number(version), caller.number(record)), (5, 7));
    let (written, removed) = (write("tenant", "gone-1"), "SELECT delete_stream('account-1', 'tenant')");
    let listed = "SELECT * FROM consumer_positions(NULL, 'tenant')";
    for (table, call) in [
        ("stream_heads", version),
        ("stream_heads", &written),
        ("stream_heads", removed),
        ("consumer_positions", record),
        ("consumer_positions", listed),
    ] {
        owner.ok(&format!("BEGIN; ALTER TABLE tenant.{table} ALTER position TYPE text"));
        let outcome = waits(&store, &mut caller, call, || owner.ok("COMMIT"));
        assert_own_error(&outcome.result.expect_err(call), "Not a message store: tenant");
        owner.ok(&format!("ALTER TABLE tenant.{table} ALTER position TYPE bigint USING position::bigint"));
    }
    assert_eq!((caller.number(version), caller.number(record)), (5, 7));
}

/// Readers go up to what the named one has drawn: what another draws they would skip, or never come to.
#[test]
fn global_positions_from_another_sequence_are_refused() {
    let store = Store::fresh(Target::Ours);
    let (mut owner, mut caller) = tenant(&store);
    let sequence = "tenant.messages_global_position_seq";
    let expected = "The sequence of global positions must be messages_global_position_seq, with increment 1, cache 1 and \
                    no cycle: tenant";
    let all = "SELECT count(*) FROM get_all_messages(1, 10, 'tenant')";
    owner.ok("CREATE SEQUENCE tenant.other START 1000");
    for default in ["nextval('tenant.other')".into(), "1000".into(), format!("nextval('{sequence}') * 10")] {
        owner.ok(&format!("ALTER TABLE tenant.messages ALTER global_position SET DEFAULT {default}"));
        for call in [all, &write("tenant", "account-2")] {
            assert_own_error(&caller.error(call), expected);
        }
    }
    owner.ok(&format!("ALTER TABLE tenant.messages ALTER global_position SET DEFAULT nextval('{sequence}')"));
    assert_eq!((caller.number(&write("tenant", "account-2")), caller.number(all)), (0, 2));
    owner.ok(&format!("ALTER TABLE tenant.messages ALTER global_position DROP DEFAULT; DROP SEQUENCE {sequence}"));
    owner.ok("ALTER TABLE tenant.messages ALTER global_position ADD GENERATED BY DEFAULT AS IDENTITY (START 3)");
    assert_eq!((caller.number(&write("tenant", "account-2")), caller.number(all)), (1, 3));
}
