//! The registry of namespaces, in the main file.

use std::rc::Rc;

use message_store_core::{Error, time};

use crate::connection::Connection;
use crate::errors::{Failure, Result};
use crate::statements::Query;

/// What the registry says of a namespace.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// An opaque text by which an application finds it.
    pub token_hash: Option<String>,
    /// A text for people.
    pub description: Option<String>,
    /// JSON in canonical form.
    pub metadata: Option<String>,
    /// When it was registered.
    pub created_at: Option<String>,
}

/// The entry of a namespace; `None` without one, also where there is no registry yet.
pub fn find(connection: &Rc<Connection>, name: &str) -> Result<Option<Entry>> {
    let found = connection.statement(&connection.main, Query::Namespace).and_then(|mut statement| {
        statement.query(&[name.into()], |row| Entry {
            name: row.string(0).unwrap_or_default(),
            token_hash: row.string(1),
            description: row.string(2),
            metadata: row.string(3),
            created_at: row.string(4),
        })
    });
    match found {
        Err(failure) if failure.is_missing_table() => Ok(None),
        found => found,
    }
}

/// Adds a namespace. The write lock of the main file is held.
pub fn insert(connection: &Rc<Connection>, entry: &Entry) -> Result<()> {
    let created_at = time::format(time::now());
    let inserted = connection.db.execute(
        "INSERT INTO main.message_store_namespaces (name, token_hash, description, metadata, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        &[
            entry.name.as_str().into(),
            entry.token_hash.as_deref().into(),
            entry.description.as_deref().into(),
            entry.metadata.as_deref().into(),
            created_at.as_str().into(),
        ],
    );
    inserted.map_err(|failure| {
        if failure.breaks_unique("message_store_namespaces.token_hash") {
            Error::TokenHashInUse.into()
        } else {
            failure
        }
    })
}

/// Takes a namespace out. The write lock of the main file is held.
pub fn delete(connection: &Rc<Connection>, name: &str) -> Result<()> {
    connection.db.execute("DELETE FROM main.message_store_namespaces WHERE name = ?1", &[name.into()])
}

/// Whether a namespace has that token hash.
pub fn has_token_hash(connection: &Rc<Connection>, token_hash: &str) -> Result<bool> {
    let query = "SELECT 1 FROM main.message_store_namespaces WHERE token_hash = ?1";
    Ok(connection.db.query(query, &[token_hash.into()], |_| ())?.is_some())
}

/// The namespace does not exist.
pub fn unknown(name: &str) -> Failure {
    Error::NamespaceDoesNotExist(Some(name.to_owned())).into()
}
