//! What a store holds, as it is moved from one to another.

use std::fmt::Write;

use message_store_core::time;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A whole message. JSON is text as the store gives it; `None` is SQL NULL, which JSON null is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its stream.
    pub stream_name: String,
    /// Its type.
    pub kind: String,
    /// Its position in the stream, from 0.
    pub position: i64,
    /// Its global position, from 1.
    pub global_position: i64,
    /// JSON text.
    pub data: Option<String>,
    /// JSON text.
    pub metadata: Option<String>,
    /// UTC microseconds since 1970.
    pub time: i64,
}

impl Message {
    /// About how much memory it takes.
    pub fn size(&self) -> usize {
        let json = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        128 + self.stream_name.len() + self.kind.len() + json(&self.data) + json(&self.metadata)
    }

    /// Appends it as an element of `import_messages`, which is a line of an export.
    pub fn write_json(&self, out: &mut String) {
        out.push_str("{\"id\":");
        quote(out, &self.id);
        out.push_str(",\"stream_name\":");
        quote(out, &self.stream_name);
        out.push_str(",\"type\":");
        quote(out, &self.kind);
        let _ = write!(out, ",\"position\":{},\"global_position\":{}", self.position, self.global_position);
        for (key, json) in [("data", &self.data), ("metadata", &self.metadata)] {
            if let Some(json) = json {
                let _ = write!(out, ",\"{key}\":");
                one_line(out, json);
            }
        }
        out.push_str(",\"time\":\"");
        out.push_str(&time::format(self.time));
        out.push_str("\"}");
    }
}

fn quote(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// The same JSON without ends of lines, which can only stand between its tokens.
fn one_line(out: &mut String, json: &str) {
    if json.contains(['\n', '\r']) {
        out.push_str(&json.replace(['\n', '\r'], " "));
    } else {
        out.push_str(json);
    }
}

/// A line of an export, before its values are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    stream_name: String,
    #[serde(rename = "type")]
    kind: String,
    position: i64,
    global_position: i64,
    #[serde(default, deserialize_with = "json")]
    data: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "json")]
    metadata: Option<Box<RawValue>>,
    time: String,
}

/// Present is never SQL NULL.
fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

impl Message {
    /// Reads a line; the error says what is wrong with it.
    pub fn read_json(line: &str) -> Result<Self, String> {
        let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let time = time::parse(line.time.as_bytes());
        let time = time.ok_or_else(|| format!("time must be YYYY-MM-DD HH:MM:SS.ffffff, not \"{}\"", line.time))?;
        let text = |json: Option<Box<RawValue>>| json.map(|json| String::from(Box::<str>::from(json)));
        Ok(Self {
            id: line.id,
            stream_name: line.stream_name,
            kind: line.kind,
            position: line.position,
            global_position: line.global_position,
            data: text(line.data),
            metadata: text(line.metadata),
            time,
        })
    }
}

/// The version that a stream has before its first message that is there: of one that was removed whole, or whose
/// beginning was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The stream.
    pub stream_name: String,
    /// The position of the last message that is gone.
    pub position: i64,
}

/// Where a consumer has got to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumerPosition {
    /// What it consumes.
    pub category: String,
    /// Its name.
    pub consumer: String,
    /// The global position of the last message that it has processed.
    pub position: i64,
    /// When it said so, `YYYY-MM-DD HH:MM:SS.ffffff`, UTC.
    pub time: String,
}

impl ConsumerPosition {
    /// The same where nothing is from this global position on: the consumer is to be given what comes there.
    pub fn before(mut self, next: i64) -> Self {
        self.position = self.position.min(next - 1);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(data: Option<&str>) -> Message {
        Message {
            id: "00000000-0000-4000-8000-000000000001".to_owned(),
            stream_name: "a\"b\u{1}-1".to_owned(),
            kind: "Opened".to_owned(),
            position: 0,
            global_position: 7,
            data: data.map(str::to_owned),
            metadata: None,
            time: 1_769_860_800_000_001,
        }
    }

    #[test]
    fn a_line_gives_the_message_back() {
        for data in [None, Some("null"), Some("1e400"), Some(r#"{"a": "\\u0001", "b": 1.50}"#)] {
            let mut line = String::new();
            message(data).write_json(&mut line);
            assert_eq!(Message::read_json(&line), Ok(message(data)), "{line}");
        }
    }

    #[test]
    fn a_line_has_no_end_of_line_in_it() {
        let mut line = String::new();
        message(Some("{\n\"a\":\r\n1}")).write_json(&mut line);
        assert!(!line.contains(['\n', '\r']), "{line}");
        assert_eq!(Message::read_json(&line).expect("a message").data.as_deref(), Some("{ \"a\":  1}"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = Message::read_json(r#"{"id": "1", "kindness": 1}"#).expect_err("refused");
        assert!(error.contains("unknown field `kindness`"), "{error}");
    }
}
