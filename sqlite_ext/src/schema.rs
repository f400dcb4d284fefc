//! The tables of a store: making them, finding them to be of a version this extension knows, and upgrading older ones.

use std::ffi::CStr;
use std::rc::Rc;

use message_store_core::{Error, message_id, time};

use crate::connection::Connection;
use crate::engine::db::Db;
use crate::errors::{Failure, Result};
use crate::statements::Query;
use crate::store::{Store, sql};

/// The version that this extension creates and writes, and the newest that it knows. Version 1 can be read as it is: it
/// lacks the heads of emptied streams and the positions of consumers.
pub const VERSION: i64 = 2;

const STORE: &str = include_str!("../sql/store.sql");
const MESSAGES: &str = include_str!("../sql/messages.sql");
const INDEXES: &str = include_str!("../sql/indexes.sql");
const VIEWS: &str = include_str!("../sql/views.sql");
const STREAM_HEADS: &str = include_str!("../sql/stream_heads.sql");
const CONSUMER_POSITIONS: &str = include_str!("../sql/consumer_positions.sql");
const UPGRADE_1: &str = include_str!("../sql/upgrade_1.sql");
const NAMESPACES: &str = include_str!("../sql/namespaces.sql");
const DROP: &str = include_str!("../sql/drop.sql");
const DROP_STORE: &str = "DROP TABLE IF EXISTS {schema}\"{prefix}message_store_schema\"";

/// What a store says of itself.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The version of its tables.
    pub version: i64,
    /// Which main store it belongs to.
    pub store_id: String,
    /// When it was created.
    pub created_at: String,
}

/// Creates the default store, with the registry, in the transaction that is open.
///
/// Its first statement takes the write lock, and none minds that another connection was first.
pub fn create(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<()> {
    let db = connection.db;
    db.execute_script(&store.sql(STORE))?;
    let objects = db.query("SELECT count(*) FROM main.sqlite_master", &[], |row| row.integer(0))?;
    if objects == Some(1) {
        keep_private(connection);
    }
    create_tables(db, &store.schema, &store.prefix, &message_id::generate().to_string())?;
    db.execute_script(NAMESPACES)
}

/// Creates tables, indexes and views where they are not there.
pub fn create_tables(db: Db, schema: &CStr, prefix: &str, store_id: &str) -> Result<()> {
    for script in [STORE, MESSAGES, INDEXES, VIEWS, STREAM_HEADS, CONSUMER_POSITIONS] {
        db.execute_script(&sql(script, schema, prefix))?;
    }
    let insert = "INSERT INTO {schema}\"{prefix}message_store_schema\" (version, store_id, created_at) \
                  SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM {schema}\"{prefix}message_store_schema\")";
    let created_at = time::format(time::now());
    db.execute(&sql(insert, schema, prefix), &[VERSION.into(), store_id.into(), created_at.as_str().into()])
}

/// Drops what `create_tables` made. What tells whose store it was stays, where the store has a file of its own.
pub fn drop_tables(db: Db, store: &Store) -> Result<()> {
    db.execute_script(&store.sql(DROP))?;
    if store.has_own_database() { Ok(()) } else { db.execute_script(&store.sql(DROP_STORE)) }
}

/// Checks that the tables are a store's and not newer than this extension: once, but those of an older version each
/// time, since any connection may upgrade them.
pub fn check(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<()> {
    if store.is_checked.get() {
        return Ok(());
    }
    let version = known_version(connection, store)?;
    store.is_checked.set(version == VERSION);
    Ok(())
}

/// The same for writing: tables of an older version are upgraded. The write lock is held.
pub fn make_current(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<()> {
    if store.is_checked.get() {
        return Ok(());
    }
    if known_version(connection, store)? < VERSION {
        upgrade(connection.db, store)?;
    }
    store.is_checked.set(true);
    Ok(())
}

fn known_version(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<i64> {
    match identity(connection, store)?.map(|identity| identity.version) {
        Some(version) if version > VERSION => Err(Failure::newer_schema(&store.namespace, version, VERSION)),
        Some(version @ 1..) if !has_other_messages(connection.db, store) => Ok(version),
        _ => Err(not_a_store(store)),
    }
}

/// Whether what has the name of the messages' table is another table, or a view, which gives no global positions.
fn has_other_messages(db: Db, store: &Store) -> bool {
    let columns = || -> Result<Vec<bool>> {
        // Not the function pragma_table_info, whose table SQLite 3.40 keeps when another database takes the file's place.
        let mut columns = db.prepare(store.sql("PRAGMA {schema}table_info(\"{prefix}messages\")").as_bytes())?;
        columns.start(&[])?;
        let mut are_ours = Vec::new();
        while columns.step()? {
            let [name, kind] = [1, 2].map(|column| columns.string(column).unwrap_or_default());
            are_ours.push(name == "global_position" && kind == "INTEGER" && columns.integer(5) != 0);
        }
        Ok(are_ours)
    };
    // Hosts may forbid pragmas; no table at all is an error of the call's own.
    columns().is_ok_and(|columns| !columns.is_empty() && !columns.contains(&true))
}

/// Upgrades the tables of version 1. In the host's transaction it may be cut off between two statements, so each can be
/// run again, and the version comes last.
fn upgrade(db: Db, store: &Store) -> Result<()> {
    db.execute_script(&store.sql(STREAM_HEADS))?;
    db.execute_script(&store.sql(CONSUMER_POSITIONS))?;
    if db.prepare(store.sql("SELECT notify FROM {schema}\"{prefix}message_store_schema\"").as_bytes()).is_err() {
        db.execute_script(&store.sql(UPGRADE_1))?;
    }
    db.execute(&store.sql("UPDATE {schema}\"{prefix}message_store_schema\" SET version = ?1"), &[VERSION.into()])
}

/// What the store says of itself; `None` when it is none.
pub fn identity(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<Option<Identity>> {
    let identity = connection.statement(store, Query::Version).and_then(|mut statement| {
        statement.query(&[], |row| Identity {
            version: row.integer(0),
            store_id: row.string(1).unwrap_or_default(),
            created_at: row.string(2).unwrap_or_default(),
        })
    });
    match identity {
        Err(failure) if failure.is_missing_table() => Ok(None),
        identity => identity,
    }
}

/// Whether the database has a table of that name, or a view in its place.
pub fn exists(db: Db, schema: &CStr, table: &str) -> Result<bool> {
    let query = sql("SELECT 1 FROM {schema}sqlite_master WHERE type IN ('table', 'view') AND name = ?1", schema, "");
    Ok(db.query(&query, &[table.into()], |_| ())?.is_some())
}

fn not_a_store(store: &Store) -> Failure {
    Error::NotAMessageStore(store.namespace.clone()).into()
}

/// A file that held nothing before the store becomes its owner's only.
fn keep_private(connection: &Connection) {
    #[cfg(unix)]
    if let Some(path) = connection.db.path(c"main") {
        use std::os::unix::fs::PermissionsExt;
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut file = path.clone().into_os_string();
            file.push(suffix);
            // By its path: opening and closing it here would drop the process's locks on it. Those that SQLite has
            // yet to make take the main file's mode.
            drop(std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)));
        }
    }
}
