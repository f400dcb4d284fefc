//! Rows of an SQLite file.

use message_store_core::time;
use message_store_sqlite::rusqlite::{self, Row};
use serde::de::IgnoredAny;

use super::Result;
use crate::message::{ConsumerPosition, Message};

/// The columns of a message, in the order in which they are read.
pub const COLUMNS: &str = "id, stream_name, type, position, global_position, data, metadata, time";

/// A failure of SQLite, in words.
pub fn words<T>(result: rusqlite::Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message,
        error => error.to_string(),
    })
}

/// The message of a row with [`COLUMNS`].
pub fn message(row: &Row<'_>) -> Result<Message> {
    let read = || {
        let time: String = row.get(7)?;
        let message = Message {
            id: row.get(0)?,
            stream_name: row.get(1)?,
            kind: row.get(2)?,
            position: row.get(3)?,
            global_position: row.get(4)?,
            data: row.get(5)?,
            metadata: row.get(6)?,
            time: 0,
        };
        Ok((message, time))
    };
    let (mut message, text) = words(read())?;
    let wrong = |what: &str| format!("the message of global position {}: {what}", message.global_position);
    message.time = time::parse(text.as_bytes()).ok_or_else(|| wrong(&format!("\"{text}\" is no time")))?;
    // Whoever writes to the file without the functions may have written anything.
    for json in [&message.data, &message.metadata].into_iter().flatten() {
        serde_json::from_str::<IgnoredAny>(json).map_err(|error| wrong(&format!("not JSON: {error}")))?;
    }
    Ok(message)
}

/// The consumer position of a row of category, consumer, position and time.
pub fn consumer_position(row: &Row<'_>) -> rusqlite::Result<ConsumerPosition> {
    Ok(ConsumerPosition { category: row.get(0)?, consumer: row.get(1)?, position: row.get(2)?, time: row.get(3)? })
}
