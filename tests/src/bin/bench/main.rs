//! Speed beside genuine Message DB: both in one cluster, run in turn by pgbench, with medians and their spread.
//!
//! Arguments: the names of workloads, all of them if there are none. `BENCH_ROUNDS` (5), `BENCH_SECONDS` a run (5).

mod batch;
mod pgbench;
mod workload;

use message_store_tests::{Cluster, Session, Store, Target};
use workload::{WORKLOADS, Workload};

/// Of a machine of its own, but for autovacuum, which would come at other times for one store than for the other.
const SETTINGS: [&str; 5] =
    ["fsync=on", "synchronous_commit=on", "shared_buffers=512MB", "checkpoint_timeout=1h", "autovacuum=off"];

fn from_environment(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = names.iter().find(|name| !known().any(|known| known == **name)) {
        let known: Vec<&str> = known().collect();
        eprintln!("no workload {unknown}; there are {}", known.join(", "));
        std::process::exit(2);
    }
    let (rounds, seconds) = (from_environment("BENCH_ROUNDS", 5), from_environment("BENCH_SECONDS", 5));
    Cluster::shared_with(&SETTINGS);
    describe(&mut Store::fresh(Target::Genuine).superuser(), rounds, seconds);
    println!("| workload | genuine | ours | ratio | wanted |");
    println!("|---|---|---|---|---|");
    let chosen = |name: &str| names.is_empty() || names.iter().any(|chosen| chosen == name);
    for workload in WORKLOADS.iter().filter(|workload| chosen(workload.name)) {
        println!("{}", compare(workload, rounds, seconds));
    }
    if chosen(batch::NAME) {
        println!("{}", batch::compare(rounds, seconds));
    }
}

/// The names of the workloads.
fn known() -> impl Iterator<Item = &'static str> {
    WORKLOADS.iter().map(|workload| workload.name).chain([batch::NAME])
}

/// The conditions of the run.
fn describe(session: &mut Session, rounds: u32, seconds: u32) {
    println!("{}", session.value("SELECT version()").expect("a version"));
    let names = ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "autovacuum"];
    let settings = names.map(|name| format!("{name} {}", session.value(&format!("SHOW {name}")).expect("a setting")));
    println!("{}", settings.join(", "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores; pgbench, prepared statements, 1 client; {rounds} rounds in turn, {seconds} s each");
    println!("median a second (least to most); the ratio is of the medians (least to most of the rounds)\n");
}

/// A line of the table.
fn compare(workload: &Workload, rounds: u32, seconds: u32) -> String {
    let stores = Target::BOTH.map(Store::fresh);
    for store in &stores {
        let mut superuser = store.superuser();
        workload.setup.iter().for_each(|sql| superuser.ok(sql));
        pgbench::run(store, workload, 1);
    }
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (store, rates) in stores.iter().zip(&mut rates) {
            rates.push(pgbench::run(store, workload, seconds) * f64::from(workload.calls));
        }
    }
    line(workload.title, workload.wanted, rates)
}

/// The line of what was measured, genuine first: rates of each round.
fn line(name: &str, wanted: f64, rates: [Vec<f64>; 2]) -> String {
    let ratios: Vec<f64> = rates[0].iter().zip(&rates[1]).map(|(genuine, ours)| ours / genuine).collect();
    let [genuine, ours] = rates.map(Spread::of);
    let ratio = ours.median / genuine.median;
    let least = Spread::of(ratios);
    let verdict = if ratio >= wanted { "" } else { ", MISSED" };
    format!(
        "| {name} | {} | {} | {ratio:.2} ({:.2} to {:.2}) | {wanted}{verdict} |",
        genuine.text(),
        ours.text(),
        least.least,
        least.most
    )
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Spread { least: values[0], median, most: values[values.len() - 1] }
    }

    /// The rates and, as that says more of a short call, the microseconds at the median.
    fn text(&self) -> String {
        let Spread { least, median, most } = self;
        format!("{median:.0} ({least:.0} to {most:.0}), {:.2} us", 1e6 / median)
    }
}
