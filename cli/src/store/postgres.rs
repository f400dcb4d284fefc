//! Message Store in Postgres.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Row, Statement};

use super::postgres_rows::{self, COLUMNS};
use super::{Followed, Namespace, Patience, Result, Stats, Store, Use, writers};
use crate::batch::Batch;
use crate::connection::{connect, reason};
use crate::filter::Filter;
use crate::message::{ConsumerPosition, Head, Message};

/// A namespace of a database that has the extension.
pub struct PostgresStore {
    client: Client,
    namespace: String,
    release: String,
    page: Statement,
    import: Statement,
    heads: bool,
    consumer_positions: bool,
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
        let mut store =
            Self { client, namespace, release, page, import, heads: false, consumer_positions: false, listens: false };
        store.heads = store.has_table("stream_heads")?;
        store.consumer_positions = store.has_table("consumer_positions")?;
        Ok(store)
    }

    /// The name of a table of the namespace, in SQL.
    fn table(&self, name: &str) -> String {
        format!("\"{}\".{name}", self.namespace)
    }

    fn has_table(&mut self, name: &str) -> Result<bool> {
        let table = self.table(name);
        let row = words(self.client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]))?;
        words(row.try_get(0))
    }

    fn sequence_sql(&self) -> String {
        self.table("messages_global_position_seq")
    }

    fn next_sql(&self) -> String {
        format!("SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM {}", self.sequence_sql())
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
        let row = words(self.client.query_one(&self.next_sql(), &[]))?;
        words(row.try_get(0))
    }

    fn settle(&mut self, patience: Patience) -> Result<i64> {
        let next = self.next_sql();
        writers::settle(&mut self.client, &self.namespace, &next, patience)
    }

    fn last(&mut self) -> Result<Option<(i64, String)>> {
        let sql = format!(
            "SELECT global_position, id::text FROM {} ORDER BY global_position DESC LIMIT 1",
            self.table("messages")
        );
        let row = words(self.client.query_opt(&sql, &[]))?;
        row.map(|row| Ok((words(row.try_get(0))?, words(row.try_get(1))?))).transpose()
    }

    fn page(&mut self, from: i64, category: Option<&str>, limit: i64) -> Result<Vec<Message>> {
        let Some(category) = category else {
            return postgres_rows::messages(&mut self.client, &self.page, &[&from, &limit, &self.namespace]);
        };
        self.followed(&Followed::Category(category.to_owned(), None), from, limit)
    }

    fn heads(&mut self, filter: &Filter, each: &mut dyn FnMut(Head) -> Result<()>) -> Result<()> {
        let messages = self.table("messages");
        let condition = filter.sql("message_store.category(stream_name::varchar)", postgres_rows::time_literal);
        let mut sql = format!(
            "SELECT stream_name, min(position) - 1 AS position FROM {messages} WHERE {condition} \
             GROUP BY stream_name HAVING min(position) > 0"
        );
        if self.heads {
            let of_category = Filter { category: filter.category.clone(), ..Filter::default() };
            let of_category = of_category
                .sql("message_store.category(stream_name::varchar)", postgres_rows::time_literal)
                .replacen("global_position >= 1", "true", 1);
            sql = format!(
                "{sql} UNION ALL SELECT stream_name, position FROM {} h WHERE {of_category} \
                 AND NOT EXISTS (SELECT FROM {messages} m WHERE m.stream_name = h.stream_name)",
                self.table("stream_heads")
            );
        }
        let sql = format!("SELECT stream_name::text, position FROM ({sql}) s ORDER BY stream_name COLLATE \"C\"");
        postgres_rows::heads(&mut self.client, &sql, each)
    }

    fn consumer_positions(&mut self, category: Option<&str>) -> Result<Vec<ConsumerPosition>> {
        if !self.consumer_positions {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT category::text, consumer::text, position, to_char(time, 'YYYY-MM-DD HH24:MI:SS.US') FROM {} \
             WHERE $1::text IS NULL OR category = $1 ORDER BY category COLLATE \"C\", consumer COLLATE \"C\"",
            self.table("consumer_positions")
        );
        let rows = words(self.client.query(&sql, &[&category]))?;
        rows.iter().map(|row| words(postgres_rows::consumer_position(row))).collect()
    }

    fn put_heads(&mut self, heads: &[Head]) -> Result<usize> {
        if !self.heads {
            return Ok(0);
        }
        let names: Vec<&str> = heads.iter().map(|head| head.stream_name.as_str()).collect();
        let positions: Vec<i64> = heads.iter().map(|head| head.position).collect();
        let sql = format!(
            "INSERT INTO {} AS h (stream_name, position) \
             SELECT n, p FROM unnest($1::text[], $2::bigint[]) AS new (n, p) \
             WHERE NOT EXISTS (SELECT FROM {} m WHERE m.stream_name = n) \
             ON CONFLICT (stream_name) DO UPDATE SET position = greatest(h.position, excluded.position)",
            self.table("stream_heads"),
            self.table("messages")
        );
        words(self.client.execute(&sql, &[&names, &positions]))?;
        Ok(heads.len())
    }

    fn reopen_after(&mut self, last: i64) -> Result<()> {
        if self.next_global_position()? <= last + 1 {
            return Ok(());
        }
        let (messages, sequence) = (self.table("messages"), self.sequence_sql());
        let mut transaction = words(self.client.transaction())?;
        // Who writes holds a lock on the table before drawing a position.
        words(transaction.batch_execute(&format!("LOCK TABLE {messages} IN SHARE ROW EXCLUSIVE MODE")))?;
        let sql = format!(
            "SELECT setval('{sequence}', $1) FROM {sequence} WHERE last_value > $1 \
             AND (SELECT max(global_position) FROM {messages}) = $1"
        );
        words(transaction.execute(&sql, &[&last]))?;
        words(transaction.commit())
    }

    fn import(&mut self, batch: &Batch) -> Result<()> {
        words(self.client.execute(&self.import, &[&batch.json(), &self.namespace])).map(drop)
    }

    fn put_consumer_positions(&mut self, positions: &[ConsumerPosition]) -> Result<usize> {
        if !self.consumer_positions {
            return Ok(0);
        }
        let sql = format!(
            "INSERT INTO {} (category, consumer, position, time) VALUES ($1, $2, $3, $4::text::timestamp) \
             ON CONFLICT (category, consumer) DO UPDATE SET position = excluded.position, time = excluded.time",
            self.table("consumer_positions")
        );
        let mut transaction = words(self.client.transaction())?;
        for position in positions {
            let ConsumerPosition { category, consumer, position, time } = position;
            words(transaction.execute(&sql, &[category, consumer, position, time]))?;
        }
        words(transaction.commit())?;
        Ok(positions.len())
    }

    fn advance_to(&mut self, next: i64) -> Result<()> {
        if next <= self.next_global_position()? {
            return Ok(());
        }
        let (messages, sequence) = (self.table("messages"), self.sequence_sql());
        let mut transaction = words(self.client.transaction())?;
        words(transaction.batch_execute(&format!("LOCK TABLE {messages} IN SHARE ROW EXCLUSIVE MODE")))?;
        let sql = format!("SELECT setval('{sequence}', $1) FROM {sequence} WHERE last_value < $1");
        words(transaction.execute(&sql, &[&(next - 1)]))?;
        words(transaction.commit())
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
