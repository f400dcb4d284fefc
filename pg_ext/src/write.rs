//! `write_message`.

use message_store_core::{Result, expected_version, message_id, stream_name::category};
use pgrx::pg_sys::{self, Datum};

use crate::call::{Answer, Call, Text, sql_functions};
use crate::namespace::{self, Store, Use};
use crate::spi::{Parameter, Spi, connected};
use crate::statements::Statement;
use crate::stream_version::stream_version;
use crate::{horizon, lock, notices};

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
    connected(|spi| {
        let version = stream_version(spi, &store, message.stream_name);
        let stream_name = message.stream_name.map(|name| name.bytes());
        let position = expected_version::next_position(stream_name, version, expected)?;
        let id = match message.id {
            Some(id) => message_id::parse(id.bytes())?,
            None => message_id::generate(),
        };
        insert(spi, &store, &message, id.as_bytes(), position);
        notices::write_message(&message, expected, version.unwrap_or(expected_version::NO_STREAM), position);
        Ok(Some(Datum::from(position)))
    })
}

/// Takes the locks of a write: the category's first, as Message DB does, then the table's, then the mark for readers.
///
/// Answers with the store as it is under them.
pub fn begin(store: Store, stream_name: Option<Text<'_>>) -> Result<Store> {
    store.check_privileges(Use::Write);
    lock::lock_category_of(&store, stream_name);
    // SAFETY: reads the backend's state.
    if unsafe { pg_sys::RecoveryInProgress() } {
        // A standby refuses the insert, in Postgres' own words; it has no such locks to give.
        return Ok(store);
    }
    let store = store.lock(Use::Write)?;
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

fn insert(spi: &Spi, store: &Store, message: &Message<'_>, id: &[u8; 16], position: i64) {
    let parameter = |kind, value| Parameter { kind, value };
    let text = |text: Option<Text<'_>>| parameter(pg_sys::VARCHAROID, text.map(|text| text.datum()));
    spi.run(
        Statement::Insert.plan(spi, store),
        &[
            parameter(pg_sys::UUIDOID, Some(Datum::from(id.as_ptr()))),
            text(message.stream_name),
            parameter(pg_sys::INT8OID, Some(Datum::from(position))),
            text(message.kind),
            parameter(pg_sys::JSONBOID, message.data),
            parameter(pg_sys::JSONBOID, message.metadata),
        ],
    );
}
