//! `get_stream_messages`.

use std::rc::Rc;

use message_store_core::arguments::StreamRead;

use crate::condition;
use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::rows::Rows;
use crate::engine::table_function::TableFunction;
use crate::errors::Result;
use crate::message_rows::{COLUMNS, Filter, MessageRows, NoRows, POSITION};
use crate::namespaces::{is_readable, with_store};
use crate::newest::newest;
use crate::statements::Query;

/// The function of this module.
pub static FUNCTION: TableFunction = TableFunction {
    name: "get_stream_messages",
    columns: &COLUMNS,
    arguments: &["arg_stream_name", "arg_position", "arg_batch_size", "arg_condition", "namespace"],
    ascending: Some(POSITION),
    open: get_stream_messages,
};

/// `get_stream_messages(stream_name, position, batch_size, condition, namespace)`: the stream's messages by position.
fn get_stream_messages(connection: &Rc<Connection>, arguments: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    let (position, batch_size) = (arguments.integer(1)?, arguments.integer(2)?);
    with_store(connection, arguments.text(4), |store| {
        let activated = connection.conditions_are_activated();
        let read = StreamRead::new(arguments.text(0), position, batch_size, arguments.text(3), activated)?;
        if !is_readable(connection, store)? {
            read.batch_size.limit()?;
            return Ok(Box::new(NoRows) as Box<dyn Rows>);
        }
        let mut source = condition::source(connection, store, Query::StreamMessages, read.condition)?;
        let limit = read.batch_size.limit()?;
        let parameters = [read.stream_name.into(), read.position.into()];
        let statement = source.start(&parameters, read.batch_size.value())?;
        if limit == Some(0) || !statement.step()? {
            return Ok(Box::new(NoRows));
        }
        let filter = Filter { up_to: Some(newest(connection, store)?), ..Filter::default() };
        Ok(Box::new(MessageRows::from_first(source, filter, limit)))
    })
}
