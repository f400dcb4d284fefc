//! `stats`: what is in a store, in a moment however much that is.
//!
//! A small table is counted. Of a large one a few pages are looked at, and the number of messages, and of streams, are
//! estimated from them as Postgres' ANALYZE does (Haas and Stokes, "Estimating the Number of Classes in a Finite
//! Population"); categories are counted through the index, up to a number.

use message_store_core::Result;
use pgrx::pg_sys::{Datum, OIDOID, VARCHAROID};

use crate::call::{Answer, Call, sql_functions};
use crate::durability;
use crate::namespace::{self, Store, Use};
use crate::rows::Rows;
use crate::spi::{Parameter, connected, text_datum};

sql_functions! {
    "message_store_stats" => stats;
}

/// Up to so many pages of 8 kB everything is counted.
const COUNTED_PAGES: i64 = 1000;
/// So many pages are looked at else.
const SAMPLED_PAGES: i64 = 400;
/// So many categories are counted in a large store.
const COUNTED_CATEGORIES: i64 = 1000;

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
    format!(
        "SELECT COALESCE(pg_catalog.sum(s.n), 0)::pg_catalog.int8 AS messages, pg_catalog.count(*) AS streams, \
         pg_catalog.count(DISTINCT s.category) AS categories FROM (\
         SELECT message_store.category(stream_name) AS category, pg_catalog.count(*) AS n \
         FROM \"{}\".messages GROUP BY stream_name) AS s",
        store.namespace
    )
}

fn estimated(store: &Store, pages: i64) -> String {
    let messages = format!("\"{}\".messages", store.namespace);
    // In percent; a few pages more or less come out of it.
    let share = 100 * SAMPLED_PAGES;
    let category = "message_store.category(stream_name)";
    format!(
        "WITH RECURSIVE sample AS (\
         SELECT stream_name, {category} AS category, pg_catalog.count(*)::pg_catalog.float8 AS n \
         FROM {messages} TABLESAMPLE SYSTEM ({share}.0 OPERATOR(pg_catalog./) {pages}) REPEATABLE (1) \
         GROUP BY stream_name), \
         seen AS (SELECT COALESCE(pg_catalog.sum(n), 0) AS n, pg_catalog.count(*)::pg_catalog.float8 AS streams, \
         pg_catalog.count(*) FILTER (WHERE n OPERATOR(pg_catalog.=) 1)::pg_catalog.float8 AS once, \
         pg_catalog.count(DISTINCT category) AS categories FROM sample), \
         whole AS (SELECT seen.*, pg_catalog.round(n OPERATOR(pg_catalog.*) {pages} OPERATOR(pg_catalog./) {SAMPLED_PAGES}) AS all \
         FROM seen), \
         category (name) AS ((SELECT {category} FROM {messages} ORDER BY 1 LIMIT 1) \
         UNION ALL SELECT (SELECT {category} FROM {messages} WHERE {category} OPERATOR(pg_catalog.>) category.name \
         ORDER BY 1 LIMIT 1) FROM category WHERE category.name IS NOT NULL), \
         found AS (SELECT pg_catalog.count(name) AS n FROM (SELECT name FROM category LIMIT {COUNTED_CATEGORIES}) AS c) \
         SELECT whole.all::pg_catalog.int8 AS messages, \
         pg_catalog.round(COALESCE(n OPERATOR(pg_catalog.*) streams OPERATOR(pg_catalog./) NULLIF(\
         n OPERATOR(pg_catalog.-) once OPERATOR(pg_catalog.+) once OPERATOR(pg_catalog.*) n OPERATOR(pg_catalog./) \
         NULLIF(whole.all, 0), 0), streams))::pg_catalog.int8 AS streams, \
         GREATEST(found.n, whole.categories) AS categories FROM whole, found"
    )
}
