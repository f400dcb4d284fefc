//! `stream_version`.

use std::rc::Rc;

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;
use crate::namespaces::{is_readable, with_store};
use crate::statements::Query;
use crate::store::Store;

/// The function of this module.
pub const FUNCTION: Scalar =
    Scalar { name: "stream_version", arguments: (1, 2), purity: Purity::Direct, work: stream_version_function };

/// The version of the stream, which outlives its messages; `None` for a stream that never was.
///
/// One statement for both: with a second one for the heads the first write to a stream took a tenth longer.
pub fn stream_version(
    connection: &Rc<Connection>,
    store: &Rc<Store>,
    stream_name: Option<&[u8]>,
) -> Result<Option<i64>> {
    match connection.whole(store, Query::StreamVersion, &[stream_name.into()]) {
        // Version 1, which is only read, has no table of heads.
        Err(failure) if failure.is_missing_table() && !store.is_checked.get() => {
            last_position(connection, store, stream_name)
        }
        version => version,
    }
}

/// The position of the stream's last message; `None` when it has none.
pub fn last_position(
    connection: &Rc<Connection>,
    store: &Rc<Store>,
    stream_name: Option<&[u8]>,
) -> Result<Option<i64>> {
    // Only its first row is read.
    connection.whole(store, Query::LastPosition, &[stream_name.into()])
}

/// `stream_version(stream_name, namespace)`: the position of the last message the stream has had, NULL for none.
fn stream_version_function<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let version = with_store(connection, arguments.text(1), |store| {
        if is_readable(connection, store)? { stream_version(connection, store, arguments.text(0)) } else { Ok(None) }
    })?;
    Ok(version.into())
}
