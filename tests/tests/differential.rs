//! Genuine Message DB and ours, in Postgres and in SQLite, given the same random operations: rows, errors, notices and
//! the tables' content agree. Then ours in Postgres and ours in SQLite, with what Message DB does not have.

use message_store_tests::{Store, Target, differential, engines};

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

/// All functions, namespaces, transactions and savepoints included; what must hold is checked against a model. Once on
/// each way to Postgres' tables.
#[test]
fn ours_in_postgres_agrees_with_ours_in_sqlite() {
    // With half as many one run in ten has too few kinds of errors.
    let operations = usize::try_from(number("MESSAGE_STORE_OPERATIONS").unwrap_or(8000)).expect("a count") / 2;
    let seed = seed();
    for direct_access in ["on", "off"] {
        let seen = engines::run(&Store::fresh(Target::Ours), direct_access, seed, operations);
        eprintln!("direct_access {direct_access}: {seen:?}");
        assert!(seen.succeeded > operations / 2 && seen.rows > operations / 2, "too little worked: {seen:?}");
        assert!(seen.by_name.len() > 25 && seen.failed.len() > 6, "too few kinds of answers: {seen:?}");
        assert!(seen.given > operations / 10 && seen.gone > operations / 100, "too little was checked: {seen:?}");
        assert!(seen.recorded > operations / 100, "too little was checked: {seen:?}");
    }
}
