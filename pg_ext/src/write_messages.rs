//! `write_messages`.

use message_store_core::batch::{NewMessage, NewMessageReader, ids};
use message_store_core::{Error, Result, expected_version};
use pgrx::pg_sys::{self, Datum, INT8OID, VARCHAROID};
use uuid::Uuid;

use crate::batch::{self, Element};
use crate::call::{Answer, Call, Text, sql_functions};
use crate::direct_insert::{self, Row};
use crate::namespace::{self, Store};
use crate::spi::{Parameter, connected, text_datum};
use crate::statements::Statement;
use crate::stream_version::version_to_write_after;
use crate::{arrays, commit_pipelining, durability, notify, write};

sql_functions! {
    "message_store_write_messages" => write_messages;
}

type Message = Element<NewMessage>;

/// `write_messages(stream_name, messages, expected_version, namespace)`: id, position and global position of each.
fn write_messages(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(3))?;
    let messages = batch::read::<NewMessageReader>(call.jsonb(1), |_| Ok(()))?;
    let stream_name = call.text(0);
    let store = write::begin(store, stream_name)?;
    let version = version_to_write_after(&store, stream_name)?;
    let position = write::next_position(stream_name, version, call.int8(2))?;
    let ids = ids(messages.iter().map(|element| &element.message))?;
    expected_version::check_room(position, messages.len())?;
    let global_positions = insert(&store, stream_name, position, &ids, &messages)?;
    if global_positions.len() != ids.len() {
        return Err(Error::MessagesKeptBack { given: ids.len(), written: global_positions.len() });
    }
    if !messages.is_empty() {
        notify::category_of(&store, stream_name);
    }
    commit_pipelining::after_write();
    Ok(Some(to_jsonb(&answer(position, &ids, &global_positions))))
}

fn insert(
    store: &Store,
    stream_name: Option<Text<'_>>,
    position: i64,
    ids: &[Uuid],
    messages: &[Message],
) -> Result<Vec<i64>> {
    if messages.is_empty() {
        // The answer confirms the version, and no commit of this call's will flush it.
        durability::flush_visible();
        return Ok(Vec::new());
    }
    if let Some(stream_name) = stream_name {
        let rows: Vec<Row<'_>> = (position..)
            .zip(ids.iter().zip(messages))
            .map(|(position, (id, message))| Row {
                id: id.as_bytes(),
                stream_name: Some(stream_name.datum()),
                position,
                kind: Some(text_datum(&message.message.kind)),
                data: message.data,
                metadata: message.metadata,
                time: message.message.time.map(arrays::timestamp),
            })
            .collect();
        if let Some(global_positions) = direct_insert::insert(store, stream_name.bytes(), &rows) {
            return Ok(global_positions);
        }
    }
    let timed = messages.iter().any(|message| message.message.time.is_some());
    connected(|spi| {
        let global_positions = spi.bigints(
            Statement::InsertBatch { timed }.plan(spi, store),
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
        );
        Ok(global_positions)
    })
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
