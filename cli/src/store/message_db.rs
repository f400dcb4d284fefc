//! Genuine Message DB, in plain SQL on its table.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use postgres::Client;

use super::postgres_rows::{self, COLUMNS};
use super::{Followed, Namespace, Part, Patience, Result, Stats, Store, Use, writers};
use crate::batch::Batch;
use crate::connection::{connect, reason};
use crate::message::{ConsumerPosition, Head, Message};
use crate::selection::Selection;

const MESSAGES: &str = "message_store.messages";

/// A stream's category, as the index has it.
const CATEGORY: &str = "category(stream_name::varchar)";

const NEXT: &str = "SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END \
                    FROM message_store.messages_global_position_seq";

/// The elements are checked as `import_messages` does: each position is the next one of its stream. A stream that is not
/// there may begin anywhere, for Message DB has no place for the version of one that was removed.
const CHECK: &str = "SELECT format('Position does not fit: %s (Stream: %s, Stream Version: %s)', position, stream_name, version) \
    FROM (SELECT position, stream_name, coalesce(lag(position) OVER (PARTITION BY stream_name ORDER BY number), \
        (SELECT max(m.position) FROM message_store.messages m WHERE m.stream_name = e.stream_name)) AS version, number \
        FROM (SELECT (element->>'position')::bigint AS position, element->>'stream_name' AS stream_name, number \
            FROM jsonb_array_elements($1::text::jsonb) WITH ORDINALITY AS a (element, number)) e) p \
    WHERE position <> version + 1 ORDER BY number LIMIT 1";

const INSERT: &str = "INSERT INTO message_store.messages \
        (global_position, position, time, stream_name, type, data, metadata, id) \
    SELECT (e->>'global_position')::bigint, (e->>'position')::bigint, (e->>'time')::timestamp, e->>'stream_name', \
        e->>'type', e->'data', e->'metadata', (e->>'id')::uuid FROM jsonb_array_elements($1::text::jsonb) e";

/// The messages of a database.
pub struct MessageDb {
    client: Client,
    release: String,
    /// Everything below this global position is committed or never will be.
    settled: i64,
    /// That will be so of this one when these transactions have ended.
    settling: Option<(i64, Vec<String>)>,
    /// Messages that are not followed, for they were there before.
    seen: Vec<i64>,
}

/// So far back from the next global position a transaction that is open may have taken one.
const LATE: i64 = 10_000;

fn number(client: &mut Client, sql: &str) -> Result<i64> {
    words(words(client.query_one(sql, &[]))?.try_get(0))
}

fn words<T>(result: std::result::Result<T, postgres::Error>) -> Result<T> {
    result.map_err(|error| reason(&error))
}

impl MessageDb {
    /// Connects, and makes sure that there is a Message DB whose table this program knows.
    pub fn open(parameters: &BTreeMap<String, String>, purpose: Use) -> Result<Self> {
        let mut client = connect(parameters)?;
        words(client.batch_execute("SET search_path = pg_catalog, message_store, public"))?;
        let sql = "SELECT message_store.message_store_version()";
        let row = client.query_one(sql, &[]).map_err(|error| format!("no Message DB here: {}", reason(&error)))?;
        let release = words(row.try_get(0))?;
        let ours = "SELECT to_regproc('message_store.message_store_release') IS NOT NULL";
        if words(words(client.query_one(ours, &[]))?.try_get(0))? {
            return Err("this is no genuine Message DB but a Message Store: postgres:// reaches it".to_owned());
        }
        if purpose != Use::Read {
            postgres_rows::become_importer(&mut client, "message_store")?;
        }
        Ok(Self { client, release, settled: 1, settling: None, seen: Vec::new() })
    }

    /// Looks how far everything is settled: up to the next global position when nobody writes, else up to the one of some
    /// time ago, when those have ended who wrote then.
    fn settle_on(&mut self) -> Result<i64> {
        if let Some((next, mut open)) = self.settling.take() {
            let now = writers::writers(&mut self.client, "message_store")?;
            open.retain(|writer| now.contains(writer));
            if open.is_empty() {
                self.settled = next;
            } else {
                self.settling = Some((next, open));
            }
        }
        if self.settling.is_none() {
            let next = number(&mut self.client, NEXT)?;
            let open = writers::writers(&mut self.client, "message_store")?;
            if open.is_empty() {
                self.settled = next;
            } else {
                self.settling = Some((next, open));
            }
        }
        Ok(self.settled)
    }

    fn read(&mut self, sql: &str, values: &[&(dyn postgres::types::ToSql + Sync)]) -> Result<Vec<Message>> {
        let statement = words(self.client.prepare(sql))?;
        postgres_rows::messages(&mut self.client, &statement, values)
    }
}

impl Store for MessageDb {
    fn kind(&self) -> &'static str {
        "message-db"
    }

    fn release(&self) -> &str {
        &self.release
    }

    fn namespace(&self) -> &'static str {
        "message_store"
    }

    fn next_global_position(&mut self) -> Result<i64> {
        number(&mut self.client, NEXT)
    }

    fn settle(&mut self, patience: Patience) -> Result<i64> {
        writers::settle(&mut self.client, "message_store", |client| number(client, NEXT), patience)
    }

    fn ids(&mut self, part: &Part) -> Result<Vec<(i64, String)>> {
        let sql = part.sql("id::text", MESSAGES, CATEGORY);
        postgres_rows::ids(&mut self.client, &sql)
    }

    fn page(&mut self, from: i64, category: Option<&str>, limit: i64) -> Result<Vec<Message>> {
        let select = format!("SELECT {COLUMNS} FROM message_store.messages WHERE global_position >= $1");
        match category {
            None => self.read(&format!("{select} ORDER BY global_position LIMIT $2"), &[&from, &limit]),
            Some(category) => self.read(
                &format!("{select} AND category(stream_name::varchar) = $3 ORDER BY global_position LIMIT $2"),
                &[&from, &limit, &category],
            ),
        }
    }

    fn first_not_before(&mut self, time: i64, selection: &Selection) -> Result<Option<i64>> {
        postgres_rows::first_not_before(&mut self.client, time, selection, MESSAGES, CATEGORY)
    }

    fn heads(&mut self, selection: &Selection, each: &mut dyn FnMut(Head) -> Result<()>) -> Result<()> {
        postgres_rows::heads(&mut self.client, &selection.heads_sql(MESSAGES, CATEGORY), each)
    }

    fn consumer_positions(&mut self, _: Option<&str>) -> Result<Vec<ConsumerPosition>> {
        Ok(Vec::new())
    }

    fn remove(&mut self, heads: &[Head]) -> Result<u64> {
        let sql = "DELETE FROM message_store.messages m USING unnest($1::text[], $2::bigint[]) AS head (n, p) \
                   WHERE m.stream_name = n AND m.position <= p";
        let (names, positions) = postgres_rows::columns(heads);
        words(self.client.execute(sql, &[&names, &positions]))
    }

    fn put_heads(&mut self, _: &[Head]) -> Result<usize> {
        Ok(0)
    }

    /// Of a stream that was removed whole nothing is known.
    fn has_lost(&mut self, stream_name: &str, position: i64) -> Result<bool> {
        let sql = "SELECT coalesce(max(position), -1) > $2 AND coalesce(bool_and(position <> $2), true) \
                   FROM message_store.messages WHERE stream_name = $1 AND position >= $2";
        words(words(self.client.query_one(sql, &[&stream_name, &position]))?.try_get(0))
    }

    /// Plain inserts take any global position that is free.
    fn import(&mut self, batch: &Batch, _: Option<i64>) -> Result<()> {
        let json = batch.json();
        let mut transaction = words(self.client.transaction())?;
        words(transaction.batch_execute("LOCK TABLE message_store.messages IN SHARE ROW EXCLUSIVE MODE"))?;
        if let Some(row) = words(transaction.query_opt(CHECK, &[&json]))? {
            return Err(words(row.try_get(0))?);
        }
        words(transaction.execute(INSERT, &[&json]))?;
        let sql = "SELECT setval('message_store.messages_global_position_seq', greatest(last_value, $1)) \
                   FROM message_store.messages_global_position_seq";
        words(transaction.execute(sql, &[&batch.last]))?;
        words(transaction.commit())
    }

    fn put_consumer_positions(&mut self, _: &[ConsumerPosition]) -> Result<usize> {
        Ok(0)
    }

    fn advance_to(&mut self, next: i64) -> Result<()> {
        let sql = "SELECT setval('message_store.messages_global_position_seq', $1) \
                   FROM message_store.messages_global_position_seq WHERE last_value < $1 OR NOT is_called";
        if next > number(&mut self.client, NEXT)? {
            words(self.client.execute(sql, &[&(next - 1)]))?;
        }
        Ok(())
    }

    fn namespaces(&mut self) -> Result<Vec<Namespace>> {
        Err("Message DB has no namespaces".to_owned())
    }

    fn stats(&mut self) -> Result<Stats> {
        let sql = "SELECT 'message_store', count(*), count(DISTINCT stream_name), \
                   count(DISTINCT category(stream_name::varchar)), max(global_position), \
                   to_char((SELECT time FROM message_store.messages ORDER BY global_position DESC LIMIT 1), \
                       'YYYY-MM-DD HH24:MI:SS.US'), \
                   pg_total_relation_size('message_store.messages') FROM message_store.messages";
        let row = words(self.client.query_one(sql, &[]))?;
        words(postgres_rows::stats(&row))
    }

    fn followed(&mut self, what: &Followed, from: i64, limit: i64) -> Result<Vec<Message>> {
        match what {
            Followed::All => {
                let settled = self.settle_on()?;
                let sql = format!(
                    "SELECT {COLUMNS} FROM message_store.messages WHERE global_position >= $1 AND global_position < $3 \
                     AND NOT global_position = ANY ($4) ORDER BY global_position LIMIT $2"
                );
                let seen = self.seen.clone();
                self.read(&sql, &[&from, &limit, &settled, &seen])
            }
            Followed::Category(category, group) => {
                let sql = format!("SELECT {COLUMNS} FROM get_category_messages($1, $2, $3, NULL, $4, $5)");
                let (member, size) = (group.map(|group| group.0), group.map(|group| group.1));
                self.read(&sql, &[category, &from, &limit, &member, &size])
            }
            Followed::Stream(stream) => {
                let sql = format!("SELECT {COLUMNS} FROM get_stream_messages($1, $2, $3)");
                self.read(&sql, &[stream, &from, &limit])
            }
        }
    }

    fn end_of(&mut self, what: &Followed) -> Result<i64> {
        let Followed::Stream(stream) = what else {
            return Ok(self.last()?.map_or(1, |last| last.0 + 1));
        };
        let row = words(self.client.query_one("SELECT coalesce(stream_version($1), -1) + 1", &[stream]))?;
        words(row.try_get(0))
    }

    /// The lock of a category keeps its messages in order. Where everything is followed, what has been taken is among the
    /// last positions that have no message yet.
    fn begin(&mut self, what: &Followed) -> Result<i64> {
        let mut part = Part { from: 1, before: i64::MAX, category: None, newest_first: true, limit: 1 };
        match what {
            Followed::Stream(_) => self.end_of(what),
            Followed::Category(category, _) => {
                part.category = Some(category.clone());
                Ok(self.ids(&part)?.first().map_or(1, |last| last.0 + 1))
            }
            Followed::All => {
                part.from = (number(&mut self.client, NEXT)? - LATE).max(1);
                part.limit = i64::MAX;
                self.seen = self.ids(&part)?.into_iter().map(|id| id.0).collect();
                Ok(part.from)
            }
        }
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool> {
        thread::sleep(at_most);
        Ok(false)
    }
}
