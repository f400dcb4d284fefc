//! The file of a namespace: made, looked at and removed through a connection of our own.

use std::ffi::CStr;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use message_store_core::{Error, message_id};
use rusqlite::ffi;

use crate::engine::db::{Db, OwnDb};
use crate::errors::{Failure, Result};
use crate::schema;
use crate::store::sql;

/// Creates the file with an empty store in it. There must be no file of that name.
///
/// It gets its name when it is done: somebody who still has a deleted file of that name open would take the new one's
/// journal for its own.
pub fn create(main: Db, path: &Path, store_id: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        create_directory(directory)?;
    }
    let unfinished = path.with_extension(format!("{}.new", message_id::generate().simple()));
    create_empty(&unfinished, path)?;
    let made = fill(main, &unfinished, store_id)
        // What a killed process left beside a file that was removed by hand would be taken for this one's.
        .and_then(|()| remove_files(path))
        .and_then(|()| fs::rename(&unfinished, path).map_err(|error| cannot("created", path, &error)));
    match made {
        Ok(()) => sync_names(path),
        Err(_) => drop(remove_files(&unfinished)),
    }
    made
}

/// Asks for the names of the file and of its directory to be on the disk, before the registry's entry is: a power cut
/// takes a name whose directory was not synced, and with it all that was ever written to the file. SQLite does this for
/// its journals only. It passes over a system that cannot, and so does this.
fn sync_names(path: &Path) {
    for directory in path.ancestors().skip(1).take(2) {
        drop(fs::File::open(directory).and_then(|directory| directory.sync_all()));
    }
}

/// Puts an empty store into a file: a new one, or a leftover, which other connections may still have open.
pub fn fill(main: Db, path: &Path, store_id: &str) -> Result<()> {
    let own = OwnDb::open(path, BUSY_TIMEOUT)?;
    let db = own.db();
    let of_main = |pragma: &str| main.query(&format!("PRAGMA main.{pragma}"), &[], |row| row.string(0));
    let (mode, encoding) = (of_main("journal_mode")?.flatten(), of_main("encoding")?.flatten());
    // It could not be attached to a database of another one.
    if let Some(encoding) = encoding {
        db.execute_script(&format!("PRAGMA encoding = '{encoding}'"))?;
    }
    // So that a power cut does not bring the rollback journal back, and with it the file as it was.
    db.execute_script("PRAGMA synchronous = extra")?;
    db.execute_script("BEGIN IMMEDIATE")?;
    fill_database(db, c"main", store_id)?;
    db.execute_script("COMMIT")?;
    if mode.as_deref() == Some("wal") { db.execute_script("PRAGMA journal_mode = wal") } else { Ok(()) }
}

/// The same in a transaction that is open.
pub fn fill_database(db: Db, schema: &CStr, store_id: &str) -> Result<()> {
    db.execute_script(&sql("DROP TABLE IF EXISTS {schema}message_store_schema", schema, ""))?;
    schema::create_tables(db, schema, "", store_id)?;
    db.execute_script(&sql(include_str!("../sql/clear.sql"), schema, ""))
}

/// Whether the file is an empty one of this very main store's: what a `create_namespace` that was rolled back leaves
/// behind, or a `delete_namespace` that could not remove it.
pub fn is_leftover(path: &Path, store_id: &str) -> bool {
    // The lock first: a deletion that is committed in the main file may not be in this one yet.
    inspect(path, "BEGIN IMMEDIATE").is_ok_and(|found| found.is_leftover(store_id))
}

/// The same of one that the connection itself has attached, and perhaps locked; now it has.
pub fn is_attached_leftover(db: Db, schema: &CStr, store_id: &str) -> Result<bool> {
    match db.execute(&sql("DELETE FROM {schema}message_store_schema WHERE 0", schema, ""), &[]) {
        Err(failure) if failure.is_missing_table() => Ok(false),
        Err(failure) => Err(failure),
        Ok(()) => Ok(found(db, schema).is_ok_and(|found| found.is_leftover(store_id))),
    }
}

/// Removes a leftover, unless another connection has it open: that one removes, by their names, the files that belong
/// to it when it closes, and those would be the files of a namespace that has the name by then.
pub fn remove_if_unused(path: &Path) -> Result<()> {
    let own = OwnDb::open(path, 0)?;
    // Leaving WAL needs the file for oneself. A database without WAL has no files that outlive a transaction.
    let mode = own.db().query("PRAGMA journal_mode = delete", &[], |row| row.string(0));
    drop(own);
    if mode.is_ok_and(|mode| mode.flatten().as_deref() == Some("delete")) { remove_files(path) } else { Ok(()) }
}

/// Refuses a file that is no message store, or a newer one.
pub fn check(path: &Path, namespace: &str) -> Result<()> {
    match inspect(path, "BEGIN") {
        Ok(found) if found.version > schema::VERSION => {
            Err(Failure::newer_schema(namespace, found.version, schema::VERSION))
        }
        Ok(found) if found.version < 1 => Err(Error::NotAMessageStore(namespace.to_owned()).into()),
        Ok(_) => Ok(()),
        Err(Failure::Engine { code, .. })
            if [ffi::SQLITE_ERROR, ffi::SQLITE_NOTADB, ffi::SQLITE_CANTOPEN].contains(&(code & 0xff)) =>
        {
            Err(Error::NotAMessageStore(namespace.to_owned()).into())
        }
        Err(failure) => Err(failure),
    }
}

/// How long, in milliseconds, a connection of our own waits for another one.
const BUSY_TIMEOUT: i32 = 5000;

struct Found {
    version: i64,
    store_id: String,
    has_messages: bool,
}

impl Found {
    fn is_leftover(&self, store_id: &str) -> bool {
        self.store_id == store_id && !self.has_messages
    }
}

fn inspect(path: &Path, begin: &str) -> Result<Found> {
    let own = OwnDb::open(path, BUSY_TIMEOUT)?;
    own.db().execute_script(begin)?;
    found(own.db(), c"main")
}

fn found(db: Db, schema: &CStr) -> Result<Found> {
    let query = sql("SELECT version, store_id FROM {schema}message_store_schema", schema, "");
    let found = db.query(&query, &[], |row| (row.integer(0), row.string(1).unwrap_or_default()))?;
    let (version, store_id) = found.ok_or_else(|| Failure::new(ffi::SQLITE_ERROR, "no store"))?;
    let has_messages = schema::exists(db, schema, "messages")?
        && db.query(&sql("SELECT 1 FROM {schema}messages LIMIT 1", schema, ""), &[], |_| ())?.is_some();
    Ok(Found { version, store_id, has_messages })
}

/// Removes the file and what SQLite keeps beside it.
fn remove_files(path: &Path) -> Result<()> {
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
fn create_empty(unfinished: &Path, path: &Path) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(unfinished).map(drop).map_err(|error| cannot("created", path, &error))
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
