//! The SQL that reaches a store's table, and the plans kept for it.
//!
//! Every name in it is qualified and every operator is Postgres' own, whatever the caller's search_path says.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use message_store_core::retention::REDACTED;
use pgrx::pg_sys::{
    self, BOOLOID, INT2OID, INT8ARRAYOID, INT8OID, JSONBARRAYOID, JSONBOID, TEXTARRAYOID, TIMESTAMPARRAYOID,
    UUIDARRAYOID, UUIDOID, VARCHAROID,
};

use crate::namespace::Store;
use crate::registry;
use crate::spi::{Plan, Planning, Spi};

/// A statement on a store's table that is planned once and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statement {
    /// The position of a stream's last message.
    StreamVersion,
    /// The position of a stream's first message after a position.
    PositionAfter,
    /// Adds a message.
    Insert,
    /// Adds the messages of a batch, perhaps with times of their own; else the column's default holds.
    InsertBatch { timed: bool },
    /// Adds messages at given positions.
    Import,
    /// Whether there is any message: 1, or no row.
    AnyMessage,
    /// How many messages there are.
    MessageCount,
    /// Moves the sequence of global positions.
    SetGlobalPosition,
    /// Removes the messages of a stream up to a position.
    Remove,
    /// Keeps the version of a stream that has no message left.
    KeepHead,
    /// Replaces what a message says.
    Redact,
    /// Records where a consumer is; no row where it is further already.
    RecordConsumerPosition,
    /// Where a consumer is.
    ConsumerPosition,
    /// Where the consumers of a category are, or of all, with what is before each.
    ConsumerPositions,
    /// Some streams, found by skipping through the index.
    StreamPage,
    /// Streams, found by going through all of the index.
    AllStreams,
    /// The categories.
    Categories,
    /// Reads everything between two global positions.
    AllMessages,
    /// Reads a stream.
    StreamMessages,
    /// Reads a category, perhaps only what is correlated with a category or what a group's member reads, perhaps only
    /// up to where the category is settled.
    CategoryMessages { correlation: bool, consumer_group: bool, settled: bool },
    /// Reads a stream's last message, perhaps of one type only.
    LastMessage { of_type: bool },
}

/// The columns of the type `message`, as its fields have them.
const MESSAGE: &str = "id::pg_catalog.varchar, stream_name::pg_catalog.varchar, type::pg_catalog.varchar, position, \
     global_position, data::pg_catalog.varchar, metadata::pg_catalog.varchar, time";

/// How many plans a connection keeps, some 26 KiB each, before it frees them all and starts again.
const MAX_PLANS: usize = 2048;
/// From how many on it looks for those of namespaces that are no more.
const MANY_PLANS: usize = 64;

thread_local! {
    static PLANS: RefCell<HashMap<(Rc<str>, Statement), Plan>> = RefCell::default();
    /// How many plans there may be before some are freed.
    static ENOUGH: Cell<usize> = const { Cell::new(MANY_PLANS) };
}

/// Frees the plans of deleted namespaces, or all of them where the others are too many, too. None may be in use.
fn free_plans() {
    let namespaces: HashSet<Rc<str>> =
        PLANS.with_borrow(|plans| plans.keys().map(|(namespace, _)| namespace.clone()).collect());
    // Without a borrow: it reads the registry.
    let existing: HashSet<Rc<str>> = namespaces.into_iter().filter(|name| registry::is_registered(name)).collect();
    let kept = PLANS.with_borrow(|plans| plans.keys().filter(|(name, _)| existing.contains(name)).count());
    let free_all = kept >= MAX_PLANS;
    let freed: Vec<Plan> = PLANS.with_borrow_mut(|plans| {
        plans.extract_if(|(name, _), _| free_all || !existing.contains(name)).map(|(_, plan)| plan).collect()
    });
    freed.into_iter().for_each(Plan::free);
    let left = if free_all { 0 } else { kept };
    ENOUGH.set((2 * left).clamp(MANY_PLANS, MAX_PLANS));
}

impl Statement {
    /// The plan of this statement for a store, made when it is first needed.
    pub fn plan(self, spi: &Spi, store: &Store) -> Plan {
        let key = (store.namespace.clone(), self);
        // Plans in use must stay; an outermost call uses none yet.
        if spi.is_outermost() && PLANS.with_borrow(|plans| plans.len() >= ENOUGH.get()) {
            free_plans();
        }
        if let Some(plan) = PLANS.with_borrow(|plans| plans.get(&key).copied()) {
            return plan;
        }
        // No borrow is held while Postgres plans: that may call back into this extension.
        let sql = self.sql(store, None, true);
        let plan = spi.keep(&String::from_utf8_lossy(&sql), self.parameters(), self.planning());
        PLANS.with_borrow_mut(|plans| plans.insert(key, plan));
        plan
    }

    fn planning(self) -> Planning {
        if matches!(
            self,
            Self::Insert
                | Self::InsertBatch { .. }
                | Self::Import
                | Self::MessageCount
                | Self::KeepHead
                | Self::RecordConsumerPosition
        ) {
            Planning::Free
        } else {
            Planning::ByIndex
        }
    }

    /// The types of `$1`, `$2` and so on.
    pub fn parameters(self) -> &'static [pg_sys::Oid] {
        match self {
            Self::StreamVersion => &[VARCHAROID],
            Self::Insert => &[UUIDOID, VARCHAROID, INT8OID, VARCHAROID, JSONBOID, JSONBOID],
            Self::InsertBatch { .. } => {
                &[VARCHAROID, INT8OID, UUIDARRAYOID, TEXTARRAYOID, JSONBARRAYOID, JSONBARRAYOID, TIMESTAMPARRAYOID]
            }
            Self::Import => &[
                INT8ARRAYOID,
                INT8ARRAYOID,
                TIMESTAMPARRAYOID,
                TEXTARRAYOID,
                TEXTARRAYOID,
                JSONBARRAYOID,
                JSONBARRAYOID,
                UUIDARRAYOID,
            ],
            Self::AnyMessage | Self::MessageCount | Self::Categories => &[],
            Self::SetGlobalPosition => &[INT8OID],
            Self::PositionAfter | Self::Remove | Self::KeepHead => &[VARCHAROID, INT8OID],
            Self::Redact => &[UUIDOID],
            Self::RecordConsumerPosition => &[VARCHAROID, VARCHAROID, INT8OID, BOOLOID],
            Self::ConsumerPosition => &[VARCHAROID, VARCHAROID],
            Self::ConsumerPositions => &[VARCHAROID],
            Self::StreamPage | Self::AllStreams => &[VARCHAROID, BOOLOID, VARCHAROID, INT8OID],
            Self::AllMessages => &[INT8OID, INT8OID, INT8OID],
            Self::StreamMessages => &[VARCHAROID, INT8OID, INT8OID],
            Self::CategoryMessages { .. } => &[VARCHAROID, INT8OID, INT8OID, VARCHAROID, INT8OID, INT2OID, INT8OID],
            Self::LastMessage { .. } => &[VARCHAROID, VARCHAROID],
        }
    }

    /// The statement's text for a store, with the condition that a caller adds to a read, and `$3` as its limit.
    pub fn sql(self, store: &Store, condition: Option<&[u8]>, limited: bool) -> Vec<u8> {
        let messages = format!("\"{}\".messages", store.namespace);
        match self {
            Self::StreamVersion => format!(
                "SELECT position::pg_catalog.int8 FROM {messages} WHERE stream_name OPERATOR(pg_catalog.=) $1 \
                 ORDER BY position DESC LIMIT 1"
            )
            .into(),
            Self::PositionAfter => format!(
                "SELECT position::pg_catalog.int8 FROM {messages} WHERE stream_name OPERATOR(pg_catalog.=) $1 \
                 AND position OPERATOR(pg_catalog.>) $2 ORDER BY position LIMIT 1"
            )
            .into(),
            Self::Insert => format!(
                "INSERT INTO {messages} (id, stream_name, position, type, data, metadata) \
                 VALUES ($1, $2, $3, $4, $5, $6)"
            )
            .into(),
            Self::InsertBatch { timed } => insert_batch(&messages, timed).into(),
            Self::Import => format!(
                "INSERT INTO {messages} (global_position, position, time, stream_name, type, data, metadata, id) \
                 SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), \
                 pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), \
                 pg_catalog.unnest($8)) AS m"
            )
            .into(),
            Self::AnyMessage => format!("SELECT 1::pg_catalog.int8 FROM {messages} LIMIT 1").into(),
            Self::MessageCount => format!("SELECT pg_catalog.count(*) FROM {messages}").into(),
            Self::SetGlobalPosition => {
                format!("SELECT pg_catalog.setval('\"{}\".messages_global_position_seq', $1)", store.namespace).into()
            }
            Self::Remove => format!(
                "DELETE FROM {messages} WHERE stream_name OPERATOR(pg_catalog.=) $1 \
                 AND position OPERATOR(pg_catalog.<=) $2"
            )
            .into(),
            Self::KeepHead => format!(
                "INSERT INTO \"{}\".stream_heads AS head (stream_name, position) VALUES ($1, $2) \
                 ON CONFLICT (stream_name) DO UPDATE SET position = excluded.position",
                store.namespace
            )
            .into(),
            Self::Redact => format!(
                "UPDATE {messages} SET data = '{REDACTED}'::pg_catalog.jsonb, metadata = '{REDACTED}'::pg_catalog.jsonb \
                 WHERE id OPERATOR(pg_catalog.=) $1"
            )
            .into(),
            Self::RecordConsumerPosition => format!(
                "INSERT INTO \"{}\".consumer_positions AS stored (category, consumer, position, time) \
                 VALUES ($1, $2, $3, pg_catalog.timezone('utc', pg_catalog.now())) \
                 ON CONFLICT (category, consumer) DO UPDATE SET position = excluded.position, time = excluded.time \
                 WHERE $4 OR stored.position OPERATOR(pg_catalog.<=) excluded.position RETURNING stored.position",
                store.namespace
            )
            .into(),
            Self::ConsumerPosition => format!(
                "SELECT position FROM \"{}\".consumer_positions \
                 WHERE category OPERATOR(pg_catalog.=) $1 AND consumer OPERATOR(pg_catalog.=) $2",
                store.namespace
            )
            .into(),
            Self::ConsumerPositions => format!(
                "SELECT c.category::pg_catalog.varchar, c.consumer::pg_catalog.varchar, c.position, (\
                 SELECT pg_catalog.count(*) FROM {messages} AS m \
                 WHERE message_store.category(m.stream_name) OPERATOR(pg_catalog.=) c.category \
                 AND m.global_position OPERATOR(pg_catalog.>) c.position), c.time \
                 FROM \"{}\".consumer_positions AS c WHERE $1 IS NULL OR c.category OPERATOR(pg_catalog.=) $1 \
                 ORDER BY c.category COLLATE pg_catalog.\"C\", c.consumer COLLATE pg_catalog.\"C\"",
                store.namespace
            )
            .into(),
            Self::StreamPage => stream_page(&messages).into(),
            Self::AllStreams => format!(
                "SELECT stream_name::pg_catalog.varchar, pg_catalog.max(position), pg_catalog.count(*) \
                 FROM {messages} WHERE stream_name COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.>=) $1 \
                 AND (NOT $2 OR stream_name OPERATOR(pg_catalog.<>) $1) \
                 AND pg_catalog.starts_with(stream_name, $3) \
                 GROUP BY stream_name ORDER BY stream_name COLLATE pg_catalog.\"C\" LIMIT $4"
            )
            .into(),
            Self::Categories => format!(
                "SELECT s.category, pg_catalog.count(*), pg_catalog.sum(s.messages)::pg_catalog.int8 FROM (\
                 SELECT message_store.category(stream_name) AS category, pg_catalog.count(*) AS messages \
                 FROM {messages} GROUP BY stream_name) AS s GROUP BY s.category ORDER BY s.category COLLATE pg_catalog.\"C\""
            )
            .into(),
            Self::AllMessages => format!(
                "SELECT {MESSAGE} FROM {messages} WHERE global_position OPERATOR(pg_catalog.>=) $1 \
                 AND global_position OPERATOR(pg_catalog.<=) $2 ORDER BY global_position ASC LIMIT $3"
            )
            .into(),
            Self::StreamMessages => read(
                &format!(
                    "SELECT {MESSAGE} FROM {messages} WHERE stream_name OPERATOR(pg_catalog.=) $1 \
                     AND position OPERATOR(pg_catalog.>=) $2"
                ),
                condition,
                "position",
                limited,
            ),
            Self::CategoryMessages { correlation, consumer_group, settled } => {
                let mut sql = format!(
                    "SELECT {MESSAGE} FROM {messages} \
                     WHERE message_store.category(stream_name) OPERATOR(pg_catalog.=) $1 \
                     AND global_position OPERATOR(pg_catalog.>=) $2"
                );
                if correlation {
                    sql += " AND message_store.category(metadata OPERATOR(pg_catalog.->>) 'correlationStreamName') \
                         OPERATOR(pg_catalog.=) $4";
                }
                if consumer_group {
                    sql += " AND pg_catalog.mod(pg_catalog.abs(message_store.hash_64(\
                         message_store.cardinal_id(stream_name))), $6) OPERATOR(pg_catalog.=) $5";
                }
                if settled {
                    sql += " AND global_position OPERATOR(pg_catalog.<=) $7";
                }
                read(&sql, condition, "global_position", limited)
            }
            Self::LastMessage { of_type } => {
                let of_type = if of_type { " AND type OPERATOR(pg_catalog.=) $2" } else { "" };
                format!(
                    "SELECT {MESSAGE} FROM {messages} WHERE stream_name OPERATOR(pg_catalog.=) $1{of_type} \
                     ORDER BY position DESC LIMIT 1"
                )
                .into()
            }
        }
    }
}

/// A read of several messages: its filter, the caller's condition, the order, and `$3` as the limit.
fn read(filter: &str, condition: Option<&[u8]>, order: &str, limited: bool) -> Vec<u8> {
    let mut sql = filter.as_bytes().to_vec();
    // Lines end where Message DB's do: a comment in a condition ends with its line.
    if let Some(condition) = condition {
        sql.extend_from_slice(b" AND (");
        sql.extend_from_slice(condition);
        sql.extend_from_slice(b")");
    }
    sql.extend_from_slice(format!("\nORDER BY {order} ASC").as_bytes());
    if limited {
        // NULL means no limit, so one plan serves both.
        sql.extend_from_slice(b"\nLIMIT $3");
    }
    sql
}

/// The messages of a batch in their order. Where none has a time the column's default gives it, as to a single message.
fn insert_batch(messages: &str, timed: bool) -> String {
    let (time, given) = match timed {
        true => (", time", ", COALESCE(m.time, pg_catalog.timezone('utc', pg_catalog.now()))"),
        false => ("", ""),
    };
    format!(
        "INSERT INTO {messages} (id, stream_name, position, type, data, metadata{time}) \
         SELECT m.id, $1, $2 OPERATOR(pg_catalog.+) m.n, m.type, m.data, m.metadata{given} \
         FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5), \
         pg_catalog.unnest($6), pg_catalog.unnest($7)) WITH ORDINALITY \
         AS m (id, type, data, metadata, time, n) ORDER BY m.n RETURNING global_position::pg_catalog.int8"
    )
}

/// From one stream's name to the next through the index, `$4` of them at the most, then what each has.
fn stream_page(messages: &str) -> String {
    format!(
        "WITH RECURSIVE page (stream_name, n) AS (\
           (SELECT stream_name, 1::pg_catalog.int8 FROM {messages} \
            WHERE stream_name OPERATOR(pg_catalog.>=) $1 AND (NOT $2 OR stream_name OPERATOR(pg_catalog.<>) $1) \
            ORDER BY stream_name LIMIT 1) \
           UNION ALL \
           SELECT (SELECT m.stream_name FROM {messages} AS m \
                   WHERE m.stream_name OPERATOR(pg_catalog.>) page.stream_name ORDER BY m.stream_name LIMIT 1), \
                  page.n OPERATOR(pg_catalog.+) 1 \
           FROM page \
           WHERE page.n OPERATOR(pg_catalog.<) $4 AND pg_catalog.starts_with(page.stream_name, $3)\
         ) \
         SELECT page.stream_name::pg_catalog.varchar, stream.version, stream.message_count \
         FROM page, LATERAL (\
           SELECT pg_catalog.max(m.position) AS version, pg_catalog.count(*) AS message_count FROM {messages} AS m \
           WHERE m.stream_name OPERATOR(pg_catalog.=) page.stream_name) AS stream \
         WHERE pg_catalog.starts_with(page.stream_name, $3) ORDER BY page.n LIMIT $4"
    )
}
