//! Rows of a Postgres server.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{FromSql, ToSql, Type};
use postgres::{Client, GenericClient, Row, Statement};

use super::{PAGE_BYTES, Result};
use crate::connection::reason;
use crate::interrupt;
use crate::message::{ConsumerPosition, Head, Message};
use crate::selection::Selection;

/// The columns of a message, in the order in which they are read.
pub const COLUMNS: &str =
    "id::varchar, stream_name, type, position, global_position, data::varchar, metadata::varchar, time";

/// Microseconds from 1970 to 2000, where Postgres' times begin.
const EPOCH: i64 = 946_684_800_000_000;

/// A timestamp in UTC microseconds since 1970.
struct Time(i64);

impl<'a> FromSql<'a> for Time {
    fn from_sql(_: &Type, raw: &'a [u8]) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        let microseconds = i64::from_be_bytes(raw.try_into()?);
        if microseconds == i64::MAX || microseconds == i64::MIN {
            return Err("a time is infinite".into());
        }
        Ok(Self(microseconds.saturating_add(EPOCH)))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMP
    }
}

/// The message of a row with [`COLUMNS`].
fn message(row: &Row) -> std::result::Result<Message, postgres::Error> {
    Ok(Message {
        id: row.try_get(0)?,
        stream_name: row.try_get(1)?,
        kind: row.try_get(2)?,
        position: row.try_get(3)?,
        global_position: row.try_get(4)?,
        data: row.try_get(5)?,
        metadata: row.try_get(6)?,
        time: row.try_get::<_, Time>(7)?.0,
    })
}

/// How long an import waits for another one.
const IMPORTER: Duration = Duration::from_secs(60);

/// Waits until no other session imports into the namespace, and keeps others out to the end of this one.
///
/// The server goes on for a while with what a killed importer had sent, and may still commit it.
pub fn become_importer(client: &mut Client, namespace: &str) -> Result<()> {
    let sql = "SELECT pg_try_advisory_lock(hashtextextended('message-store import ' || $1::text, 0))";
    let until = Instant::now() + IMPORTER;
    loop {
        let row = client.query_one(sql, &[&namespace]).map_err(|error| reason(&error))?;
        if row.try_get(0).map_err(|error| reason(&error))? {
            return Ok(());
        }
        if interrupt::requested() || Instant::now() > until {
            return Err("another import into this store is under way".to_owned());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The messages of a query, until they take the memory of a page.
pub fn messages(client: &mut Client, statement: &Statement, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Message>> {
    let read = |client: &mut Client| {
        let mut rows = client.query_raw(statement, values.iter().copied())?;
        let (mut messages, mut size) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let message = message(&row)?;
            size += message.size();
            messages.push(message);
            if size >= PAGE_BYTES {
                break;
            }
        }
        Ok(messages)
    };
    read(client).map_err(|error: postgres::Error| reason(&error))
}

/// The rows of a query for global position and id.
pub fn ids(client: &mut impl GenericClient, sql: &str) -> Result<Vec<(i64, String)>> {
    let rows = client.query(sql, &[]).map_err(|error| reason(&error))?;
    let id = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter().map(|row| id(row).map_err(|error: postgres::Error| reason(&error))).collect()
}

/// The first global position of a part whose message is not before a time.
pub fn first_not_before(
    client: &mut impl GenericClient,
    time: i64,
    selection: &Selection,
    messages: &str,
    category: &str,
) -> Result<Option<i64>> {
    let time = format!("timestamp '{}'", message_store_core::time::format(time));
    let row = client.query_opt(&selection.first_not_before_sql(messages, category, &time), &[]);
    let row = row.map_err(|error| reason(&error))?;
    row.map(|row| row.try_get(0).map_err(|error| reason(&error))).transpose()
}

/// The heads of a query for stream name and position, by name in byte order.
pub fn heads(client: &mut impl GenericClient, sql: &str, each: &mut dyn FnMut(Head) -> Result<()>) -> Result<()> {
    let sql = format!("SELECT stream_name::text, position FROM ({sql}) s ORDER BY stream_name COLLATE \"C\"");
    let no_values: [&(dyn ToSql + Sync); 0] = [];
    let mut rows = client.query_raw(&sql, no_values).map_err(|error| reason(&error))?;
    while let Some(row) = rows.next().map_err(|error| reason(&error))? {
        let head = || Ok(Head { stream_name: row.try_get(0)?, position: row.try_get(1)? });
        each(head().map_err(|error: postgres::Error| reason(&error))?)?;
    }
    Ok(())
}

/// The columns of heads, as parameters.
pub fn columns(heads: &[Head]) -> (Vec<&str>, Vec<i64>) {
    heads.iter().map(|head| (head.stream_name.as_str(), head.position)).unzip()
}

/// The consumer position of a row of category, consumer, position and the time's text.
pub fn consumer_position(row: &Row) -> std::result::Result<ConsumerPosition, postgres::Error> {
    Ok(ConsumerPosition {
        category: row.try_get(0)?,
        consumer: row.try_get(1)?,
        position: row.try_get(2)?,
        time: row.try_get(3)?,
    })
}

/// The row of `stats`, its time as text.
pub fn stats(row: &Row) -> std::result::Result<super::Stats, postgres::Error> {
    Ok(super::Stats {
        namespace: row.try_get(0)?,
        message_count: row.try_get(1)?,
        stream_count: row.try_get(2)?,
        category_count: row.try_get(3)?,
        last_global_position: row.try_get(4)?,
        last_time: row.try_get(5)?,
        size_bytes: row.try_get(6)?,
    })
}
