//! `write_message`.

use std::rc::Rc;

use message_store_core::{Error, expected_version, json, message_id, time};

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;
use crate::insert::stored;
use crate::namespaces::with_store;
use crate::statements::Query;
use crate::store::Store;
use crate::stream_version::stream_version;
use crate::transaction;

/// The function of this module.
pub const FUNCTION: Scalar =
    Scalar { name: "write_message", arguments: (4, 7), purity: Purity::Direct, work: write_message };

/// A message that is ready to be stored.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its id in canonical form.
    pub id: &'a str,
    /// Its stream.
    pub stream_name: Option<&'a [u8]>,
    /// Its type.
    pub kind: Option<&'a [u8]>,
    /// Canonical JSON.
    pub data: Option<&'a str>,
    /// Canonical JSON.
    pub metadata: Option<&'a str>,
    /// Its time as it is stored.
    pub time: &'a str,
}

/// `write_message(id, stream_name, type, data, metadata, expected_version, namespace)`: the position written.
///
/// What Postgres does before the function, reading the JSON, comes first here, too; then Message DB's order: the lock,
/// the version, the id, the insert.
fn write_message<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let data = arguments.text(3).map(json::canonical_text).transpose()?;
    let metadata = arguments.text(4).map(json::canonical_text).transpose()?;
    let expected = arguments.integer(5)?;
    let stream_name = arguments.text(1);
    let position = with_store(connection, arguments.text(6), |store| {
        transaction::write(connection, store, || {
            let version = stream_version(connection, store, stream_name)?;
            let position = expected_version::next_position(stream_name, version, expected)?;
            let id = match arguments.text(0) {
                Some(id) => message_id::canonical_text(id)?,
                None => message_id::generate().to_string().into(),
            };
            let message = Message {
                id: &id,
                stream_name,
                kind: arguments.text(2),
                data: data.as_deref(),
                metadata: metadata.as_deref(),
                time: &time::format(time::now()),
            };
            insert(connection, store, &message, position)?;
            Ok(position)
        })
    })?;
    Ok(position.into())
}

/// Stores a message at a position of its stream.
pub fn insert(connection: &Rc<Connection>, store: &Rc<Store>, message: &Message<'_>, position: i64) -> Result<()> {
    refuse_nulls(message)?;
    let parameters = [
        position.into(),
        message.time.into(),
        message.stream_name.into(),
        message.kind.into(),
        message.data.into(),
        message.metadata.into(),
        message.id.into(),
    ];
    let inserted = connection.execute(store, Query::Insert, &parameters);
    stored(connection, store, inserted, 1)
}

/// The columns without NULL, in the table's order.
fn refuse_nulls(message: &Message<'_>) -> Result<()> {
    match (message.stream_name, message.kind) {
        (None, _) => Err(Error::NullValue("stream_name").into()),
        (_, None) => Err(Error::NullValue("type").into()),
        _ => Ok(()),
    }
}
