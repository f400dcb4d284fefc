//! Clients written for Message DB, as their registries serve them.

use message_store_tests::{Store, dependencies, for_both};
use std::path::Path;
use std::process::Command;

for_both!(python_message_db_py_works_unmodified, node_message_store_connector_works_unmodified);

/// Runs a script of `tests/clients`, which tests what its client offers, and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; `make setup` fetches the clients"));
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}:\n{printed}");
    printed
}

fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

fn python_message_db_py_works_unmodified(store: &Store) {
    let mut python = Command::new(dependencies().join("python/bin/python"));
    python.arg(script("message_db_py.py")).arg(store.cluster.socket_folder()).arg(&store.database);
    let printed = run(&mut python);
    assert!(printed.contains("Ran 8 tests"), "{printed}");
    assert!(store.session().number("SELECT count(*) FROM messages") >= 40);
}

fn node_message_store_connector_works_unmodified(store: &Store) {
    let mut node = Command::new("node");
    node.env("NODE_PATH", dependencies().join("node/node_modules"));
    node.env("STORE_HOST", store.cluster.socket_folder()).env("STORE_DATABASE", &store.database);
    let printed = run(node.arg("--test-reporter=tap").arg(script("message_store_connector.js")));
    assert!(printed.contains("# pass 11") && printed.contains("# fail 0"), "{printed}");
    assert!(store.session().number("SELECT count(*) FROM messages") >= 40);
}
