//! Taking messages out of a store: whole streams, their beginnings, what a message says.

use crate::error::{Error, Result, text};
use crate::stream_name::is_category;

/// What the data and the metadata of a redacted message are.
pub const REDACTED: &str = r#"{"redacted": true}"#;

/// The stream whose messages are to go. NULL is none.
pub fn check_stream(stream_name: Option<&[u8]>) -> Result<&[u8]> {
    stream_name.filter(|&name| !is_category(Some(name))).ok_or_else(|| Error::MustBeStreamName(stream_name.map(text)))
}

/// The version of a stream: that of its last message, or, when none is left, the version that it had when the last one
/// was removed. `None` for a stream that never was.
pub fn version(last_position: Option<i64>, removed_head: Option<i64>) -> Option<i64> {
    last_position.or(removed_head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn only_a_stream_can_be_removed() {
        assert_eq!(check_stream(Some(b"account-1")), Ok(&b"account-1"[..]));
        assert_eq!(check_stream(Some(b"account")), Err(Error::MustBeStreamName(Some("account".to_owned()))));
        assert_eq!(check_stream(None), Err(Error::MustBeStreamName(None)));
    }

    #[test]
    fn an_emptied_stream_keeps_its_version() {
        assert_eq!(version(None, None), None);
        assert_eq!(version(None, Some(4)), Some(4));
        assert_eq!(version(Some(6), Some(4)), Some(6));
    }

    #[test]
    fn what_is_redacted_is_canonical() {
        assert_eq!(json::canonical(REDACTED.as_bytes()).expect("valid"), REDACTED);
    }
}
