//! Message Store in Postgres.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::ToSql;
use postgres::{Client, Row, Statement};

use super::postgres_rows::{self, COLUMNS};
use super::postgres_tables::Tables;
use super::{Followed, Namespace, Part, Patience, Result, Stats, Store, Use, writers};
use crate::batch::Batch;
use crate::connection::{connect, reason};
use crate::message::{ConsumerPosition, Head, Message};
use crate::selection::Selection;

/// A namespace of a database that has the extension.
pub struct PostgresStore {
    client: Client,
    namespace: String,
    release: String,
    page: Statement,
    import: Statement,
    tables: Tables,
    listens: bool,
}

/// A failure of the driver, in words.
fn words<T>(result: std::result::Result<T, postgres::Error>) -> Result<T> {
    result.map_err(|error| reason(&error))
}

impl PostgresStore {
    /// Connects, and finds the namespace.
    pub fn open(parameters: &BTreeMap<String, String>, namespace: Option<&str>, purpose: Use) -> Result<Self> {
        let mut client = connect(parameters)?;
        // What row security would hide is an error, as for pg_dump: a part is not taken for the whole.
        words(client.batch_execute("SET search_path = pg_catalog, pg_temp; SET row_security = off"))?;
        let release = client.query_one("SELECT message_store.message_store_release()", &[]);
        let release = release.map_err(|error| match error.code() {
            Some(&(SqlState::UNDEFINED_FUNCTION | SqlState::INVALID_SCHEMA_NAME)) => {
                "this database has no Message Store (CREATE EXTENSION message_store); genuine Message DB is message-db://"
                    .to_owned()
            }
            _ => reason(&error),
        })?;
        let namespace = namespace.unwrap_or("message_store").to_owned();
        let known = "SELECT FROM message_store.list_namespaces() WHERE name = $1";
        if purpose == Use::Create && words(client.query_opt(known, &[&namespace]))?.is_none() {
            words(client.execute("SELECT message_store.create_namespace($1)", &[&namespace]))?;
        }
        // Says in its own words what is wrong with the namespace.
        words(client.execute("SELECT message_store.stream_version('', $1)", &[&namespace]))?;
        if purpose != Use::Read {
            postgres_rows::become_importer(&mut client, &namespace)?;
        }
        let page = format!("SELECT {COLUMNS} FROM message_store.get_all_messages($1, $2, $3)");
        let page = words(client.prepare(&page))?;
        let import = words(client.prepare("SELECT message_store.import_messages($1::text::jsonb, $2)"))?;
        let release = words(release.try_get(0))?;
        let tables = Tables::find(&mut client, &namespace)?;
        Ok(Self { client, namespace, release, page, import, tables, listens: false })
    }
}

impl Store for PostgresStore {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn release(&self) -> &str {
        &self.release
    }

    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn next_global_position(&mut self) -> Result<i64> {
        self.tables.next_global_position(&mut self.client)
    }

    fn settle(&mut self, patience: Patience) -> Result<i64> {
        let next = |client: &mut Client| self.tables.next_global_position(client);
        writers::settle(&mut self.client, &self.namespace, next, patience)
    }

    fn ids(&mut self, part: &Part) -> Result<Vec<(i64, String)>> {
        self.tables.ids(&mut self.client, part)
    }

    fn page(&mut self, from: i64, category: Option<&str>, limit: i64) -> Result<Vec<Message>> {
        let Some(category) = category else {
            return postgres_rows::messages(&mut self.client, &self.page, &[&from, &limit, &self.namespace]);
        };
        self.followed(&Followed::Category(category.to_owned(), None), from, limit)
    }

    fn first_not_before(&mut self, time: i64, selection: &Selection) -> Result<Option<i64>> {
        self.tables.first_not_before(&mut self.client, time, selection)
    }

    fn heads(&mut self, selection: &Selection, each: &mut dyn FnMut(Head) -> Result<()>) -> Result<()> {
        self.tables.heads(&mut self.client, selection, each)
    }

    fn consumer_positions(&mut self, category: Option<&str>) -> Result<Vec<ConsumerPosition>> {
        if !self.tables.have_consumer_positions() {
            return Ok(Vec::new());
        }
        let sql = "SELECT category::text, consumer::text, position, to_char(time, 'YYYY-MM-DD HH24:MI:SS.US') \
                   FROM message_store.consumer_positions($1, $2)";
        let rows = words(self.client.query(sql, &[&category, &self.namespace]))?;
        rows.iter().map(|row| words(postgres_rows::consumer_position(row))).collect()
    }

    /// Of streams that the function takes, which those without an id are not.
    fn remove(&mut self, heads: &[Head]) -> Result<u64> {
        let sql = "SELECT coalesce(sum(message_store.truncate_stream(n, p + 1, $3)), 0)::bigint \
                   FROM unnest($1::varchar[], $2::bigint[]) AS head (n, p) WHERE NOT message_store.is_category(n)";
        let (names, positions) = postgres_rows::columns(heads);
        let row = words(self.client.query_one(sql, &[&names, &positions, &self.namespace]))?;
        words(row.try_get::<_, i64>(0)).map(i64::unsigned_abs)
    }

    fn put_heads(&mut self, heads: &[Head]) -> Result<usize> {
        self.tables.put_heads(&mut self.client, heads)
    }

    fn has_lost(&mut self, stream_name: &str, position: i64) -> Result<bool> {
        let end = self.end_of(&Followed::Stream(stream_name.to_owned()))?;
        if end <= position { Ok(false) } else { self.tables.has_lost(&mut self.client, stream_name, position) }
    }

    fn import(&mut self, batch: &Batch, reopened: Option<i64>) -> Result<()> {
        match reopened {
            None => words(self.client.execute(&self.import, &[&batch.json(), &self.namespace])).map(drop),
            Some(last) => {
                let values: &[&(dyn ToSql + Sync)] = &[&batch.json(), &self.namespace];
                self.tables.import_after(&mut self.client, last, &self.import, values)
            }
        }
    }

    fn put_consumer_positions(&mut self, positions: &[ConsumerPosition]) -> Result<usize> {
        self.tables.put_consumer_positions(&mut self.client, positions)
    }

    fn advance_to(&mut self, next: i64) -> Result<()> {
        if next <= self.next_global_position()? {
            return Ok(());
        }
        self.tables.advance_to(&mut self.client, next)
    }

    fn namespaces(&mut self) -> Result<Vec<Namespace>> {
        let sql = "SELECT name, description, metadata, to_char(created_at, 'YYYY-MM-DD HH24:MI:SS.US') \
                   FROM message_store.list_namespaces()";
        let rows = words(self.client.query(sql, &[]))?;
        let namespace = |row: &Row| {
            Ok(Namespace {
                name: row.try_get(0)?,
                description: row.try_get(1)?,
                metadata: row.try_get(2)?,
                created_at: row.try_get(3)?,
            })
        };
        rows.iter().map(|row| words(namespace(row))).collect()
    }

    fn stats(&mut self) -> Result<Stats> {
        let sql = "SELECT namespace, message_count, stream_count, category_count, last_global_position, \
                   to_char(last_time, 'YYYY-MM-DD HH24:MI:SS.US'), size_bytes FROM message_store.stats($1)";
        match self.client.query_one(sql, &[&self.namespace]) {
            Ok(row) => words(postgres_rows::stats(&row)),
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_FUNCTION) => {
                Err(format!("release {} of Message Store is too old for stats", self.release))
            }
            Err(error) => Err(reason(&error)),
        }
    }

    fn followed(&mut self, what: &Followed, from: i64, limit: i64) -> Result<Vec<Message>> {
        let client = &mut self.client;
        let namespace = &self.namespace;
        match what {
            Followed::All => postgres_rows::messages(client, &self.page, &[&from, &limit, namespace]),
            Followed::Category(category, group) => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM message_store.get_category_messages($1, $2, $3, NULL, $4, $5, NULL, $6)"
                );
                let statement = words(client.prepare(&sql))?;
                let (member, size) = (group.map(|group| group.0), group.map(|group| group.1));
                postgres_rows::messages(client, &statement, &[category, &from, &limit, &member, &size, namespace])
            }
            Followed::Stream(stream) => {
                let sql = format!("SELECT {COLUMNS} FROM message_store.get_stream_messages($1, $2, $3, NULL, $4)");
                let statement = words(client.prepare(&sql))?;
                postgres_rows::messages(client, &statement, &[stream, &from, &limit, namespace])
            }
        }
    }

    fn end_of(&mut self, what: &Followed) -> Result<i64> {
        let Followed::Stream(stream) = what else {
            return Ok(self.last()?.map_or(1, |last| last.0 + 1));
        };
        let sql = "SELECT coalesce(message_store.stream_version($1, $2), -1) + 1";
        let row = words(self.client.query_one(sql, &[stream, &self.namespace]))?;
        words(row.try_get(0))
    }

    fn begin(&mut self, what: &Followed) -> Result<i64> {
        let category = match what {
            Followed::Stream(_) => return self.end_of(what),
            _ if writers::is_standby(&mut self.client)? => return self.end_of(what),
            Followed::Category(category, _) => Some(category.as_str()),
            Followed::All => None,
        };
        let next = self.next_global_position()?;
        let mark = writers::lowest_mark(&mut self.client, &self.namespace, category, next)?;
        Ok(mark.map_or(next, |mark| mark.min(next)))
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool> {
        if !self.listens {
            // What was written until now is found by one read more.
            self.listens = true;
            // A standby refuses it; then the interval alone counts.
            drop(self.client.batch_execute(&format!("LISTEN \"{}\"", self.namespace)));
            return Ok(true);
        }
        let woken = words(self.client.notifications().timeout_iter(at_most).next())?.is_some();
        // One read serves all that have come.
        let mut notifications = self.client.notifications();
        let mut waiting = notifications.iter();
        while words(waiting.next())?.is_some() {}
        Ok(woken)
    }
}
