//! `write_messages`.

use std::rc::Rc;

use message_store_core::batch::{self, NewMessage, NewMessageReader};
use message_store_core::{expected_version, message_id, time};

use crate::batch::{Batch, Json};
use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;
use crate::insert::{self, Statements, insert_all};
use crate::namespaces::with_store;
use crate::statements::Query;
use crate::store::Store;
use crate::stream_version::stream_version;
use crate::transaction;

/// The function of this module.
pub const FUNCTION: Scalar =
    Scalar { name: "write_messages", arguments: (2, 4), purity: Purity::Direct, work: write_messages };

const STATEMENTS: Statements = Statements { fifty: Query::Insert50, ten: Query::Insert10, one: Query::Insert };

/// `write_messages(stream_name, messages, expected_version, namespace)`: id, position and global position of each.
fn write_messages<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let messages = Batch::parse(arguments.utf8(1)?)?;
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
            let answer = insert(connection, store, stream_name, &messages, first)?;
            // SQLite would refuse it behind the commit.
            connection.db.check_length(answer.len())?;
            Ok(answer)
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
    let ids = batch::ids(messages.iter().map(|(message, _)| message))?;
    let mut texts = vec![[0; message_id::LENGTH]; ids.len()];
    let ids: Vec<&str> = ids.iter().zip(&mut texts).map(|(id, text)| message_id::write(id, text)).collect();
    let stream_name = insert::stream_name(stream_name)?;
    expected_version::check_room(first, messages.len())?;
    let now = time::format(time::now());
    let times: Vec<_> = messages.iter().map(|(message, _)| message.time.map(time::format)).collect();
    let mut rows = Vec::with_capacity(messages.len());
    for (position, (((message, json), id), time)) in (first..).zip(messages.iter().zip(&ids).zip(&times)) {
        rows.push([
            position.into(),
            time.as_deref().unwrap_or(&now).into(),
            stream_name.as_c_str().into(),
            message.kind.as_slice().into(),
            json.data.as_deref().into(),
            json.metadata.as_deref().into(),
            (*id).into(),
        ]);
    }
    let mut answer = String::with_capacity(messages.len() * 96 + 2);
    let mut written = ids.iter().zip(first..);
    insert_all(connection, store, STATEMENTS, &rows, |global_position| {
        let Some((id, position)) = written.next() else { return };
        // Piece by piece: the formatting machinery takes several times as long.
        answer.push_str(if position == first { "[{\"id\": \"" } else { ", {\"id\": \"" });
        answer.push_str(id);
        answer.push_str("\", \"position\": ");
        push_integer(&mut answer, position);
        answer.push_str(", \"global_position\": ");
        push_integer(&mut answer, global_position);
        answer.push('}');
    })?;
    answer.push(']');
    Ok(answer)
}

fn push_integer(text: &mut String, value: i64) {
    let mut digits = [0; 20];
    let mut rest = value.unsigned_abs();
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        text.push('-');
    }
    text.push_str(std::str::from_utf8(&digits[start..]).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_as_they_are() {
        for value in [0, 7, -10, i64::MAX, i64::MIN] {
            let mut text = String::new();
            push_integer(&mut text, value);
            assert_eq!(text, value.to_string());
        }
    }
}
