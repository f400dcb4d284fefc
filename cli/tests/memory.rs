//! The memory that the program takes does not grow with the store. Alone in its process, whose children it measures.

mod common;

use common::{file_url, ok, url};
use message_store_tests::{Store, Target};

/// The most that a child which has ended had in memory, in KiB.
fn peak() -> i64 {
    // SAFETY: all zeroes are a valid rusage, which the call fills.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a rusage that lives through the call.
    let result = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    assert_eq!(result, 0);
    usage.ru_maxrss
}

#[test]
fn a_hundred_megabytes_pass_through_sixty_four() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    // Large messages among small ones, so that a page or batch may not be counted in messages.
    session.ok("INSERT INTO message_store.messages (position, time, stream_name, type, data) \
         SELECT (g - 1) / 10, timestamp '2026-01-31', 'account-' || (g - 1) % 10, 'Opened', \
             to_jsonb(repeat('x', CASE WHEN g % 10 = 0 THEN 500000 ELSE 100 END)) FROM generate_series(1, 2000) g");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let source = url(&store, "message_store");
    let export = path("large.jsonl").display().to_string();
    ok(&["export", &source, &export]);
    assert!(std::fs::metadata(&export).expect("the file").len() > 100_000_000);
    ok(&["copy", &source, &file_url(&path("copy.db"))]);
    ok(&["import", &export, &file_url(&path("import.db"))]);
    ok(&["verify", &file_url(&path("copy.db")), &file_url(&path("import.db"))]);
    let peak = peak();
    assert!(peak < 64 * 1024, "{peak} KiB");
}
