//! What the functions say of themselves while a debug setting is on: Message DB's notices, word for word.
//!
//! The generated command that a notice shows is the one Message DB would run. The one that is run here differs from
//! it in that every name is qualified.

use std::ffi::CStr;

use message_store_core::arguments::{BatchSize, CategoryRead, StreamRead};
use pgrx::pg_sys::{self, Datum};

use crate::call::Text;
use crate::encoding::decoded;
use crate::report::notice;
use crate::settings;
use crate::write::Message;

/// `acquire_lock`, once it has the lock.
pub fn acquire_lock(stream_name: Option<Text<'_>>, category: Option<&[u8]>, hash: Option<i64>) {
    if settings::debug_write() {
        notice("» acquire_lock");
        argument("stream_name", text(stream_name.map(|name| name.bytes())));
        argument("_category", text(category));
        argument("_category_name_hash", number(hash));
    }
}

/// `write_message`, once it has written.
pub fn write_message(message: &Message<'_>, expected_version: Option<i64>, version: i64, position: i64) {
    if settings::debug_write() {
        notice("» write_message");
        argument("id ($1)", text(message.id.map(|id| id.bytes())));
        argument("stream_name ($2)", text(message.stream_name.map(|name| name.bytes())));
        argument("type ($3)", text(message.kind.map(|kind| kind.bytes())));
        argument("data ($4)", message.data.map(jsonb));
        argument("metadata ($5)", message.metadata.map(jsonb));
        argument("expected_version ($6)", number(expected_version));
        argument("_stream_version", number(Some(version)));
        argument("_next_position", number(Some(position)));
    }
}

/// `get_stream_messages`, before it reads.
pub fn get_stream_messages(read: &StreamRead<'_>) {
    if settings::debug_get() {
        notice("» get_stream_messages");
        argument("stream_name ($1)", text(Some(read.stream_name)));
        argument("position ($2)", number(Some(read.position)));
        argument("batch_size ($3)", number(Some(read.batch_size.value())));
        argument("condition ($4)", text(read.condition));
        let mut command = select("stream_name = $1 AND\n      position >= $2");
        finish(&mut command, read.condition, "position", read.batch_size);
        notice(&command);
    }
}

/// `get_category_messages`, before it reads.
pub fn get_category_messages(read: &CategoryRead<'_>) {
    if settings::debug_get() {
        notice("» get_category_messages");
        argument("category ($1)", text(read.category));
        argument("position ($2)", number(Some(read.position)));
        argument("batch_size ($3)", number(Some(read.batch_size.value())));
        argument("correlation ($4)", text(read.correlation));
        argument("consumer_group_member ($5)", number(read.consumer_group.map(|group| group.member)));
        argument("consumer_group_size ($6)", number(read.consumer_group.map(|group| group.size)));
        argument("condition", text(read.condition));
        let mut command = select("category(stream_name) = $1 AND\n      global_position >= $2");
        if read.correlation.is_some() {
            command += " AND\n      category(metadata->>'correlationStreamName') = $4";
        }
        if read.consumer_group.is_some() {
            command += " AND\n      MOD(@hash_64(cardinal_id(stream_name)), $6) = $5";
        }
        finish(&mut command, read.condition, "global_position", read.batch_size);
        notice(&command);
    }
}

/// `get_last_stream_message`, before it reads. Message DB calls it by an older name here.
pub fn get_last_message(stream_name: Option<Text<'_>>, kind: Option<Text<'_>>) {
    if settings::debug_get() {
        notice("» get_last_message");
        argument("stream_name ($1)", text(stream_name.map(|name| name.bytes())));
        argument("type ($2)", text(kind.map(|kind| kind.bytes())));
        let mut command = select("stream_name = $1");
        if kind.is_some() {
            command += " AND\n      type = $2";
        }
        command += "\n    ORDER BY\n      position DESC\n    LIMIT\n      1";
        notice(&command);
    }
}

fn select(filter: &str) -> String {
    let columns = [
        "id::varchar",
        "stream_name::varchar",
        "type::varchar",
        "position::bigint",
        "global_position::bigint",
        "data::varchar",
        "metadata::varchar",
        "time::timestamp",
    ]
    .join(",\n      ");
    format!("Generated Command: \n    SELECT\n      {columns}\n    FROM\n      messages\n    WHERE\n      {filter}")
}

fn finish(command: &mut String, condition: Option<&[u8]>, order: &str, batch_size: BatchSize) {
    if let Some(condition) = condition {
        *command += &format!(" AND\n      ({})", decoded(condition));
    }
    *command += &format!("\n    ORDER BY\n      {order} ASC");
    if !batch_size.is_unlimited() {
        *command += "\n      LIMIT\n        $3";
    }
}

fn argument(name: &str, value: Option<String>) {
    notice(&format!("{name}: {}", value.as_deref().unwrap_or("<NULL>")));
}

fn text(value: Option<&[u8]>) -> Option<String> {
    value.map(decoded)
}

fn number(value: Option<i64>) -> Option<String> {
    value.map(|number| number.to_string())
}

fn jsonb(value: Datum) -> String {
    // SAFETY: the datum is a jsonb; the output function gives a NUL-terminated text.
    unsafe {
        let output = pg_sys::OidOutputFunctionCall(pg_sys::Oid::from(pg_sys::F_JSONB_OUT), value);
        decoded(CStr::from_ptr(output).to_bytes())
    }
}
