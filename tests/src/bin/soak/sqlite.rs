//! The load on SQLite, in a host process of its own: `tests/sqlite/soak.py`.

use crate::Plan;
use message_store_tests::sqlite_library;
use std::path::Path;
use std::process::Command;

/// Runs the load. Answers what was wrong.
pub fn run(plan: Plan) -> Vec<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "/usr/bin/python3".into());
    let host = Command::new(python)
        .arg("-B")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("sqlite/soak.py"))
        .args([plan.time.as_secs().to_string(), plan.namespaces.to_string()])
        .env("MESSAGE_STORE_LIBRARY", sqlite_library())
        .status()
        .expect("python3");
    if host.success() { Vec::new() } else { vec!["SQLite: the host says what".into()] }
}
