//! `stats`: what is in a store, in a moment however much that is.
//!
//! A small table is counted. Of a large one some pages are looked at, and the numbers of messages and of streams are
//! estimated from them; categories are counted through the index, up to a number. Pages whose messages were removed are
//! looked at like any other: a store that has lost most of its messages has mostly such.

use message_store_core::Result;
use pgrx::pg_sys::{self, Datum, OIDOID, VARCHAROID};

use crate::call::{Answer, Call, sql_functions};
use crate::durability;
use crate::namespace::{self, Store, Use};
use crate::rows::Rows;
use crate::setting_guard::SettingGuard;
use crate::spi::{Parameter, connected, narrow_planning, text_datum};

sql_functions! {
    "message_store_stats" => stats;
}

const COUNTED: &str = include_str!("../../sql/postgres/statements/stats_counted.sql");
const ESTIMATED: &str = include_str!("../../sql/postgres/statements/stats_estimated.sql");

/// Up to so many pages everything is counted.
const COUNTED_PAGES: i64 = 1000;
/// Else so many pages with messages are looked at, and so many messages; more than that only while the others are missing.
const SOME_PAGES: i64 = 100;
const SOME_MESSAGES: i64 = 1000;
/// The most pages that are looked at where many have no message: 5 us each, and as many reads if they are not in memory.
const MOST_PAGES: i64 = 2000;
/// Of so many messages seen the streams' lengths are looked up, and of so many the categories' sizes.
const LENGTHS: i64 = 400;
const SIZES: i64 = 80;
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
            &format!("SELECT pg_catalog.pg_relation_size($1) OPERATOR(pg_catalog./) {}", pg_sys::BLCKSZ),
            &[Parameter { kind: OIDOID, value: Some(Datum::from(store.table)) }],
        );
        let pages = pages.and_then(|pages| pages.parse().ok()).unwrap_or(0);
        let numbers = if pages <= COUNTED_PAGES { counted(&store) } else { estimated(&store, pages) };
        // Whatever the planner believes of a table that was never analyzed, and a caller has set.
        let _narrow = narrow_planning();
        let _by_page = SettingGuard::set(&[(c"enable_tidscan", c"on")]);
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
        .replace("{step}", &step(pages).to_string())
        .replace("{some_pages}", &SOME_PAGES.to_string())
        .replace("{some_messages}", &SOME_MESSAGES.to_string())
        .replace("{most_pages}", &MOST_PAGES.to_string())
        .replace("{lengths}", &LENGTHS.to_string())
        .replace("{sizes}", &SIZES.to_string())
        .replace("{categories}", &COUNTED_CATEGORIES.to_string())
        .replace("{large}", &LARGE_CATEGORY.to_string())
}

/// How far it is from one of `pages` pages to the one looked at next: near the golden section of all, so that the pages of
/// any first part of the way lie evenly (the three-gap theorem), and prime to their number, so that none comes twice.
fn step(pages: i64) -> i64 {
    let golden = pages * 618_034 / 1_000_000;
    (golden..golden + 100).min_by_key(|step| unevenness(pages, *step)).unwrap_or(1)
}

/// The largest of the quotients of Euclid's algorithm: the smaller, the more evenly steps of that size divide a circle.
fn unevenness(mut circle: i64, mut step: i64) -> i64 {
    let mut largest = 0;
    while step > 0 {
        largest = largest.max(circle / step);
        (circle, step) = (step, circle % step);
    }
    if circle == 1 { largest } else { i64::MAX }
}
