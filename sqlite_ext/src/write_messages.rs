//! `write_messages`.

use std::fmt::Write;
use std::rc::Rc;

use message_store_core::batch::{NewMessage, NewMessageReader};
use message_store_core::{Error, expected_version, time};

use crate::batch::{Batch, Json};
use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;
use crate::namespaces::with_store;
use crate::statements::Query;
use crate::store::Store;
use crate::stream_version::stream_version;
use crate::transaction;
use crate::write::duplicate;

/// The function of this module.
pub const FUNCTION: Scalar =
    Scalar { name: "write_messages", arguments: (2, 4), purity: Purity::Direct, work: write_messages };

/// `write_messages(stream_name, messages, expected_version, namespace)`: id, position and global position of each.
fn write_messages<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let messages = Batch::parse(arguments.text(1))?;
    let expected = arguments.integer(2)?;
    let stream_name = arguments.text(0);
    let written = with_store(connection, arguments.text(3), |store| {
        let messages = read(&messages)?;
        transaction::write_all(connection, store, || {
            let version = stream_version(connection, store, stream_name)?;
            let first = expected_version::next_position(stream_name, version, expected)?;
            if messages.is_empty() {
                return Ok("[]".to_owned());
            }
            insert(connection, store, stream_name, &messages, first)
        })
    })?;
    Ok(written.into())
}

fn read<'a>(messages: &'a Batch<'a>) -> Result<Vec<(NewMessage, Json<'a>)>> {
    messages.read(|number, element| {
        let mut reader = NewMessageReader::new(number);
        let json = element.members(number, |key, kind, text| reader.member(key, kind, text))?;
        Ok((reader.finish()?, json))
    })
}

/// Stores the messages from the position `first` on, and gives the answer.
fn insert(
    connection: &Rc<Connection>,
    store: &Rc<Store>,
    stream_name: Option<&[u8]>,
    messages: &[(NewMessage, Json<'_>)],
    first: i64,
) -> Result<String> {
    // Every id is read before the first message is stored: a bad one is refused before one that exists already.
    let ids = messages.iter().map(|(message, _)| message.id()).collect::<message_store_core::Result<Vec<_>>>()?;
    let stream_name = stream_name.ok_or(Error::NullValue("stream_name"))?;
    let now = time::format(time::now());
    let mut statement = connection.statement(store, Query::Insert)?;
    let mut answer = String::with_capacity(messages.len() * 96 + 2);
    for (number, ((message, json), id)) in (0..).zip(messages.iter().zip(&ids)) {
        let position = first.checked_add(number).filter(|&position| position < i64::MAX);
        let position = position.ok_or(Error::PositionOutOfRange)?;
        let mut buffer = [0; 36];
        let id: &str = id.hyphenated().encode_lower(&mut buffer);
        let own_time = message.time.map(time::format);
        let inserted = statement.execute(&[
            position.into(),
            own_time.as_deref().unwrap_or(&now).into(),
            stream_name.into(),
            message.kind.as_slice().into(),
            json.data.as_deref().into(),
            json.metadata.as_deref().into(),
            id.into(),
        ]);
        inserted.map_err(|failure| duplicate(failure, id))?;
        let global_position = connection.db.last_insert_rowid();
        answer.push_str(if number == 0 { "[" } else { ", " });
        let written =
            write!(answer, "{{\"id\": \"{id}\", \"position\": {position}, \"global_position\": {global_position}}}");
        debug_assert!(written.is_ok());
    }
    answer.push(']');
    Ok(answer)
}
