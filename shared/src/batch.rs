//! The elements of the `messages` argument: of `write_messages`, and of `import_messages`.
//!
//! Each engine walks the array in its own representation of JSON and feeds every member of every element to a reader,
//! in the order of jsonb's keys (byte length, then bytes), so that of two things wrong the same one is reported. The
//! reader says where the value belongs; `data` and `metadata` stay with the caller, in whatever form it keeps JSON.

mod imported_message;
mod new_message;

pub use imported_message::{ImportedMessage, ImportedMessageReader, MAX_IMPORT, Order};
pub use new_message::{NewMessage, NewMessageReader, ids};

use crate::error::{Error, Result, text};

/// What kind of JSON a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // JSON's own words
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// The kind with its article, for an error text.
    fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// What becomes of the value of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// The reader has taken it.
    Taken,
    /// It is the message's `data`; JSON null stays JSON null.
    Data,
    /// It is the message's `metadata`; JSON null stays JSON null.
    Metadata,
}

/// Refuses an argument that is no array. `None` stands for SQL NULL.
pub fn check_array(kind: Option<Kind>) -> Result<()> {
    match kind {
        Some(Kind::Array) => Ok(()),
        kind => invalid(0, format!("the value is {}, not an array", kind.map_or("NULL", Kind::words))),
    }
}

/// Refuses an element that is no object.
pub fn check_object(element: usize, kind: Kind) -> Result<()> {
    match kind {
        Kind::Object => Ok(()),
        kind => invalid(element, format!("{} is not an object", kind.words())),
    }
}

fn invalid<T>(element: usize, reason: String) -> Result<T> {
    Err(Error::InvalidMessages { element, reason })
}

fn unknown_key<T>(element: usize, key: &[u8]) -> Result<T> {
    invalid(element, format!("unknown key \"{}\"", text(key)))
}

fn missing<T>(element: usize, key: &str) -> Result<T> {
    invalid(element, format!("{key} is missing"))
}

/// A member that must be a string; null is the same as absent.
fn string(element: usize, key: &str, kind: Kind, value: &[u8]) -> Result<Option<Vec<u8>>> {
    match kind {
        Kind::Null => Ok(None),
        Kind::String => Ok(Some(value.to_vec())),
        kind => invalid(element, format!("{key} must be a string, not {}", kind.words())),
    }
}

/// A member that must be an integer; null is the same as absent.
fn integer(element: usize, key: &str, kind: Kind, value: &[u8]) -> Result<Option<i64>> {
    let parsed = || std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
    match (kind, parsed()) {
        (Kind::Null, _) => Ok(None),
        (Kind::Number, Some(integer)) => Ok(Some(integer)),
        (Kind::Number, None) => invalid(element, format!("{key} must be an integer, not {}", text(value))),
        (kind, _) => invalid(element, format!("{key} must be an integer, not {}", kind.words())),
    }
}

/// A member that must be a time; null is the same as absent.
fn time(element: usize, kind: Kind, value: &[u8]) -> Result<Option<i64>> {
    let Some(given) = string(element, "time", kind, value)? else { return Ok(None) };
    match crate::time::parse(&given) {
        Some(time) => Ok(Some(time)),
        None => invalid(element, format!("time must be YYYY-MM-DD HH:MM:SS.ffffff in UTC, not \"{}\"", text(&given))),
    }
}
