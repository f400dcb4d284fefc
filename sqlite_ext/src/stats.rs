//! `stats`: what is in a store, within 100 ms however much that is.
//!
//! Up to `EXACT` messages everything is counted. Beyond that the messages are counted in windows spread over the global
//! positions, which is exact where none is missing, and streams and categories one by one only so far; more of them
//! than that are estimated: a message of a stream of n messages stands for 1/n of a stream.

use std::ffi::c_int;
use std::rc::Rc;

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::rows::{Rows, Value};
use crate::engine::statement::Parameter;
use crate::engine::table_function::TableFunction;
use crate::errors::Result;
use crate::namespaces::{is_readable, with_store};
use crate::store::Store;

/// `stats(namespace)`: one row. Its hidden argument cannot be called as its first column is.
pub static FUNCTION: TableFunction = TableFunction {
    name: "stats",
    columns: &[
        "namespace TEXT",
        "message_count INTEGER",
        "stream_count INTEGER",
        "category_count INTEGER",
        "last_global_position INTEGER",
        "last_time TEXT",
        "size_bytes INTEGER",
    ],
    arguments: &["arg_namespace"],
    ascending: None,
    open: stats,
};

const STATS: &str = include_str!("../sql/statements/stats.sql");
const COUNT_STREAMS: &str = include_str!("../sql/statements/count_streams.sql");
const COUNT_CATEGORIES: &str = include_str!("../sql/statements/count_categories.sql");
const SKIP_STREAMS: &str = include_str!("../sql/statements/skip_streams.sql");
const SKIP_CATEGORIES: &str = include_str!("../sql/statements/skip_categories.sql");
const SAMPLE: &str = include_str!("../sql/statements/sample.sql");
const SAMPLE_CATEGORIES: &str = include_str!("../sql/statements/sample_categories.sql");

/// The most messages that are counted.
const EXACT: i64 = 100_000;
/// The most streams, and the most categories, that are counted one by one in a store of more messages.
const EXACT_NAMES: i64 = 5_000;
/// In how many windows of how many global positions messages are counted.
const WINDOWS: i64 = 400;
const WINDOW: i64 = 20;
/// A category of more messages counts for nothing where categories are estimated.
const EXACT_CATEGORY_SIZE: i64 = 500;

#[derive(Debug, Default)]
struct Stats {
    namespace: String,
    messages: i64,
    streams: i64,
    categories: i64,
    last_global_position: Option<i64>,
    last_time: Option<String>,
    size: i64,
    is_read: bool,
}

fn stats(connection: &Rc<Connection>, arguments: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    with_store(connection, arguments.text(0), |store| {
        let mut stats = Stats { namespace: store.namespace.clone(), ..Stats::default() };
        if is_readable(connection, store)? {
            count(connection, store, &mut stats)?;
        }
        stats.size = size(connection, store)?;
        Ok(Box::new(stats) as Box<dyn Rows>)
    })
}

fn count(connection: &Rc<Connection>, store: &Rc<Store>, stats: &mut Stats) -> Result<()> {
    // Held until the end, so that all is read from one snapshot.
    let mut summary = connection.db.prepare(store.sql(STATS).as_bytes())?;
    summary.start(&[(EXACT + 1).into()])?;
    summary.step()?;
    stats.messages = summary.integer(0);
    if stats.messages == 0 {
        return Ok(());
    }
    let (first, last) = (summary.integer(1), summary.integer(2));
    stats.last_global_position = Some(last);
    stats.last_time = summary.string(3);
    if stats.messages <= EXACT {
        stats.streams = number(connection, store, COUNT_STREAMS, &[])?;
        stats.categories = number(connection, store, COUNT_CATEGORIES, &[])?;
        return Ok(());
    }
    let windows = Windows::new(first, last);
    let (messages, share_of_stream) = windows.sample(connection, store)?;
    stats.messages = messages.max(EXACT + 1);
    stats.streams = number(connection, store, SKIP_STREAMS, &[(EXACT_NAMES + 1).into()])?;
    if stats.streams > EXACT_NAMES {
        stats.streams = estimate(stats.messages, share_of_stream).max(stats.streams);
    }
    stats.categories = number(connection, store, SKIP_CATEGORIES, &[(EXACT_NAMES + 1).into()])?;
    if stats.categories > EXACT_NAMES {
        let share = windows.share_of_category(connection, store)?;
        stats.categories = estimate(stats.messages, share).max(stats.categories);
    }
    Ok(())
}

/// Parts of a store from which all of it is estimated.
struct Windows {
    first: i64,
    range: i64,
}

impl Windows {
    fn new(first: i64, last: i64) -> Self {
        Self { first, range: last.saturating_sub(first).saturating_add(1) }
    }

    fn parameters(&self) -> [i64; 4] {
        [self.first, WINDOWS, self.range / WINDOWS, WINDOW]
    }

    /// How many messages there are, and the average share of one in its stream.
    fn sample(&self, connection: &Rc<Connection>, store: &Rc<Store>) -> Result<(i64, f64)> {
        let parameters = self.parameters().map(Parameter::from);
        let found = connection.db.query(&store.sql(SAMPLE), &parameters, |row| (row.integer(0), row.real(1)))?;
        let (found, share) = found.unwrap_or_default();
        let all = WINDOWS * WINDOW;
        let messages = if found == all { self.range } else { estimate(self.range, ratio(found, all)) };
        Ok((messages, share))
    }

    /// The average share of a message in its category.
    fn share_of_category(&self, connection: &Rc<Connection>, store: &Rc<Store>) -> Result<f64> {
        let [first, windows, range, window] = self.parameters().map(Parameter::from);
        let parameters = [first, windows, range, window, EXACT_CATEGORY_SIZE.into()];
        Ok(connection.db.query(&store.sql(SAMPLE_CATEGORIES), &parameters, |row| row.real(0))?.unwrap_or_default())
    }
}

fn number(connection: &Rc<Connection>, store: &Rc<Store>, query: &str, parameters: &[Parameter<'_>]) -> Result<i64> {
    Ok(connection.db.query(&store.sql(query), parameters, |row| row.integer(0))?.unwrap_or(0))
}

#[allow(clippy::cast_precision_loss)] // an estimate
fn ratio(some: i64, all: i64) -> f64 {
    some as f64 / all as f64
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // an estimate
fn estimate(all: i64, share: f64) -> i64 {
    (all as f64 * share).round() as i64
}

/// The bytes of the database that the store is in.
fn size(connection: &Rc<Connection>, store: &Rc<Store>) -> Result<i64> {
    let pragma = |name| {
        let sql = store.sql(&format!("PRAGMA {{schema}}{name}"));
        connection.db.query(&sql, &[], |row| row.integer(0)).map(Option::unwrap_or_default)
    };
    Ok(pragma("page_count")? * pragma("page_size")?)
}

impl Rows for Stats {
    fn next(&mut self) -> Result<bool> {
        Ok(!std::mem::replace(&mut self.is_read, true))
    }

    fn column(&self, column: c_int, value: &mut Value<'_>) -> Result<()> {
        match column {
            0 => value.text(Some(self.namespace.as_bytes())),
            1 => value.integer(Some(self.messages)),
            2 => value.integer(Some(self.streams)),
            3 => value.integer(Some(self.categories)),
            4 => value.integer(self.last_global_position),
            5 => value.text(self.last_time.as_deref().map(str::as_bytes)),
            _ => value.integer(Some(self.size)),
        }
        Ok(())
    }
}
