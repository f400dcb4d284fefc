//! Which store a call means, and how it is reached.
//!
//! The default store is in the main file. A namespace is a file of its own in a directory beside it, attached when it
//! is first used; SQLite attaches only so many, so the one unused for longest makes room. A main database without a
//! file keeps its namespaces in itself.

use std::ffi::{CStr, CString};
use std::path::PathBuf;
use std::rc::Rc;

use message_store_core::{Error, namespace_name};

use crate::connection::Connection;
use crate::engine::db::Db;
use crate::errors::{Failure, Result};
use crate::registry;
use crate::schema;
use crate::store::Store;
use crate::transaction::{end_left_transaction, waiting};

/// Does `work` with the store that the argument names.
///
/// Its tables may have gone since they were checked: the host has rolled back the transaction that created them, or
/// another connection has deleted the namespace, and perhaps created one of the same name. So the store is looked up
/// once more.
pub fn with_store<T>(
    connection: &Rc<Connection>,
    argument: Option<&[u8]>,
    work: impl Fn(&Rc<Store>) -> Result<T>,
) -> Result<T> {
    end_left_transaction(connection);
    waiting(connection, || attempt(connection, argument, &work))
}

fn attempt<T>(
    connection: &Rc<Connection>,
    argument: Option<&[u8]>,
    work: impl Fn(&Rc<Store>) -> Result<T>,
) -> Result<T> {
    let store = resolve(connection, argument)?;
    let failure = match work(&store) {
        Err(failure) if failure.is_missing_table() || is_no_store(&failure) => failure,
        result => return result,
    };
    store.is_checked.set(false);
    store.pool.clear();
    if store.is_default() {
        return if failure.is_missing_table() { work(&store) } else { Err(failure) };
    }
    forget(connection, &store);
    let store = resolve(connection, argument)?;
    work(&store).map_err(|failure| match failure {
        failure if failure.is_missing_table() => Error::NotAMessageStore(store.namespace.clone()).into(),
        failure => failure,
    })
}

fn is_no_store(failure: &Failure) -> bool {
    matches!(failure, Failure::Rule(Error::NotAMessageStore(_)))
}

/// The store that the argument names, the default one for NULL.
pub fn resolve(connection: &Rc<Connection>, argument: Option<&[u8]>) -> Result<Rc<Store>> {
    let Some(argument) = argument else { return Ok(Rc::clone(&connection.main)) };
    let name = namespace_name::check(Some(argument))?;
    if name == namespace_name::DEFAULT {
        return Ok(Rc::clone(&connection.main));
    }
    if let Some(store) = attached(connection, name) {
        return Ok(store);
    }
    if let Some(store) = known(connection, name) {
        forget(connection, &store);
    }
    if registry::find(connection, name)?.is_none() {
        return Err(registry::unknown(name));
    }
    attach(connection, name)
}

/// The namespace as the connection has it attached.
pub fn attached(connection: &Rc<Connection>, name: &str) -> Option<Rc<Store>> {
    let db = connection.db;
    let is_there = |schema: &CStr| db.has_database(schema) && !db.has_moved(schema);
    known(connection, name).filter(|store| !store.has_own_database() || is_there(&store.schema))
}

/// The same where its file may have been removed, or the host may have detached it.
pub fn known(connection: &Rc<Connection>, name: &str) -> Option<Rc<Store>> {
    connection.attached.borrow().iter().find(|store| store.namespace == name).map(Rc::clone)
}

/// Where a namespace's file is; `None` when the main database has no file.
pub fn path(db: Db, name: &str) -> Option<PathBuf> {
    directory(db).map(|directory| directory.join(format!("{name}.db")))
}

/// Where the files of namespaces are; `None` when the main database has no file.
pub fn directory(db: Db) -> Option<PathBuf> {
    let mut directory = db.path(c"main")?.into_os_string();
    directory.push("-namespaces");
    Some(directory.into())
}

/// Attaches a namespace that is registered.
fn attach(connection: &Rc<Connection>, name: &str) -> Result<Rc<Store>> {
    let Some(path) = path(connection.db, name) else {
        let store = Rc::new(Store::in_memory(name));
        connection.attached.borrow_mut().push(Rc::clone(&store));
        return Ok(store);
    };
    // Attaching would create it.
    if !path.is_file() {
        return Err(Failure::missing_file(name));
    }
    let schema = format!("message_store:{name}");
    let file = path.to_str().ok_or_else(|| Failure::missing_file(name))?;
    let attach = || connection.db.execute("ATTACH DATABASE ?1 AS ?2", &[file.into(), schema.as_str().into()]);
    let mut result = attach();
    while matches!(&result, Err(failure) if is_full(failure)) && make_room(connection) {
        result = attach();
    }
    result?;
    let schema = CString::new(schema).map_err(|_| Failure::missing_file(name))?;
    let store = Rc::new(Store::attached(name, schema));
    connection.attached.borrow_mut().push(Rc::clone(&store));
    if connection.db.has_moved(&store.schema) {
        // Deleted between the look into the registry and the attaching.
        forget(connection, &store);
        return Err(registry::unknown(name));
    }
    same_durability(connection.db, &store);
    Ok(store)
}

fn is_full(failure: &Failure) -> bool {
    matches!(failure, Failure::Engine { message, .. } if message.starts_with("too many attached databases"))
}

/// Detaches the namespace unused for longest that is in no transaction; false when there is none.
fn make_room(connection: &Rc<Connection>) -> bool {
    let mut candidates: Vec<_> =
        connection.attached.borrow().iter().filter(|store| store.has_own_database()).map(Rc::clone).collect();
    candidates.sort_by_key(|store| store.last_use.get());
    candidates.iter().any(|store| detach(connection, store).is_ok())
}

/// Detaches a namespace. SQLite refuses while a transaction or a cursor is in it.
fn detach(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<()> {
    store.pool.clear();
    connection.db.execute("DETACH DATABASE ?1", &[store.schema.to_str().ok().into()])?;
    store.set_detached();
    connection.attached.borrow_mut().retain(|other| !Rc::ptr_eq(other, store));
    Ok(())
}

/// Lets go of a namespace that is no more.
pub fn forget(connection: &Rc<Connection>, store: &Rc<Store>) {
    if store.has_own_database() && connection.db.has_database(&store.schema) {
        // One that a transaction holds stays, and is found out again by the next call.
        drop(detach(connection, store));
    } else {
        store.set_detached();
        connection.attached.borrow_mut().retain(|other| !Rc::ptr_eq(other, store));
    }
}

/// An attached database starts with a setting of its own; a namespace is as durable as the main file.
fn same_durability(db: Db, store: &Store) {
    if let Ok(Some(level)) = db.query("PRAGMA main.synchronous", &[], |row| row.integer(0)) {
        // Not possible in a transaction, where it stays at FULL.
        let schema = store.sql("{schema}");
        drop(db.execute_script(&format!("PRAGMA {schema}synchronous = {level}")));
    }
}

/// Whether a store can be read: false for a default store that nobody has written to yet.
pub fn is_readable(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<bool> {
    if store.is_checked.get() {
        return Ok(true);
    }
    match schema::check(connection, store) {
        Ok(()) => Ok(true),
        Err(Failure::Rule(Error::NotAMessageStore(_)))
            if store.is_default() && !schema::exists(connection.db, &store.schema, "messages")? =>
        {
            Ok(false)
        }
        Err(failure) => Err(failure),
    }
}
