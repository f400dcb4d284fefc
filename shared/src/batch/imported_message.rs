//! An element of `import_messages`: a whole message, `id stream_name type position global_position data metadata time`.

use super::{Kind, Member, integer, invalid, missing, string, time, unknown_key};
use crate::error::{Error, Result, text};
use crate::expected_version::NO_STREAM;
use crate::message_id;
use uuid::Uuid;

/// How many messages one call imports at the most.
pub const MAX_IMPORT: usize = 10_000;

/// A message from another store, all but its JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedMessage {
    /// Its id.
    pub id: Uuid,
    /// Its stream.
    pub stream_name: Vec<u8>,
    /// Its type.
    pub kind: Vec<u8>,
    /// Its position in the stream, from 0.
    pub position: i64,
    /// Its global position, from 1.
    pub global_position: i64,
    /// Its time in UTC microseconds.
    pub time: i64,
}

impl ImportedMessage {
    /// Whether its position is the next one of its stream; `version` is that of the stream so far, `None` for none.
    pub fn check_position(&self, version: Option<i64>) -> Result<()> {
        let version = version.unwrap_or(NO_STREAM);
        if version.checked_add(1) == Some(self.position) {
            return Ok(());
        }
        Err(Error::PositionDoesNotFit { position: self.position, stream_name: text(&self.stream_name), version })
    }

    /// Whether its global position is still to be had; `last` is the highest one that was ever given out in a store
    /// that has messages, which consumers may have passed already.
    pub fn check_global_position(&self, last: Option<i64>) -> Result<()> {
        match last {
            Some(last) if self.global_position <= last => Err(Error::GlobalPositionTaken(self.global_position)),
            _ => Ok(()),
        }
    }
}

/// Reads one element, member by member.
#[derive(Debug, Default)]
pub struct ImportedMessageReader {
    element: usize,
    id: Option<Vec<u8>>,
    stream_name: Option<Vec<u8>>,
    kind: Option<Vec<u8>>,
    position: Option<i64>,
    global_position: Option<i64>,
    time: Option<i64>,
}

impl ImportedMessageReader {
    /// A reader of the element of that number, from 0, which must be below `MAX_IMPORT`.
    pub fn new(element: usize) -> Result<Self> {
        if element >= MAX_IMPORT {
            return invalid(element, format!("at most {MAX_IMPORT} messages are imported at once"));
        }
        Ok(Self { element, ..Self::default() })
    }

    /// Takes a member. `value` is the text of a string or number, and of no account for every other kind.
    pub fn member(&mut self, key: &[u8], kind: Kind, value: &[u8]) -> Result<Member> {
        let element = self.element;
        match key {
            b"id" => self.id = string(element, "id", kind, value)?,
            b"stream_name" => self.stream_name = string(element, "stream_name", kind, value)?,
            b"type" => self.kind = string(element, "type", kind, value)?,
            b"position" => self.position = integer(element, "position", kind, value)?,
            b"global_position" => self.global_position = integer(element, "global_position", kind, value)?,
            b"time" => self.time = time(element, kind, value)?,
            b"data" => return Ok(Member::Data),
            b"metadata" => return Ok(Member::Metadata),
            _ => return unknown_key(element, key),
        }
        Ok(Member::Taken)
    }

    /// The message, once every member is taken.
    pub fn finish(self) -> Result<ImportedMessage> {
        let element = self.element;
        let Some(id) = self.id else { return missing(element, "id") };
        let Some(stream_name) = self.stream_name else { return missing(element, "stream_name") };
        let Some(kind) = self.kind else { return missing(element, "type") };
        let Some(position) = self.position else { return missing(element, "position") };
        let Some(global_position) = self.global_position else { return missing(element, "global_position") };
        let Some(time) = self.time else { return missing(element, "time") };
        if global_position < 1 {
            return invalid(element, format!("global_position must be at least 1, not {global_position}"));
        }
        Ok(ImportedMessage { id: message_id::parse(&id)?, stream_name, kind, position, global_position, time })
    }
}

/// Checks that global positions ascend from one element to the next.
#[derive(Debug, Default)]
pub struct Order {
    element: usize,
    last: i64,
}

impl Order {
    /// Checks the next element.
    pub fn check(&mut self, message: &ImportedMessage) -> Result<()> {
        let (element, last, next) = (self.element, self.last, message.global_position);
        if next <= last {
            return invalid(element, format!("global positions must ascend, {next} comes after {last}"));
        }
        *self = Self { element: element + 1, last: next };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [(&str, Kind, &str); 6] = [
        ("id", Kind::String, "00000000-0000-4000-8000-000000000001"),
        ("time", Kind::String, "2026-01-31T12:00:00Z"),
        ("type", Kind::String, "Opened"),
        ("position", Kind::Number, "2"),
        ("stream_name", Kind::String, "account-1"),
        ("global_position", Kind::Number, "7"),
    ];

    fn read(members: &[(&str, Kind, &str)]) -> Result<ImportedMessage> {
        let mut reader = ImportedMessageReader::new(0)?;
        for (key, kind, value) in members {
            reader.member(key.as_bytes(), *kind, value.as_bytes())?;
        }
        reader.finish()
    }

    #[test]
    fn every_member_but_the_json_is_needed() {
        assert!(read(&WHOLE).is_ok());
        for without in 0..WHOLE.len() {
            let mut members = WHOLE.to_vec();
            let (key, ..) = members.remove(without);
            let error = read(&members).expect_err("refused").to_string();
            assert_eq!(error, format!("Messages must be a JSON array of objects (Element 0: {key} is missing)"));
        }
    }

    #[test]
    fn positions_are_integers() {
        for (kind, value, words) in [
            (Kind::String, "1", "a string"),
            (Kind::Number, "1.5", "1.5"),
            (Kind::Number, "9223372036854775808", "9223372036854775808"),
        ] {
            let error = read(&[("position", kind, value)]).expect_err("refused").to_string();
            assert!(error.ends_with(&format!("position must be an integer, not {words})")), "{error}");
        }
    }

    #[test]
    fn a_position_must_be_the_next_of_its_stream() {
        let message = read(&WHOLE).expect("whole");
        assert_eq!(message.check_position(Some(1)), Ok(()));
        for version in [None, Some(0), Some(2), Some(i64::MAX)] {
            let error = message.check_position(version).expect_err("refused").to_string();
            let version = version.unwrap_or(-1);
            assert_eq!(error, format!("Position does not fit: 2 (Stream: account-1, Stream Version: {version})"));
        }
    }

    #[test]
    fn a_global_position_that_consumers_may_have_passed_is_taken() {
        let message = read(&WHOLE).expect("whole");
        assert_eq!(message.check_global_position(None), Ok(()));
        assert_eq!(message.check_global_position(Some(6)), Ok(()));
        let error = message.check_global_position(Some(7)).expect_err("refused");
        assert_eq!(error.to_string(), "Global position is taken: 7");
    }

    #[test]
    fn global_positions_ascend() {
        let message = read(&WHOLE).expect("whole");
        let mut order = Order::default();
        assert_eq!(order.check(&message), Ok(()));
        assert_eq!(
            order.check(&message).expect_err("refused").to_string(),
            "Messages must be a JSON array of objects (Element 1: global positions must ascend, 7 comes after 7)"
        );
    }

    #[test]
    fn the_number_of_messages_is_limited() {
        assert!(ImportedMessageReader::new(MAX_IMPORT - 1).is_ok());
        assert_eq!(
            ImportedMessageReader::new(MAX_IMPORT).expect_err("refused").to_string(),
            "Messages must be a JSON array of objects (Element 10000: at most 10000 messages are imported at once)"
        );
    }
}
