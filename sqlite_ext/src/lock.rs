//! `acquire_lock` and `message_store_init`.

use std::rc::Rc;

use message_store_core::hash::hash_64;
use message_store_core::stream_name::category;

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;
use crate::namespaces::{self, with_store};
use crate::transaction;

/// The functions of this module.
pub const FUNCTIONS: [Scalar; 2] = [
    Scalar { name: "acquire_lock", arguments: (1, 2), purity: Purity::Direct, work: acquire_lock },
    Scalar { name: "message_store_init", arguments: (0, 0), purity: Purity::Direct, work: message_store_init },
];

/// `acquire_lock(stream_name, namespace)`: the category's hash.
///
/// SQLite has one lock a file. In a transaction of the host's it is taken here and held to the transaction's end; else
/// there would be nothing to hold it for.
fn acquire_lock<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let Some(stream_name) = arguments.text(0) else {
        namespaces::resolve(connection, arguments.text(1))?;
        return Ok(Answer::Null);
    };
    with_store(connection, arguments.text(1), |store| {
        if connection.db.is_autocommit() { Ok(()) } else { transaction::lock(connection, store) }
    })?;
    Ok(hash_64(category(stream_name)).into())
}

/// `message_store_init()`: creates the default store where it is not there yet, and gives its namespace.
fn message_store_init<'a>(connection: &Rc<Connection>, _: &'a Arguments<'a>) -> Result<Answer<'a>> {
    transaction::waiting(connection, || transaction::write(connection, &connection.main, || Ok(())))?;
    Ok(connection.main.namespace.clone().into())
}
