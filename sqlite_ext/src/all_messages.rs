//! `get_all_messages`.

use std::rc::Rc;

use message_store_core::arguments::{BatchSize, DEFAULT_GLOBAL_POSITION};

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::rows::Rows;
use crate::engine::table_function::TableFunction;
use crate::errors::Result;
use crate::message_rows::{COLUMNS, Filter, GLOBAL_POSITION, MessageRows, NoRows, Source};
use crate::namespaces::{is_readable, with_store};
use crate::statements::Query;

/// The function of this module.
pub static FUNCTION: TableFunction = TableFunction {
    name: "get_all_messages",
    columns: &COLUMNS,
    arguments: &["arg_position", "arg_batch_size", "namespace"],
    ascending: Some(GLOBAL_POSITION),
    open: get_all_messages,
};

/// `get_all_messages(position, batch_size, namespace)`: every message by global position.
///
/// A file has one writer at a time, which takes its global position under the write lock, so that order is the order of
/// commits, and a reader that polls by position skips nothing.
fn get_all_messages(connection: &Rc<Connection>, arguments: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    let position = arguments.integer(0)?.unwrap_or(DEFAULT_GLOBAL_POSITION);
    let batch_size = arguments.integer(1)?;
    with_store(connection, arguments.text(2), |store| {
        let limit = BatchSize::checked(batch_size)?.limit()?;
        if !is_readable(connection, store)? {
            return Ok(Box::new(NoRows) as Box<dyn Rows>);
        }
        let mut statement = connection.statement(store, Query::AllMessages)?;
        statement.start(&[position.into()])?;
        Ok(Box::new(MessageRows::new(Source::Kept(statement), Filter::default(), limit)))
    })
}
