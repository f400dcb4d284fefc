//! One run of pgbench.

use crate::workload::Workload;
use message_store_tests::{Store, program};
use std::io::Write;

/// Runs `workload` on `store` for some seconds as the role `message_store` and returns the transactions a second.
pub fn run(store: &Store, workload: &Workload, seconds: u32) -> f64 {
    let mut script = tempfile::NamedTempFile::new().expect("a file");
    script.write_all(workload.script.as_bytes()).expect("a script");
    let mut command = store.cluster.command(program("pgbench"));
    command.args(["--no-vacuum", "--client=1", "--protocol=prepared", "--username=message_store", "--random-seed=1"]);
    command.arg(format!("--time={seconds}")).arg("--file").arg(script.path()).arg(&store.database);
    let output = command.env("PGOPTIONS", workload.options).output().expect("pgbench");
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.contains("ERROR"), "{}: {errors}", workload.name);
    let rate = printed.lines().find_map(|line| line.strip_prefix("tps = ")).and_then(|line| line.split(' ').next());
    rate.and_then(|rate| rate.parse().ok()).unwrap_or_else(|| panic!("no rate in: {printed}"))
}
