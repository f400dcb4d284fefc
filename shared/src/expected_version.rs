//! Optimistic concurrency: the version decision of a write.

use crate::error::{Error, Result, text};

/// The version of a stream that has no message.
pub const NO_STREAM: i64 = -1;

/// The position the next message of a stream takes, or the refusal of the write.
///
/// `version` is the position of the stream's last message, `None` when it has none. `expected` NULL means no check.
pub fn next_position(stream_name: Option<&[u8]>, version: Option<i64>, expected: Option<i64>) -> Result<i64> {
    let version = version.unwrap_or(NO_STREAM);
    match expected {
        Some(expected) if expected != version => {
            Err(Error::WrongExpectedVersion { expected, stream_name: stream_name.map(text), version })
        }
        _ => version.checked_add(1).ok_or(Error::PositionOutOfRange),
    }
}

/// Refuses a batch from the position `first` on that has more messages than there are positions left.
pub fn check_room(first: i64, messages: usize) -> Result<()> {
    let end = i64::try_from(messages).ok().and_then(|count| first.checked_add(count));
    end.map(drop).ok_or(Error::PositionOutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_stream_is_at_version_minus_one() {
        assert_eq!(next_position(Some(b"a-1"), None, Some(-1)), Ok(0));
        assert_eq!(next_position(Some(b"a-1"), None, None), Ok(0));
    }

    #[test]
    fn a_wrong_version_names_stream_and_version() {
        let error = next_position(Some(b"a-1"), Some(4), Some(3)).expect_err("refused");
        assert_eq!(error.to_string(), "Wrong expected version: 3 (Stream: a-1, Stream Version: 4)");
        assert_eq!(error.sqlstate(), "P0001");
    }

    #[test]
    fn a_batch_ends_below_the_last_number() {
        assert_eq!(check_room(i64::MAX - 2, 2), Ok(()));
        assert_eq!(check_room(i64::MAX - 2, 3), Err(Error::PositionOutOfRange));
        assert_eq!(check_room(0, usize::MAX), Err(Error::PositionOutOfRange));
    }

    #[test]
    fn a_null_stream_is_printed_as_null() {
        let error = next_position(None, None, Some(0)).expect_err("refused");
        assert_eq!(error.to_string(), "Wrong expected version: 0 (Stream: <NULL>, Stream Version: -1)");
    }

    #[test]
    fn the_last_position_has_no_next() {
        assert_eq!(next_position(Some(b"a-1"), Some(i64::MAX), None), Err(Error::PositionOutOfRange));
    }
}
