//! What a poll costs while others hold many locks. It prints figures, and asserts none but those that are far off.

use message_store_tests::{Cluster, Session, Store, Target};
use std::time::Instant;

const POLLS: usize = 1_000;

/// Microseconds a call, the best of five loops inside the server.
fn cost(session: &mut Session, call: &str) -> f64 {
    let sql =
        format!("SELECT sum((SELECT count(*) FROM {call})) FROM generate_series(1000000, {}) AS n", 999_999 + POLLS);
    let run = |session: &mut Session| {
        let started = Instant::now();
        assert_eq!(session.number(&sql), 0);
        started.elapsed().as_secs_f64() * 1e6 / POLLS as f64
    };
    (0..5).map(|_| run(session)).fold(f64::INFINITY, f64::min)
}

#[test]
fn polls_beside_10_000_locks() {
    Cluster::shared_with(&["fsync=off", "shared_buffers=16MB", "max_locks_per_transaction=256"]);
    let store = Store::fresh(Target::Ours);
    let (mut holder, mut reader) = (store.superuser(), store.superuser());
    holder.ok("SELECT create_namespace('tenant-a'); SELECT set_namespace_option('tenant-a', 'append_lock', 'stream')");
    for namespace in ["message_store", "tenant-a"] {
        holder.ok(&format!(
            "SELECT write_message(NULL, 'account-' || n, 'T', '{{}}', NULL, NULL, '{namespace}') FROM generate_series(1, 1000) AS n"
        ));
    }
    let reads = [
        ("get_category_messages by category", "get_category_messages('account', n)"),
        (
            "get_category_messages by stream",
            "get_category_messages('account', n, 1000, NULL, NULL, NULL, NULL, 'tenant-a')",
        ),
        ("get_all_messages", "get_all_messages(n)"),
    ];
    let idle = reads.map(|(_, call)| cost(&mut reader, call));
    holder.ok("BEGIN; SELECT count(pg_advisory_xact_lock(n)) FROM generate_series(1, 10000) AS n");
    let beside = reads.map(|(_, call)| cost(&mut reader, call));
    holder.ok("ROLLBACK");
    for (((read, _), idle), beside) in reads.into_iter().zip(idle).zip(beside) {
        eprintln!("{read}: {idle:.1} us a poll, beside 10,000 locks {beside:.1} us");
        assert!(beside < 50_000.0, "{read}: {beside} us");
    }
}
