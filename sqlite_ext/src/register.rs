//! Making the functions known to a connection.

use std::rc::Rc;

use rusqlite::ffi;

use crate::connection::Connection;
use crate::engine::db::Db;
use crate::engine::scalar::Scalar;
use crate::engine::table_function::TableFunction;
use crate::engine::{closing_hook, scalar, table_function};
use crate::errors::Result;
use crate::{
    all_messages, category_messages, consumer_positions, import, last_message, listings, lock, namespace_functions,
    retention, settings, stats, stream_messages, stream_version, utility, write, write_messages,
};

/// Adds Message Store's functions to a connection. Nothing is read or written; the first function that writes creates
/// the tables.
///
/// # Errors
/// When SQLite refuses a function, for one because a statement of the connection is running.
pub fn register(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    // SAFETY: what is registered is dropped when the connection is closed, before its handle is gone.
    let db = unsafe { Db::new(connection.handle()) };
    let Some(db) = db else { return Ok(()) };
    register_on(db)
        .map_err(|failure| rusqlite::Error::SqliteFailure(ffi::Error::new(failure.code()), Some(failure.message())))
}

/// The same on the connection as SQLite hands it over.
pub(crate) fn register_on(db: Db) -> Result<()> {
    // Once: a second state would not know what the first one has attached and set.
    if db.prepare(b"SELECT message_store_release()").is_ok() {
        return Ok(());
    }
    let connection = Rc::new(Connection::new(db));
    closing_hook::register(&connection)?;
    for function in scalars() {
        scalar::register(&connection, function)?;
    }
    for function in TABLE_FUNCTIONS {
        table_function::register(&connection, function)?;
    }
    #[cfg(debug_assertions)]
    {
        scalar::register(&connection, &crate::provoked::FUNCTION)?;
        table_function::register(&connection, &crate::provoked::TABLE_FUNCTION)?;
    }
    Ok(())
}

fn scalars() -> impl Iterator<Item = &'static Scalar> {
    utility::FUNCTIONS
        .iter()
        .chain(&settings::FUNCTIONS)
        .chain(&lock::FUNCTIONS)
        .chain(&namespace_functions::FUNCTIONS)
        .chain(&retention::FUNCTIONS)
        .chain([&write::FUNCTION, &write_messages::FUNCTION, &import::FUNCTION, &stream_version::FUNCTION])
        .chain([&consumer_positions::RECORD])
}

static TABLE_FUNCTIONS: [&TableFunction; 10] = [
    &stream_messages::FUNCTION,
    &category_messages::FUNCTION,
    &all_messages::FUNCTION,
    &last_message::FUNCTION,
    &listings::GET_NAMESPACE,
    &listings::LIST_NAMESPACES,
    &listings::LIST_STREAMS,
    &listings::LIST_CATEGORIES,
    &consumer_positions::CONSUMER_POSITIONS,
    &stats::FUNCTION,
];
