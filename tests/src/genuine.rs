//! Genuine Message DB, installed by its own script.

use crate::Cluster;
use std::path::PathBuf;

/// The folder that `tests/setup.sh` fills.
pub fn dependencies() -> PathBuf {
    let folder = std::env::var_os("MESSAGE_STORE_TEST_DEPS");
    folder.map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/.deps").into(), PathBuf::from)
}

/// Creates `database` with Message DB in it, and the role `message_store` where it is missing.
pub fn install(cluster: &Cluster, database: &str) {
    let script = dependencies().join("message-db/database/install.sh");
    assert!(script.is_file(), "no {}; `make setup` fetches it", script.display());
    let output = cluster.command("bash").arg(script).env("DATABASE_NAME", database).output().expect("bash");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "Message DB's install.sh: {errors}");
}
