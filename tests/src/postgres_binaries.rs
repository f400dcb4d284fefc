//! Where Postgres' programs are.

use crate::dependencies;
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
        let pg_config = pg_config();
        let folder = ask(&pg_config, "--bindir");
        PathBuf::from(folder.unwrap_or_else(|e| panic!("{pg_config}: {e}; `make setup` installs Postgres")))
    })
}

/// The major version of the Postgres of the tests.
pub fn version() -> u32 {
    static VERSION: OnceLock<u32> = OnceLock::new();
    *VERSION.get_or_init(|| major(&pg_config()).expect("a version"))
}

/// The programs of an older Postgres, and its version: that of `MESSAGE_STORE_UPGRADE_FROM`, a `pg_config`, else the 15
/// of `make test-newest`. `None` where there is none, or it is not older.
pub fn older() -> Option<(PathBuf, u32)> {
    let fetched = || dependencies().join("postgresql-15/bin/pg_config").to_string_lossy().into_owned();
    let pg_config = std::env::var("MESSAGE_STORE_UPGRADE_FROM").unwrap_or_else(|_| fetched());
    let older = major(&pg_config).filter(|older| *older < version())?;
    Some((ask(&pg_config, "--bindir").ok()?.into(), older))
}

fn pg_config() -> String {
    std::env::var("PG_CONFIG").unwrap_or_else(|_| DEBIAN.into())
}

fn major(pg_config: &str) -> Option<u32> {
    // Such as `PostgreSQL 15.20 (Debian 15.20-0+deb12u1)`.
    let version = ask(pg_config, "--version").ok()?;
    version.split([' ', '.']).nth(1)?.parse().ok()
}

fn ask(pg_config: &str, what: &str) -> std::io::Result<String> {
    let output = Command::new(pg_config).arg(what).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
