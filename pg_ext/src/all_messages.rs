//! `get_all_messages`.

use message_store_core::Result;
use message_store_core::arguments::{BatchSize, DEFAULT_GLOBAL_POSITION};
use pgrx::pg_sys::{Datum, INT8OID};

use crate::call::{Answer, Call, sql_functions};
use crate::direct_scan::{self, AsOf, Filter, Key, Read};
use crate::namespace::{self, Use};
use crate::rows::Rows;
use crate::spi::{LatestSnapshot, Parameter, connected};
use crate::statements::Statement;
use crate::table_layout::Index;
use crate::{durability, horizon, settings};

sql_functions! {
    "message_store_get_all_messages" => get_all_messages;
}

/// `get_all_messages(position, batch_size, namespace)`: rows of `message`, in global order, up to the horizon.
fn get_all_messages(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(2))?;
    let position = call.int8(0).unwrap_or(DEFAULT_GLOBAL_POSITION);
    let limit = BatchSize::checked(call.int8(1))?.limit()?;
    let store = store.lock(Use::Read)?;
    let settled = if settings::without_horizon() { i64::MAX } else { horizon::settled(&store, None)? };
    let rows = Rows::of(call);
    let direct = Read {
        index: Index::GlobalPosition,
        keys: &[Key::AtLeast(1, position), Key::AtMost(1, settled)],
        backward: false,
        limit,
        filter: Filter::Everything,
        snapshot: AsOf::Now,
    };
    if direct_scan::read(&store, &direct, &rows) {
        return Ok(None);
    }
    let parameter = |value: Option<i64>| Parameter { kind: INT8OID, value: value.map(Datum::from) };
    connected(|spi| {
        let plan = Statement::AllMessages.plan(spi, &store);
        let snapshot = LatestSnapshot::push();
        spi.rows_at(&snapshot, plan, &[parameter(Some(position)), parameter(Some(settled)), parameter(limit)], &rows);
        Ok(())
    })?;
    durability::flush_visible();
    Ok(None)
}
