//! `get_last_stream_message`.

use message_store_core::Result;
use pgrx::pg_sys::VARCHAROID;

use crate::call::{Answer, Call, sql_functions};
use crate::direct_scan::{self, AsOf, Filter, Key, Read};
use crate::namespace::{self, Use};
use crate::rows::Rows;
use crate::spi::{Parameter, connected};
use crate::statements::Statement;
use crate::table_layout::Index;
use crate::{durability, notices};

sql_functions! {
    "message_store_get_last_stream_message" => get_last_stream_message;
}

/// `get_last_stream_message(stream_name, type, namespace)`: the stream's last message, or its last one of the type.
fn get_last_stream_message(call: &Call<'_>) -> Result<Answer> {
    let (stream_name, kind) = (call.text(0), call.text(1));
    let store = namespace::resolve(call.text(2))?;
    notices::get_last_message(stream_name, kind);
    let rows = Rows::of(call);
    let store = store.lock(Use::Read)?;
    let Some(name) = stream_name else { return Ok(None) };
    let is_done = match kind {
        None => direct_scan::read_last(&store, name, &rows),
        Some(kind) => {
            let direct = Read {
                index: Index::Stream,
                keys: &[Key::Is(1, name.datum())],
                backward: true,
                limit: Some(1),
                filter: Filter::Type(kind.bytes()),
                snapshot: AsOf::Statement,
            };
            direct_scan::read(&store, &direct, &rows)
        }
    };
    if is_done {
        return Ok(None);
    }
    let parameters =
        [stream_name, kind].map(|text| Parameter { kind: VARCHAROID, value: text.map(|text| text.datum()) });
    connected(|spi| {
        let plan = Statement::LastMessage { of_type: kind.is_some() }.plan(spi, &store);
        spi.rows(plan, &parameters, &rows);
        Ok(())
    })?;
    durability::flush_visible();
    Ok(None)
}
