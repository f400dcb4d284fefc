//! `get_last_stream_message`.

use message_store_core::Result;
use pgrx::pg_sys::VARCHAROID;

use crate::call::{Answer, Call, sql_functions};
use crate::namespace::{self, Use};
use crate::notices;
use crate::rows::Rows;
use crate::spi::{Parameter, connected};
use crate::statements::Statement;

sql_functions! {
    "message_store_get_last_stream_message" => get_last_stream_message;
}

/// `get_last_stream_message(stream_name, type, namespace)`: the stream's last message, or its last one of the type.
fn get_last_stream_message(call: &Call<'_>) -> Result<Answer> {
    let (stream_name, kind) = (call.text(0), call.text(1));
    let store = namespace::resolve(call.text(2))?;
    notices::get_last_message(stream_name, kind);
    let rows = Rows::of(call);
    let parameters =
        [stream_name, kind].map(|text| Parameter { kind: VARCHAROID, value: text.map(|text| text.datum()) });
    let store = store.lock(Use::Read)?;
    connected(|spi| {
        let plan = Statement::LastMessage { of_type: kind.is_some() }.plan(spi, &store);
        spi.rows(plan, &parameters, &rows);
        Ok(None)
    })
}
