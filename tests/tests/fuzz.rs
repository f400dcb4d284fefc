//! Random arguments for every function of both extensions: `tests/fuzz/arguments.py`.
//!
//! `MESSAGE_STORE_FUZZ_SECONDS` says for how long (15 s), `MESSAGE_STORE_SEED` repeats a run's random choices.

use message_store_tests::{Cluster, Store, Target, dependencies, fuzz, sqlite_library};
use std::path::Path;
use std::process::Command;

#[test]
fn every_answer_is_a_row_or_a_clean_error_and_both_engines_agree() {
    let store = Store::fresh(Target::Ours);
    let mut superuser = store.superuser();
    superuser.ok(&format!("CREATE DATABASE {}_wild", store.database));
    let mut wild =
        message_store_tests::Session::open(store.cluster.config(&format!("{}_wild", store.database), "postgres"));
    wild.ok("CREATE EXTENSION message_store");

    let mut seeds = fuzz::kept_seeds("arguments");
    seeds.push(match std::env::var("MESSAGE_STORE_SEED") {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => u64::from(rand::random::<u32>()),
    });
    let mut python = Command::new(dependencies().join("python/bin/python"));
    python.arg("-B").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/arguments.py"));
    python.arg(store.cluster.socket_folder()).arg(&store.database).arg(fuzz::seconds(15).to_string());
    python.args(seeds.iter().map(u64::to_string)).env("MESSAGE_STORE_LIBRARY", sqlite_library());
    let output = python.output().unwrap_or_else(|e| panic!("{e}; `make setup` fetches the client"));
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}");
    eprintln!("{printed}");
    nothing_in_the_log(store.cluster);
}

/// Postgres has no NUL in text; the driver sends one all the same.
#[test]
fn a_nul_in_an_argument_is_refused() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let text = "a\0-1";
    for call in ["stream_version($1)", "write_message(NULL, $1, 'T', '{}')", "hash_64($1)", "create_namespace($1)"] {
        let error = session.client().query(&format!("SELECT {call}"), &[&text]).expect_err(call);
        assert_eq!(error.as_db_error().expect("an error of the server's").code().code(), "22021", "{call}");
        assert_eq!(session.number("SELECT 1"), 1);
    }
}

/// No defect, and no crash, went to the server's log.
fn nothing_in_the_log(cluster: &Cluster) {
    let log = std::fs::read(cluster.socket_folder().join("log")).expect("the server's log");
    let log = String::from_utf8_lossy(&log);
    let bad = ["internal error", "panicked", "PANIC:", "terminated by signal", "TRAP:", "stack backtrace"];
    let found: Vec<&str> = log.lines().filter(|line| bad.iter().any(|word| line.contains(word))).take(5).collect();
    assert!(found.is_empty(), "in the server's log:\n{}", found.join("\n"));
}
