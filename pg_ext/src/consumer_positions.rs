//! `record_consumer_position` and `consumer_positions`.

use message_store_core::Result;
use message_store_core::consumer_position::{ConsumerPosition, check_filter};
use pgrx::pg_sys::{BOOLOID, Datum, INT8OID, TEXTOID, TIMESTAMPOID, VARCHAROID};

use crate::call::{Answer, Call, sql_functions};
use crate::durability;
use crate::namespace::{self, Store, Use};
use crate::rows::Rows;
use crate::spi::{Parameter, connected};
use crate::statements::Statement;
use crate::store_objects;

sql_functions! {
    "message_store_record_consumer_position" => record_consumer_position;
    "message_store_consumer_positions" => consumer_positions;
}

/// `record_consumer_position(category, consumer, position, force, namespace)`: the position that is stored now.
///
/// It is a row like any other of the transaction: what the consumer does there and how far it has come are committed
/// together.
fn record_consumer_position(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(4))?;
    let (category, consumer, position) = (call.text(0), call.text(1), call.int8(2));
    let force = call.boolean(3).unwrap_or(false);
    let given = ConsumerPosition::new(category.as_deref(), consumer.as_deref(), position)?;
    let store = store.lock(Use::Read)?;
    lock_table(&store)?;
    let name =
        |text: Option<crate::call::Text<'_>>| Parameter { kind: VARCHAROID, value: text.map(|text| text.datum()) };
    let key = [name(category), name(consumer)];
    let position = Parameter { kind: INT8OID, value: Some(Datum::from(given.position)) };
    let force = Parameter { kind: BOOLOID, value: Some(Datum::from(force)) };
    let stored = connected(|spi| {
        let record = Statement::RecordConsumerPosition.plan(spi, &store);
        Ok(match spi.bigint(record, &[key[0], key[1], position, force]) {
            // A higher one is there, and its row locked.
            None => spi.bigint(Statement::ConsumerPosition.plan(spi, &store), &key),
            stored => stored,
        })
    })?;
    Ok(stored.map(Datum::from))
}

/// `consumer_positions(category, namespace)`: by category and consumer, in byte order.
fn consumer_positions(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(1))?;
    let category = call.text(0);
    check_filter(category.as_deref())?;
    let rows = Rows::of(call);
    let store = store.lock(Use::Read)?;
    lock_table(&store)?;
    connected(|spi| {
        let category = Parameter { kind: VARCHAROID, value: category.map(|category| category.datum()) };
        spi.rows(Statement::ConsumerPositions.plan(spi, &store), &[category], &rows);
        Ok(())
    })?;
    durability::flush_visible();
    Ok(None)
}

/// Locks the table, and refuses one that is something else.
fn lock_table(store: &Store) -> Result<()> {
    store_objects::lock_table_beside(
        store,
        "consumer_positions",
        &[(c"category", TEXTOID), (c"consumer", TEXTOID), (c"position", INT8OID), (c"time", TIMESTAMPOID)],
    )
}
