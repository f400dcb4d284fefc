//! Schemas that change behind the registry's back: dropped, renamed, somebody else's.

use message_store_tests::namespaces::{Tenants, count, may_create, path, role, tenants};
use message_store_tests::{Session, Store, Target, calls};

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
        calls::by_argument("tenant-a").iter().filter(|call| !calls::works_once(call)).for_each(|call| session.ok(call));
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

/// The registry has the owner's name: all connections agree that it is nobody's, and a role that takes the name gains
/// nothing.
#[test]
fn an_owner_that_is_renamed_is_refused_until_the_registry_has_its_name() {
    let Tenants { store, a, .. } = tenants();
    let renamed = format!("renamed_{a}");
    let calls = calls::by_argument("tenant-a");
    let mut before = [store.session_as("postgres"), store.session_as(&a)];
    before.iter_mut().for_each(|session| session.ok(&calls[0]));
    store.superuser().ok(&format!("ALTER ROLE {a} RENAME TO {renamed}"));
    let [mut superuser, mut owner] = before;
    for session in [&mut superuser, &mut owner, &mut store.session_as("postgres")] {
        calls.iter().for_each(|call| is_a_trap(session, call));
    }
    store.superuser().ok(&format!("CREATE ROLE {a} LOGIN"));
    may_create(&store, &a);
    let mut stranger = store.session_as(&a);
    for session in [&mut superuser, &mut owner, &mut stranger] {
        calls.iter().for_each(|call| is_a_trap(session, call));
    }
    let register = "SELECT message_store.register_namespace('tenant-a')";
    assert_eq!(stranger.error(register).message, "must be owner of schema tenant-a");
    store.superuser().ok(&format!("UPDATE namespaces SET owner = '{renamed}' WHERE owner = '{a}'"));
    for session in [&mut superuser, &mut owner, &mut store.session_as(&renamed)] {
        session.ok(&calls[0]);
    }
    assert_eq!(stranger.error(&calls[0]).sqlstate, "42501");
    assert_eq!(count(&store, "tenant-a"), 5);
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
