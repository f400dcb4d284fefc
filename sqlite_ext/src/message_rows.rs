//! Rows of messages: the columns of Message DB's type `message`, from a statement that runs along.

use std::ffi::c_int;

use message_store_core::consumer_group::ConsumerGroup;
use message_store_core::json;
use message_store_core::stream_name::category;

use crate::engine::rows::Rows;
use crate::engine::statement::{Parameter, Statement};
use crate::errors::Result;
use crate::statements::Pooled;

/// The columns, in the order of the type `message`.
pub const COLUMNS: [&str; 8] = [
    "id TEXT",
    "stream_name TEXT",
    "type TEXT",
    "position INTEGER",
    "global_position INTEGER",
    "data TEXT",
    "metadata TEXT",
    "time TEXT",
];
/// Among the columns, where rows of a stream ascend by it.
pub const POSITION: c_int = 3;
/// Among the columns, where rows of a category or of everything ascend by it.
pub const GLOBAL_POSITION: c_int = 4;

const STREAM_NAME: c_int = 1;
const METADATA: c_int = 6;

/// No rows.
pub struct NoRows;

impl Rows for NoRows {
    fn next(&mut self) -> Result<bool> {
        Ok(false)
    }
}

/// A statement on a store, kept or not.
#[derive(Debug)]
pub enum Source {
    /// One that goes back to the pool.
    Kept(Pooled),
    /// One with a condition of the caller's.
    Own(Statement),
}

impl Source {
    fn statement(&self) -> Option<&Statement> {
        match self {
            Self::Kept(statement) => statement.get(),
            Self::Own(statement) => Some(statement),
        }
    }

    /// Starts a read of a stream or a category. A condition may name the batch size, too.
    pub fn start(&mut self, parameters: &[Parameter<'_>; 2], batch_size: i64) -> Result<&mut Statement> {
        self.statement_mut().start(parameters)?;
        if let Self::Own(statement) = self {
            statement.bind_named(c"$3", batch_size)?;
        }
        Ok(self.statement_mut())
    }

    fn statement_mut(&mut self) -> &mut Statement {
        match self {
            Self::Kept(statement) => statement,
            Self::Own(statement) => statement,
        }
    }
}

/// What a read passes over.
#[derive(Debug, Default)]
pub struct Filter {
    /// The highest global position that it gives.
    pub up_to: Option<i64>,
    /// The consumer group member that reads.
    pub consumer_group: Option<ConsumerGroup>,
    /// The category of the metadata's `correlationStreamName`.
    pub correlation: Option<Vec<u8>>,
}

impl Filter {
    fn keeps(&self, row: &Statement) -> bool {
        self.up_to.is_none_or(|up_to| row.integer(GLOBAL_POSITION) <= up_to)
            && self.consumer_group.is_none_or(|group| row.text(STREAM_NAME).is_some_and(|name| group.reads(name)))
            && self.correlation.as_deref().is_none_or(|correlation| correlates(row.text(METADATA), correlation))
    }
}

/// Whether the metadata names a correlation stream of the category. JSON that a plain SQLite has broken names none.
fn correlates(metadata: Option<&[u8]>, correlation: &[u8]) -> bool {
    let Some(Ok(metadata)) = metadata.map(json::parse) else { return false };
    let name = metadata.get("correlationStreamName").and_then(json::Value::as_text);
    name.is_some_and(|name| category(name.as_bytes()) == correlation)
}

/// The rows of a statement that a filter keeps.
pub struct MessageRows {
    source: Source,
    filter: Filter,
    left: Option<i64>,
    is_on_first: bool,
}

impl MessageRows {
    /// The rows of a started statement, at most `limit` of those that the filter keeps.
    ///
    /// The statements have no LIMIT of their own: SQLite from 3.50 on prepares a statement anew for each value bound
    /// there, which makes a small read three times slower.
    pub fn new(source: Source, filter: Filter, limit: Option<i64>) -> Self {
        Self { source, filter, left: limit, is_on_first: false }
    }

    /// The same of a statement that is on its first row.
    pub fn from_first(source: Source, filter: Filter, limit: Option<i64>) -> Self {
        Self { is_on_first: true, ..Self::new(source, filter, limit) }
    }
}

impl Rows for MessageRows {
    fn next(&mut self) -> Result<bool> {
        if self.left == Some(0) {
            return Ok(false);
        }
        let statement = self.source.statement_mut();
        while std::mem::take(&mut self.is_on_first) || statement.step()? {
            if self.filter.keeps(statement) {
                self.left = self.left.map(|left| left - 1);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn statement(&self) -> Option<&Statement> {
        self.source.statement()
    }
}
