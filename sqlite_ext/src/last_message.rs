//! `get_last_stream_message`.

use std::rc::Rc;

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::rows::Rows;
use crate::engine::table_function::TableFunction;
use crate::errors::Result;
use crate::message_rows::{COLUMNS, Filter, MessageRows, NoRows, Source};
use crate::namespaces::{is_readable, with_store};
use crate::statements::Query;

/// The function of this module.
pub static FUNCTION: TableFunction = TableFunction {
    name: "get_last_stream_message",
    columns: &COLUMNS,
    arguments: &["arg_stream_name", "arg_type", "namespace"],
    ascending: None,
    open: get_last_stream_message,
};

/// `get_last_stream_message(stream_name, type, namespace)`: the stream's last message, of a type if one is given.
fn get_last_stream_message(connection: &Rc<Connection>, arguments: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    let (stream_name, kind) = (arguments.text(0), arguments.text(1));
    with_store(connection, arguments.text(2), |store| {
        if !is_readable(connection, store)? {
            return Ok(Box::new(NoRows) as Box<dyn Rows>);
        }
        let query = if kind.is_some() { Query::LastMessageOfType } else { Query::LastMessage };
        let mut statement = connection.statement(store, query)?;
        match kind {
            Some(kind) => statement.start(&[stream_name.into(), kind.into()])?,
            None => statement.start(&[stream_name.into()])?,
        }
        Ok(Box::new(MessageRows::new(Source::Kept(statement), Filter::default(), None)))
    })
}
