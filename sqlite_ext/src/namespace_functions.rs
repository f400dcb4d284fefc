//! `create_namespace`, `register_namespace`, `delete_namespace`, `clear_namespace`, `set_namespace_option`.

use std::path::Path;
use std::rc::Rc;

use message_store_core::namespace_option::{self, NamespaceOption};
use message_store_core::{Error, json, namespace_name};

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::db::Db;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;
use crate::namespaces::{self, with_store};
use crate::registry::{self, Entry};
use crate::store::Store;
use crate::{namespace_file, schema, transaction};

/// The functions of this module.
pub const FUNCTIONS: [Scalar; 5] = [
    Scalar { name: "create_namespace", arguments: (1, 4), purity: Purity::Direct, work: create_namespace },
    Scalar { name: "register_namespace", arguments: (1, 4), purity: Purity::Direct, work: register_namespace },
    Scalar { name: "delete_namespace", arguments: (1, 2), purity: Purity::Direct, work: delete_namespace },
    Scalar { name: "clear_namespace", arguments: (1, 1), purity: Purity::Direct, work: clear_namespace },
    Scalar { name: "set_namespace_option", arguments: (3, 3), purity: Purity::Direct, work: set_namespace_option },
];

/// The entry that the arguments describe.
fn entry(arguments: &Arguments<'_>) -> Result<Entry> {
    let owned = |number| arguments.text(number).map(|text| String::from_utf8_lossy(text).into_owned());
    let metadata = arguments.text(3).map(json::canonical).transpose()?;
    let name = namespace_name::check(arguments.text(0))?.to_owned();
    Ok(Entry { name, token_hash: owned(1), description: owned(2), metadata, created_at: None })
}

/// Adds an entry; `prepare` makes or checks the file, with the write lock of the main file held.
fn add<'a>(connection: &Rc<Connection>, entry: Entry, prepare: impl Fn(&str) -> Result<()>) -> Result<Answer<'a>> {
    let attempt = || {
        let name = entry.name.as_str();
        if name == namespace_name::DEFAULT || registry::find(connection, name)?.is_some() {
            return Err(Error::NamespaceExists(name.to_owned()).into());
        }
        let identity = schema::identity(connection, &connection.main)?;
        if let Some(token_hash) = &entry.token_hash
            && registry::has_token_hash(connection, token_hash)?
        {
            return Err(Error::TokenHashInUse.into());
        }
        prepare(&identity.map(|identity| identity.store_id).unwrap_or_default())?;
        registry::insert(connection, &entry)
    };
    transaction::waiting(connection, || transaction::write(connection, &connection.main, attempt))?;
    Ok(entry.name.into())
}

/// `create_namespace(name, token_hash, description, metadata)`: the name.
fn create_namespace<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let entry = entry(arguments)?;
    let name = entry.name.clone();
    let db = connection.db;
    add(connection, entry, |store_id| {
        let foreign = || Error::NotARegisteredNamespace(name.clone()).into();
        let Some(path) = namespaces::path(db, &name) else {
            let store = Store::in_memory(&name);
            if schema::exists(db, &store.schema, &format!("{}messages", store.prefix))? {
                return Err(foreign());
            }
            return schema::create_tables(db, &store.schema, &store.prefix, store_id);
        };
        if path.symlink_metadata().is_err() {
            return namespace_file::create(db, &path, store_id);
        }
        // One that this transaction has deleted is locked for any other connection.
        if let Some(store) = namespaces::attached(connection, &name) {
            if !namespace_file::is_attached_leftover(db, &store.schema, store_id)? {
                return Err(foreign());
            }
            store.pool.clear();
            store.is_checked.set(false);
            return namespace_file::fill_database(db, &store.schema, store_id);
        }
        if !namespace_file::is_leftover(&path, store_id) {
            return Err(foreign());
        }
        namespace_file::fill(db, &path, store_id)
    })
}

/// `register_namespace(name, token_hash, description, metadata)`: the name, of a file that is there already.
fn register_namespace<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let entry = entry(arguments)?;
    let name = entry.name.clone();
    let db = connection.db;
    add(connection, entry, |_| match namespaces::path(db, &name) {
        Some(path) if path.is_file() => namespace_file::check(&path, &name),
        None if schema::exists(db, c"main", &format!("{name}:messages"))? => Ok(()),
        _ => Err(Error::NotAMessageStore(name.clone()).into()),
    })
}

/// `delete_namespace(name, cascade)`: the name.
///
/// The tables are dropped in the same transaction as the entry: a writer of another process that has the file open
/// finds no table, not a file that is on no disk. In the host's transaction the empty file stays behind.
fn delete_namespace<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let cascade = arguments.boolean(1)?.unwrap_or(false);
    let name = namespace_name::check(arguments.text(0))?;
    if name == namespace_name::DEFAULT {
        return Err(Error::DefaultNamespaceCannotBeDeleted.into());
    }
    let db = connection.db;
    transaction::waiting(connection, || match registry::find(connection, name)? {
        Some(_) => Ok(()),
        None => Err(registry::unknown(name)),
    })?;
    let path = namespaces::path(db, name);
    let is_there = path.as_ref().is_none_or(|path| path.is_file());
    // Attached before the transaction begins, and one that is not used makes room.
    if is_there {
        namespaces::resolve(connection, Some(name.as_bytes()))?;
    } else {
        forget(connection, name);
    }
    let attempt = || {
        if registry::find(connection, name)?.is_none() {
            return Err(registry::unknown(name));
        }
        if is_there {
            let store = namespaces::resolve(connection, Some(name.as_bytes()))?;
            match transaction::lock(connection, &store) {
                // Half deleted, by a crash or by hand; the rest goes now.
                Err(failure) if failure.is_missing_table() => {}
                locked => locked?,
            }
            if !cascade {
                refuse_other_objects(connection, &store)?;
            }
            store.pool.clear();
            store.is_checked.set(false);
            schema::drop_tables(db, &store)?;
            drop_other_objects(db, &store)?;
        }
        registry::delete(connection, name)
    };
    transaction::waiting(connection, || transaction::write(connection, &connection.main, attempt))?;
    if db.is_autocommit() {
        forget(connection, name);
        if let Some(path) = path {
            // Under the lock again: somebody may be creating a namespace of the same name. An empty file that stays
            // does no harm.
            drop(transaction::write(connection, &connection.main, || remove_leftover(connection, name, &path)));
        }
    }
    Ok(name.into())
}

fn remove_leftover(connection: &Rc<Connection>, name: &str, path: &Path) -> Result<()> {
    let store_id = schema::identity(connection, &connection.main)?.map(|identity| identity.store_id);
    let is_ours = registry::find(connection, name)?.is_none()
        && path.is_file()
        && namespace_file::is_leftover(path, &store_id.unwrap_or_default());
    if is_ours { namespace_file::remove_if_unused(path) } else { Ok(()) }
}

fn forget(connection: &Rc<Connection>, name: &str) {
    if let Some(store) = namespaces::known(connection, name) {
        namespaces::forget(connection, &store);
    }
}

/// Refuses when the namespace's file has objects that the user made: deleting it would delete them.
fn refuse_other_objects(connection: &Rc<Connection>, store: &Store) -> Result<()> {
    if !store.has_own_database() {
        return Ok(());
    }
    let objects = connection
        .db
        .query(&store.sql(include_str!("../sql/statements/other_objects.sql")), &[], |row| row.string(0))?;
    match objects.flatten() {
        Some(objects) => {
            Err(Error::NamespaceContainsOtherObjects { namespace: store.namespace.clone(), objects }.into())
        }
        None => Ok(()),
    }
}

/// Drops the tables and views that the user made in a namespace's file, and with them what depends on them.
fn drop_other_objects(db: Db, store: &Store) -> Result<()> {
    if !store.has_own_database() {
        return Ok(());
    }
    let next = store.sql(include_str!("../sql/statements/next_other_object.sql"));
    while let Some(drop) = db.query(&next, &[], |row| row.string(0))?.flatten() {
        db.execute_script(&drop)?;
    }
    Ok(())
}

/// `clear_namespace(name)`: how many messages were removed.
fn clear_namespace<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let name = namespace_name::check(arguments.text(0))?;
    let removed = with_store(connection, Some(name.as_bytes()), |store| {
        transaction::write_all(connection, store, || {
            let db = connection.db;
            db.execute(&store.sql("DELETE FROM {schema}\"{prefix}messages\""), &[])?;
            let removed = db.changes();
            db.execute_script(&store.sql(include_str!("../sql/clear.sql")))?;
            Ok(removed)
        })
    })?;
    Ok(removed.into())
}

/// `set_namespace_option(name, option, value)`: the value. It is kept, and has no effect: a file has one writer, and
/// nobody can listen to it.
fn set_namespace_option<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let (option, value) = match namespace_option::check(arguments.text(1), arguments.text(2))? {
        NamespaceOption::AppendLock(lock) => ("append_lock", lock.name()),
        NamespaceOption::Notify(is_on) => ("notify", if is_on { "on" } else { "off" }),
    };
    let name = namespace_name::check(arguments.text(0))?;
    with_store(connection, Some(name.as_bytes()), |store| {
        transaction::write(connection, store, || {
            let update = store.sql("UPDATE {schema}\"{prefix}message_store_schema\" SET ");
            connection.db.execute(&format!("{update}{option} = ?1"), &[value.into()])
        })
    })?;
    Ok(value.into())
}
