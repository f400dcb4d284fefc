//! An element of `write_messages`: `id type data metadata time`.

use super::{Kind, Member, missing, string, time, unknown_key};
use crate::error::Result;
use crate::message_id;
use uuid::Uuid;

/// A message to be written, all but its JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    id: Option<Vec<u8>>,
    /// Its type.
    pub kind: Vec<u8>,
    /// Its time in UTC microseconds; `None` for now.
    pub time: Option<i64>,
}

/// The ids of a batch, new ones where none are given. A bad id is the error of `write_message`, and like there it comes
/// after the version check.
pub fn ids<'a>(messages: impl Iterator<Item = &'a NewMessage> + Clone) -> Result<Vec<Uuid>> {
    let mut new =
        message_id::generate_many(messages.clone().filter(|message| message.id.is_none()).count()).into_iter();
    messages
        .map(|message| match &message.id {
            Some(id) => message_id::parse(id),
            None => Ok(new.next().unwrap_or_else(message_id::generate)),
        })
        .collect()
}

/// Reads one element, member by member.
#[derive(Debug)]
pub struct NewMessageReader {
    element: usize,
    id: Option<Vec<u8>>,
    kind: Option<Vec<u8>>,
    time: Option<i64>,
}

impl NewMessageReader {
    /// A reader of the element of that number, from 0.
    pub fn new(element: usize) -> Self {
        Self { element, id: None, kind: None, time: None }
    }

    /// Takes a member. `value` is the text of a string or number, and of no account for every other kind.
    pub fn member(&mut self, key: &[u8], kind: Kind, value: &[u8]) -> Result<Member> {
        match key {
            b"id" => self.id = string(self.element, "id", kind, value)?,
            b"type" => self.kind = string(self.element, "type", kind, value)?,
            b"time" => self.time = time(self.element, kind, value)?,
            b"data" => return Ok(Member::Data),
            b"metadata" => return Ok(Member::Metadata),
            _ => return unknown_key(self.element, key),
        }
        Ok(Member::Taken)
    }

    /// The message, once every member is taken.
    pub fn finish(self) -> Result<NewMessage> {
        let Some(kind) = self.kind else { return missing(self.element, "type") };
        Ok(NewMessage { id: self.id, kind, time: self.time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{check_array, check_object};

    fn read(members: &[(&str, Kind, &str)]) -> Result<NewMessage> {
        let mut reader = NewMessageReader::new(3);
        for (key, kind, value) in members {
            reader.member(key.as_bytes(), *kind, value.as_bytes())?;
        }
        reader.finish()
    }

    fn reason(members: &[(&str, Kind, &str)]) -> String {
        let text = read(members).expect_err("refused").to_string();
        let prefix = "Messages must be a JSON array of objects (Element 3: ";
        text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')')).expect(&text).to_owned()
    }

    #[test]
    fn a_type_is_enough() {
        let message = read(&[("type", Kind::String, "Opened")]).expect("accepted");
        assert_eq!((message.kind.as_slice(), message.time), (&b"Opened"[..], None));
        let with_id = NewMessage { id: Some(b"00000000-0000-4000-8000-000000000001".to_vec()), ..message.clone() };
        let ids = ids([&message, &with_id, &message].into_iter()).expect("ids");
        assert_eq!(ids.iter().map(Uuid::get_version_num).collect::<Vec<_>>(), [7, 4, 7]);
        assert!(ids[0] < ids[2]);
    }

    #[test]
    fn null_is_the_same_as_absent_but_for_json() {
        let nulls = [("id", Kind::Null, ""), ("time", Kind::Null, ""), ("type", Kind::String, "")];
        assert_eq!(read(&nulls), read(&[("type", Kind::String, "")]));
        assert_eq!(reason(&[("type", Kind::Null, "")]), "type is missing");
        let mut reader = NewMessageReader::new(0);
        assert_eq!(reader.member(b"data", Kind::Null, b""), Ok(Member::Data));
        assert_eq!(reader.member(b"metadata", Kind::Array, b""), Ok(Member::Metadata));
    }

    #[test]
    fn what_is_wrong_is_said_in_plain_words() {
        assert_eq!(reason(&[]), "type is missing");
        assert_eq!(reason(&[("type", Kind::Number, "1")]), "type must be a string, not a number");
        assert_eq!(reason(&[("id", Kind::Boolean, "")]), "id must be a string, not a boolean");
        assert_eq!(reason(&[("position", Kind::Number, "1")]), "unknown key \"position\"");
        assert_eq!(
            reason(&[("time", Kind::String, "now")]),
            "time must be YYYY-MM-DD HH:MM:SS.ffffff in UTC, not \"now\""
        );
        assert_eq!(
            check_object(1, Kind::Array).expect_err("refused").to_string(),
            "Messages must be a JSON array of objects (Element 1: an array is not an object)"
        );
        assert_eq!(
            check_array(Some(Kind::Object)).expect_err("refused").to_string(),
            "Messages must be a JSON array of objects (Element 0: the value is an object, not an array)"
        );
        assert_eq!(
            check_array(None).expect_err("refused").to_string(),
            "Messages must be a JSON array of objects (Element 0: the value is NULL, not an array)"
        );
    }

    #[test]
    fn a_bad_id_is_the_error_of_write_message() {
        let message = read(&[("id", Kind::String, "x"), ("type", Kind::String, "T")]).expect("read");
        assert_eq!(ids([&message].into_iter()).expect_err("refused").sqlstate(), "22P02");
    }
}
