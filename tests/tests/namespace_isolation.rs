//! Nobody gets at another's messages, and nobody's messages land where they were not sent.

use message_store_tests::namespaces::{count, granted, may_create, role};
use message_store_tests::{Session, Store, Target, calls, literal};

/// Two tenants: one owns its namespace, the other was granted what it may do in its own.
struct Tenants {
    store: Store,
    a: String,
    b: String,
}

fn tenants() -> Tenants {
    let store = Store::fresh(Target::Ours);
    let [a, b] = ["alice", "bob"].map(|name| role(&store, name));
    may_create(&store, &a);
    store.session_as(&a).ok("SELECT message_store.create_namespace('tenant-a')");
    granted(&store, "tenant-b", &b);
    Tenants { store, a, b }
}

const FORBIDDEN: &str = "permission denied for schema ";

fn refused(session: &mut Session, call: &str, namespace: &str) {
    let failure = session.error(call);
    failure.assert_clean();
    let message = format!("{FORBIDDEN}{namespace}");
    assert_eq!((failure.sqlstate.as_str(), failure.message), ("42501", message), "{call}");
}

/// Everything that a session can do without a namespace is refused with the privilege error.
fn refused_everywhere(session: &mut Session, namespace: &str) {
    for call in calls::by_search_path() {
        refused(session, &call, namespace);
    }
}

/// Makes the functions found by their bare names, wherever the store is looked for first.
fn path(namespace: &str) -> String {
    format!("\"{namespace}\", message_store, public")
}

#[test]
fn each_tenant_works_in_its_own_namespace() {
    let Tenants { store, a, b } = tenants();
    for (role, namespace) in [(&a, "tenant-a"), (&b, "tenant-b")] {
        let mut session = store.session_as(role);
        let granted_only = namespace == "tenant-b";
        // Moving the sequence takes UPDATE on it, which `write` does not give.
        let import = |call: &String| granted_only && call.contains("import_messages");
        let all = calls::by_argument(namespace);
        for call in all.iter().filter(|call| !import(call)) {
            session.ok(call);
        }
        for call in all.iter().filter(|call| import(call)) {
            assert_eq!(session.error(call).sqlstate, "42501", "{call}");
        }
        let written = count(&store, namespace);
        session.ok(&format!("SET search_path = {}", path(namespace)));
        for call in calls::by_search_path().iter().filter(|call| !call.contains("import_messages")) {
            session.ok(call);
        }
        assert_eq!(count(&store, namespace), written + 2 * 3);
    }
    assert_eq!(count(&store, "message_store"), 0);
}

#[test]
fn the_argument_gives_nothing_of_another_s() {
    let Tenants { store, a, b } = tenants();
    store.superuser().ok("SELECT write_message(NULL, 'account-1', 'T', '{}')");
    for (role, own, other) in [(&a, "tenant-a", "tenant-b"), (&b, "tenant-b", "tenant-a")] {
        let mut session = store.session_as(role);
        for call in calls::by_argument(other) {
            refused(&mut session, &call, other);
        }
        // Of the default store they may use the schema, for its functions, and nothing else.
        for call in calls::by_argument("message_store").iter().filter(|call| !call.contains("acquire_lock")) {
            let failure = session.error(call);
            failure.assert_clean();
            assert_eq!(failure.sqlstate, "42501", "{call}: {failure}");
        }
        assert_eq!([own, other].map(|namespace| count(&store, namespace)), [0, 0]);
    }
    assert_eq!(count(&store, "message_store"), 1);
}

/// Each way to set a search_path, for a role that may write to the default store besides.
#[test]
fn no_search_path_leads_to_another_s_or_to_the_default_store() {
    let Tenants { store, a, b } = tenants();
    let mut superuser = store.superuser();
    for (role, other) in [(&a, "tenant-b"), (&b, "tenant-a")] {
        superuser.ok(&format!("GRANT message_store TO {role}"));
        store.session_as(role).ok("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')");
        let before = count(&store, "message_store");

        for path in [
            path(other),
            format!("\"{other}\""),
            format!("public, \"{other}\", message_store"),
            format!("nosuchschema, \"{other}\", message_store"),
            format!("\"$user\", \"{other}\", message_store"),
            format!("\"{other}\", \"tenant-a\", \"tenant-b\", message_store"),
        ] {
            let mut session = store.session_as(role);
            session.ok(&format!("SET search_path = {path}"));
            let bare = path.contains("message_store");
            for call in calls::by_search_path().iter().filter(|call| bare || call.contains("FROM message_store.")) {
                refused(&mut session, call, other);
            }
        }

        superuser.ok(&format!("ALTER ROLE {role} SET search_path = {}", path(other)));
        refused_everywhere(&mut store.session_as(role), other);
        superuser.ok(&format!("ALTER ROLE {role} RESET search_path"));

        let mut config = store.cluster.config(&store.database, role);
        config.options(&format!("-c search_path={}", path(other).replace(' ', "")));
        refused_everywhere(&mut Session::open(config), other);

        let mut session = store.session_as(role);
        session.ok(&format!("SELECT set_config('search_path', '{}', false)", path(other)));
        refused_everywhere(&mut session, other);

        let mut session = store.session_as(role);
        for call in calls::by_search_path() {
            session.ok(&format!("BEGIN; SET LOCAL search_path = {}", path(other)));
            refused(&mut session, &call, other);
            session.ok("ROLLBACK");
        }
        assert_eq!(count(&store, "message_store"), before, "nothing landed in the default store");
    }
    assert_eq!(["tenant-a", "tenant-b"].map(|namespace| count(&store, namespace)), [0, 0]);
}

/// The server's own search_path is `"$user", public`.
#[test]
fn a_namespace_of_the_role_s_own_name_needs_no_setting() {
    let store = Store::fresh(Target::Ours);
    let [owner, stranger] = ["carol", "dave"].map(|name| role(&store, name));
    granted(&store, &owner, &owner);
    store.superuser().ok(&format!("SELECT create_namespace('{stranger}'); GRANT message_store TO {stranger}"));

    let mut session = store.session_as(&owner);
    session.ok("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')");
    assert_eq!(count(&store, &owner), 1);

    let mut session = store.session_as(&stranger);
    for call in calls::by_search_path().iter().filter(|call| call.contains("FROM message_store.")) {
        refused(&mut session, call, &stranger);
    }
    // "$user" is the current user, not the one who logged in.
    let mut superuser = store.session_as("postgres");
    superuser.ok(&format!("SET ROLE {owner}"));
    superuser.ok("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')");
    superuser.ok(&format!("SET ROLE {stranger}"));
    refused(&mut superuser, "SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')", &stranger);
    assert_eq!([&owner, &stranger].map(|namespace| count(&store, namespace)), [2, 0]);
    assert_eq!(count(&store, "message_store"), 0);
}

/// The connection has kept plans of the namespace from when it was allowed to use them.
#[test]
fn kept_plans_are_no_permission() {
    let Tenants { store, a, .. } = tenants();
    let mut session = store.session_as("postgres");
    let all = calls::by_argument("tenant-b");
    all.iter().for_each(|call| session.ok(call));
    let written = count(&store, "tenant-b");
    session.ok(&format!("SET ROLE {a}"));
    for call in &all {
        refused(&mut session, call, "tenant-b");
    }
    // The schema's privilege alone is not the table's.
    store.superuser().ok(&format!("GRANT USAGE ON SCHEMA \"tenant-b\" TO {a}"));
    for call in all.iter().filter(|call| !call.contains("acquire_lock")) {
        assert_eq!(session.error(call).sqlstate, "42501", "{call}");
    }
    assert_eq!(count(&store, "tenant-b"), written);
}

#[test]
fn what_was_granted_can_be_taken_back_from_an_open_connection() {
    let Tenants { store, b, .. } = tenants();
    let mut session = store.session_as(&b);
    session.ok("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, 'tenant-b')");
    store.superuser().ok(&format!("SELECT revoke_namespace('tenant-b', '{b}')"));
    for call in calls::by_argument("tenant-b") {
        refused(&mut session, &call, "tenant-b");
    }
    store.superuser().ok(&format!("SELECT grant_namespace('tenant-b', '{b}')"));
    for call in calls::by_argument("tenant-b").iter().filter(|call| !call.contains("acquire_lock")) {
        match session.run(call).result {
            Ok(_) => assert!(!call.contains("write_") && !call.contains("import_"), "{call}"),
            Err(failure) => assert_eq!(failure.sqlstate, "42501", "{call}: {failure}"),
        }
    }
    assert_eq!(session.number("SELECT message_store.stream_version('account-1', 'tenant-b')"), 0);
    assert_eq!(count(&store, "tenant-b"), 1);
}

#[test]
fn others_namespaces_are_not_managed() {
    let Tenants { store, a, b } = tenants();
    for (role, other) in [(&a, "tenant-b"), (&b, "tenant-a"), (&b, "tenant-b"), (&a, "message_store")] {
        let mut session = store.session_as(role);
        for call in [
            format!("SELECT message_store.clear_namespace('{other}')"),
            format!("SELECT message_store.grant_namespace('{other}', '{role}', 'write')"),
            format!("SELECT message_store.revoke_namespace('{other}', 'message_store')"),
            format!("SELECT * FROM message_store.get_namespace('{other}')"),
        ] {
            assert_eq!(session.error(&call).sqlstate, "42501", "{role}: {call}");
        }
        if other != "message_store" {
            for cascade in ["false", "true"] {
                let call = format!("SELECT message_store.delete_namespace('{other}', {cascade})");
                assert_eq!(session.error(&call).sqlstate, "42501", "{role}: {call}");
            }
        }
    }
    // Who may create nothing in the database creates no namespace either, nor registers somebody else's schema.
    let mut session = store.session_as(&b);
    assert_eq!(session.error("SELECT message_store.create_namespace('tenant-c')").sqlstate, "42501");
    store.superuser().ok("CREATE SCHEMA other; CREATE TABLE other.messages (LIKE message_store.messages)");
    let failure = store.session_as(&a).error("SELECT message_store.register_namespace('other')");
    assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("42501", "must be owner of schema other"));
    let namespaces = "SELECT string_agg(name, ' ' ORDER BY name) FROM message_store.namespaces";
    assert_eq!(store.superuser().value(namespaces).as_deref(), Some("tenant-a tenant-b"));
}

#[test]
fn token_hashes_are_for_the_registry_s_owner() {
    let Tenants { store, a, b } = tenants();
    let mut superuser = store.superuser();
    superuser.ok("SELECT create_namespace('secret', 'the hash', 'a description', '{\"plan\": 1}')");
    superuser.ok(&format!("SELECT grant_namespace('secret', '{b}')"));
    let found = superuser.rows("SELECT name, token_hash, description, metadata FROM get_namespace('secret')");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found, [[text("secret"), text("the hash"), text("a description"), text("{\"plan\": 1}")]]);

    let mut session = store.session_as(&b);
    for read in [
        "SELECT * FROM message_store.get_namespace('secret')",
        "SELECT name FROM message_store.get_namespace('tenant-b')",
        "SELECT token_hash FROM message_store.namespaces",
        "SELECT * FROM message_store.namespaces",
        "SELECT count(*) FROM message_store.namespaces WHERE token_hash = 'the hash'",
    ] {
        let failure = session.error(read);
        assert_eq!(failure.sqlstate, "42501", "{read}: {failure}");
        assert!(!failure.to_string().contains("the hash"), "{failure}");
    }
    assert_eq!(session.number("SELECT count(name) FROM message_store.namespaces"), 3);
    for change in [
        "UPDATE message_store.namespaces SET owner = 'postgres'",
        "DELETE FROM message_store.namespaces",
        "TRUNCATE message_store.namespaces",
        "INSERT INTO message_store.namespaces (name, owner) VALUES ('x', 'postgres')",
    ] {
        assert_eq!(session.error(change).sqlstate, "42501", "{change}");
    }

    let names = |session: &mut Session| {
        let rows = session.rows("SELECT name FROM message_store.list_namespaces()");
        rows.into_iter().map(|mut row| row[0].take().expect("a name")).collect::<Vec<_>>()
    };
    assert_eq!(names(&mut session), ["message_store", "secret", "tenant-b"]);
    assert_eq!(names(&mut store.session_as(&a)), ["message_store", "tenant-a"]);
    assert_eq!(names(&mut superuser), ["message_store", "secret", "tenant-a", "tenant-b"]);
    let columns = session.run("SELECT * FROM message_store.list_namespaces()").result.expect("rows").columns;
    assert_eq!(columns, ["name", "description", "metadata", "created_at"]);
}

/// Someone else's schema of the same name, with a trigger that would run with the writer's rights.
const TRAP: &str = "CREATE SCHEMA \"tenant-a\";
    CREATE TABLE \"tenant-a\".messages (global_position bigserial PRIMARY KEY, position bigint NOT NULL,
        time timestamp DEFAULT now(), stream_name text NOT NULL, type text NOT NULL, data jsonb, metadata jsonb,
        id uuid DEFAULT gen_random_uuid());
    CREATE FUNCTION \"tenant-a\".spring() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the trap sprang as %', current_user; END $$;
    CREATE TRIGGER trap BEFORE INSERT ON \"tenant-a\".messages EXECUTE FUNCTION \"tenant-a\".spring();
    GRANT USAGE, CREATE ON SCHEMA \"tenant-a\" TO PUBLIC;
    GRANT ALL ON \"tenant-a\".messages, \"tenant-a\".messages_global_position_seq TO PUBLIC";

fn is_a_trap(session: &mut Session, call: &str) {
    let failure = session.error(call);
    failure.assert_clean();
    let expected = ("P0001", "Namespace is not owned by its recorded owner: tenant-a");
    assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), expected, "{call}");
}

#[test]
fn a_schema_of_somebody_else_s_is_refused() {
    let Tenants { store, a, .. } = tenants();
    let mallory = role(&store, "mallory");
    may_create(&store, &mallory);
    // Connections that have used the namespace, by argument and by search_path, and one that never has.
    let mut sessions = [store.session_as("postgres"), store.session_as(&a), store.session_as("postgres")];
    for session in &mut sessions[..2] {
        calls::by_argument("tenant-a")
            .iter()
            .filter(|call| !call.contains("import_"))
            .for_each(|call| session.ok(call));
    }
    store.session_as(&a).ok("DROP SCHEMA \"tenant-a\" CASCADE");
    for session in &mut sessions {
        let failure = session.error(&calls::by_argument("tenant-a")[0]);
        assert_eq!(failure.message, "Namespace does not exist: tenant-a");
    }
    store.session_as(&mallory).ok(TRAP);
    for session in &mut sessions {
        calls::by_argument("tenant-a").iter().for_each(|call| is_a_trap(session, call));
        session.ok(&format!("SET search_path = {}", path("tenant-a")));
        calls::by_search_path().iter().for_each(|call| is_a_trap(session, call));
    }
    let mut session = store.session_as("postgres");
    for call in [
        "clear_namespace('tenant-a')",
        "delete_namespace('tenant-a')",
        "delete_namespace('tenant-a', true)",
        "grant_namespace('tenant-a', 'postgres')",
        "revoke_namespace('tenant-a', 'postgres')",
    ] {
        is_a_trap(&mut session, &format!("SELECT message_store.{call}"));
    }
    assert_eq!(count(&store, "message_store"), 0);
}

/// The schema is the owner's, its table is not.
#[test]
fn a_table_of_somebody_else_s_is_refused() {
    let Tenants { store, a, .. } = tenants();
    let mallory = role(&store, "mallory");
    let mut session = store.session_as("postgres");
    let call = &calls::by_argument("tenant-a")[0];
    session.ok(call);
    store.session_as(&a).ok(&format!(
        "DROP TABLE \"tenant-a\".messages CASCADE; GRANT USAGE, CREATE ON SCHEMA \"tenant-a\" TO {mallory}"
    ));
    assert_eq!(session.error(call).message, "Namespace does not exist: tenant-a");
    let table = TRAP.split_once(';').expect("a statement").1.replace("GRANT USAGE, CREATE", "-- ");
    store.session_as(&mallory).ok(&table);
    calls::by_argument("tenant-a").iter().for_each(|call| is_a_trap(&mut session, call));
}

#[test]
fn an_owner_that_changed_is_refused_until_it_changes_back() {
    let Tenants { store, a, b } = tenants();
    let mut session = store.session_as("postgres");
    let calls = calls::by_argument("tenant-a");
    session.ok(&calls[0]);
    store.superuser().ok(&format!("ALTER SCHEMA \"tenant-a\" OWNER TO {b}"));
    calls.iter().for_each(|call| is_a_trap(&mut session, call));
    store.superuser().ok(&format!("ALTER SCHEMA \"tenant-a\" OWNER TO {a}"));
    session.ok(&calls[0]);
    store.superuser().ok(&format!("ALTER TABLE \"tenant-a\".messages OWNER TO {b}"));
    calls.iter().for_each(|call| is_a_trap(&mut session, call));
    store.superuser().ok(&format!("ALTER TABLE \"tenant-a\".messages OWNER TO {a}"));
    session.ok(&calls[0]);
    assert_eq!(count(&store, "tenant-a"), 3);
}

#[test]
fn a_renamed_schema_is_no_namespace_under_either_name() {
    let Tenants { store, b, .. } = tenants();
    let mut session = store.session_as(&b);
    session.ok(&calls::by_argument("tenant-b")[0]);
    session.ok(&format!("SET search_path = {}", path("tenant-b")));
    session.ok(&calls::by_search_path()[0]);
    store.superuser().ok(&format!("GRANT message_store TO {b}; ALTER SCHEMA \"tenant-b\" RENAME TO renamed"));
    for name in ["tenant-b", "renamed"] {
        for call in calls::by_argument(name) {
            let failure = session.error(&call);
            assert_eq!(failure.message, format!("Namespace does not exist: {name}"), "{call}");
        }
    }
    for call in calls::by_search_path() {
        assert_eq!(session.error(&call).message, "Namespace does not exist: tenant-b", "{call}");
    }
    store.superuser().ok("ALTER SCHEMA renamed RENAME TO \"tenant-b\"");
    session.ok(&calls::by_search_path()[0]);
    assert_eq!((count(&store, "tenant-b"), count(&store, "message_store")), (3, 0));
}

/// The registry still knows it, so its role's messages do not go to the default store instead.
#[test]
fn a_schema_dropped_by_hand_is_an_error_and_not_the_default_store() {
    let Tenants { store, a, .. } = tenants();
    store.superuser().ok(&format!("GRANT message_store TO {a}; ALTER ROLE {a} SET search_path = {}", path("tenant-a")));
    let mut before = store.session_as(&a);
    before.ok(&calls::by_search_path()[0]);
    store.session_as(&a).ok("DROP SCHEMA \"tenant-a\" CASCADE");
    for session in [&mut before, &mut store.session_as(&a)] {
        for call in calls::by_search_path() {
            let failure = session.error(&call);
            assert_eq!(
                (failure.sqlstate.as_str(), failure.message.as_str()),
                ("P0001", "Namespace does not exist: tenant-a")
            );
        }
    }
    assert_eq!(count(&store, "message_store"), 0);
    // What is left of it can be deleted, and it can be created again.
    store.session_as(&a).ok("SELECT message_store.delete_namespace('tenant-a')");
    store.session_as(&a).ok("SELECT message_store.create_namespace('tenant-a')");
    before.ok(&calls::by_search_path()[0]);
    assert_eq!((count(&store, "tenant-a"), count(&store, "message_store")), (1, 0));
}

/// The other connection has read the registry, and kept plans, and OIDs.
#[test]
fn other_connections_notice_what_happens_to_a_namespace() {
    let store = Store::fresh(Target::Ours);
    let (mut admin, mut client) = (store.superuser(), store.superuser());
    let write = "SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, 'tenant')";
    client.client().batch_execute("SET search_path = tenant, message_store").expect("a setting");
    let prepared = client.client().prepare("SELECT write_message(NULL, 'account-1', 'T', '{}')").expect("a statement");
    let by_path = |client: &mut Session| {
        let row = client.client().query_one(&prepared, &[]);
        row.map(|row| row.get::<_, i64>(0)).map_err(|e| e.as_db_error().expect("an error").message().to_owned())
    };
    assert_eq!(client.error(write).message, "Namespace does not exist: tenant");
    assert_eq!(by_path(&mut client), Ok(0), "of the default store: there is no such namespace");
    for round in 0..5 {
        admin.ok("SELECT create_namespace('tenant')");
        assert_eq!(client.number(write), 0, "round {round}");
        assert_eq!(by_path(&mut client), Ok(1), "round {round}");
        admin.ok("DROP SCHEMA tenant CASCADE");
        assert_eq!(by_path(&mut client), Err("Namespace does not exist: tenant".into()));
        admin.ok("SELECT delete_namespace('tenant')");
        assert_eq!(client.error(write).message, "Namespace does not exist: tenant");
        admin.ok("SELECT create_namespace('tenant')");
        assert_eq!(by_path(&mut client), Ok(0), "round {round}");
        // Deleted and created at once: the client hears of both together.
        admin.ok("BEGIN; SELECT delete_namespace('tenant'); SELECT create_namespace('tenant'); COMMIT");
        assert_eq!(client.number(write), 0, "round {round}");
        admin.ok("BEGIN; SELECT delete_namespace('tenant'); ROLLBACK");
        assert_eq!(client.number(write), 1, "round {round}");
        admin.ok("SELECT delete_namespace('tenant')");
        assert_eq!(client.error(write).message, "Namespace does not exist: tenant");
    }
    assert_eq!(count(&store, "message_store"), 1);
}

#[test]
fn a_bad_name_never_reaches_ddl() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("CREATE FUNCTION public.tell() RETURNS event_trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE NOTICE 'ddl: %', tg_tag; END $$;
                CREATE EVENT TRIGGER tell ON ddl_command_start EXECUTE FUNCTION public.tell()");
    let told = |notices: &[(String, String)]| notices.iter().any(|(_, text)| text.starts_with("ddl: "));
    let good = session.run("SELECT create_namespace('good')");
    assert!(good.result.is_ok() && told(&good.notices), "the trigger tells of DDL");
    session.ok("SELECT delete_namespace('good')");

    let (long, longest) = ("x".repeat(64), "x".repeat(63));
    let mut names =
        vec!["Tenant A", "../x", "tenant a", "a.b", "a\"b", "a'b", "a;DROP SCHEMA public", "\u{e9}", "-a", "_a", ""];
    names.extend([
        "public",
        "pg_temp",
        "pg_catalog",
        "pg_x",
        "information_schema",
        "main",
        "temp",
        "A",
        "a\nb",
        "a\\b",
        "$user",
    ]);
    names.push(&long);
    for name in names {
        let argument = literal::text(name);
        let mut statements: Vec<String> = ["create", "register", "delete", "clear"]
            .map(|function| format!("SELECT {function}_namespace({argument})"))
            .into();
        statements.push(format!("SELECT * FROM get_namespace({argument})"));
        statements.push(format!("SELECT grant_namespace({argument}, 'message_store')"));
        statements.push(format!("SELECT revoke_namespace({argument}, 'message_store')"));
        statements.extend(calls::by_argument(&name.replace('\'', "''")));
        for statement in statements {
            let outcome = session.run(&statement);
            let failure = outcome.result.expect_err(&statement);
            failure.assert_clean();
            let message = format!(
                "Invalid namespace name: {name} (1 to 63 bytes of a-z, 0-9, _ and -, starting with a letter or digit, not reserved)"
            );
            assert_eq!((failure.sqlstate.as_str(), failure.message), ("P0001", message), "{statement}");
            assert!(failure.detail.is_none() && failure.hint.is_none(), "{statement}");
            assert!(!told(&outcome.notices), "{statement} reached DDL");
        }
    }
    // Postgres itself lets no NUL into a text.
    let error = session.client().query("SELECT create_namespace($1::varchar)", &[&"a\0b"]).expect_err("refused");
    assert_eq!(error.as_db_error().expect("an error").code().code(), "22021");
    assert_eq!(session.number("SELECT count(*) FROM namespaces"), 0);
    // The longest name there is, and the strangest ones that are allowed, work.
    for name in [longest.as_str(), "0", "a-", "a--b", "select", "1-2_3", "pg"] {
        session.ok(&format!("SELECT create_namespace('{name}')"));
        calls::by_argument(name).iter().for_each(|call| session.ok(call));
        assert_eq!(count(&store, name), 4, "{name}");
    }
}

/// The schema's privilege alone lets nobody hold up those who may use the table: no lock on it, no mark for readers.
#[test]
fn who_may_not_use_the_table_does_not_lock_it() {
    let Tenants { store, a, .. } = tenants();
    store.superuser().ok(&format!("GRANT USAGE ON SCHEMA \"tenant-b\" TO {a}"));
    let mut calls = calls::by_argument("tenant-b");
    calls.retain(|call| !call.contains("acquire_lock"));
    calls.push("SELECT message_store.import_messages('[]', 'tenant-b')".into());
    calls.push("SELECT message_store.write_messages('account-1', '[]', NULL, 'tenant-b')".into());
    let mut session = store.session_as(&a);
    let mut watcher = store.superuser();
    let backend = session.number("SELECT pg_backend_pid()");
    for call in calls {
        // The mark outlives the savepoint.
        session.ok("BEGIN; SAVEPOINT s");
        let allowed = session.run(&call).result.is_ok();
        session.ok("ROLLBACK TO SAVEPOINT s");
        let marks =
            watcher.number(&format!("SELECT count(*) FROM pg_locks WHERE pid = {backend} AND locktype = 'userlock'"));
        session.ok("ROLLBACK");
        assert!(!allowed && marks == 0, "{call}: allowed {allowed}, {marks} marks");
    }
}
