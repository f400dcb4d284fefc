//! `stats`.

use std::fmt::Write;

use message_store_core::time;
use serde_json::json;

use super::Report;
use crate::failure::{Failure, Side};
use crate::location::Location;
use crate::store::{self, Stats, Use};

/// Counts and size of a store.
pub fn run(store: &Location, as_prometheus: bool) -> Result<Report, Failure> {
    let stats = store::open(store, Use::Read).and_then(|mut store| store.stats()).of_source()?;
    let text = if as_prometheus { prometheus(&stats) } else { lines(&stats) };
    Ok(Report::new(json!(stats), text))
}

fn lines(stats: &Stats) -> String {
    let last = stats.last_global_position.map_or("none".to_owned(), |last| last.to_string());
    let time = stats.last_time.as_deref().unwrap_or("none");
    format!(
        "namespace             {}\nmessages              {}\nstreams               {}\ncategories            {}\n\
         last global position  {last}\nlast time             {time}\nsize in bytes         {}",
        stats.namespace, stats.message_count, stats.stream_count, stats.category_count, stats.size_bytes
    )
}

/// Prometheus' text exposition format.
fn prometheus(stats: &Stats) -> String {
    let mut text = String::new();
    let namespace = stats.namespace.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut gauge = |name: &str, help: &str, value: String| {
        let _ = writeln!(text, "# HELP message_store_{name} {help}\n# TYPE message_store_{name} gauge");
        let _ = writeln!(text, "message_store_{name}{{namespace=\"{namespace}\"}} {value}");
    };
    gauge("messages", "Messages in the store.", stats.message_count.to_string());
    gauge("streams", "Streams that have messages.", stats.stream_count.to_string());
    gauge("categories", "Categories that have messages.", stats.category_count.to_string());
    gauge(
        "last_global_position",
        "Global position of the last message, 0 without one.",
        stats.last_global_position.unwrap_or(0).to_string(),
    );
    let last = stats.last_time.as_ref().and_then(|text| time::parse(text.as_bytes()));
    if let Some(last) = last {
        let value = format!("{}.{:06}", last.div_euclid(1_000_000), last.rem_euclid(1_000_000));
        gauge("last_message_timestamp_seconds", "Time of the last message, in seconds since 1970.", value);
    }
    gauge("size_bytes", "Size of the messages with their indexes.", stats.size_bytes.to_string());
    text
}
