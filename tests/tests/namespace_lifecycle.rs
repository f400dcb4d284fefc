//! Creating, registering, clearing and deleting namespaces, and who may use them.

use message_store_tests::namespaces::{count, error, may_create, role, schema_exists, write};
use message_store_tests::{Session, Store, Target, calls};

#[test]
fn a_namespace_is_made_of_plain_objects_like_the_default_one() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    assert_eq!(session.value("SELECT create_namespace('tenant')").as_deref(), Some("tenant"));
    let objects = |session: &mut Session, schema: &str| {
        session.rows(&format!(
            "SELECT relname, relkind, replace(coalesce(pg_get_indexdef(i.indexrelid), pg_get_viewdef(c.oid)), '{schema}.', '')
             FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
             WHERE relnamespace = '{schema}'::regnamespace AND relname NOT LIKE 'namespaces%' AND relkind <> 'c'
             ORDER BY 1"
        ))
    };
    let ours = objects(&mut session, "tenant");
    let strip = |rows: Vec<Vec<Option<String>>>| {
        let strip = |value: Option<String>| value.map(|value| value.replace("message_store.", ""));
        rows.into_iter().map(|row| row.into_iter().map(strip).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert_eq!(strip(ours), strip(objects(&mut session, "message_store")));
    let columns = |session: &mut Session, schema: &str| {
        session.rows(&format!(
            "SELECT attname, atttypid::regtype, attnotnull, replace(pg_get_expr(adbin, adrelid), '{schema}.', '')
             FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
             WHERE attrelid = '{schema}.messages'::regclass AND attnum > 0 ORDER BY attnum"
        ))
    };
    assert_eq!(columns(&mut session, "tenant"), columns(&mut session, "message_store"));
    let members = "SELECT count(*) FROM pg_depend WHERE deptype = 'e' AND classid = 'pg_class'::regclass
                       AND objid IN (SELECT oid FROM pg_class WHERE relnamespace = 'tenant'::regnamespace)";
    assert_eq!(session.number(members), 0, "no object of it is the extension's");

    session.ok(&write("tenant", "account-1"));
    for view in [
        "stream_summary",
        "type_summary",
        "stream_type_summary",
        "type_stream_summary",
        "category_type_summary",
        "type_category_summary",
    ] {
        assert_eq!(session.number(&format!("SELECT count(*) FROM tenant.{view}")), 1, "{view}");
    }
}

#[test]
fn what_was_said_of_a_namespace_is_kept() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok(
        "SELECT create_namespace('a', 'hash', 'the first', '{\"b\": 1, \"a\": [null]}'); SELECT create_namespace('b')",
    );
    let found = session.rows("SELECT name, token_hash, description, metadata FROM get_namespace('a')");
    let texts = ["a", "hash", "the first", "{\"a\": [null], \"b\": 1}"].map(|text| Some(text.to_owned()));
    assert_eq!(found, [texts]);
    let rest = "SELECT token_hash, description, metadata FROM get_namespace('b')";
    assert_eq!(session.rows(rest), [[None, None, None]]);
    let age = "SELECT abs(extract(epoch FROM created_at - timezone('utc', now()))) < 60 FROM get_namespace('b')";
    assert_eq!(session.value(age).as_deref(), Some("t"));
    assert_eq!(session.number("SELECT count(*) FROM get_namespace('message_store')"), 1);

    error(&mut session, "SELECT create_namespace('c', 'hash')", "Token hash is already in use");
    assert!(!schema_exists(&mut session, "c"));
    session.ok("SELECT delete_namespace('a'); SELECT create_namespace('c', 'hash')");
}

#[test]
fn a_name_is_taken_once() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("SELECT create_namespace('a'); CREATE SCHEMA mine");
    for function in ["create_namespace", "register_namespace"] {
        for name in ["a", "message_store"] {
            let message = format!("Namespace already exists: {name}");
            error(&mut session, &format!("SELECT {function}('{name}')"), &message);
        }
    }
    let message = "Not a registered namespace: mine (a schema or file of that name exists)";
    error(&mut session, "SELECT create_namespace('mine')", message);
    for call in calls::by_argument("mine") {
        error(&mut session, &call, "Namespace does not exist: mine");
    }
    for function in ["delete_namespace", "clear_namespace"] {
        error(&mut session, &format!("SELECT {function}('mine')"), "Namespace does not exist: mine");
    }
    assert!(schema_exists(&mut session, "mine"));
    error(
        &mut session,
        "SELECT delete_namespace('message_store')",
        "Default namespace cannot be deleted: message_store",
    );
    error(
        &mut session,
        "SELECT delete_namespace('message_store', true)",
        "Default namespace cannot be deleted: message_store",
    );
}

#[test]
fn registering_takes_a_message_store() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let not = |name: &str| format!("Not a message store: {name}");
    error(&mut session, "SELECT register_namespace('nothing')", &not("nothing"));
    session.ok("CREATE SCHEMA empty");
    error(&mut session, "SELECT register_namespace('empty')", &not("empty"));
    session.ok("CREATE SCHEMA other; CREATE TABLE other.messages (id uuid)");
    error(&mut session, "SELECT register_namespace('other')", &not("other"));
    let bob = role(&store, "bob");
    session.ok("SELECT create_namespace('whole')");
    session.ok("DELETE FROM namespaces WHERE name = 'whole'");
    session.ok(&format!("ALTER TABLE whole.messages OWNER TO {bob}"));
    error(&mut session, "SELECT register_namespace('whole')", &not("whole"));
    session.ok("ALTER TABLE whole.messages OWNER TO postgres");
    assert_eq!(session.value("SELECT register_namespace('whole', 'h', 'again')").as_deref(), Some("whole"));
    assert_eq!(session.number(&write("whole", "account-1")), 0);
    assert_eq!(session.value("SELECT description FROM get_namespace('whole')").as_deref(), Some("again"));
    session.ok("SELECT delete_namespace('whole')");
    assert!(!schema_exists(&mut session, "whole"));
}

#[test]
fn creating_and_deleting_can_be_rolled_back() {
    let store = Store::fresh(Target::Ours);
    let (mut session, mut other) = (store.superuser(), store.superuser());
    for (begin, rollback) in [
        ("BEGIN", "ROLLBACK"),
        ("BEGIN; SAVEPOINT s", "ROLLBACK TO s; COMMIT"),
        ("BEGIN; SELECT 1; SAVEPOINT s", "ROLLBACK TO s; ROLLBACK"),
    ] {
        session.ok(&format!("{begin}; SELECT create_namespace('tenant')"));
        assert_eq!(session.number(&write("tenant", "account-1")), 0);
        error(&mut other, &write("tenant", "account-1"), "Namespace does not exist: tenant");
        session.ok(rollback);
        error(&mut session, &write("tenant", "account-1"), "Namespace does not exist: tenant");
        error(&mut other, &write("tenant", "account-1"), "Namespace does not exist: tenant");
        assert!(!schema_exists(&mut session, "tenant"));
    }
    session.ok("SELECT create_namespace('tenant')");
    for (begin, rollback) in [("BEGIN", "ROLLBACK"), ("BEGIN; SAVEPOINT s", "ROLLBACK TO s; COMMIT")] {
        let before = count(&store, "tenant");
        assert_eq!(session.number(&write("tenant", "account-1")), before);
        session.ok(&format!("{begin}; SELECT delete_namespace('tenant')"));
        if rollback.starts_with("ROLLBACK TO") {
            error_in_savepoint(&mut session, &write("tenant", "account-1"), "Namespace does not exist: tenant");
        }
        session.ok(rollback);
        assert_eq!(session.number("SELECT stream_version('account-1', 'tenant')"), before);
        assert_eq!(other.number("SELECT stream_version('account-1', 'tenant')"), before);
    }
    // Deleted and created again in one transaction, and that rolled back: the old one, with its messages.
    session.ok("BEGIN; SELECT delete_namespace('tenant'); SELECT create_namespace('tenant')");
    assert_eq!(session.number(&write("tenant", "account-1")), 0);
    session.ok("ROLLBACK");
    assert_eq!(session.number(&write("tenant", "account-1")), 2);
}

fn error_in_savepoint(session: &mut Session, sql: &str, message: &str) {
    session.ok("SAVEPOINT expected");
    error(session, sql, message);
    session.ok("ROLLBACK TO SAVEPOINT expected");
}

#[test]
fn clearing_starts_again_at_1() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("SELECT create_namespace('tenant')");
    for namespace in ["tenant", "message_store"] {
        for round in 0..2 {
            for _ in 0..3 {
                session.ok(&write(namespace, "account-1"));
            }
            assert_eq!(session.number(&format!("SELECT clear_namespace('{namespace}')")), 3, "round {round}");
            assert_eq!(session.value(&format!("SELECT stream_version('account-1', '{namespace}')")), None);
            assert_eq!(session.number(&write(namespace, "account-1")), 0);
            let positions = format!("SELECT global_position FROM get_all_messages(1, 10, '{namespace}')");
            assert_eq!(session.number(&positions), 1);
            assert_eq!(session.number(&format!("SELECT clear_namespace('{namespace}')")), 1);
        }
        session.ok(&write(namespace, "account-1"));
        session
            .ok(&format!("BEGIN; SELECT clear_namespace('{namespace}'); {}; ROLLBACK", write(namespace, "account-1")));
        assert_eq!(
            session.number(&write(namespace, "account-1")),
            1,
            "{namespace}: a rolled back clearing changes nothing"
        );
    }
    error(&mut session, "SELECT clear_namespace('nope')", "Namespace does not exist: nope");
}

#[test]
fn other_objects_are_deleted_with_cascade_only() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("SELECT create_namespace('tenant')");
    session.ok(&write("tenant", "account-1"));
    // What hangs on the store's own objects goes with them.
    session.ok("CREATE INDEX mine ON tenant.messages (type); ALTER TABLE tenant.messages ADD note text");
    session.ok("CREATE TABLE tenant.audit (a int); CREATE FUNCTION tenant.f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    session
        .ok("CREATE TYPE tenant.color AS ENUM ('red'); CREATE VIEW tenant.everything AS SELECT * FROM tenant.messages");
    let message = "Namespace contains other objects: tenant (audit, color, everything, tenant.f())";
    error(&mut session, "SELECT delete_namespace('tenant')", message);
    error(&mut session, "SELECT delete_namespace('tenant', false)", message);
    error(&mut session, "SELECT delete_namespace('tenant', NULL)", message);
    assert_eq!(session.number("SELECT stream_version('account-1', 'tenant')"), 0);
    assert_eq!(session.value("SELECT delete_namespace('tenant', true)").as_deref(), Some("tenant"));
    assert!(!schema_exists(&mut session, "tenant"));
    assert_eq!(session.number("SELECT count(*) FROM namespaces"), 0);

    session.ok("SELECT create_namespace('tenant'); CREATE INDEX mine ON tenant.messages (type)");
    session.ok("SELECT delete_namespace('tenant')");
    // A view elsewhere is Postgres' to protect.
    session.ok("SELECT create_namespace('tenant'); CREATE VIEW public.outside AS SELECT * FROM tenant.messages");
    assert_eq!(session.error("SELECT delete_namespace('tenant')").sqlstate, "2BP01");
    session.ok("SELECT delete_namespace('tenant', true)");
    assert_eq!(session.value("SELECT to_regclass('public.outside')"), None);
}

#[test]
fn granting_and_revoking() {
    let store = Store::fresh(Target::Ours);
    let [owner, guest] = ["owner", "guest"].map(|name| role(&store, name));
    may_create(&store, &owner);
    let mut owner = store.session_as(&owner);
    owner.ok("SELECT message_store.create_namespace('tenant')");
    owner.ok(&write("tenant", "account-1"));
    // The functions' schema is not the tenant's to share.
    store.superuser().ok(&format!("GRANT USAGE ON SCHEMA message_store TO {guest}"));
    let mut session = store.session_as(&guest);
    let read = "SELECT count(*) FROM message_store.get_all_messages(1, 10, 'tenant')";
    let view = "SELECT message_count FROM tenant.stream_summary";

    assert_eq!(session.error(read).sqlstate, "42501");
    assert_eq!(
        owner.value(&format!("SELECT message_store.grant_namespace('tenant', '{guest}')")).as_deref(),
        Some("tenant")
    );
    assert_eq!((session.number(read), session.number(view)), (1, 1));
    assert_eq!(session.error(&write("tenant", "account-1")).sqlstate, "42501");
    owner.ok(&format!("SELECT message_store.grant_namespace('tenant', '{guest}', 'write')"));
    assert_eq!(session.number(&write("tenant", "account-1")), 1);
    assert_eq!(session.number(read), 2);
    for sql in ["DELETE FROM tenant.messages", "UPDATE tenant.messages SET type = 'x'", "CREATE TABLE tenant.t ()"] {
        assert_eq!(session.error(sql).sqlstate, "42501", "{sql}");
    }
    assert_eq!(
        owner.value(&format!("SELECT message_store.revoke_namespace('tenant', '{guest}')")).as_deref(),
        Some("tenant")
    );
    for sql in [read, view, &write("tenant", "account-1")] {
        assert_eq!(session.error(sql).sqlstate, "42501", "{sql}");
    }
    session.ok("SELECT message_store.category('a-1')");
    owner.ok(&format!("SELECT message_store.revoke_namespace('tenant', '{guest}')"));

    for mode in ["owner", "READ", ""] {
        let call = format!("SELECT message_store.grant_namespace('tenant', '{guest}', '{mode}')");
        error(&mut owner, &call, &format!("Mode must be read or write: {mode}"));
    }
    let call = format!("SELECT message_store.grant_namespace('tenant', '{guest}', NULL)");
    error(&mut owner, &call, "Mode must be read or write: <NULL>");
    for call in ["grant_namespace('tenant', 'nobody at all')", "revoke_namespace('tenant', 'nobody at all')"] {
        let failure = owner.error(&format!("SELECT message_store.{call}"));
        let expected = ("42704", "role \"nobody at all\" does not exist");
        assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), expected);
    }
    for call in ["grant_namespace('nope', 'postgres')", "revoke_namespace('nope', 'postgres')"] {
        error(&mut owner, &format!("SELECT message_store.{call}"), "Namespace does not exist: nope");
    }
    // The default store can be granted as well.
    let mut superuser = store.superuser();
    superuser.ok(&format!("SELECT grant_namespace('message_store', '{guest}', 'write')"));
    assert_eq!(session.number("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')"), 0);
    superuser.ok(&format!("SELECT revoke_namespace('message_store', '{guest}')"));
    assert_eq!(session.error("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')").sqlstate, "42501");
    session.ok("SELECT message_store.category('a-1')");
    assert_eq!(count(&store, "tenant"), 2);
}

/// A role name that must be quoted, as an argument, is a name and nothing else.
#[test]
fn strange_role_names_are_names() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let name = "Strange \"role\"; DROP TABLE namespaces --'";
    session.ok(&format!("CREATE ROLE \"{}\" LOGIN", name.replace('"', "\"\"")));
    session.ok("SELECT create_namespace('tenant')");
    let argument = message_store_tests::literal::text(name);
    session.ok(&format!("SELECT grant_namespace('tenant', {argument}, 'write')"));
    assert_eq!(store.session_as(name).number(&write("tenant", "account-1")), 0);
    session.ok(&format!("SELECT revoke_namespace('tenant', {argument})"));
    assert_eq!(store.session_as(name).error(&write("tenant", "account-1")).sqlstate, "42501");
    assert_eq!(session.number("SELECT count(*) FROM namespaces"), 1);
}
