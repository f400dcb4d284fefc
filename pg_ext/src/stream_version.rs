//! `stream_version`.

use message_store_core::Result;
use pgrx::pg_sys::{self, Datum};

use crate::call::{Answer, Call, Text, sql_functions};
use crate::direct_scan::{self, LastPosition};
use crate::namespace::{self, Store, Use};
use crate::spi::{Parameter, Spi, connected};
use crate::statements::Statement;

sql_functions! {
    "message_store_stream_version" => version;
}

/// `stream_version(stream_name, namespace)`: the position of the stream's last message, NULL when it has none.
fn version(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(1))?;
    let store = store.lock(Use::Read)?;
    connected(|spi| Ok(stream_version(spi, &store, call.text(0)).map(Datum::from)))
}

/// The position of a stream's last message, as of now: also what other transactions committed while a lock was
/// waited for, and what the same statement wrote before.
pub fn stream_version(spi: &Spi, store: &Store, stream_name: Option<Text<'_>>) -> Option<i64> {
    let value = stream_name.map(|name| name.datum());
    let found = value.map_or(LastPosition::Known(None), |name| direct_scan::last_position(store, name));
    if let LastPosition::Known(position) = found {
        return position;
    }
    spi.bigint(Statement::StreamVersion.plan(spi, store), &[Parameter { kind: pg_sys::VARCHAROID, value }])
}
