//! `stats`: what is in a store, in a moment however much that is.
//!
//! A small table is counted. Of a large one a few pages are looked at, and the numbers of messages and of streams are
//! estimated from them; categories are counted through the index, up to a number.

use message_store_core::Result;
use pgrx::pg_sys::{Datum, OIDOID, VARCHAROID};

use crate::call::{Answer, Call, sql_functions};
use crate::durability;
use crate::namespace::{self, Store, Use};
use crate::rows::Rows;
use crate::spi::{Parameter, connected, narrow_planning, text_datum};

sql_functions! {
    "message_store_stats" => stats;
}

const COUNTED: &str = include_str!("../../sql/postgres/statements/stats_counted.sql");
const ESTIMATED: &str = include_str!("../../sql/postgres/statements/stats_estimated.sql");

/// Up to so many pages of 8 kB everything is counted.
const COUNTED_PAGES: i64 = 1000;
/// So many pages are looked at else.
const SAMPLED_PAGES: i64 = 100;
/// So many categories are counted in a large store.
const COUNTED_CATEGORIES: i64 = 500;
/// A category of so many messages is large.
const LARGE_CATEGORY: i64 = 200;

/// `stats(namespace)`: one row.
fn stats(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(0))?;
    let rows = Rows::of(call);
    let store = store.lock(Use::Read)?;
    let parameters = [
        Parameter { kind: VARCHAROID, value: Some(text_datum(store.namespace.as_bytes())) },
        Parameter { kind: OIDOID, value: Some(Datum::from(store.table)) },
    ];
    connected(|spi| {
        let pages = spi.text_of(
            "SELECT pg_catalog.pg_relation_size($1) OPERATOR(pg_catalog./) 8192",
            &[Parameter { kind: OIDOID, value: Some(Datum::from(store.table)) }],
        );
        let pages = pages.and_then(|pages| pages.parse().ok()).unwrap_or(0);
        let numbers = if pages <= COUNTED_PAGES { counted(&store) } else { estimated(&store, pages) };
        // Whatever the planner believes of a table that was never analyzed.
        let _settings = narrow_planning();
        spi.rows_of_text(row(&store, &numbers).as_bytes(), &parameters, &rows);
        Ok(())
    })?;
    durability::flush_visible();
    Ok(None)
}

/// The row, `numbers` being a query of the numbers of messages, streams and categories.
fn row(store: &Store, numbers: &str) -> String {
    let namespace = &store.namespace;
    format!(
        "SELECT $1, n.messages, n.streams, n.categories, last.global_position, last.time, \
         COALESCE((SELECT pg_catalog.sum(pg_catalog.pg_total_relation_size(p.relid)) \
         FROM pg_catalog.pg_partition_tree($2::pg_catalog.regclass) AS p), \
         pg_catalog.pg_total_relation_size($2))::pg_catalog.int8 \
         FROM ({numbers}) AS n LEFT JOIN (\
         SELECT global_position, time FROM \"{namespace}\".messages ORDER BY global_position DESC LIMIT 1) AS last ON true"
    )
}

fn counted(store: &Store) -> String {
    COUNTED.replace("{schema}", &format!("\"{}\"", store.namespace))
}

fn estimated(store: &Store, pages: i64) -> String {
    ESTIMATED
        .replace("{schema}", &format!("\"{}\"", store.namespace))
        .replace("{pages}", &pages.to_string())
        .replace("{sampled}", &SAMPLED_PAGES.to_string())
        .replace("{categories}", &COUNTED_CATEGORIES.to_string())
        .replace("{large}", &LARGE_CATEGORY.to_string())
}
