//! `delete_stream`, `truncate_stream`, `redact_message`.

use std::rc::Rc;

use message_store_core::retention::{REDACTED, check_stream};
use message_store_core::{Error, message_id};

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;
use crate::namespaces::with_store;
use crate::statements::Query;
use crate::stream_version::last_position;
use crate::transaction;

/// The functions of this module.
pub const FUNCTIONS: [Scalar; 3] = [
    Scalar { name: "delete_stream", arguments: (1, 2), purity: Purity::Direct, work: delete_stream },
    Scalar { name: "truncate_stream", arguments: (2, 3), purity: Purity::Direct, work: truncate_stream },
    Scalar { name: "redact_message", arguments: (1, 2), purity: Purity::Direct, work: redact_message },
];

/// `delete_stream(stream_name, namespace)`: how many messages were removed.
fn delete_stream<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    remove(connection, arguments.text(1), arguments.text(0), Some(i64::MAX)).map(Answer::from)
}

/// `truncate_stream(stream_name, before_position, namespace)`: how many messages were removed.
fn truncate_stream<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let before = arguments.integer(1)?;
    let last_to_go = before.and_then(|before| before.checked_sub(1));
    remove(connection, arguments.text(2), arguments.text(0), last_to_go).map(Answer::from)
}

/// Removes the stream's messages up to a position, and keeps its version when none is left.
fn remove(
    connection: &Rc<Connection>,
    namespace: Option<&[u8]>,
    stream_name: Option<&[u8]>,
    last_to_go: Option<i64>,
) -> Result<i64> {
    with_store(connection, namespace, |store| {
        let stream_name = check_stream(stream_name)?;
        transaction::write_all(connection, store, || {
            let version = last_position(connection, store, Some(stream_name))?;
            let (Some(version), Some(last_to_go)) = (version, last_to_go) else { return Ok(0) };
            if version <= last_to_go {
                connection.execute(store, Query::KeepStreamHead, &[stream_name.into(), version.into()])?;
            }
            connection.execute(store, Query::Remove, &[stream_name.into(), last_to_go.into()])?;
            let removed = connection.db.changes();
            match last_position(connection, store, Some(stream_name))? {
                // By a trigger of somebody's, and the stream would go on from there.
                Some(left) if left < version => {
                    let stream_name = String::from_utf8_lossy(stream_name).into_owned();
                    Err(Error::VersionWouldGoBack { stream_name, version }.into())
                }
                _ => Ok(removed),
            }
        })
    })
}

/// `redact_message(id, namespace)`: 1.
fn redact_message<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let id = arguments.text(0);
    with_store(connection, arguments.text(1), |store| {
        let id = id.map(message_id::canonical_text).transpose()?;
        transaction::write(connection, store, || {
            connection.execute(store, Query::Redact, &[id.as_deref().into(), REDACTED.into()])?;
            match connection.db.changes() {
                0 => Err(Error::MessageDoesNotExist(id.as_deref().map(str::to_owned)).into()),
                _ => Ok(()),
            }
        })
    })?;
    Ok(1.into())
}
