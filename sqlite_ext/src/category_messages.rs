//! `get_category_messages`.

use std::rc::Rc;

use message_store_core::arguments::{CategoryArguments, CategoryRead};

use crate::condition;
use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::rows::Rows;
use crate::engine::table_function::TableFunction;
use crate::errors::Result;
use crate::message_rows::{COLUMNS, Filter, GLOBAL_POSITION, MessageRows, NoRows};
use crate::namespaces::{is_readable, with_store};
use crate::statements::Query;

/// The function of this module.
pub static FUNCTION: TableFunction = TableFunction {
    name: "get_category_messages",
    columns: &COLUMNS,
    arguments: &[
        "arg_category",
        "arg_position",
        "arg_batch_size",
        "arg_correlation",
        "arg_consumer_group_member",
        "arg_consumer_group_size",
        "arg_condition",
        "namespace",
    ],
    ascending: Some(GLOBAL_POSITION),
    open: get_category_messages,
};

/// `get_category_messages(category, position, batch_size, correlation, consumer_group_member, consumer_group_size,
/// condition, namespace)`: the category's messages by global position.
fn get_category_messages(connection: &Rc<Connection>, arguments: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    let given = CategoryArguments {
        category: arguments.text(0),
        position: arguments.integer(1)?,
        batch_size: arguments.integer(2)?,
        correlation: arguments.text(3),
        consumer_group_member: arguments.integer(4)?,
        consumer_group_size: arguments.integer(5)?,
        condition: arguments.text(6),
    };
    with_store(connection, arguments.text(7), |store| {
        let read = CategoryRead::new(given, connection.conditions_are_activated())?;
        read.check_group_size()?;
        if !is_readable(connection, store)? {
            read.batch_size.limit()?;
            return Ok(Box::new(NoRows) as Box<dyn Rows>);
        }
        let mut source = condition::source(connection, store, Query::CategoryMessages, read.condition)?;
        let limit = read.batch_size.limit()?;
        let correlation = read.correlation.map(<[u8]>::to_vec);
        let filter = Filter { consumer_group: read.consumer_group, correlation, ..Filter::default() };
        source.start(&[read.category.into(), read.position.into()], read.batch_size.value())?;
        Ok(Box::new(MessageRows::new(source, filter, limit)))
    })
}
