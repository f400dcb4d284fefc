//! `write_messages`.

use message_store_core::batch::{Member, NewMessage, NewMessageReader, check_array, check_object};
use message_store_core::{Error, Result, expected_version};
use pgrx::pg_sys::{self, Datum, INT8OID, VARCHAROID};
use uuid::Uuid;

use crate::call::{Answer, Call, Text, sql_functions};
use crate::namespace::{self, Store};
use crate::spi::{Parameter, Spi, connected};
use crate::statements::Statement;
use crate::stream_version::stream_version;
use crate::{arrays, jsonb, write};

sql_functions! {
    "message_store_write_messages" => write_messages;
}

/// A message of the batch, with its JSON.
struct Message {
    message: NewMessage,
    data: Option<Datum>,
    metadata: Option<Datum>,
}

/// `write_messages(stream_name, messages, expected_version, namespace)`: id, position and global position of each.
fn write_messages(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(3))?;
    let messages = read(call.jsonb(1))?;
    let stream_name = call.text(0);
    let store = write::begin(store, stream_name)?;
    let written = connected(|spi| {
        let version = stream_version(spi, &store, stream_name);
        let name = stream_name.map(|name| name.bytes());
        let position = expected_version::next_position(name, version, call.int8(2))?;
        let ids = messages.iter().map(|message| message.message.id()).collect::<Result<Vec<_>>>()?;
        let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
        position.checked_add(count).ok_or(Error::PositionOutOfRange)?;
        let global_positions = insert(spi, &store, stream_name, position, &ids, &messages);
        if global_positions.len() != ids.len() {
            return Err(Error::MessagesKeptBack { given: ids.len(), written: global_positions.len() });
        }
        Ok(answer(position, &ids, &global_positions))
    })?;
    Ok(Some(to_jsonb(&written)))
}

fn read(argument: Option<Datum>) -> Result<Vec<Message>> {
    let Some(argument) = argument else {
        check_array(None)?;
        return Ok(Vec::new());
    };
    let (kind, array) = jsonb::open(argument);
    check_array(Some(kind))?;
    array.iter().flat_map(|array| array.elements()).enumerate().map(|(n, element)| read_element(n, &element)).collect()
}

fn read_element(n: usize, element: &jsonb::Value) -> Result<Message> {
    check_object(n, element.kind())?;
    let mut reader = NewMessageReader::new(n);
    let (mut data, mut metadata) = (None, None);
    for (key, value) in element.members() {
        match reader.member(key.text(), value.kind(), value.text())? {
            Member::Taken => {}
            Member::Data => data = Some(value.into_jsonb()),
            Member::Metadata => metadata = Some(value.into_jsonb()),
        }
    }
    Ok(Message { message: reader.finish()?, data, metadata })
}

fn insert(
    spi: &Spi,
    store: &Store,
    stream_name: Option<Text<'_>>,
    position: i64,
    ids: &[Uuid],
    messages: &[Message],
) -> Vec<i64> {
    if messages.is_empty() {
        return Vec::new();
    }
    spi.bigints(
        Statement::InsertBatch.plan(spi, store),
        &[
            Parameter { kind: VARCHAROID, value: stream_name.map(|name| name.datum()) },
            // Rows are numbered from 1.
            Parameter { kind: INT8OID, value: Some(Datum::from(position - 1)) },
            arrays::uuids(ids),
            arrays::texts(messages.iter().map(|message| message.message.kind.as_slice())),
            arrays::jsonbs(messages.iter().map(|message| message.data)),
            arrays::jsonbs(messages.iter().map(|message| message.metadata)),
            arrays::timestamps(messages.iter().map(|message| message.message.time)),
        ],
    )
}

/// The answer as JSON text.
fn answer(first: i64, ids: &[Uuid], global_positions: &[i64]) -> String {
    let written: Vec<String> = (first..)
        .zip(ids.iter().zip(global_positions))
        .map(|(position, (id, global_position))| {
            format!(r#"{{"id": "{id}", "position": {position}, "global_position": {global_position}}}"#)
        })
        .collect();
    format!("[{}]", written.join(", "))
}

fn to_jsonb(text: &str) -> Datum {
    let text = std::ffi::CString::new(text).unwrap_or_default();
    // SAFETY: the input function of jsonb takes a NUL-terminated text, and copies what it needs.
    unsafe {
        pg_sys::OidInputFunctionCall(
            pg_sys::Oid::from(pg_sys::F_JSONB_IN),
            text.as_ptr().cast_mut(),
            pg_sys::JSONBOID,
            -1,
        )
    }
}
