//! Nobody gets at another's messages, and nobody's messages land where they were not sent.

use message_store_tests::namespaces::{Tenants, count, granted, path, role, tenants};
use message_store_tests::{Session, Store, Target, calls};
use std::collections::BTreeSet;

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

/// The tests below, and others, are about every function that a namespace can be named to.
#[test]
fn no_function_with_a_namespace_is_missing_from_the_calls() {
    let mut found = Store::fresh(Target::Ours).superuser().rows(
        "SELECT DISTINCT proname FROM pg_proc
         WHERE pronamespace = 'message_store'::regnamespace AND 'namespace' = ANY (proargnames[1:pronargs])",
    );
    let found: BTreeSet<String> = found.iter_mut().filter_map(|row| row.remove(0)).collect();
    assert_eq!(found, calls::names().into_iter().map(str::to_owned).collect());
}

#[test]
fn each_tenant_works_in_its_own_namespace() {
    let Tenants { store, a, b } = tenants();
    for (role, namespace) in [(&a, "tenant-a"), (&b, "tenant-b")] {
        let mut session = store.session_as(role);
        let is_refused = |call: &str| namespace == "tenant-b" && calls::takes_more_than_write(call);
        for call in calls::by_argument(namespace) {
            if is_refused(&call) {
                assert_eq!(session.error(&call).sqlstate, "42501", "{call}");
            } else {
                session.ok(&call);
            }
        }
        let written = count(&store, namespace);
        session.ok(&format!("SET search_path = {}", path(namespace)));
        for call in calls::by_search_path().iter().filter(|call| !is_refused(call) && !calls::works_once(call)) {
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
            Ok(_) => assert!(!call.contains("write_") && !calls::takes_more_than_write(call), "{call}"),
            Err(failure) => assert_eq!(failure.sqlstate, "42501", "{call}: {failure}"),
        }
    }
    assert_eq!(session.number("SELECT message_store.stream_version('account-1', 'tenant-b')"), 0);
    assert_eq!(count(&store, "tenant-b"), 1);
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
