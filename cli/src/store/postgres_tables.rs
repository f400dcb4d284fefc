//! The tables of a namespace by plain SQL, where no function reaches what is needed.
//!
//! Whoever owns a namespace could put a view, or a rule, in the place of a table, and its functions would run with the
//! rights of whoever reads it. So each statement runs in a transaction in which the tables are locked against change, and
//! then looked at. The session's search_path is Postgres' own.

use postgres::types::ToSql;
use postgres::{Client, Statement, Transaction};

use super::{BY_CONSUMER, BY_REMOVAL, Part, Result, passed, postgres_rows};
use crate::connection::reason;
use crate::message::{ConsumerPosition, Head};
use crate::selection::Selection;

/// A relation as every release has made it.
#[derive(Clone, Copy)]
struct Relation {
    name: &'static str,
    /// What it may be, as in `pg_class.relkind`.
    kinds: &'static str,
    /// Its first columns.
    columns: &'static str,
}

const MESSAGES: Relation = Relation {
    name: "messages",
    kinds: "rp",
    columns: "global_position bigint,position bigint,time timestamp without time zone,stream_name text,type text,\
              data jsonb,metadata jsonb,id uuid",
};

const SEQUENCE: Relation = Relation {
    name: "messages_global_position_seq",
    kinds: "S",
    columns: "last_value bigint,log_cnt bigint,is_called boolean",
};

const STREAM_HEADS: Relation =
    Relation { name: "stream_heads", kinds: "r", columns: "stream_name text,position bigint" };

const CONSUMER_POSITIONS: Relation = Relation {
    name: "consumer_positions",
    kinds: "r",
    columns: "category text,consumer text,position bigint,time timestamp without time zone",
};

/// Whether each relation is what it should be, and whether it belongs to the owner whom the registry has recorded, for the
/// default store to that of its messages.
const CHECK: &str = "SELECT \
        coalesce(c.relkind::text = ANY (string_to_array(w.kinds, NULL)) AND NOT c.relhasrules AND w.columns = ( \
            SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, NULL), ',' ORDER BY a.attnum) \
            FROM pg_attribute a WHERE a.attrelid = c.oid \
                AND a.attnum BETWEEN 1 AND cardinality(string_to_array(w.columns, ','))), false), \
        coalesce(c.relowner = CASE $1 \
            WHEN 'message_store' THEN (SELECT m.relowner FROM pg_class m WHERE m.relnamespace = n.oid AND m.relname = 'messages') \
            ELSE (SELECT r.oid FROM message_store.namespaces s JOIN pg_roles r ON r.rolname = s.owner WHERE s.name = $1) \
        END, false) \
    FROM unnest($2::text[], $3::text[], $4::text[]) AS w (name, kinds, columns) \
    LEFT JOIN pg_namespace n ON n.nspname = $1 LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name";

/// A stream's category, as the index has it.
const CATEGORY: &str = "message_store.category(stream_name::varchar)";

/// What is done with the tables, and how they are locked for that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    /// Who writes holds a lock on the table before drawing a position.
    WithoutWriters,
}

/// Parameters of a statement.
type Values<'a> = [&'a (dyn ToSql + Sync)];

/// The tables of a namespace.
pub struct Tables {
    namespace: String,
    has_heads: bool,
    has_consumer_positions: bool,
}

fn words<T>(result: std::result::Result<T, postgres::Error>) -> Result<T> {
    result.map_err(|error| reason(&error))
}

impl Tables {
    /// Finds out which there are: an earlier release has made fewer.
    pub fn find(client: &mut Client, namespace: &str) -> Result<Self> {
        let mut tables = Self { namespace: namespace.to_owned(), has_heads: false, has_consumer_positions: false };
        let sql = "SELECT count(*) FILTER (WHERE c.relname = $2), count(*) FILTER (WHERE c.relname = $3) \
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1";
        let row = words(client.query_one(sql, &[&namespace, &STREAM_HEADS.name, &CONSUMER_POSITIONS.name]))?;
        tables.has_heads = words(row.try_get::<_, i64>(0))? > 0;
        tables.has_consumer_positions = words(row.try_get::<_, i64>(1))? > 0;
        Ok(tables)
    }

    /// Whether there is a place for consumers' positions.
    pub fn have_consumer_positions(&self) -> bool {
        self.has_consumer_positions
    }

    /// The name of a relation in SQL.
    fn name(&self, relation: Relation) -> String {
        format!("\"{}\".{}", self.namespace, relation.name)
    }

    /// Begins a transaction to whose end the relations stay what they are found to be.
    fn begin<'a>(&self, client: &'a mut Client, access: Access, relations: &[Relation]) -> Result<Transaction<'a>> {
        let mut transaction = words(client.build_transaction().read_only(access == Access::Read).start())?;
        self.lock(&mut transaction, access, relations)?;
        Ok(transaction)
    }

    fn lock(&self, transaction: &mut Transaction<'_>, access: Access, relations: &[Relation]) -> Result<()> {
        let lockable = relations.iter().filter(|relation| relation.kinds != SEQUENCE.kinds);
        let tables: Vec<String> = lockable.map(|relation| self.name(*relation)).collect();
        let mode = match access {
            Access::Read => "ACCESS SHARE",
            Access::Write => "ROW EXCLUSIVE",
            Access::WithoutWriters => "SHARE ROW EXCLUSIVE",
        };
        if !tables.is_empty() {
            words(transaction.batch_execute(&format!("LOCK TABLE {} IN {mode} MODE", tables.join(", "))))?;
        }
        let column = |part: fn(&Relation) -> &'static str| relations.iter().map(part).collect::<Vec<_>>();
        let (names, kinds, columns) = (column(|r| r.name), column(|r| r.kinds), column(|r| r.columns));
        let found = words(transaction.query(CHECK, &[&self.namespace, &names, &kinds, &columns]))?;
        for row in &found {
            if !words(row.try_get::<_, bool>(0))? {
                return Err(format!("Not a message store: {}", self.namespace));
            }
            if !words(row.try_get::<_, bool>(1))? {
                return Err(format!("Namespace is not owned by its recorded owner: {}", self.namespace));
            }
        }
        Ok(())
    }

    /// The global position that will be given out next.
    pub fn next_global_position(&self, client: &mut Client) -> Result<i64> {
        let mut transaction = self.begin(client, Access::Read, &[SEQUENCE])?;
        let sequence = self.name(SEQUENCE);
        let sql = format!("SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM {sequence}");
        words(words(transaction.query_one(&sql, &[]))?.try_get(0))
    }

    /// Global positions and ids of messages.
    pub fn ids(&self, client: &mut Client, part: &Part) -> Result<Vec<(i64, String)>> {
        let mut transaction = self.begin(client, Access::Read, &[MESSAGES])?;
        postgres_rows::ids(&mut transaction, &part.sql("id::text", &self.name(MESSAGES), CATEGORY))
    }

    /// The first global position of a part whose message is not before a time.
    pub fn first_not_before(&self, client: &mut Client, time: i64, selection: &Selection) -> Result<Option<i64>> {
        let mut transaction = self.begin(client, Access::Read, &[MESSAGES])?;
        postgres_rows::first_not_before(&mut transaction, time, selection, &self.name(MESSAGES), CATEGORY)
    }

    /// The versions that streams have before a part of the store, by name in byte order.
    pub fn heads(
        &self,
        client: &mut Client,
        selection: &Selection,
        each: &mut dyn FnMut(Head) -> Result<()>,
    ) -> Result<()> {
        let messages = self.name(MESSAGES);
        let mut sql = selection.heads_sql(&messages, CATEGORY);
        let mut relations = vec![MESSAGES];
        if self.has_heads {
            relations.push(STREAM_HEADS);
            sql = format!(
                "{sql} UNION ALL SELECT stream_name, position FROM {} h WHERE {} \
                 AND NOT EXISTS (SELECT FROM {messages} m WHERE m.stream_name = h.stream_name)",
                self.name(STREAM_HEADS),
                selection.of_category(CATEGORY)
            );
        }
        let mut transaction = self.begin(client, Access::Read, &relations)?;
        postgres_rows::heads(&mut transaction, &sql, each)
    }

    /// Sets the versions of streams that have no message: how many it has a place for.
    pub fn put_heads(&self, client: &mut Client, heads: &[Head]) -> Result<usize> {
        if !self.has_heads {
            return Ok(0);
        }
        let (names, positions) = postgres_rows::columns(heads);
        let sql = format!(
            "INSERT INTO {} AS h (stream_name, position) \
             SELECT n, p FROM unnest($1::text[], $2::bigint[]) AS new (n, p) \
             WHERE NOT EXISTS (SELECT FROM {} m WHERE m.stream_name = n) \
             ON CONFLICT (stream_name) DO UPDATE SET position = greatest(h.position, excluded.position)",
            self.name(STREAM_HEADS),
            self.name(MESSAGES)
        );
        let mut transaction = self.begin(client, Access::Write, &[MESSAGES, STREAM_HEADS])?;
        words(transaction.execute(&sql, &[&names, &positions]))?;
        words(transaction.commit())?;
        Ok(heads.len())
    }

    /// Sets where consumers are, unless they are further: how many it has a place for.
    pub fn put_consumer_positions(&self, client: &mut Client, positions: &[ConsumerPosition]) -> Result<usize> {
        if !self.has_consumer_positions || positions.is_empty() {
            return Ok(0);
        }
        let sql = format!(
            "INSERT INTO {} AS c (category, consumer, position, time) VALUES ($1, $2, $3, $4::text::timestamp) \
             ON CONFLICT (category, consumer) DO UPDATE SET position = excluded.position, time = excluded.time \
             WHERE c.position <= excluded.position",
            self.name(CONSUMER_POSITIONS)
        );
        let mut transaction = self.begin(client, Access::Write, &[CONSUMER_POSITIONS])?;
        for position in positions {
            let ConsumerPosition { category, consumer, position, time } = position;
            words(transaction.execute(&sql, &[category, consumer, position, time]))?;
        }
        words(transaction.commit())?;
        Ok(positions.len())
    }

    /// Whether the stream, whose version is that of a message at this position or a later one, has no message there.
    pub fn has_lost(&self, client: &mut Client, stream_name: &str, position: i64) -> Result<bool> {
        let mut transaction = self.begin(client, Access::Read, &[MESSAGES])?;
        let messages = self.name(MESSAGES);
        let sql = format!("SELECT NOT EXISTS (SELECT FROM {messages} WHERE stream_name = $1 AND position = $2)");
        words(words(transaction.query_one(&sql, &[&stream_name, &position]))?.try_get(0))
    }

    /// Sets the sequence back to the last message and imports after it, in one transaction that keeps writers out. What
    /// fails leaves the sequence where it was, which setval by itself does not.
    pub fn import_after(&self, client: &mut Client, last: i64, import: &Statement, values: &Values<'_>) -> Result<()> {
        let sequence = self.name(SEQUENCE);
        let mut transaction = self.begin(client, Access::WithoutWriters, &[MESSAGES, SEQUENCE])?;
        self.check_unseen(&mut transaction, last)?;
        let row = words(transaction.query_one(&format!("SELECT last_value, is_called FROM {sequence}"), &[]))?;
        let before: (i64, bool) = (words(row.try_get(0))?, words(row.try_get(1))?);
        let set = words(transaction.prepare(&format!("SELECT setval('{sequence}', $1, $2)")))?;
        let mut attempt = words(transaction.transaction())?;
        let back = attempt.execute(&set, &[&last.max(1), &(last > 0)]);
        let imported = back.and_then(|_| attempt.execute(import, values));
        match imported {
            Ok(_) => words(attempt.commit())?,
            Err(_) => {
                words(attempt.rollback())?;
                words(transaction.execute(&set, &[&before.0, &before.1]))?;
            }
        }
        words(transaction.commit())?;
        words(imported).map(drop)
    }

    /// Makes sure that no global position after the last message was ever that of a message.
    fn check_unseen(&self, transaction: &mut Transaction<'_>, last: i64) -> Result<()> {
        let messages = self.name(MESSAGES);
        let is_last = format!("SELECT coalesce(max(global_position), 0) = $1 FROM {messages}");
        if !words(words(transaction.query_one(&is_last, &[&last]))?.try_get::<_, bool>(0))? {
            return Err("somebody else writes to the target".to_owned());
        }
        if self.has_consumer_positions {
            self.lock(transaction, Access::Read, &[CONSUMER_POSITIONS])?;
            let sql = format!("SELECT FROM {} WHERE position > $1 LIMIT 1", self.name(CONSUMER_POSITIONS));
            if words(transaction.query_opt(&sql, &[&last]))?.is_some() {
                return Err(passed(last, BY_CONSUMER));
            }
        }
        if self.has_heads {
            self.lock(transaction, Access::Read, &[STREAM_HEADS])?;
            let heads = self.name(STREAM_HEADS);
            let sql = format!(
                "SELECT FROM {heads} h WHERE NOT EXISTS (SELECT FROM {messages} m WHERE m.stream_name = h.stream_name) LIMIT 1"
            );
            if words(transaction.query_opt(&sql, &[]))?.is_some() {
                return Err(passed(last, BY_REMOVAL));
            }
        }
        Ok(())
    }

    /// Moves the next global position up to this one.
    pub fn advance_to(&self, client: &mut Client, next: i64) -> Result<()> {
        let sequence = self.name(SEQUENCE);
        let mut transaction = self.begin(client, Access::WithoutWriters, &[MESSAGES, SEQUENCE])?;
        let sql = format!("SELECT setval('{sequence}', $1) FROM {sequence} WHERE last_value < $1 OR NOT is_called");
        words(transaction.execute(&sql, &[&(next - 1)]))?;
        words(transaction.commit())
    }
}
