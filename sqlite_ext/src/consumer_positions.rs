//! `record_consumer_position`, `consumer_positions`.

use std::ffi::c_int;
use std::rc::Rc;

use message_store_core::consumer_position::{ConsumerPosition, advance, check_filter};
use message_store_core::time;

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::rows::{HeldRows, Rows, Value};
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::engine::table_function::TableFunction;
use crate::errors::Result;
use crate::message_rows::NoRows;
use crate::namespaces::{is_readable, with_store};
use crate::statements::Query;
use crate::transaction;

/// `record_consumer_position(category, consumer, position, force, namespace)`.
pub const RECORD: Scalar = Scalar {
    name: "record_consumer_position",
    arguments: (3, 5),
    purity: Purity::Direct,
    work: record_consumer_position,
};

/// `consumer_positions(category, namespace)`: by category and consumer, in the order of bytes.
pub static CONSUMER_POSITIONS: TableFunction = TableFunction {
    name: "consumer_positions",
    columns: &["category TEXT", "consumer TEXT", "position INTEGER", "lag INTEGER", "time TEXT"],
    arguments: &["arg_category", "namespace"],
    ascending: Some(0),
    open: consumer_positions,
};

/// The position that is stored now.
fn record_consumer_position<'a>(connection: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    let position = arguments.integer(2)?;
    let force = arguments.boolean(3)?.unwrap_or(false);
    let stored = with_store(connection, arguments.text(4), |store| {
        let given = ConsumerPosition::new(arguments.text(0), arguments.text(1), position)?;
        transaction::write(connection, store, || {
            let (category, consumer) = (given.category.into(), given.consumer.into());
            let stored = connection.whole(store, Query::ConsumerPosition, &[category, consumer])?;
            let position = advance(stored, given.position, force);
            if position == given.position {
                let now = time::format(time::now());
                let parameters = [category, consumer, position.into(), now.as_str().into()];
                connection.execute(store, Query::RecordConsumerPosition, &parameters)?;
            }
            Ok(position)
        })
    })?;
    Ok(stored.into())
}

fn consumer_positions(connection: &Rc<Connection>, arguments: &Arguments<'_>) -> Result<Box<dyn Rows>> {
    with_store(connection, arguments.text(1), |store| {
        let category = check_filter(arguments.text(0))?;
        if !is_readable(connection, store)? {
            return Ok(Box::new(NoRows) as Box<dyn Rows>);
        }
        let mut statement = match connection.statement(store, Query::ConsumerPositions) {
            // Version 1, which is only read, has no such table.
            Err(failure) if failure.is_missing_table() && !store.is_checked.get() => return Ok(Box::new(NoRows)),
            statement => statement?,
        };
        statement.start(&[category.into()])?;
        let mut rows = Vec::new();
        while statement.step()? {
            let consumer = Consumer {
                category: statement.string(0),
                name: statement.string(1),
                position: statement.whole(2)?,
                lag: statement.whole(3)?,
                time: statement.string(4),
            };
            rows.push(consumer);
        }
        Ok(Box::new(Consumers(HeldRows::new(rows))))
    })
}

/// Read at once, so that a loop over them can record positions and comes to an end.
struct Consumers(HeldRows<Consumer>);

struct Consumer {
    category: Option<String>,
    name: Option<String>,
    position: Option<i64>,
    lag: Option<i64>,
    time: Option<String>,
}

impl Rows for Consumers {
    fn next(&mut self) -> Result<bool> {
        Ok(self.0.next())
    }

    fn column(&self, column: c_int, value: &mut Value<'_>) -> Result<()> {
        let Some(consumer) = self.0.row() else { return Ok(()) };
        match column {
            0 => value.string(consumer.category.as_deref()),
            1 => value.string(consumer.name.as_deref()),
            2 => value.integer(consumer.position),
            3 => value.integer(consumer.lag),
            _ => value.string(consumer.time.as_deref()),
        }
        Ok(())
    }
}
