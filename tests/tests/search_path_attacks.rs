//! Objects of somebody else's, earlier in the search_path, that have the names of what the functions use.

#[path = "search_path_attacks/operators.rs"]
mod operators;

use message_store_tests::namespaces::{may_create, role};
use message_store_tests::{Session, Store, Target, calls};
use std::fs;
use std::path::Path;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const TRAPS: &str = include_str!("search_path_attacks/traps.sql");
const VIEWS: [&str; 6] = [
    "stream_summary",
    "type_summary",
    "stream_type_summary",
    "type_stream_summary",
    "category_type_summary",
    "type_category_summary",
];

/// Each puts the traps before Postgres' own functions and operators.
const PATHS: [&str; 3] =
    ["evil, pg_catalog, message_store", "evil, pg_temp, pg_catalog", "pg_temp, evil, pg_catalog, public"];

/// A store, and a schema of Mallory's that is full of traps, which everyone may use.
fn trapped() -> Store {
    let store = Store::fresh(Target::Ours);
    let mallory = role(&store, "mallory");
    store.superuser().ok(&format!("CREATE SCHEMA evil AUTHORIZATION {mallory}; GRANT USAGE ON SCHEMA evil TO PUBLIC"));
    let mut session = store.session_as(&mallory);
    session.ok("SET search_path = evil");
    session.ok(TRAPS);
    let traps = session.number("SELECT count(*) FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace");
    assert!(traps > 80, "{traps} operators");
    store
}

/// A session of the superuser, whose rights Mallory is after.
fn victim(store: &Store, path: &str, direct: &str) -> Session {
    let mut session = store.session_as("postgres");
    session.ok("CREATE TEMP TABLE messages (LIKE message_store.messages); CREATE TEMP TABLE namespaces (name int)");
    session.ok(&format!("SET message_store.direct_access = {direct}; SET search_path = {path}"));
    session
}

/// The traps are traps: what is written without care springs them.
#[test]
fn what_is_not_qualified_springs_the_traps() {
    let store = trapped();
    for path in PATHS {
        let mut session = victim(&store, path, "on");
        for careless in [
            "SELECT now()",
            "SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'messages'::name",
            "SELECT '{}'::pg_catalog.jsonb ->> 'correlationStreamName'::pg_catalog.text",
            "SELECT category('a-1'::pg_catalog.text)",
            "SELECT 1::pg_catalog.int8 + 1::pg_catalog.int8",
            "SELECT NULLIF(1::pg_catalog.int8, 0)",
        ] {
            let failure = session.error(careless);
            assert!(failure.message.starts_with("the trap sprang"), "{careless} with {path}: {failure}");
        }
    }
}

#[test]
fn no_function_and_no_view_springs_a_trap() {
    let store = trapped();
    let mut clean = store.superuser();
    clean.ok("SELECT create_namespace('tenant-a')");
    for path in PATHS {
        for direct in ["on", "off"] {
            let mut session = victim(&store, path, direct);
            for namespace in ["message_store", "tenant-a"] {
                clean.ok(&format!("SELECT clear_namespace('{namespace}')"));
                for call in calls::by_argument(namespace) {
                    session.ok(&call);
                }
                let correlated = "get_category_messages('account', 1, 10, 'other', 0, 2, NULL";
                session.ok(&format!("SELECT FROM message_store.{correlated}, '{namespace}')"));
                session.ok(&format!("SELECT FROM message_store.list_streams('a', 'account', -1, '{namespace}')"));
                // Plain SQL on the table: its defaults and the expressions of its index.
                session.ok(&format!(
                    "INSERT INTO \"{namespace}\".messages (stream_name, position, type, metadata)
                     VALUES ('plain-1', 0, 'T', '{{\"correlationStreamName\": \"other-1\"}}')"
                ));
                for view in VIEWS {
                    let rows = session.rows(&format!("SELECT * FROM \"{namespace}\".{view}"));
                    assert!(!rows.is_empty(), "{view}");
                }
                clean.ok("SET enable_seqscan = off");
                let indexed = "message_store.category(metadata ->> 'correlationStreamName') = 'other'";
                let found = format!(
                    "SELECT count(*) FROM \"{namespace}\".messages
                     WHERE message_store.category(stream_name) = 'plain' AND {indexed}"
                );
                assert_eq!(clean.number(&found), 1, "the index has the right values");
            }
            for name in ["category('a-1')", "id('a-1')", "cardinal_id('a-1')", "is_category('a')", "hash_64('a')"] {
                session.ok(&format!("SELECT message_store.{name}"));
            }
        }
    }
    assert_eq!(store.superuser().number("SELECT count(*) FROM evil.messages"), 0);
}

/// Those of a table of more than 1,000 pages are estimated, by a statement of their own.
#[test]
fn statistics_of_a_large_store_spring_no_trap() {
    let store = trapped();
    let mut clean = store.superuser();
    clean.ok("SELECT create_namespace('large')");
    clean.ok("INSERT INTO large.messages (stream_name, position, type, data)
              SELECT 'account-' || n % 500, n / 500, 'T', jsonb_build_object('text', repeat('x', 400))
              FROM generate_series(0, 19999) AS n");
    let pages = clean.number("SELECT pg_relation_size('large.messages') / 8192");
    assert!(pages > 1000, "{pages} pages are counted");
    for path in PATHS {
        let mut session = victim(&store, path, "on");
        let estimate = session.number("SELECT message_count FROM message_store.stats('large')");
        assert!(estimate.abs_diff(20_000) < 2_000, "{estimate} messages");
    }
}

/// Nor would what no test runs: every statement says whose operators it means.
#[test]
fn no_statement_leaves_an_operator_to_the_search_path() {
    for careless in [
        "SELECT a = b",
        "a->>'b'",
        "SELECT -a",
        "UPDATE t SET a = 1 WHERE b = 2",
        "AND a OPERATOR(evil.=) 1",
        "NULLIF(a, 0)",
        "a BETWEEN 1 AND 2",
        "a NOT LIKE 'b'",
        "a IN (1, 2)",
        "a IS NOT DISTINCT FROM b",
        "CASE a WHEN 1 THEN 2 END",
        "FROM a JOIN b USING (c)",
        "FROM a NATURAL JOIN b",
        "a = ANY (b)",
    ] {
        assert_eq!(operators::unqualified(careless).len(), 1, "{careless}");
    }
    let mut statements = Vec::new();
    for (folder, ending) in [
        ("sql/postgres/statements", "sql"),
        ("sql/postgres/store", "sql"),
        ("sql/postgres/upgrade", "sql"),
        ("pg_ext/src", "rs"),
    ] {
        for file in fs::read_dir(Path::new(REPOSITORY).join(folder)).expect("a folder") {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            // What the last ones say is shown or is a test.
            if !name.ends_with(ending) || ["notices.rs", "tests.rs", "pg_test.rs"].contains(&name.as_str()) {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a text");
            let texts = if ending == "rs" { operators::sql_of_rust(&text) } else { vec![text] };
            statements.extend(texts.into_iter().map(|text| (name.clone(), text)));
        }
    }
    assert!(statements.len() > 60, "{} statements", statements.len());
    let unqualified = statements
        .iter()
        .flat_map(|(name, text)| operators::unqualified(text).into_iter().map(move |place| format!("{name}: {place}")));
    assert_eq!(unqualified.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn no_management_of_namespaces_springs_a_trap() {
    let store = trapped();
    store.superuser().ok("CREATE ROLE search_path_reader");
    for path in PATHS {
        let mut session = victim(&store, path, "on");
        for call in [
            "create_namespace('tenant-b', 'hash', 'A description', '{\"a\": 1}')",
            "get_namespace('tenant-b')",
            "list_namespaces()",
            "grant_namespace('tenant-b', 'search_path_reader', 'write')",
            "revoke_namespace('tenant-b', 'search_path_reader')",
            "set_namespace_option('tenant-b', 'append_lock', 'stream')",
            "set_namespace_option('tenant-b', 'append_lock', 'category')",
            "clear_namespace('tenant-b')",
        ] {
            session.ok(&format!("SELECT * FROM message_store.{call}"));
        }
        session.ok("ALTER SCHEMA \"tenant-b\" RENAME TO \"tenant-c\"");
        for call in
            ["register_namespace('tenant-c')", "delete_namespace('tenant-b')", "delete_namespace('tenant-c', true)"]
        {
            session.ok(&format!("SELECT * FROM message_store.{call}"));
        }
    }
    let left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tenant%'";
    assert_eq!(store.superuser().number(left), 0);
}

/// The extension itself, created by a superuser whose search_path leads to the traps first.
#[test]
fn creating_the_extension_springs_no_trap() {
    let store = trapped();
    let mut session = victim(&store, PATHS[0], "on");
    session.ok("DROP EXTENSION message_store CASCADE; DROP SCHEMA message_store CASCADE");
    session.ok("CREATE EXTENSION message_store");
    session.ok("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')");
    assert_eq!(session.number("SELECT message_store.stream_version('account-1')"), 0);
}

/// A Message DB whose schema somebody else could create objects in, which the installation finds before Postgres' own.
#[test]
fn adopting_message_db_springs_no_trap() {
    let store = Store::fresh(Target::Genuine);
    let mallory = role(&store, "mallory");
    store.superuser().ok(&format!(
        "CREATE SCHEMA evil AUTHORIZATION {mallory}; GRANT USAGE, CREATE ON SCHEMA message_store TO {mallory}"
    ));
    let mut session = store.session_as(&mallory);
    session.ok("SET search_path = evil");
    session.ok(TRAPS);
    session.ok(TRAPS_OF_OIDS);
    // All but those that have the names of Message DB's functions, which are overloads and refused.
    session.ok("DO $$ DECLARE trap record; BEGIN
           FOR trap IN SELECT oid::regoperator AS name FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace LOOP
             EXECUTE format('ALTER OPERATOR %s SET SCHEMA message_store', trap.name);
           END LOOP;
           FOR trap IN SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'evil'::regnamespace
             AND proname <> 'spring'
             AND proname NOT IN (SELECT proname FROM pg_proc WHERE pronamespace = 'message_store'::regnamespace) LOOP
             EXECUTE format('ALTER FUNCTION %s SET SCHEMA message_store', trap.name);
           END LOOP;
         END $$");
    let mut superuser = store.session_as("postgres");
    superuser.ok("SET search_path = message_store");
    let failure = superuser.error("SELECT 1 FROM pg_class WHERE oid = 1");
    assert!(failure.message.contains("sprang"), "{failure}");
    superuser.ok("CREATE EXTENSION message_store");
    let mut client = store.session_as("postgres");
    assert_eq!(client.number("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')"), 0);
}

/// Operators that fit better than Postgres' own where an oid is compared with a number.
const TRAPS_OF_OIDS: &str = "
    CREATE FUNCTION spring_oid(oid, int) RETURNS boolean LANGUAGE plpgsql AS
      $$ BEGIN PERFORM evil.spring('an operator of oids'); RETURN true; END $$;
    CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = int, FUNCTION = spring_oid);
    CREATE OPERATOR <> (LEFTARG = oid, RIGHTARG = int, FUNCTION = spring_oid);
    CREATE OPERATOR > (LEFTARG = oid, RIGHTARG = int, FUNCTION = spring_oid)";

/// Whoever may create objects in a namespace's schema cannot get into the expressions of what is created there.
#[test]
fn operators_in_a_namespace_s_own_schema_do_not_get_into_its_index() {
    let store = Store::fresh(Target::Ours);
    let [alice, mallory] = ["alice", "mallory"].map(|name| role(&store, name));
    may_create(&store, &alice);
    let mut owner = store.session_as(&alice);
    owner.ok("SELECT message_store.create_namespace('shared')");
    owner.ok("DROP INDEX shared.messages_category; DROP VIEW shared.category_type_summary");
    owner.ok(&format!("GRANT USAGE, CREATE ON SCHEMA shared TO {mallory}"));
    let mut session = store.session_as(&mallory);
    session.ok("SET search_path = shared");
    session.ok(TRAPS.replace("evil", "shared").split_once("-- Relations and types").expect("two parts").0);
    store.superuser().ok("DELETE FROM message_store.namespaces WHERE name = 'shared'");
    owner.ok("SELECT message_store.register_namespace('shared')");
    for direct in ["on", "off"] {
        owner.ok(&format!("SET message_store.direct_access = {direct}"));
        for call in calls::by_argument("shared").iter().filter(|call| direct == "on" || !calls::works_once(call)) {
            owner.ok(call);
        }
        owner.ok(
            "SELECT message_store.write_message(NULL, 'a-1', 'T', '{}', '{\"correlationStreamName\": \"b-1\"}', NULL, 'shared')",
        );
    }
    for view in VIEWS {
        owner.ok(&format!("SELECT * FROM shared.{view}"));
    }
}

/// A condition is the caller's own SQL: it means what the caller's search_path says, runs with the caller's rights,
/// and only where the setting lets it.
#[test]
fn a_condition_is_the_caller_s_own_and_only_where_it_is_allowed() {
    let store = trapped();
    let mut superuser = store.superuser();
    superuser.ok("SELECT write_message(NULL, 'account-1', 'T', '{}'); CREATE TABLE public.secret (a int)");
    for call in [
        "get_stream_messages('account-1', 0, 10, 'CONDITION')",
        "get_category_messages('account', 1, 10, NULL, NULL, NULL, 'CONDITION')",
    ] {
        let read = |condition: &str| format!("SELECT FROM message_store.{}", call.replace("CONDITION", condition));
        for direct in ["on", "off"] {
            let mut session = store.session();
            session.ok(&format!("SET search_path = {}; SET message_store.direct_access = {direct}", PATHS[0]));
            for setting in ["SELECT 1", "SET message_store.sql_condition = 'off'"] {
                session.ok(setting);
                let failure = session.error(&read("EXISTS (SELECT FROM public.secret)"));
                assert_eq!(failure.sqlstate, "P0001", "{failure}");
            }
            session.ok("SET message_store.sql_condition = 'on'");
            assert_eq!(session.error(&read("EXISTS (SELECT FROM public.secret)")).sqlstate, "42501");
            assert_eq!(session.error(&read("message_store.clear_namespace(''message_store'') > 0")).sqlstate, "42501");
            // It is the caller who has put the traps before Postgres' functions, and who springs them.
            let failure = session.error(&read("now() > messages.time"));
            assert_eq!(failure.message, "the trap sprang: now as message_store");
            assert!(session.run(&read("true")).result.is_ok());
        }
    }
    assert_eq!(superuser.number("SELECT count(*) FROM messages"), 1);
}
