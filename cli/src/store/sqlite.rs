//! Message Store in an SQLite file.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use message_store_core::time;
use message_store_sqlite::rusqlite::{self, Connection, OpenFlags, OptionalExtension, Params, params};

use super::sqlite_rows::{COLUMNS, consumer_position, message, words};
use super::{
    BY_CONSUMER, BY_REMOVAL, Followed, Namespace, PAGE_BYTES, Part, Result, Stats, Store, Use, passed, quoted,
};
use crate::batch::Batch;
use crate::interrupt;
use crate::message::{ConsumerPosition, Head, Message};
use crate::selection::Selection;

/// The category of a stream, as the index of the file has it.
const CATEGORY: &str = "substr(stream_name, 1, instr(stream_name || '-', '-') - 1)";

/// How long it takes until a change is seen that is not waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A namespace of a file.
pub struct SqliteStore {
    connection: Connection,
    namespace: String,
    release: String,
    schema: String,
    data_version: Option<i64>,
}

impl SqliteStore {
    /// Opens the file, and finds the namespace. Only what is written to is created.
    pub fn open(path: &Path, namespace: Option<&str>, purpose: Use) -> Result<Self> {
        let is_new = !path.exists();
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if purpose != Use::Read {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let connection = words(Connection::open_with_flags(path, flags))?;
        words(message_store_sqlite::register(&connection))?;
        // Random ids touch the whole of an index.
        words(connection.pragma_update(None, "cache_size", -16_384))?;
        if purpose != Use::Read {
            if is_new {
                words(connection.pragma_update(None, "journal_mode", "wal"))?;
            }
            // A batch changes pages all over the indexes, so a checkpoint serves several.
            words(connection.pragma_update(None, "wal_autocheckpoint", 8000))?;
            words(connection.query_row("SELECT message_store_init()", [], |_| Ok(())))?;
        }
        let namespace = namespace.unwrap_or("message_store").to_owned();
        let is_default = namespace == "message_store";
        let schema = if is_default { "main".to_owned() } else { format!("\"message_store:{namespace}\"") };
        let mut store = Self { connection, namespace, release: String::new(), schema, data_version: None };
        if !store.has_table("main", "message_store_schema")? {
            return Err("this file has no message store".to_owned());
        }
        store.release = store.value("SELECT message_store_release()", [])?;
        let known = "SELECT count(*) FROM list_namespaces() WHERE name = ?1";
        if purpose == Use::Create && store.value::<i64>(known, [&store.namespace])? == 0 {
            store.value::<String>("SELECT create_namespace(?1)", [&store.namespace])?;
        }
        // Attaches the file, or says in its own words what is wrong with the namespace.
        store.value::<Option<i64>>("SELECT stream_version('', ?1)", [&store.namespace])?;
        Ok(store)
    }

    fn value<T: rusqlite::types::FromSql>(&self, sql: &str, values: impl Params) -> Result<T> {
        words(self.connection.query_row(sql, values, |row| row.get(0)))
    }

    fn has_table(&self, schema: &str, name: &str) -> Result<bool> {
        let sql = format!("SELECT count(*) FROM {schema}.sqlite_master WHERE type = 'table' AND name = ?1");
        Ok(self.value::<i64>(&sql, [name])? > 0)
    }

    /// The name of one of the store's tables, where it has it.
    fn table(&self, name: &str) -> Result<Option<String>> {
        Ok(self.has_table(&self.schema, name)?.then(|| format!("{}.\"{name}\"", self.schema)))
    }

    fn messages(&self) -> String {
        format!("{}.messages", self.schema)
    }

    fn read(&self, sql: &str, values: impl Params) -> Result<Vec<Message>> {
        let mut statement = words(self.connection.prepare(sql))?;
        let mut rows = words(statement.query(values))?;
        let (mut messages, mut size) = (Vec::new(), 0);
        while let Some(row) = words(rows.next())? {
            let message = message(row)?;
            size += message.size();
            messages.push(message);
            if size >= PAGE_BYTES {
                break;
            }
        }
        Ok(messages)
    }

    fn in_transaction<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let transaction = words(self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate))?;
        let done = words(work(&transaction))?;
        words(transaction.commit())?;
        Ok(done)
    }

    /// Queries for whether anybody may have seen a message after this global position, the last one.
    fn seen_after(&self, last: i64) -> Result<Vec<(String, &'static str)>> {
        let mut queries = Vec::new();
        if let Some(table) = self.table("message_store_consumer_positions")? {
            queries.push((format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE position > {last})"), BY_CONSUMER));
        }
        if let Some(table) = self.table("message_store_stream_heads")? {
            let has_messages = format!("SELECT 1 FROM {} AS m WHERE m.stream_name = h.stream_name", self.messages());
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} AS h WHERE NOT EXISTS ({has_messages}))");
            queries.push((sql, BY_REMOVAL));
        }
        Ok(queries)
    }

    fn set_last_position(&mut self, last: i64) -> Result<()> {
        let schema = self.schema.clone();
        self.in_transaction(|connection| {
            connection.execute(
                &format!(
                    "INSERT INTO {schema}.sqlite_sequence (name, seq) SELECT 'messages', 0 WHERE NOT EXISTS \
                     (SELECT 1 FROM {schema}.sqlite_sequence WHERE name = 'messages')"
                ),
                [],
            )?;
            let update = format!("UPDATE {schema}.sqlite_sequence SET seq = ?1 WHERE name = 'messages' AND seq < ?1");
            connection.execute(&update, [last])
        })
        .map(drop)
    }
}

impl Store for SqliteStore {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn release(&self) -> &str {
        &self.release
    }

    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn next_global_position(&mut self) -> Result<i64> {
        let sql =
            format!("SELECT coalesce(max(seq), 0) + 1 FROM {}.sqlite_sequence WHERE name = 'messages'", self.schema);
        self.value(&sql, [])
    }

    fn ids(&mut self, part: &Part) -> Result<Vec<(i64, String)>> {
        let mut statement = words(self.connection.prepare(&part.sql("id", &self.messages(), CATEGORY)))?;
        let rows = words(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))))?;
        rows.map(words).collect()
    }

    fn page(&mut self, from: i64, category: Option<&str>, limit: i64) -> Result<Vec<Message>> {
        match category {
            None => self.followed(&Followed::All, from, limit),
            Some(category) => self.followed(&Followed::Category(category.to_owned(), None), from, limit),
        }
    }

    fn first_not_before(&mut self, time: i64, selection: &Selection) -> Result<Option<i64>> {
        // Without a fraction where there is none: some write their times like that.
        let text = time::format(time);
        let literal = quoted(text.strip_suffix(".000000").unwrap_or(&text));
        let sql = selection.first_not_before_sql(&self.messages(), CATEGORY, &literal);
        words(self.connection.query_row(&sql, [], |row| row.get(0)).optional())
    }

    fn heads(&mut self, selection: &Selection, each: &mut dyn FnMut(Head) -> Result<()>) -> Result<()> {
        let messages = self.messages();
        let mut sql = selection.heads_sql(&messages, CATEGORY);
        if let Some(heads) = self.table("message_store_stream_heads")? {
            sql = format!(
                "{sql} UNION ALL SELECT stream_name, position FROM {heads} AS h WHERE {} \
                 AND NOT EXISTS (SELECT 1 FROM {messages} AS m WHERE m.stream_name = h.stream_name)",
                selection.of_category(CATEGORY)
            );
        }
        let mut statement = words(self.connection.prepare(&format!("SELECT * FROM ({sql}) ORDER BY stream_name")))?;
        let mut rows = words(statement.query([]))?;
        while let Some(row) = words(rows.next())? {
            each(Head { stream_name: words(row.get(0))?, position: words(row.get(1))? })?;
        }
        Ok(())
    }

    fn consumer_positions(&mut self, category: Option<&str>) -> Result<Vec<ConsumerPosition>> {
        let Some(table) = self.table("message_store_consumer_positions")? else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT category, consumer, position, time FROM {table} \
             WHERE ?1 IS NULL OR category = ?1 ORDER BY category, consumer"
        );
        let mut statement = words(self.connection.prepare(&sql))?;
        let rows = words(statement.query_map([category], consumer_position))?;
        rows.map(words).collect()
    }

    /// Of streams that the function takes, which those without an id are not.
    fn remove(&mut self, heads: &[Head]) -> Result<u64> {
        let namespace = self.namespace.clone();
        self.in_transaction(|connection| {
            let mut statement = connection.prepare("SELECT truncate_stream(?1, ?2, ?3)")?;
            let mut removed = 0;
            for head in heads.iter().filter(|head| head.stream_name.contains('-')) {
                let values = params![head.stream_name, head.position + 1, namespace];
                removed += statement.query_row(values, |row| row.get::<_, i64>(0))?;
            }
            Ok(removed.unsigned_abs())
        })
    }

    fn put_heads(&mut self, heads: &[Head]) -> Result<usize> {
        let Some(table) = self.table("message_store_stream_heads")? else { return Ok(0) };
        let sql = format!(
            "INSERT INTO {table} (stream_name, position) SELECT ?1, ?2 \
             WHERE NOT EXISTS (SELECT 1 FROM {} WHERE stream_name = ?1) \
             ON CONFLICT (stream_name) DO UPDATE SET position = max(position, excluded.position)",
            self.messages()
        );
        self.in_transaction(|connection| {
            let mut statement = connection.prepare(&sql)?;
            for head in heads {
                statement.execute(params![head.stream_name, head.position])?;
            }
            Ok(heads.len())
        })
    }

    fn has_lost(&mut self, stream_name: &str, position: i64) -> Result<bool> {
        let sql = format!(
            "SELECT coalesce(stream_version(?1, ?3), -1) >= ?2 \
             AND NOT EXISTS (SELECT 1 FROM {} WHERE stream_name = ?1 AND position = ?2)",
            self.messages()
        );
        self.value(&sql, params![stream_name, position, self.namespace])
    }

    fn import(&mut self, batch: &Batch, reopened: Option<i64>) -> Result<()> {
        let namespace = self.namespace.clone();
        let import = |connection: &Connection| {
            connection.query_row("SELECT import_messages(?1, ?2)", params![batch.json(), namespace], |_| Ok(()))
        };
        let Some(last) = reopened else { return words(import(&self.connection)) };
        let (seen, schema, messages) = (self.seen_after(last)?, self.schema.clone(), self.messages());
        self.in_transaction(|connection| {
            for (sql, by) in &seen {
                if connection.query_row(sql, [], |row| row.get(0))? {
                    return Ok(Err(passed(last, by)));
                }
            }
            let set = format!(
                "UPDATE {schema}.sqlite_sequence SET seq = ?1 WHERE name = 'messages' \
                 AND ?1 = (SELECT coalesce(max(global_position), 0) FROM {messages})"
            );
            connection.execute(&set, [last])?;
            import(connection).map(Ok)
        })?
    }

    fn put_consumer_positions(&mut self, positions: &[ConsumerPosition]) -> Result<usize> {
        let Some(table) = self.table("message_store_consumer_positions")? else { return Ok(0) };
        let sql = format!(
            "INSERT INTO {table} (category, consumer, position, time) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (category, consumer) DO UPDATE SET position = excluded.position, time = excluded.time \
             WHERE position <= excluded.position"
        );
        self.in_transaction(|connection| {
            let mut statement = connection.prepare(&sql)?;
            for ConsumerPosition { category, consumer, position, time } in positions {
                statement.execute(params![category, consumer, position, time])?;
            }
            Ok(positions.len())
        })
    }

    fn advance_to(&mut self, next: i64) -> Result<()> {
        if next <= self.next_global_position()? {
            return Ok(());
        }
        self.set_last_position(next - 1)
    }

    fn namespaces(&mut self) -> Result<Vec<Namespace>> {
        let sql = "SELECT name, description, metadata, created_at FROM list_namespaces()";
        let mut statement = words(self.connection.prepare(sql))?;
        let rows = statement.query_map([], |row| {
            Ok(Namespace {
                name: row.get(0)?,
                description: row.get(1)?,
                metadata: row.get(2)?,
                created_at: row.get(3)?,
            })
        });
        words(rows)?.map(words).collect()
    }

    fn stats(&mut self) -> Result<Stats> {
        let sql = "SELECT namespace, message_count, stream_count, category_count, last_global_position, last_time, \
                   size_bytes FROM stats(?1)";
        let stats = self.connection.query_row(sql, [&self.namespace], |row| {
            Ok(Stats {
                namespace: row.get(0)?,
                message_count: row.get(1)?,
                stream_count: row.get(2)?,
                category_count: row.get(3)?,
                last_global_position: row.get(4)?,
                last_time: row.get(5)?,
                size_bytes: row.get(6)?,
            })
        });
        words(stats).map_err(|error| {
            if error.contains("no such table: stats") || error.contains("'stats' is not a function") {
                format!("release {} of Message Store is too old for stats", self.release)
            } else {
                error
            }
        })
    }

    fn followed(&mut self, what: &Followed, from: i64, limit: i64) -> Result<Vec<Message>> {
        let namespace = &self.namespace;
        match what {
            Followed::All => {
                let sql = format!("SELECT {COLUMNS} FROM get_all_messages(?1, ?2, ?3)");
                self.read(&sql, params![from, limit, namespace])
            }
            Followed::Category(category, group) => {
                let sql = format!("SELECT {COLUMNS} FROM get_category_messages(?1, ?2, ?3, NULL, ?4, ?5, NULL, ?6)");
                let (member, size) = (group.map(|group| group.0), group.map(|group| group.1));
                self.read(&sql, params![category, from, limit, member, size, namespace])
            }
            Followed::Stream(stream) => {
                let sql = format!("SELECT {COLUMNS} FROM get_stream_messages(?1, ?2, ?3, NULL, ?4)");
                self.read(&sql, params![stream, from, limit, namespace])
            }
        }
    }

    fn end_of(&mut self, what: &Followed) -> Result<i64> {
        match what {
            Followed::Stream(stream) => {
                self.value("SELECT coalesce(stream_version(?1, ?2), -1) + 1", params![stream, self.namespace])
            }
            _ => Ok(self.last()?.map_or(1, |last| last.0 + 1)),
        }
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool> {
        let until = Instant::now() + at_most;
        loop {
            let version = self.value(&format!("PRAGMA {}.data_version", self.schema), [])?;
            let has_changed = self.data_version.replace(version) != Some(version);
            if has_changed || Instant::now() >= until || interrupt::requested() {
                return Ok(has_changed);
            }
            thread::sleep(LOOK_EVERY.min(at_most));
        }
    }
}
