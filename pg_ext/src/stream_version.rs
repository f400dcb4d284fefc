//! `stream_version`.

use message_store_core::expected_version::NO_STREAM;
use message_store_core::{Error, Result};
use pgrx::pg_sys::{self, Datum};

use crate::call::{Answer, Call, Text, sql_functions};
use crate::direct_scan;
use crate::durability;
use crate::namespace::{self, Store, Use};
use crate::spi::{LatestSnapshot, Parameter, connected};
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
    let version = stream_version(store, stream_name, false)?;
    // SAFETY: reads the backend's state.
    let may_be_old = unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ.cast_signed() };
    if let Some(name) = stream_name
        && may_be_old
    {
        refuse_removed_since(store, name, version)?;
    }
    Ok(version)
}

/// Refuses to write after a version of the transaction's snapshot when messages after it came and went since.
///
/// As long as the next one is still there, the insert fails at it, as in Message DB. Once that is removed nothing would
/// keep its position from being given out again.
fn refuse_removed_since(store: &Store, name: Text<'_>, version: Option<i64>) -> Result<()> {
    let version = version.unwrap_or(NO_STREAM);
    let next = direct_scan::position_after(store, name, version).unwrap_or_else(|| {
        let parameters = [
            Parameter { kind: pg_sys::VARCHAROID, value: Some(name.datum()) },
            Parameter { kind: pg_sys::INT8OID, value: Some(Datum::from(version)) },
        ];
        let next = connected(|spi| {
            Ok(spi.bigint_at(&LatestSnapshot::push(), Statement::PositionAfter.plan(spi, store), &parameters))
        });
        next.unwrap_or_default()
    });
    let removed = match next {
        Some(next) => next - 1 > version,
        None => stream_heads::position(store, name.datum())?.is_some_and(|head| head > version),
    };
    if removed { Err(Error::ConcurrentDelete) } else { Ok(()) }
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
