//! Genuine Message DB and ours, in Postgres and in SQLite, given the same random operations: rows, errors, notices and
//! the tables' content agree.

use message_store_tests::{Store, Target, differential};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// A seed from the clock, or the one of a run to repeat.
fn seed() -> u64 {
    let seed = number("MESSAGE_STORE_SEED").unwrap_or_else(|| u64::from(std::process::id()) ^ rand::random::<u64>());
    eprintln!("MESSAGE_STORE_SEED={seed} repeats this run");
    seed
}

fn compare(left: Target, right: Target, with_sqlite: bool, operations: usize) {
    let seen = differential::run(&Store::fresh(left), &Store::fresh(right), with_sqlite, seed(), operations);
    eprintln!("{seen:?}");
    assert!(seen.succeeded > operations / 2 && seen.rows > operations / 2, "too little worked: {seen:?}");
    assert!(seen.failed.len() > 8, "too few kinds of errors: {seen:?}");
    assert!(
        !with_sqlite || seen.compared_with_sqlite > operations / 2,
        "too little was compared with SQLite: {seen:?}"
    );
}

/// A difference between two genuine stores would be the test's own.
#[test]
fn genuine_message_db_agrees_with_itself() {
    compare(Target::Genuine, Target::Genuine, false, 1000);
}

#[test]
fn ours_agrees_with_genuine_message_db() {
    let operations = number("MESSAGE_STORE_OPERATIONS").unwrap_or(5000);
    compare(Target::Genuine, Target::Ours, true, usize::try_from(operations).expect("a count"));
}
