//! What `cargo pgrx test` asks for before it starts a server, so that it works for root and for an ordinary user,
//! wherever the checkout lies.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// Says which user runs the server and where its data lies, unless the command line or the environment has said so.
///
/// Postgres refuses to run as root: then the user `postgres` runs it. Someone else who may not write to Postgres'
/// folders, as with Debian's packages, runs it as themselves; naming the user makes pgrx copy the extension with sudo.
pub fn setup(_options: Vec<&str>) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os(RUN_AS).is_some() {
            return;
        }
        // SAFETY: no preconditions.
        let root = unsafe { libc::geteuid() } == 0;
        let user = if root {
            Some("postgres".to_owned())
        } else {
            library_folder().filter(|folder| !is_writable(folder)).and_then(|_| std::env::var("USER").ok())
        };
        let Some(user) = user else { return };
        // SAFETY: the first test gets here before any test runs; the others wait for it.
        unsafe {
            std::env::set_var(RUN_AS, user);
            if std::env::var_os(DATA).is_none() {
                let folder = std::env::temp_dir().join(format!("message-store-{}", std::process::id()));
                std::env::set_var(DATA, folder);
            }
        }
    });
}

const RUN_AS: &str = "CARGO_PGRX_TEST_RUNAS";
const DATA: &str = "CARGO_PGRX_TEST_PGDATA";

/// Settings of the server.
#[must_use]
pub fn postgresql_conf_options() -> Vec<&'static str> {
    vec!["max_prepared_transactions = 10"]
}

/// The folder of the Postgres that pgrx was set up with, where extensions are installed.
fn library_folder() -> Option<PathBuf> {
    let home = std::env::var_os("PGRX_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".pgrx")))?;
    let config = std::fs::read_to_string(home.join("config.toml")).ok()?;
    let key = format!("pg{} = ", pgrx::pg_sys::get_pg_major_version_num());
    let pg_config = config.lines().find_map(|line| line.strip_prefix(&key))?.trim_matches('"').to_owned();
    let output = Command::new(pg_config).arg("--pkglibdir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

fn is_writable(folder: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(folder) = std::ffi::CString::new(folder.as_os_str().as_bytes()) else { return false };
    // SAFETY: the path is NUL-terminated.
    unsafe { libc::access(folder.as_ptr(), libc::W_OK) == 0 }
}
