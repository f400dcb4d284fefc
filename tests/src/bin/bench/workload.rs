//! What is measured. A new workload is one more entry.

/// Something that pgbench runs on a store of its own.
pub struct Workload {
    /// The argument that chooses it.
    pub name: &'static str,
    /// What the table calls it.
    pub title: &'static str,
    /// Statements that prepare the store, run by the superuser.
    pub setup: &'static [&'static str],
    /// Options of the connection.
    pub options: &'static str,
    /// pgbench's script, one transaction.
    pub script: &'static str,
    /// How many calls a transaction makes; rates are calls a second.
    pub calls: u32,
    /// The ratio that the project promises.
    pub wanted: f64,
}

/// 100,000 messages of a category: 1,000 streams of 100.
const MESSAGES: &str = r#"INSERT INTO messages (stream_name, position, type, data, metadata)
    SELECT 'account-' || n % 1000, n / 1000, 'Deposited',
        jsonb_build_object('accountId', n % 1000, 'amount', n * 1.25, 'currency', 'EUR', 'text', 'a deposit like any other'),
        jsonb_build_object('correlationStreamName', 'order-' || n % 50, 'schemaVersion', '1')
    FROM generate_series(0, 99999) AS n"#;

/// So that neither store pays for hint bits or a missing visibility map during the measurement.
const VACUUM: &str = "VACUUM ANALYZE messages";

/// Every workload, in the order of the table.
pub const WORKLOADS: [Workload; 5] = [
    Workload {
        name: "write",
        title: "write_message, synchronous_commit off",
        setup: &[],
        options: "-c synchronous_commit=off",
        script: r#"
\set stream random(1, 1000)
SELECT write_message(gen_random_uuid()::varchar, 'account-' || :stream, 'Deposited', '{"amount": 12.50, "currency": "EUR"}', '{"correlationStreamName": "order-1"}');
"#,
        calls: 1,
        wanted: 1.15,
    },
    Workload {
        name: "group",
        title: "get_category_messages, 100 of a group of 4",
        setup: &[MESSAGES, VACUUM],
        options: "",
        script: r"
\set position random(1, 90000)
\set member random(0, 3)
SELECT * FROM get_category_messages('account', :position, 100, NULL, :member, 4);
",
        calls: 1,
        wanted: 3.0,
    },
    Workload {
        name: "stream",
        title: "get_stream_messages, 10",
        setup: &[MESSAGES, VACUUM],
        options: "",
        script: r"
\set stream random(0, 999)
\set position random(0, 89)
SELECT * FROM get_stream_messages('account-' || :stream, :position, 10);
",
        calls: 1,
        wanted: 1.3,
    },
    Workload {
        name: "hash",
        title: "hash_64, 10,000 values in one statement",
        setup: &[
            "CREATE TABLE names AS SELECT ('account-' || n)::varchar AS name FROM generate_series(1, 10000) AS n",
            "GRANT SELECT ON names TO message_store",
            "VACUUM ANALYZE names",
        ],
        options: "-c max_parallel_workers_per_gather=0",
        script: "SELECT count(hash_64(name)) FROM names;\n",
        calls: 10_000,
        wanted: 8.0,
    },
    Workload {
        name: "hash-call",
        title: "hash_64, a statement a value",
        setup: &[],
        options: "",
        script: "\\set n random(1, 1000000)\nSELECT hash_64('account-' || :n);\n",
        calls: 1,
        wanted: 1.0,
    },
];
