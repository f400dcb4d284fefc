//! `record_consumer_position`, `consumer_positions`.

use std::rc::Rc;

use message_store_core::consumer_position::{ConsumerPosition, advance, check_filter};
use message_store_core::time;

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::engine::statement::Statement;
use crate::engine::table_function::{Rows, TableFunction};
use crate::errors::Result;
use crate::message_rows::NoRows;
use crate::namespaces::{is_readable, with_store};
use crate::statements::{Pooled, Query};
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
        Ok(Box::new(Positions { statement }))
    })
}

struct Positions {
    statement: Pooled,
}

impl Rows for Positions {
    fn next(&mut self) -> Result<bool> {
        self.statement.step()
    }

    fn statement(&self) -> Option<&Statement> {
        self.statement.get()
    }
}
