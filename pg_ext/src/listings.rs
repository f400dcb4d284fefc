//! `list_streams` and `list_categories`.

use message_store_core::Result;
use message_store_core::arguments::BatchSize;
use once_cell::unsync::OnceCell;
use pgrx::pg_sys::{BOOLOID, Datum, INT8OID, VARCHAROID};

use crate::call::{Answer, Call, Text, sql_functions};
use crate::durability;
use crate::namespace::{self, Use};
use crate::postgres_version::DATABASE_ORDER;
use crate::rows::Rows;
use crate::spi::{Parameter, Spi, connected, text_datum};
use crate::statements::Statement;

sql_functions! {
    "message_store_list_streams" => list_streams;
    "message_store_list_categories" => list_categories;
}

/// `list_streams(prefix, after, batch_size, namespace)`: name, version and number of messages, in byte order.
fn list_streams(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(3))?;
    let limit = BatchSize::checked(call.int8(2))?.limit()?;
    let store = store.lock(Use::Read)?;
    let prefix = call.text(0).map_or_else(|| text_datum(b""), |prefix| prefix.datum());
    let (start, exclusive) = start(call.text(0), call.text(1));
    let rows = Rows::of(call);
    let parameters = [
        Parameter { kind: VARCHAROID, value: Some(start) },
        Parameter { kind: BOOLOID, value: Some(Datum::from(exclusive)) },
        Parameter { kind: VARCHAROID, value: Some(prefix) },
        Parameter { kind: INT8OID, value: limit.map(Datum::from) },
    ];
    connected(|spi| {
        // A page is found by skipping from name to name in the index, which must then be in byte order.
        let skip = limit.is_some() && is_in_byte_order(spi);
        let statement = if skip { Statement::StreamPage } else { Statement::AllStreams };
        spi.rows(statement.plan(spi, &store), &parameters, &rows);
        Ok(())
    })?;
    durability::flush_visible();
    Ok(None)
}

/// Where a listing starts, and whether that name itself is left out.
fn start(prefix: Option<Text<'_>>, after: Option<Text<'_>>) -> (Datum, bool) {
    match (prefix, after) {
        (Some(prefix), Some(after)) if after.bytes() < prefix.bytes() => (prefix.datum(), false),
        (_, Some(after)) => (after.datum(), true),
        (Some(prefix), None) => (prefix.datum(), false),
        (None, None) => (text_datum(b""), false),
    }
}

/// Whether the database sorts text by its bytes.
fn is_in_byte_order(spi: &Spi) -> bool {
    thread_local! {
        static BYTE_ORDER: OnceCell<bool> = const { OnceCell::new() };
    }
    let look_up = || {
        let sql = format!(
            "SELECT {DATABASE_ORDER} FROM pg_catalog.pg_database \
             WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
        );
        spi.text_of(&sql, &[])
            .is_some_and(|collation| ["C", "POSIX", "C.UTF-8", "C.utf8"].contains(&collation.as_str()))
    };
    match BYTE_ORDER.with(|known| known.get().copied()) {
        Some(known) => known,
        None => {
            let found = look_up();
            BYTE_ORDER.with(|known| *known.get_or_init(|| found))
        }
    }
}

/// `list_categories(namespace)`: name, number of streams and of messages, in byte order.
fn list_categories(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(0))?;
    let store = store.lock(Use::Read)?;
    let rows = Rows::of(call);
    connected(|spi| {
        spi.rows(Statement::Categories.plan(spi, &store), &[], &rows);
        Ok(())
    })?;
    durability::flush_visible();
    Ok(None)
}
