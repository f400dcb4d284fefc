//! The exchange format: JSON Lines. `docs/exchange-format.md` describes it.

use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::message::{ConsumerPosition, Head};

/// The version of the format that is written, and the highest that is read.
pub const VERSION: u32 = 1;

/// No header is longer than this, in bytes.
pub const MAX_HEADER: u64 = 1 << 16;

/// No line is, in bytes: neither engine takes more at once.
pub const MAX_LINE: u64 = 1 << 30;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The format's version.
    pub format: u32,
    /// What the store was in: `postgres`, `sqlite` or `message-db`.
    pub store: String,
    /// The version of what held it.
    pub release: String,
    /// The namespace.
    pub namespace: String,
    /// The global position that the source would have given out next. Everything below it is in the file, as far as
    /// the filter lets it through.
    pub next_global_position: i64,
    /// Which messages were asked for.
    #[serde(default)]
    pub filter: Filter,
    /// The source's last message before those that the filter lets through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// When the export began, UTC.
    pub created_at: String,
}

/// A message, to be known again by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// Its global position.
    pub global_position: i64,
    /// Its id.
    pub id: String,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// How many lines are messages.
    pub messages: u64,
    /// How many are heads.
    pub heads: u64,
    /// How many are positions of consumers.
    pub consumer_positions: u64,
    /// Of the last message; 0 without messages.
    pub last_global_position: i64,
    /// XXH3 (64 bits, seed 0) of every byte before this line, sixteen hexadecimal digits.
    pub xxh3: String,
}

/// A line that is no message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Special {
    /// The first line.
    Header(Header),
    /// A stream whose beginning is gone.
    Head(Head),
    /// Where a consumer is.
    ConsumerPosition(ConsumerPosition),
    /// The last line.
    Footer(Footer),
}

impl Special {
    /// The line, without its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line; `None` for a message, which has no key `kind`.
    pub fn read(line: &str) -> Result<Option<Self>, String> {
        if !line.starts_with("{\"kind\":") {
            return Ok(None);
        }
        serde_json::from_str(line).map(Some).map_err(|error| error.to_string())
    }
}

/// The digest as the footer has it.
pub fn digest(hash: &xxhash_rust::xxh3::Xxh3) -> String {
    format!("{:016x}", hash.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_special_line_begins_with_its_kind_and_is_read_back() {
        let head = Special::Head(Head { stream_name: "a-1".to_owned(), position: 4 });
        assert_eq!(head.line(), r#"{"kind":"head","stream_name":"a-1","position":4}"#);
        assert_eq!(Special::read(&head.line()), Ok(Some(head)));
        assert_eq!(Special::read(r#"{"id":"1"}"#), Ok(None));
        assert!(Special::read(r#"{"kind":"hat"}"#).is_err());
    }
}
