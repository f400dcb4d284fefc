//! A mixed load for a long time on both engines, and what it leaves: memory, kept plans, locks, descriptors.
//!
//! `SOAK_SECONDS` says for how long (an hour), `SOAK_NAMESPACES` how many namespaces are created, used and deleted at the
//! least on each engine (10,000 where it goes on for half an hour or more). Ends with 1 when something grew or was left.

mod namespaces;
mod postgres;
mod sample;
mod sqlite;
mod work;

use std::time::Duration;

/// What was asked for.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How long the load goes on.
    pub time: Duration,
    /// How many namespaces come and go at the least.
    pub namespaces: usize,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|e| panic!("{name}: {value}: {e}")))
}

fn main() {
    let seconds = number("SOAK_SECONDS").unwrap_or(3600);
    let usual = if seconds >= 1800 { 10_000 } else { 1 };
    let namespaces = number("SOAK_NAMESPACES").map_or(usual, |count| usize::try_from(count).expect("a number"));
    let plan = Plan { time: Duration::from_secs(seconds), namespaces };
    let (on_postgres, on_sqlite) = std::thread::scope(|scope| {
        let on_sqlite = scope.spawn(move || sqlite::run(plan));
        (postgres::run(plan), on_sqlite.join().expect("SQLite's part"))
    });
    let wrong: Vec<String> = on_postgres.into_iter().chain(on_sqlite).collect();
    if wrong.is_empty() {
        println!("nothing grew, and nothing was left");
    } else {
        println!("WRONG:\n{}", wrong.join("\n"));
        std::process::exit(1);
    }
}
