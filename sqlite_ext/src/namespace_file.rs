//! The file of a namespace: made, looked at and removed through a connection of our own.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use message_store_core::Error;
use rusqlite::ffi;

use crate::engine::db::{Db, OwnDb};
use crate::errors::{Failure, Result};
use crate::schema;

/// Creates the file with an empty store in it. There must be no file of that name.
pub fn create(main: Db, path: &Path, store_id: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        create_directory(directory)?;
    }
    create_empty(path)?;
    let made = fill(main, path, store_id);
    if made.is_err() {
        drop(remove(path));
    }
    made
}

fn fill(main: Db, path: &Path, store_id: &str) -> Result<()> {
    let own = OwnDb::open(path)?;
    let mode = main.query("PRAGMA main.journal_mode", &[], |row| row.string(0))?.flatten();
    let is_wal = mode.as_deref() == Some("wal");
    let tables = || schema::create_tables(own.db(), c"main", "", store_id);
    own.db().execute_script("BEGIN IMMEDIATE")?;
    tables()?;
    own.db().execute_script("COMMIT")?;
    if is_wal { own.db().execute_script("PRAGMA journal_mode = wal") } else { Ok(()) }
}

/// Whether the file is an empty one of this very main store's: what a `create_namespace` that was rolled back leaves
/// behind, or a `delete_namespace` in a transaction.
pub fn is_leftover(path: &Path, store_id: &str) -> bool {
    inspect(path).is_ok_and(|found| found.store_id == store_id && !found.has_messages)
}

/// Refuses a file that is no message store, or a newer one.
pub fn check(path: &Path, namespace: &str) -> Result<()> {
    match inspect(path) {
        Ok(found) if found.version > schema::VERSION => {
            Err(Failure::newer_schema(namespace, found.version, schema::VERSION))
        }
        Ok(_) => Ok(()),
        Err(Failure::Engine { code, .. })
            if [ffi::SQLITE_ERROR, ffi::SQLITE_NOTADB, ffi::SQLITE_CANTOPEN].contains(&(code & 0xff)) =>
        {
            Err(Error::NotAMessageStore(namespace.to_owned()).into())
        }
        Err(failure) => Err(failure),
    }
}

struct Found {
    version: i64,
    store_id: String,
    has_messages: bool,
}

fn inspect(path: &Path) -> Result<Found> {
    let own = OwnDb::open(path)?;
    let query = "SELECT version, store_id FROM message_store_schema";
    let found = own.db().query(query, &[], |row| (row.integer(0), row.string(1).unwrap_or_default()))?;
    let (version, store_id) = found.ok_or_else(|| Failure::new(ffi::SQLITE_ERROR, "no store"))?;
    let has_messages = schema::exists(own.db(), c"main", "messages")?
        && own.db().query("SELECT 1 FROM messages LIMIT 1", &[], |_| ())?.is_some();
    Ok(Found { version, store_id, has_messages })
}

/// Removes the file and what SQLite keeps beside it.
pub fn remove(path: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(cannot("removed", path, &error)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(unix)]
fn create_directory(directory: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(cannot("created", directory, &error)),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn create_directory(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(|error| cannot("created", directory, &error))
}

/// Nobody has the file open yet, so that closing it here drops no lock.
fn create_empty(path: &Path) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| cannot("created", path, &error))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        ErrorKind::ReadOnlyFilesystem => ffi::SQLITE_READONLY,
        ErrorKind::StorageFull => ffi::SQLITE_FULL,
        _ => ffi::SQLITE_CANTOPEN,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Failure::new(code, format!("{name} cannot be {what}: {error}"))
}
