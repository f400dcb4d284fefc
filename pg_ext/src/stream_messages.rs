//! `get_stream_messages`.

use message_store_core::{Result, arguments::StreamRead};
use pgrx::pg_sys::{Datum, INT8OID, VARCHAROID};

use crate::call::{Answer, Call, sql_functions};
use crate::direct_scan::{self, AsOf, Filter, Key, Read};
use crate::namespace::{self, Use};
use crate::rows::Rows;
use crate::spi::{Parameter, connected};
use crate::statements::Statement;
use crate::table_layout::Index;
use crate::{durability, notices, settings};

sql_functions! {
    "message_store_get_stream_messages" => get_stream_messages;
}

/// `get_stream_messages(stream_name, position, batch_size, condition, namespace)`: rows of `message`.
fn get_stream_messages(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(4))?;
    let (stream_name, condition) = (call.text(0), call.text(3));
    let read = StreamRead::new(
        stream_name.map(|name| name.bytes()),
        call.int8(1),
        call.int8(2),
        condition.map(|condition| condition.bytes()),
        condition.is_none() || settings::sql_condition(),
    )?;
    notices::get_stream_messages(&read);
    let rows = Rows::of(call);
    let store = store.lock(Use::Read)?;
    if read.condition.is_none()
        && let Some(stream_name) = stream_name
    {
        let direct = Read {
            index: Index::Stream,
            keys: &[Key::Is(1, stream_name.datum()), Key::AtLeast(2, read.position)],
            backward: false,
            limit: read.batch_size.limit()?,
            filter: Filter::Everything,
            snapshot: AsOf::Statement,
        };
        if direct_scan::read(&store, &direct, &rows) {
            return Ok(None);
        }
    }
    // A condition's text goes without a LIMIT, and sees the batch size that was asked for.
    let limited = !read.batch_size.is_unlimited();
    let limit = (limited || read.condition.is_some()).then_some(read.batch_size.value());
    let parameters = [
        Parameter { kind: VARCHAROID, value: stream_name.map(|name| name.datum()) },
        Parameter { kind: INT8OID, value: Some(Datum::from(read.position)) },
        Parameter { kind: INT8OID, value: limit.map(Datum::from) },
    ];
    connected(|spi| {
        let statement = Statement::StreamMessages;
        match read.condition {
            None => spi.rows(statement.plan(spi, &store), &parameters, &rows),
            condition => spi.rows_of_text(&statement.sql(&store, condition, limited), &parameters, &rows),
        }
        Ok(())
    })?;
    durability::flush_visible();
    Ok(None)
}
