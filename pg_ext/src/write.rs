//! `write_message`.

use message_store_core::{Result, expected_version, message_id, stream_name::category};
use pgrx::pg_sys::{self, Datum};

use crate::call::{Answer, Call, Text, sql_functions};
use crate::direct_insert::{self, Row};
use crate::namespace::{self, Store, Use};
use crate::spi::{Parameter, connected};
use crate::statements::Statement;
use crate::stream_version::version_to_write_after;
use crate::{append_lock, commit_pipelining, durability, horizon, lock, notices, notify, table_layout};

sql_functions! {
    "message_store_write_message" => write_message;
}

/// `write_message(id, stream_name, type, data, metadata, expected_version, namespace)`: the position written.
///
/// The order of its steps is Message DB's, so that of two things wrong the same one is reported: the lock, the
/// version, the id, the insert.
fn write_message(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(6))?;
    let message = Message {
        id: call.text(0),
        stream_name: call.text(1),
        kind: call.text(2),
        data: call.jsonb(3),
        metadata: call.jsonb(4),
    };
    let expected = call.int8(5);
    let store = begin(store, message.stream_name)?;
    let version = version_to_write_after(&store, message.stream_name)?;
    let position = next_position(message.stream_name, version, expected)?;
    let id = match message.id {
        Some(id) => message_id::parse(id.bytes())?,
        None => message_id::generate(),
    };
    insert(&store, &message, id.as_bytes(), position)?;
    notify::category_of(&store, message.stream_name);
    commit_pipelining::after_write();
    notices::write_message(&message, expected, version.unwrap_or(expected_version::NO_STREAM), position);
    Ok(Some(Datum::from(position)))
}

/// The position of the next message, or the refusal, which speaks of a version that must be durable then.
pub fn next_position(stream_name: Option<Text<'_>>, version: Option<i64>, expected: Option<i64>) -> Result<i64> {
    let position = expected_version::next_position(stream_name.map(|name| name.bytes()), version, expected);
    position.inspect_err(|_| durability::flush_visible())
}

/// Takes the locks of a write: the table's, so that what it says of the others stays true, then those of its category
/// and stream, then the mark for readers.
///
/// Answers with the store as it is under them.
pub fn begin(store: Store, stream_name: Option<Text<'_>>) -> Result<Store> {
    store.check_privileges(Use::Write);
    // SAFETY: reads the backend's state.
    if unsafe { pg_sys::RecoveryInProgress() } {
        // A standby refuses the insert, in Postgres' own words; it has no locks for writers to give.
        let store = store.lock(Use::Read)?;
        lock::lock_category_of(&store, stream_name);
        return Ok(store);
    }
    let store = store.lock(Use::Write)?;
    let layout = table_layout::of(&store);
    append_lock::take(&store, layout.append_lock, stream_name);
    commit_pipelining::before_write(layout.is_self_contained);
    if let Some(stream_name) = stream_name {
        horizon::mark(&store, category(stream_name.bytes()))?;
    }
    Ok(store)
}

/// A message as it was handed in.
pub struct Message<'a> {
    /// Its id, in any spelling; NULL for a new one.
    pub id: Option<Text<'a>>,
    /// The stream it goes to.
    pub stream_name: Option<Text<'a>>,
    /// Its type.
    pub kind: Option<Text<'a>>,
    /// Its data, a jsonb.
    pub data: Option<Datum>,
    /// Its metadata, a jsonb.
    pub metadata: Option<Datum>,
}

fn insert(store: &Store, message: &Message<'_>, id: &[u8; 16], position: i64) -> Result<()> {
    let datum = |text: Option<Text<'_>>| text.map(|text| text.datum());
    if let Some(stream_name) = message.stream_name {
        let row = Row {
            id,
            stream_name: Some(stream_name.datum()),
            position,
            kind: datum(message.kind),
            data: message.data,
            metadata: message.metadata,
            time: None,
        };
        if direct_insert::insert(store, stream_name.bytes(), &[row]).is_some() {
            return Ok(());
        }
    }
    let parameter = |kind, value| Parameter { kind, value };
    connected(|spi| {
        spi.run(
            Statement::Insert.plan(spi, store),
            &[
                parameter(pg_sys::UUIDOID, Some(Datum::from(id.as_ptr()))),
                parameter(pg_sys::VARCHAROID, datum(message.stream_name)),
                parameter(pg_sys::INT8OID, Some(Datum::from(position))),
                parameter(pg_sys::VARCHAROID, datum(message.kind)),
                parameter(pg_sys::JSONBOID, message.data),
                parameter(pg_sys::JSONBOID, message.metadata),
            ],
        );
        Ok(())
    })
}
