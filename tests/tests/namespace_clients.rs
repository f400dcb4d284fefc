//! Clients written for Message DB, which know of no namespace, in one by their role's search_path alone.

use message_store_tests::namespaces::{count, granted};
use message_store_tests::{Store, Target, dependencies};
use std::path::Path;
use std::process::Command;

/// A store whose role `message_store` works in the namespace `tenant-a`, as its administrator has set.
fn tenant() -> Store {
    let store = Store::fresh(Target::Ours);
    granted(&store, "tenant-a", "message_store");
    store.superuser().ok(&format!(
        "SELECT create_namespace('tenant-b');
         ALTER ROLE message_store IN DATABASE {} SET search_path = \"tenant-a\", message_store, public",
        store.database
    ));
    store
}

/// Runs a script of `tests/clients`, which tests what its client offers, and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; `make setup` fetches the clients"));
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

fn landed_in_the_namespace_only(store: &Store) {
    assert!(count(store, "tenant-a") >= 40);
    assert_eq!(["tenant-b", "message_store"].map(|namespace| count(store, namespace)), [0, 0]);
}

#[test]
fn python_message_db_py_works_in_a_namespace() {
    let store = tenant();
    let mut python = Command::new(dependencies().join("python/bin/python"));
    python.arg(script("message_db_py.py")).arg(store.cluster.socket_folder()).arg(&store.database);
    let printed = run(&mut python);
    // One of its functions calls none of the store's: it reads the table `message_store.messages` by that name.
    let failed: Vec<&str> =
        printed.lines().filter(|line| line.starts_with("FAIL:") || line.starts_with("ERROR:")).collect();
    assert!(printed.contains("Ran 8 tests"), "{printed}");
    assert!(matches!(failed[..], [only] if only.contains("test_stream_identifiers_lists_the_category")), "{printed}");
    landed_in_the_namespace_only(&store);
}

#[test]
fn node_message_store_connector_works_in_a_namespace() {
    let store = tenant();
    let mut node = Command::new("node");
    node.env("NODE_PATH", dependencies().join("node/node_modules"));
    node.env("STORE_HOST", store.cluster.socket_folder()).env("STORE_DATABASE", &store.database);
    let printed = run(node.arg("--test-reporter=tap").arg(script("message_store_connector.js")));
    assert!(printed.contains("# pass 11") && printed.contains("# fail 0"), "{printed}");
    landed_in_the_namespace_only(&store);
}
