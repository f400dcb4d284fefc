//! `write_message`.

use std::rc::Rc;

use message_store_core::{Error, expected_version, json, message_id, time};

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;
use crate::insert;
use crate::namespaces::with_store;
use crate::statements::Query;
use crate::stream_version::stream_version;
use crate::transaction;

/// The function of this module.
pub const FUNCTION: Scalar =
    Scalar { name: "write_message", arguments: (4, 7), purity: Purity::Direct, work: write_message };

/// `write_message(id, stream_name, type, data, metadata, expected_version, namespace)`: the position written.
///
/// What Postgres does before the function, reading the JSON, comes first here, too; then Message DB's order: the lock,
/// the version, the id, the insert.
fn write_message<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let data = arguments.utf8(3)?.map(json::canonical_text).transpose()?;
    let metadata = arguments.utf8(4)?.map(json::canonical_text).transpose()?;
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
            let time = time::bytes(time::now());
            let name = insert::stream_name(stream_name)?;
            let message = [
                position.into(),
                time.as_slice().into(),
                name.as_c_str().into(),
                arguments.text(2).ok_or(Error::NullValue("type"))?.into(),
                data.as_deref().into(),
                metadata.as_deref().into(),
                id.as_ref().into(),
            ];
            let inserted = connection.execute(store, Query::Insert, &message);
            insert::stored(connection, store, inserted, 1)?;
            Ok(position)
        })
    })?;
    Ok(position.into())
}
