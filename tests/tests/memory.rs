//! What a backend needs for a read without a limit, and what it keeps.

use message_store_tests::{Session, Store, Target};

/// A million small events in one category.
const FILL: &str = "INSERT INTO messages (stream_name, position, type, data, metadata)
    SELECT 'account-' || n / 10, n % 10, 'Deposited', jsonb_build_object('amount', n, 'currency', 'EUR'), '{}'
    FROM generate_series(0, 999999) AS n";

/// The most memory that the session's backend ever had, in kB.
fn peak(session: &mut Session) -> i64 {
    let backend = session.number("SELECT pg_backend_pid()");
    let status = std::fs::read_to_string(format!("/proc/{backend}/status")).expect("the backend's status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn a_category_of_a_million_messages_is_read_in_little_memory() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok(FILL);
    session.ok("ANALYZE messages");

    // The shared buffers that a backend touches count as its own; the cluster has 16 MB of them.
    let mut reader = store.session();
    let before = peak(&mut reader);
    let work_mem = reader.number("SELECT setting FROM pg_settings WHERE name = 'work_mem'");
    assert_eq!(reader.number("SELECT count(*) FROM get_category_messages('account', 1, -1)"), 1_000_000);
    let grown = peak(&mut reader) - before;
    eprintln!("work_mem {work_mem} kB, grown by {grown} kB from {before} kB");
    assert!(grown <= work_mem + 64 * 1024, "grown by {grown} kB");
}

/// Names and types that are compressed in the table, of 20 kB each once they are unpacked.
#[test]
fn rows_that_a_read_passes_over_take_no_memory() {
    let store = Store::fresh(Target::Ours);
    store.superuser().ok("INSERT INTO messages (stream_name, position, type, data)
         SELECT 'account-1', n, repeat('x', 20000), '{}'::jsonb FROM generate_series(0, 2999) AS n
         UNION ALL SELECT 'order-' || repeat('x', 20000) || n, 0, 'T', '{}' FROM generate_series(0, 2999) AS n");
    for read in ["get_last_stream_message('account-1', 'T')", "get_category_messages('order', 1, -1, NULL, 0, 30000)"] {
        let mut reader = store.session();
        reader.ok("SELECT * FROM get_stream_messages('account-2')");
        let before = peak(&mut reader);
        let rows = reader.number(&format!("SELECT count(*) FROM {read}"));
        assert!(rows <= 1, "{rows} rows");
        let grown = peak(&mut reader) - before;
        eprintln!("{read}: grown by {grown} kB from {before} kB");
        assert!(grown < 24 * 1024, "{read}: grown by {grown} kB");
    }
}

/// Each has some plans of 26 KiB; 300 of them would keep 15 MB.
#[test]
fn namespaces_that_were_deleted_leave_no_plans() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let mut use_and_delete = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            session.ok(&format!("SELECT create_namespace('t{number}')"));
            session.ok(&format!("SELECT write_message(NULL, 'account-1', 'T', '{{}}', NULL, NULL, 't{number}')"));
            session.ok(&format!("SELECT * FROM list_streams(NULL, NULL, 10, 't{number}')"));
            session.ok(&format!("SELECT * FROM list_categories('t{number}')"));
            session.ok(&format!("SELECT delete_namespace('t{number}')"));
        }
        session.number("SELECT sum(total_bytes)::bigint / 1024 FROM pg_backend_memory_contexts")
    };
    let before = use_and_delete(0..150);
    let after = use_and_delete(150..450);
    eprintln!("memory contexts: {before} kB after 150 namespaces, {after} kB after 450");
    assert!(after - before < 4 * 1024, "from {before} to {after} kB");
}
