//! Under what conditions a run was made: the machine, its disk, Postgres and its settings.

use crate::runner::Plan;
use message_store_tests::{Cluster, Session, program};
use std::fs::read_to_string;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const SETTINGS: [&str; 10] = [
    "fsync",
    "synchronous_commit",
    "wal_sync_method",
    "full_page_writes",
    "shared_buffers",
    "huge_pages",
    "max_wal_size",
    "checkpoint_timeout",
    "autovacuum",
    "jit",
];

/// The conditions, an item of a list each.
pub fn of(plan: Plan, is_shortened: bool) -> Vec<String> {
    let mut session = Session::open(Cluster::shared().config("postgres", "postgres"));
    let mut value = |sql: &str| session.value(sql).expect("a value");
    let settings = SETTINGS.map(|name| format!("{name} {}", value(&format!("SHOW {name}"))));
    let mut conditions = vec![
        machine(),
        value("SELECT version()"),
        format!("Settings: {}", settings.join(", ")),
        format!("Run: {} rounds, {} a side and round; load average at the start {}", plan.rounds, plan.length, load()),
        format!("Before the run, {}", fdatasync()),
    ];
    if is_shortened {
        conditions.push("**A shortened run: its numbers show that it works, and little else.**".into());
    }
    conditions
}

/// Appended when the run is over, since disks drift.
pub fn after() -> String {
    format!("After the run, {}; load average {}", fdatasync(), load())
}

fn machine() -> String {
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = field("/proc/cpuinfo", "model name").unwrap_or("unknown processor".into());
    let huge_pages = field("/proc/meminfo", "HugePages_Total").unwrap_or_default();
    let gib = (memory() + 512) / 1024;
    format!("{cpu}, {cores} cores, {gib} GiB of memory, {huge_pages} huge pages, Linux {}", kernel.trim())
}

/// The machine's memory in MiB.
pub fn memory() -> u64 {
    let total = field("/proc/meminfo", "MemTotal");
    total.and_then(|total| total.trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    Some(value.trim().to_owned())
}

fn load() -> String {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

/// pg_test_fsync's line of one 8 kB write and fdatasync, on the cluster's own disk.
fn fdatasync() -> String {
    let file = Cluster::shared().socket_folder().join("fsync-test");
    let mut command = Cluster::shared().command(program("pg_test_fsync"));
    command.arg("--secs-per-test=2").arg("--filename").arg(&file).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else { return "pg_test_fsync: not installed".into() };
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let line = output.lines().map_while(Result::ok).find(|line| line.trim_start().starts_with("fdatasync"));
    // What it measures after that line is not asked for.
    let _ = child.kill();
    let _ = child.wait();
    let _ = std::fs::remove_file(file);
    let line = line.unwrap_or_else(|| "fdatasync unknown".into());
    format!("pg_test_fsync: {}", line.split_whitespace().collect::<Vec<_>>().join(" "))
}
