//! A message store of whatever kind, as the commands see it.

mod message_db;
mod postgres;
mod postgres_rows;
mod postgres_tables;
mod sqlite;
mod sqlite_rows;
mod writers;

use std::time::Duration;

use crate::batch::Batch;
use crate::location::{Engine, Location};
use crate::message::{ConsumerPosition, Head, Message};
use crate::selection::Selection;

/// What went wrong, for the user.
pub type Result<T> = std::result::Result<T, String>;

/// About how much memory a page of messages takes at the most, if no single message takes more.
pub const PAGE_BYTES: usize = 4 << 20;

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Nothing is written.
    Read,
    /// The namespace must exist.
    Write,
    /// The namespace is created where it is missing.
    Create,
}

/// How a read waits for those who are writing.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// At the most so long.
    pub at_most: Duration,
    /// Whether nothing is said meanwhile.
    pub is_quiet: bool,
}

impl Patience {
    fn say(self, what: &str) {
        if !self.is_quiet {
            eprintln!("message-store: {what}");
        }
    }
}

/// What `tail` follows.
#[derive(Debug, Clone)]
pub enum Followed {
    /// Everything.
    All,
    /// A category, or a member's part of it: member and size.
    Category(String, Option<(i64, i64)>),
    /// A stream; its positions are the stream's own.
    Stream(String),
}

/// A part of a store by global position.
#[derive(Debug, Clone)]
pub struct Part {
    /// From this one on.
    pub from: i64,
    /// Below this one.
    pub before: i64,
    /// Of one category.
    pub category: Option<String>,
    /// Which end is read first.
    pub newest_first: bool,
    /// So many messages at the most.
    pub limit: i64,
}

impl Part {
    /// The same in SQL; `category` is the engine's expression for a stream's category.
    fn sql(&self, id: &str, messages: &str, category: &str) -> String {
        let Self { from, before, newest_first, limit, .. } = self;
        let of_category =
            self.category.as_ref().map_or(String::new(), |name| format!(" AND {category} = {}", quoted(name)));
        let order = if *newest_first { "DESC" } else { "ASC" };
        format!(
            "SELECT global_position, {id} FROM {messages} WHERE global_position >= {from} AND global_position < {before}\
             {of_category} ORDER BY global_position {order} LIMIT {limit}"
        )
    }
}

/// A literal in SQL.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A namespace as `list_namespaces` has it.
#[derive(Debug, serde::Serialize)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// JSON text.
    pub metadata: Option<String>,
    /// When it was registered.
    pub created_at: Option<String>,
}

/// What `stats` has.
#[derive(Debug, Default, serde::Serialize)]
pub struct Stats {
    /// The namespace.
    pub namespace: String,
    /// Messages.
    pub message_count: i64,
    /// Streams that have any.
    pub stream_count: i64,
    /// Categories that have any.
    pub category_count: i64,
    /// Of the last message; none in an empty store.
    pub last_global_position: Option<i64>,
    /// Of the last message.
    pub last_time: Option<String>,
    /// Of table and indexes.
    pub size_bytes: i64,
}

/// A store that is open.
pub trait Store: Send {
    /// `postgres`, `sqlite` or `message-db`.
    fn kind(&self) -> &'static str;

    /// The version of what holds the store.
    fn release(&self) -> &str;

    /// The namespace.
    fn namespace(&self) -> &str;

    /// The global position that will be given out next.
    fn next_global_position(&mut self) -> Result<i64>;

    /// The same, once whatever is below it can be read or will never be there. Where messages are committed in another
    /// order than they take their positions in, this waits for those who are writing.
    fn settle(&mut self, _: Patience) -> Result<i64> {
        self.next_global_position()
    }

    /// Global positions and ids of messages.
    fn ids(&mut self, part: &Part) -> Result<Vec<(i64, String)>>;

    /// Global position and id of the last message.
    fn last(&mut self) -> Result<Option<(i64, String)>> {
        let part = Part { from: 1, before: i64::MAX, category: None, newest_first: true, limit: 1 };
        Ok(self.ids(&part)?.pop())
    }

    /// The messages from a global position on, in global order, none of which a later one can precede: `limit` of them,
    /// or fewer when they are large. Empty only when there are none.
    fn page(&mut self, from: i64, category: Option<&str>, limit: i64) -> Result<Vec<Message>>;

    /// The first global position of a part whose message is not before a time, in microseconds since 1970.
    fn first_not_before(&mut self, time: i64, selection: &Selection) -> Result<Option<i64>>;

    /// The versions that streams have before a part of the store, by name in byte order: those of streams that begin in
    /// it after their first message, or have none in it, for what is below was removed or left out.
    fn heads(&mut self, selection: &Selection, each: &mut dyn FnMut(Head) -> Result<()>) -> Result<()>;

    /// Where the consumers are, of one category or all, by category and consumer in byte order.
    fn consumer_positions(&mut self, category: Option<&str>) -> Result<Vec<ConsumerPosition>>;

    /// Removes the messages of these streams up to these positions, in one transaction: how many.
    fn remove(&mut self, heads: &[Head]) -> Result<u64>;

    /// Sets the versions of streams that the store has not, in one transaction: how many it has a place for.
    fn put_heads(&mut self, heads: &[Head]) -> Result<usize>;

    /// Whether a stream had a message at this position that is gone.
    fn has_lost(&mut self, stream_name: &str, position: i64) -> Result<bool>;

    /// Adds messages, all or none. With `reopened`, which is the global position of the last message, they may take global
    /// positions that were given out after it and never seen; where somebody may have seen them nothing is done.
    fn import(&mut self, batch: &Batch, reopened: Option<i64>) -> Result<()>;

    /// Sets where the consumers are, unless they are further, in one transaction: how many the store has a place for.
    fn put_consumer_positions(&mut self, positions: &[ConsumerPosition]) -> Result<usize>;

    /// Moves the next global position up to this one.
    fn advance_to(&mut self, next: i64) -> Result<()>;

    /// The namespaces.
    fn namespaces(&mut self) -> Result<Vec<Namespace>>;

    /// Counts.
    fn stats(&mut self) -> Result<Stats>;

    /// What is followed, from a position on.
    fn followed(&mut self, what: &Followed, from: i64, limit: i64) -> Result<Vec<Message>>;

    /// The first position of what is followed that has no message yet.
    fn end_of(&mut self, what: &Followed) -> Result<i64>;

    /// Where the messages begin that are committed from now on: positions may have been given out before.
    fn begin(&mut self, what: &Followed) -> Result<i64> {
        self.end_of(what)
    }

    /// Waits until there may be more, at the most this long: whether there may be.
    fn wait(&mut self, at_most: Duration) -> Result<bool>;
}

/// Opens a store.
pub fn open(location: &Location, purpose: Use) -> Result<Box<dyn Store>> {
    let namespace = location.namespace.as_deref();
    let opened: Result<Box<dyn Store>> = match &location.engine {
        Engine::Postgres(parameters) => {
            postgres::PostgresStore::open(parameters, namespace, purpose).map(|store| Box::new(store) as _)
        }
        Engine::MessageDb(parameters) => {
            message_db::MessageDb::open(parameters, purpose).map(|store| Box::new(store) as _)
        }
        Engine::Sqlite(path) => sqlite::SqliteStore::open(path, namespace, purpose).map(|store| Box::new(store) as _),
    };
    opened.map_err(|error| format!("{location}: {error}"))
}

/// Why global positions are not taken a second time.
fn passed(last: i64, by: &str) -> String {
    format!("global positions after {last} were given out here before, and {by}: they are not given out again")
}

/// A consumer has got to one of them.
const BY_CONSUMER: &str = "a consumer has recorded one of them";

/// One of them may have been the last message of a stream that was removed.
const BY_REMOVAL: &str = "streams were removed here, whose messages may have had them";
