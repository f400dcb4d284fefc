//! Where Postgres' programs are.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

const DEBIAN: &str = "/usr/lib/postgresql/15/bin/pg_config";

/// The path of `name` (psql, pg_dump, ...) in the Postgres that the environment's `PG_CONFIG` names, else Debian's 15.
pub fn program(name: &str) -> PathBuf {
    directory().join(name)
}

/// The folder that holds the programs.
pub fn directory() -> &'static PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let pg_config = std::env::var("PG_CONFIG").unwrap_or_else(|_| DEBIAN.into());
        let output = Command::new(&pg_config).arg("--bindir").output();
        let output = output.unwrap_or_else(|e| panic!("{pg_config}: {e}; `make setup` installs Postgres"));
        PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
    })
}
