//! `stream_version`.

use message_store_core::Result;
use pgrx::pg_sys::{self, Datum};

use crate::call::{Answer, Call, Text, sql_functions};
use crate::direct_scan;
use crate::durability;
use crate::namespace::{self, Store, Use};
use crate::spi::{Parameter, connected};
use crate::statements::Statement;
use crate::stream_heads;

sql_functions! {
    "message_store_stream_version" => version;
}

/// `stream_version(stream_name, namespace)`: the position of the last message that the stream has had, NULL when it
/// never had one.
fn version(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(1))?;
    let store = store.lock(Use::Read)?;
    Ok(stream_version(&store, call.text(0), true)?.map(Datum::from))
}

/// The position of a stream's last message, as of now: also what other transactions committed while a lock was
/// waited for, and what the same statement wrote before. It may not be durable yet.
///
/// A stream that has lost its last message goes on from there.
pub fn version_to_write_after(store: &Store, stream_name: Option<Text<'_>>) -> Result<Option<i64>> {
    stream_version(store, stream_name, false)
}

fn stream_version(store: &Store, stream_name: Option<Text<'_>>, durable: bool) -> Result<Option<i64>> {
    let Some(name) = stream_name else { return Ok(None) };
    match last_position(store, name, durable) {
        None => stream_heads::position(store, name.datum()),
        position => Ok(position),
    }
}

fn last_position(store: &Store, name: Text<'_>, durable: bool) -> Option<i64> {
    if let Some(position) = direct_scan::last_position(store, name, durable) {
        return position;
    }
    let parameter = Parameter { kind: pg_sys::VARCHAROID, value: Some(name.datum()) };
    let version = connected(|spi| Ok(spi.bigint(Statement::StreamVersion.plan(spi, store), &[parameter])));
    if durable {
        durability::flush_visible();
    }
    version.unwrap_or_default()
}
