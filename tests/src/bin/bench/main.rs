//! Speed beside genuine Message DB, beside plain SQL and beside peers: all in one cluster, run in turn, with medians and
//! their spread.
//!
//! Arguments: the names of workloads or the beginnings of them, all if there are none, which also writes
//! `docs/benchmarks.md` and its chart. `BENCH_ROUNDS` (5), `BENCH_SECONDS` (2) a side and round. With `--smoke` a short
//! run, which fails where a ratio falls below what no noise explains.

mod batches;
mod chart;
mod conditions;
mod peers;
mod pgbench;
mod race;
mod reads;
mod report;
mod runner;
mod sizes;
mod smoke;
mod spread;
mod stores;
mod writes;

use message_store_tests::Cluster;
use race::{Length, Race, Theme};
use report::Report;
use runner::{Outcome, Plan};
use std::process::ExitCode;
use stores::Stores;

/// Of a machine of its own, but for autovacuum, which would come at other times for one store than for the other.
const SETTINGS: [&str; 5] =
    ["fsync=on", "synchronous_commit=on", "max_wal_size=8GB", "checkpoint_timeout=1h", "autovacuum=off"];

/// A quarter of the memory, as Postgres' manual advises; this much holds the largest stores of both sides.
const LARGEST_SHARED_BUFFERS: u64 = 6144;

const ROUNDS: u32 = 5;
const SECONDS: u32 = 2;

const SIZES: [u32; 3] = [100_000, 1_000_000, 5_000_000];

fn themes() -> Vec<Theme> {
    vec![writes::theme(), batches::theme(), reads::theme(), reads::loops(), sizes::theme(), peers::theme()]
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words == ["--smoke"] {
        return smoke::run(themes());
    }
    let mut themes = themes();
    let all = || themes.iter().flat_map(|theme| &theme.workloads);
    if let Some(unknown) = words.iter().find(|word| !all().any(|workload| workload.is_chosen_by(word))) {
        let known: Vec<&str> = all().map(|workload| workload.name.as_str()).collect();
        eprintln!("no workload {unknown}; there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    if !words.is_empty() {
        for theme in &mut themes {
            theme.workloads.retain(|workload| words.iter().any(|word| workload.is_chosen_by(word)));
        }
    }

    let seconds = from_environment("BENCH_SECONDS", SECONDS);
    let rounds = from_environment("BENCH_ROUNDS", ROUNDS);
    let plan = Plan { warm_up: Some(Length::Seconds(1)), rounds, length: Length::Seconds(seconds) };
    let shared_buffers = format!("shared_buffers={}MB", (conditions::memory() / 4).clamp(128, LARGEST_SHARED_BUFFERS));
    let settings: Vec<&str> = SETTINGS.into_iter().chain([shared_buffers.as_str()]).collect();
    Cluster::shared_with(&settings);
    let mut report = Report::default();
    for condition in conditions::of(plan, rounds < ROUNDS || seconds < SECONDS) {
        report.line(&format!("- {condition}"));
    }
    let mut stores = Stores::new(SIZES);
    for theme in themes.into_iter().filter(|theme| !theme.workloads.is_empty()) {
        report.heading(theme.title);
        run(
            theme,
            &mut stores,
            |_| plan,
            |row| match row {
                Ok(outcome) => report.row(outcome),
                Err(remark) => report.skip(remark),
            },
        );
    }
    report.summary();
    report.line(&format!("\n{}", conditions::after()));
    if words.is_empty() {
        report.document().expect("the documentation");
        chart::draw(&report::docs().join("benchmarks.svg"), &report.outcomes).expect("a chart");
    }
    ExitCode::SUCCESS
}

/// Runs the workloads of a theme, each as `plan` says, and tells `tell` each row or why there is none.
fn run(theme: Theme, stores: &mut Stores, plan: impl Fn(&Race) -> Plan, mut tell: impl FnMut(Result<Outcome, String>)) {
    for workload in theme.workloads {
        match (workload.race)(stores) {
            Ok(race) => {
                stores.checkpoint();
                let plan = plan(&race);
                runner::run(race, plan).into_iter().for_each(|outcome| tell(Ok(outcome)));
            }
            Err(remark) => tell(Err(format!("{}: {remark}", workload.name))),
        }
        stores.drop_used();
    }
}

fn from_environment(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}
