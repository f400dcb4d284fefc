//! Every role by every function, in the default namespace and in another, on both ways to the table.

#[rustfmt::skip]
#[path = "privilege_matrix/table.rs"]
mod table;

use message_store_tests::namespaces::{granted, may_create, role};
use message_store_tests::{Session, Store, Target};
use std::collections::BTreeSet;
use table::{Entry, MESSAGE, OWNER_WITHOUT_REGISTRY, TABLE};

/// The columns of the table: the owner, who was granted `admin`, `write` and `read`, who may only use the functions'
/// schema, and Message DB's role.
const ROLES: [&str; 6] = ["owner", "admin", "writer", "reader", "guest", "message_store"];
const GRANTED: [(&str, &str); 3] = [("admin", "admin"), ("writer", "write"), ("reader", "read")];

const DEFAULT: &str = "message_store";
const OTHER: &str = "vault";

/// Gives the default store to a role, and leaves the registry its owner's.
const GIVE_DEFAULT_TO: &str = "DO $$ DECLARE relation regclass; BEGIN
    FOR relation IN SELECT oid FROM pg_class WHERE relnamespace = 'message_store'::regnamespace
      AND relkind IN ('r', 'v') AND relname <> 'namespaces' LOOP
      EXECUTE format('ALTER TABLE %s OWNER TO %I', relation, 'NEW_OWNER');
    END LOOP;
    ALTER SCHEMA message_store OWNER TO NEW_OWNER; END $$";

/// The store and the names of the roles, with what they have on both namespaces.
fn prepared() -> (Store, Vec<String>) {
    let store = Store::fresh(Target::Ours);
    let [owner, guest] = ["owner", "guest"].map(|name| role(&store, name));
    let granted = GRANTED.map(|(name, _)| role(&store, name));
    may_create(&store, &owner);
    store.superuser().ok(&format!("GRANT USAGE ON SCHEMA message_store TO {guest}"));
    store.session_as(&owner).ok(&format!("SELECT message_store.create_namespace('{OTHER}')"));
    for (namespace, owner) in [(DEFAULT, "postgres"), (OTHER, &owner)] {
        let mut session = store.session_as(owner);
        session.ok(&format!(
            "SELECT message_store.write_message('{MESSAGE}', 'account-1', 'T', '{{}}', NULL, NULL, '{namespace}')"
        ));
        for (role, (_, mode)) in granted.iter().zip(GRANTED) {
            session.ok(&format!("SELECT message_store.grant_namespace('{namespace}', '{role}', '{mode}')"));
        }
    }
    let roles = [vec![owner], granted.to_vec(), vec![guest, "message_store".into()]].concat();
    (store, roles)
}

/// Whose a namespace is in a pass over the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The superuser, to whom the registry belongs, too.
    Superuser,
    /// An ordinary role.
    Ordinary,
}

/// What comes of an entry for each role.
fn expected(entry: &'static Entry, namespace: &str, owner: Owner) -> Vec<&'static str> {
    let expected = if namespace == OTHER { entry.in_other } else { entry.in_default };
    let mut expected: Vec<&str> = expected.split_whitespace().collect();
    assert_eq!(expected.len(), ROLES.len(), "{}", entry.function);
    let without_registry = OWNER_WITHOUT_REGISTRY.iter().find(|(function, _)| *function == entry.function);
    if let (Owner::Ordinary, Some((_, outcome))) = (owner, without_registry) {
        expected[0] = outcome;
    }
    expected
}

/// What comes of a call, which leaves nothing behind.
fn outcome(session: &mut Session, call: &str) -> String {
    session.ok("BEGIN");
    let outcome = match session.run(call).result {
        Ok(_) => "ok".to_owned(),
        Err(failure) => {
            failure.assert_clean();
            failure.sqlstate
        }
    };
    session.ok("ROLLBACK");
    outcome
}

#[test]
fn each_role_gets_from_each_function_what_the_table_says() {
    let (store, roles) = prepared();
    let mut wrong = Vec::new();
    let mut calls = 0;
    for (namespace, owner) in [(DEFAULT, Owner::Superuser), (DEFAULT, Owner::Ordinary), (OTHER, Owner::Ordinary)] {
        if namespace == DEFAULT && owner == Owner::Ordinary {
            store.superuser().ok(&GIVE_DEFAULT_TO.replace("NEW_OWNER", &roles[0]));
        }
        for direct in ["on", "off"] {
            let mut sessions: Vec<Session> = roles
                .iter()
                .map(|role| {
                    let is_superuser = owner == Owner::Superuser && role == &roles[0];
                    let mut session = store.session_as(if is_superuser { "postgres" } else { role });
                    session.ok(&format!("SET message_store.direct_access = {direct}"));
                    session
                })
                .collect();
            for entry in TABLE {
                let expected = expected(entry, namespace, owner);
                for ((session, role), (kind, expected)) in
                    sessions.iter_mut().zip(&roles).zip(ROLES.iter().zip(expected))
                {
                    let arguments =
                        entry.arguments.replace("NS", namespace).replace("SELF", role).replace("MESSAGE", MESSAGE);
                    // What moves the sequence is not undone by the rollback.
                    let arguments = arguments.replace("POSITION", &(1_000_000 + calls).to_string());
                    let call = format!("SELECT message_store.{}({arguments})", entry.function);
                    let found = outcome(session, &call);
                    if found != expected {
                        wrong.push(format!("{kind}, direct access {direct}: {call}: {found}, not {expected}"));
                    }
                    calls += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {calls} calls:\n{}", wrong.len(), wrong.join("\n"));
    eprintln!("{calls} calls");
}

#[test]
fn no_function_is_missing_from_the_table() {
    let store = Store::fresh(Target::Ours);
    let found: BTreeSet<String> = store
        .superuser()
        .rows(
            "SELECT DISTINCT p.proname FROM pg_catalog.pg_depend AS d
             JOIN pg_catalog.pg_proc AS p ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
             JOIN pg_catalog.pg_extension AS e ON d.refobjid = e.oid
             WHERE d.deptype = 'e' AND e.extname = 'message_store'",
        )
        .into_iter()
        .filter_map(|mut row| row.remove(0))
        .collect();
    let listed: BTreeSet<String> = TABLE.iter().map(|entry| entry.function.to_owned()).collect();
    assert_eq!(found, listed);
    assert!(listed.len() >= 28);
}

#[test]
fn a_role_with_nothing_can_call_nothing() {
    let (store, _) = prepared();
    let stranger = role(&store, "stranger");
    let mut session = store.session_as(&stranger);
    for direct in ["on", "off"] {
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        for entry in TABLE {
            let arguments = entry.arguments.replace("NS", "message_store").replace("SELF", &stranger);
            let failure = session.error(&format!("SELECT message_store.{}({arguments})", entry.function));
            let expected = ("42501", "permission denied for schema message_store");
            assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), expected, "{}", entry.function);
        }
    }
}

/// None of them runs with its owner's rights, and none has a setting of its own.
#[test]
fn every_function_runs_with_the_rights_of_its_caller() {
    let store = Store::fresh(Target::Ours);
    let elevated = store.superuser().number(
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'message_store'::regnamespace
         AND (prosecdef OR proconfig IS NOT NULL OR proleakproof)",
    );
    assert_eq!(elevated, 0);
}

/// A role that may write, and nothing else: neither reading the table nor what comes with the registry.
#[test]
fn each_privilege_of_the_table_is_asked_for_by_itself() {
    let store = Store::fresh(Target::Ours);
    let role = role(&store, "partial");
    granted(&store, "part", &role);
    let mut superuser = store.superuser();
    let mut session = store.session_as(&role);
    let write = "SELECT message_store.write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, 'part')";
    let batch = r#"SELECT message_store.write_messages('account-1', '[{"type": "T"}]', NULL, 'part')"#;
    let version = "SELECT message_store.stream_version('account-1', 'part')";
    let everything = "SELECT count(*) FROM message_store.get_all_messages(1, 10, 'part')";
    for direct in ["on", "off"] {
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        for (privilege, missing_to) in [
            ("SELECT ON part.messages", [true, true, true, true]),
            ("INSERT ON part.messages", [true, true, false, false]),
            ("USAGE ON SEQUENCE part.messages_global_position_seq", [true, true, false, false]),
            ("SELECT ON SEQUENCE part.messages_global_position_seq", [false, false, false, true]),
            ("USAGE ON SCHEMA part", [true, true, true, true]),
        ] {
            superuser.ok(&format!("REVOKE {privilege} FROM {role}"));
            for (call, missing) in [write, batch, version, everything].into_iter().zip(missing_to) {
                let expected = if missing { "42501" } else { "ok" };
                assert_eq!(outcome(&mut session, call), expected, "{call} without {privilege}, direct {direct}");
            }
            superuser.ok(&format!("GRANT {privilege} TO {role}"));
            assert_eq!(outcome(&mut session, write), "ok");
        }
    }
}
