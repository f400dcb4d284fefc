//! Postgres' errors for text that is not JSON, or that jsonb cannot hold.

use super::string::MAX_BYTES;
use crate::error::Error;

/// The error whose detail says what is wrong with the text.
pub(super) fn syntax(detail: impl Into<String>) -> Error {
    Error::InvalidJson {
        sqlstate: "22P02",
        message: "invalid input syntax for type json".to_owned(),
        detail: Some(detail.into()),
    }
}

/// A piece of text that is no token.
pub(super) fn invalid_token(token: &str) -> Error {
    syntax(format!("Token \"{token}\" is invalid."))
}

/// A token other than the ones that may stand there; the end of the text has a wording of its own.
pub(super) fn unexpected(expected: &str, found: Option<&str>) -> Error {
    match found {
        Some(found) => syntax(format!("Expected {expected}, but found \"{found}\".")),
        None => syntax("The input string ended unexpectedly."),
    }
}

/// The escape `\u0000`, which no text of Postgres can hold.
pub(super) fn zero_character() -> Error {
    Error::InvalidJson {
        sqlstate: "22P05",
        message: "unsupported Unicode escape sequence".to_owned(),
        detail: Some("\\u0000 cannot be converted to text.".to_owned()),
    }
}

/// A number beyond what numeric holds.
pub(super) fn number_overflow() -> Error {
    Error::InvalidJson { sqlstate: "22003", message: "value overflows numeric format".to_owned(), detail: None }
}

/// A string beyond what jsonb holds.
pub(super) fn string_too_long() -> Error {
    Error::InvalidJson {
        sqlstate: "54000",
        message: "string too long to represent as jsonb string".to_owned(),
        detail: Some(format!("Due to an implementation restriction, jsonb strings cannot exceed {MAX_BYTES} bytes.")),
    }
}

/// A document whose canonical text is beyond what a text holds.
pub(super) fn text_too_long(bytes: usize, more: usize) -> Error {
    Error::InvalidJson {
        sqlstate: "54000",
        message: "out of memory".to_owned(),
        detail: Some(format!("Cannot enlarge string buffer containing {bytes} bytes by {more} more bytes.")),
    }
}

/// More open arrays and objects than are allowed.
pub(super) fn too_deep() -> Error {
    Error::InvalidJson { sqlstate: "54001", message: "stack depth limit exceeded".to_owned(), detail: None }
}
