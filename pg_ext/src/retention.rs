//! `delete_stream`, `truncate_stream` and `redact_message`.

use message_store_core::retention::check_stream;
use message_store_core::{Error, Result, message_id};
use pgrx::pg_sys::{Datum, INT8OID, UUIDOID, VARCHAROID};

use crate::call::{Answer, Call, Text, sql_functions};
use crate::direct_scan;
use crate::encoding::decoded;
use crate::lock::lock_category_of;
use crate::namespace::{self, Store, Use};
use crate::spi::{LatestSnapshot, Parameter, Spi, connected};
use crate::statements::Statement;
use crate::stream_heads;

sql_functions! {
    "message_store_delete_stream" => delete_stream;
    "message_store_truncate_stream" => truncate_stream;
    "message_store_redact_message" => redact_message;
}

/// `delete_stream(stream_name, namespace)`: how many messages were removed.
fn delete_stream(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(1))?;
    remove(store, call.text(0), Some(i64::MAX))
}

/// `truncate_stream(stream_name, before_position, namespace)`: how many messages were removed.
fn truncate_stream(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(2))?;
    remove(store, call.text(0), call.int8(1).and_then(|before| before.checked_sub(1)))
}

/// Removes the stream's messages up to a position, and keeps its version when none is left.
///
/// With the category's lock, exclusively: no writer of the stream reads a version meanwhile, in either append mode.
fn remove(store: Store, stream_name: Option<Text<'_>>, last_to_go: Option<i64>) -> Result<Answer> {
    check_stream(stream_name.as_deref())?;
    let store = store.lock(Use::Remove)?;
    stream_heads::lock(&store)?;
    lock_category_of(&store, stream_name);
    let (Some(stream_name), Some(last_to_go)) = (stream_name, last_to_go) else { return Ok(Some(Datum::from(0_i64))) };
    let name = Parameter { kind: VARCHAROID, value: Some(stream_name.datum()) };
    let position = |position: i64| Parameter { kind: INT8OID, value: Some(Datum::from(position)) };
    let removed = connected(|spi| {
        let version = last_position(spi, &store, stream_name);
        let removed = spi.count(Statement::Remove.plan(spi, &store), &[name, position(last_to_go)]);
        if let Some(version) = version
            && removed > 0
        {
            match last_position(spi, &store, stream_name) {
                None => spi.run(Statement::KeepHead.plan(spi, &store), &[name, position(version)]),
                // By a trigger or by row security, and with them the stream would go on from there.
                Some(left) if left < version => {
                    let stream_name = decoded(stream_name.bytes());
                    return Err(Error::VersionWouldGoBack { stream_name, version });
                }
                Some(_) => {}
            }
        }
        Ok(removed)
    })?;
    Ok(Some(Datum::from(i64::try_from(removed).unwrap_or(i64::MAX))))
}

/// The position of the last message that the stream has, as of now: the snapshot of a REPEATABLE READ transaction may be
/// older. One that row security hides from the caller counts where the table is not reached by statements alone.
fn last_position(spi: &Spi, store: &Store, stream_name: Text<'_>) -> Option<i64> {
    direct_scan::last_position_of_all(store, stream_name).unwrap_or_else(|| {
        let name = Parameter { kind: VARCHAROID, value: Some(stream_name.datum()) };
        spi.bigint_at(&LatestSnapshot::push(), Statement::StreamVersion.plan(spi, store), &[name])
    })
}

/// `redact_message(id, namespace)`: 1.
fn redact_message(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(1))?;
    let id = call.text(0).map(|id| message_id::parse(id.bytes())).transpose()?;
    let store = store.lock(Use::Redact)?;
    let redacted = connected(|spi| {
        let value = id.as_ref().map(|id| Datum::from(id.as_bytes().as_ptr()));
        Ok(spi.count(Statement::Redact.plan(spi, &store), &[Parameter { kind: UUIDOID, value }]))
    })?;
    match redacted {
        0 => Err(Error::MessageDoesNotExist(id.map(|id| id.to_string()))),
        _ => Ok(Some(Datum::from(1_i64))),
    }
}
