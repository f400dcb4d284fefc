//! From the release before: what was stored stays, and the catalog becomes that of a fresh installation.
//!
//! `make install-for-tests` puts the script of 0.1.0 beside the others. Its functions are those of the library of today,
//! which creates more than 0.1.0 did: the tests drop that first.

use message_store_tests::namespaces::{may_create, role};
use message_store_tests::{Session, Store, Target, calls, catalog};

const NEW_TABLES: [&str; 2] = ["stream_heads", "consumer_positions"];

/// Namespaces of three owners, as 0.1.0 leaves them: `tenant-a` is its own role's, and read and written by others.
struct Stores {
    store: Store,
    owner: String,
    reader: String,
    writer: String,
}

fn stores(upgraded: bool) -> Stores {
    let store = Store::fresh(Target::Ours);
    let mut superuser = store.superuser();
    if upgraded {
        superuser.ok("DROP EXTENSION message_store CASCADE; DROP SCHEMA message_store CASCADE");
        superuser.ok("CREATE EXTENSION message_store VERSION '0.1.0'");
    }
    let [owner, reader, writer] = ["owner", "reader", "writer"].map(|name| role(&store, name));
    may_create(&store, &owner);
    store.session_as(&owner).ok("SELECT message_store.create_namespace('tenant-a')");
    superuser.ok("SELECT create_namespace('tenant-b')");
    let stores = Stores { store, owner, reader, writer };
    if upgraded {
        for schema in ["message_store", "tenant-a", "tenant-b"] {
            for table in NEW_TABLES {
                superuser.ok(&format!("DROP TABLE \"{schema}\".{table}"));
            }
        }
    }
    let Stores { store, owner, reader, writer } = &stores;
    for (role, mode) in [(reader, "read"), (writer, "write")] {
        superuser.ok(&format!("SELECT grant_namespace('message_store', '{role}', '{mode}')"));
        store.session_as(owner).ok(&format!("SELECT message_store.grant_namespace('tenant-a', '{role}', '{mode}')"));
    }
    superuser.ok("SELECT set_namespace_option('tenant-b', 'append_lock', 'stream')");
    for namespace in ["NULL", "'tenant-a'", "'tenant-b'"] {
        superuser.ok(&format!(
            "SELECT write_message(NULL, 'account-' || n % 9, 'T', jsonb_build_object('n', n), NULL, NULL, {namespace})
             FROM generate_series(1, 100) AS n"
        ));
    }
    stores
}

/// Every object of the schemas that hold stores, in words, but for the names of this test's own roles.
fn objects(stores: &Stores) -> Vec<Vec<Option<String>>> {
    let roles = [&stores.owner, &stores.reader, &stores.writer];
    let plain = |text: String| roles.iter().zip(["owner", "reader", "writer"]).fold(text, |t, (r, n)| t.replace(*r, n));
    let objects = catalog::objects(&mut stores.store.superuser(), &["message_store", "tenant-a", "tenant-b"]);
    objects.into_iter().map(|row| row.into_iter().map(|value| value.map(plain)).collect()).collect()
}

fn messages(session: &mut Session, schema: &str) -> Vec<Vec<Option<String>>> {
    session.rows(&format!("SELECT * FROM \"{schema}\".messages ORDER BY global_position"))
}

#[test]
fn an_upgraded_store_is_a_fresh_one_with_its_messages() {
    let (old, fresh) = (stores(true), stores(false));
    let mut superuser = old.store.superuser();
    let schemas = ["message_store", "tenant-a", "tenant-b"];
    let before = schemas.map(|schema| messages(&mut superuser, schema));
    superuser.ok("ALTER EXTENSION message_store UPDATE");
    assert_eq!(
        superuser.value("SELECT extversion FROM pg_extension WHERE extname = 'message_store'"),
        superuser.value("SELECT message_store_release()")
    );
    assert_eq!(schemas.map(|schema| messages(&mut superuser, schema)), before);

    let (upgraded, installed) = (objects(&old), objects(&fresh));
    for (one, other) in upgraded.iter().zip(&installed) {
        assert_eq!(one, other);
    }
    assert_eq!(upgraded.len(), installed.len());
    assert!(upgraded.len() > 90, "{}", upgraded.len());
}

#[test]
fn an_upgraded_store_does_what_is_new() {
    let Stores { store, owner, reader, writer } = stores(true);
    store.superuser().ok("ALTER EXTENSION message_store UPDATE");
    for namespace in ["message_store", "tenant-a"] {
        let record = format!("SELECT record_consumer_position('account', 'totals', 40, NULL, '{namespace}')");
        for role in [&reader, &writer] {
            assert_eq!(store.session_as(role).number(&format!("SET search_path = message_store; {record}")), 40);
        }
        let lag = format!("SELECT lag FROM message_store.consumer_positions('account', '{namespace}')");
        assert_eq!(store.session_as(&reader).number(&lag), 60);
        let delete = format!("SELECT message_store.delete_stream('account-1', '{namespace}')");
        assert_eq!(store.session_as(&writer).error(&delete).sqlstate, "42501");
    }
    let mut tenant = store.session_as(&owner);
    assert_eq!(tenant.number("SELECT message_store.delete_stream('account-1', 'tenant-a')"), 12);
    assert_eq!(tenant.number("SELECT message_store.stream_version('account-1', 'tenant-a')"), 11);
    assert_eq!(tenant.number("SELECT message_count FROM message_store.stats('tenant-a')"), 88);
}

/// The functions of this release that a namespace can be named to, and that 0.1.0 had not.
const NEW: [&str; 6] =
    ["delete_stream", "truncate_stream", "redact_message", "record_consumer_position", "consumer_positions", "stats"];

/// The files of this release are installed, and the database is still as 0.1.0 has left it.
#[test]
fn before_the_update_what_is_old_works_and_what_is_new_is_missing() {
    let Stores { store, owner, reader, .. } = stores(true);
    let mut session = store.superuser();
    for namespace in ["message_store", "tenant-a"] {
        let is_new = |call: &String| NEW.iter().any(|name| call.contains(&format!(".{name}(")));
        let (new, old): (Vec<_>, Vec<_>) = calls::by_argument(namespace).into_iter().partition(is_new);
        assert_eq!(new.len(), NEW.len());
        for call in old {
            session.ok(&call);
        }
        for call in new {
            assert_eq!(session.error(&call).sqlstate, "42883", "{call}");
        }
    }
    let mut tenant = store.session_as(&owner);
    tenant.ok("SET search_path = message_store");
    for call in [
        "create_namespace('between')",
        &format!("grant_namespace('between', '{reader}')"),
        "write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, 'between')",
        "set_namespace_option('tenant-a', 'append_lock', 'stream')",
        "clear_namespace('tenant-a')",
        "delete_namespace('tenant-a')",
        "list_namespaces()",
    ] {
        tenant.ok(&format!("SELECT {call}"));
    }

    // What was created meanwhile needs nothing of the update.
    session.ok("ALTER EXTENSION message_store UPDATE");
    let record = "SELECT message_store.record_consumer_position('account', 'totals', 1, NULL, 'between')";
    assert_eq!(store.session_as(&reader).number(record), 1);
    assert_eq!(tenant.number("SELECT delete_stream('account-1', 'between')"), 1);
    assert_eq!(tenant.number("SELECT stream_version('account-1', 'between')"), 0);
    assert_eq!(session.number("SELECT count(*) FROM list_categories()"), 2);
}

/// Who could remove messages by hand can do so by the functions, and keeps their streams' versions.
#[test]
fn who_could_remove_messages_still_can() {
    let Stores { store, writer, .. } = stores(true);
    let mut superuser = store.superuser();
    superuser.ok(&format!("GRANT DELETE ON messages TO {writer}; ALTER EXTENSION message_store UPDATE"));
    let mut session = store.session_as(&writer);
    assert_eq!(session.number("SELECT message_store.delete_stream('account-1')"), 12);
    assert_eq!(session.number("SELECT message_store.stream_version('account-1')"), 11);
    let elsewhere = session.error("SELECT message_store.delete_stream('account-1', 'tenant-a')");
    assert_eq!(elsewhere.sqlstate, "42501");
}

/// As a schema of the release before that was restored by itself.
#[test]
fn a_namespace_of_the_release_before_is_completed_by_its_owner() {
    let Stores { store, owner, .. } = stores(false);
    for table in NEW_TABLES {
        store.session_as(&owner).ok(&format!("DROP TABLE \"tenant-a\".{table}"));
    }
    let mut tenant = store.session_as(&owner);
    tenant.ok("SET search_path = message_store");
    // What was possible before still is.
    assert_eq!(tenant.number("SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, 11, 'tenant-a')"), 12);
    assert_eq!(tenant.number("SELECT write_message(NULL, 'order-1', 'T', '{}', NULL, -1, 'tenant-a')"), 0);
    let call = "SELECT message_store.register_namespace('tenant-a')";
    let expected = format!("Namespace lacks what this release needs: tenant-a (its owner completes it: {call})");
    for sql in [
        "SELECT delete_stream('account-1', 'tenant-a')",
        "SELECT truncate_stream('account-1', 1, 'tenant-a')",
        "SELECT record_consumer_position('account', 'c', 1, NULL, 'tenant-a')",
        "SELECT * FROM consumer_positions(NULL, 'tenant-a')",
    ] {
        let failure = tenant.error(sql);
        assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("P0001", expected.as_str()));
    }
    tenant.ok(call);
    assert_eq!(tenant.error(call).message, "Namespace already exists: tenant-a");
    assert_eq!(tenant.number("SELECT delete_stream('account-1', 'tenant-a')"), 13);
}
