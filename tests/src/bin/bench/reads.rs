//! Messages read, out of 100,000 of one category.

use crate::pgbench::Script;
use crate::race::{Race, Row, Side, Theme, Workload};
use crate::stores::{Stores, insert};
use message_store_tests::Store;
use std::rc::Rc;

const COLUMNS: &str = "id::varchar, stream_name::varchar, type::varchar, position::bigint, global_position::bigint, \
                       data::varchar, metadata::varchar, time::timestamp";

/// A function's call beside genuine Message DB's, both in a statement of its own.
struct Read {
    name: &'static str,
    title: &'static str,
    sql: &'static str,
    target: Option<f64>,
    floor: Option<f64>,
    /// The plain SELECT of the same rows.
    plain: Option<&'static str>,
    /// The ratio to it that the project promises.
    plain_target: Option<f64>,
}

const READS: [Read; 6] = [
    Read {
        name: "read-stream-10",
        title: "get_stream_messages, 10",
        sql: "\\set stream random(0, 999)\n\\set position random(0, 89)\n\
              SELECT * FROM get_stream_messages('account-' || :stream, :position, 10);\n",
        target: Some(1.5),
        floor: None,
        plain: Some(
            "\\set stream random(0, 999)\n\\set position random(0, 89)\nSELECT {columns} FROM messages \
             WHERE stream_name = 'account-' || :stream AND position >= :position ORDER BY position LIMIT 10;\n",
        ),
        plain_target: Some(0.9),
    },
    Read {
        name: "read-last",
        title: "get_last_stream_message",
        sql: "\\set stream random(0, 999)\nSELECT * FROM get_last_stream_message('account-' || :stream);\n",
        target: Some(1.6),
        floor: None,
        plain: Some(
            "\\set stream random(0, 999)\nSELECT {columns} FROM messages \
             WHERE stream_name = 'account-' || :stream ORDER BY position DESC LIMIT 1;\n",
        ),
        plain_target: None,
    },
    Read {
        name: "read-version",
        title: "stream_version",
        sql: "\\set stream random(0, 999)\nSELECT stream_version('account-' || :stream);\n",
        target: None,
        floor: None,
        plain: Some(
            "\\set stream random(0, 999)\nSELECT position FROM messages \
             WHERE stream_name = 'account-' || :stream ORDER BY position DESC LIMIT 1;\n",
        ),
        plain_target: None,
    },
    Read {
        name: "read-category-100",
        title: "get_category_messages, 100",
        sql: "\\set position random(1, 90000)\nSELECT * FROM get_category_messages('account', :position, 100);\n",
        target: Some(1.4),
        floor: None,
        plain: Some(
            "\\set position random(1, 90000)\nSELECT {columns} FROM messages \
             WHERE category(stream_name) = 'account' AND global_position >= :position ORDER BY global_position LIMIT 100;\n",
        ),
        plain_target: Some(0.9),
    },
    Read {
        name: "read-group-100",
        title: "get_category_messages, 100 of a member of a group of 4",
        sql: "\\set position random(1, 90000)\n\\set member random(0, 3)\n\
              SELECT * FROM get_category_messages('account', :position, 100, NULL, :member, 4);\n",
        target: Some(5.0),
        floor: Some(1.5),
        plain: None,
        plain_target: None,
    },
    Read {
        name: "read-correlation",
        title: "get_category_messages, 100 with a correlation",
        sql: "\\set position random(1, 90000)\nSELECT * FROM get_category_messages('account', :position, 100, 'order');\n",
        target: None,
        floor: None,
        plain: None,
        plain_target: None,
    },
];

/// The workloads.
pub fn theme() -> Theme {
    let mut workloads: Vec<Workload> =
        READS.iter().map(|read| Workload::new(read.name, |stores| read.race(&stores.read()))).collect();
    workloads.insert(1, Workload::new("read-stream-1000", long_stream));
    for read in READS.iter().filter(|read| matches!(read.name, "read-category-100" | "read-group-100")) {
        workloads.push(Workload::new(format!("{}-mixed", read.name), |stores| {
            let sides = beside(&Script::new(read.sql), &stores.mixed());
            Race { sides, rows: vec![Row::new(format!("{}, one category of four", read.title))] }
        }));
    }
    workloads.push(Workload::new("hash", hash));
    Theme { title: "Reads, 1 client, calls a second", workloads }
}

impl Read {
    fn race(&self, stores: &[Rc<Store>; 2]) -> Race {
        let mut sides = beside(&Script::new(self.sql), stores);
        let mut rows = vec![Row { target: self.target, floor: self.floor, ..Row::new(self.title) }];
        if let Some(plain) = self.plain {
            let plain = Script::new(plain.replace("{columns}", COLUMNS));
            sides.push(plain.labelled("plain SELECT", &stores[1]));
            rows.push(Row { target: self.plain_target, ..Row::new(self.title).sides(2, 1) });
        }
        Race { sides, rows }
    }
}

fn beside(script: &Script, stores: &[Rc<Store>; 2]) -> Vec<Side> {
    stores.iter().map(|store| script.on(store)).collect()
}

/// The streams of the other reads are shorter.
fn long_stream(stores: &mut Stores) -> Race {
    let stores = stores.fresh_pair();
    for store in &stores {
        insert(store, "'account-' || n % 10", "n / 10", 0, 20_000);
    }
    let read = "\\set stream random(0, 9)\n\\set position random(0, 1000)\n\
                SELECT * FROM get_stream_messages('account-' || :stream, :position, 1000);\n";
    Race { sides: beside(&Script::new(read), &stores), rows: vec![Row::new("get_stream_messages, 1,000")] }
}

fn hash(stores: &mut Stores) -> Race {
    let stores = stores.fresh_pair();
    for store in &stores {
        let mut superuser = store.superuser();
        superuser
            .ok("CREATE TABLE names AS SELECT ('account-' || n)::varchar AS name FROM generate_series(1, 10000) AS n");
        superuser.ok("GRANT SELECT ON names TO message_store");
        superuser.ok("VACUUM ANALYZE names");
    }
    let script = Script {
        options: "-c max_parallel_workers_per_gather=0",
        calls: 10_000,
        ..Script::new("SELECT count(hash_64(name)) FROM names;\n")
    };
    let row = Row::new("hash_64, 10,000 values in a statement").target(10.0).floor(4.0);
    Race { sides: beside(&script, &stores), rows: vec![row] }
}

/// The same calls in a loop inside the server, where no round trip hides what they cost.
pub fn loops() -> Theme {
    let calls = [
        (
            "loop-version",
            "stream_version",
            "PERFORM stream_version('account-' || n % 1000);",
            "PERFORM position FROM messages WHERE stream_name = 'account-' || n % 1000 ORDER BY position DESC LIMIT 1;",
        ),
        (
            "loop-last",
            "get_last_stream_message",
            "PERFORM * FROM get_last_stream_message('account-' || n % 1000);",
            "PERFORM {columns} FROM messages WHERE stream_name = 'account-' || n % 1000 ORDER BY position DESC LIMIT 1;",
        ),
        (
            "loop-stream-10",
            "get_stream_messages, 10",
            "PERFORM * FROM get_stream_messages('account-' || n % 1000, n % 90, 10);",
            "PERFORM {columns} FROM messages WHERE stream_name = 'account-' || n % 1000 AND position >= n % 90 \
             ORDER BY position LIMIT 10;",
        ),
    ];
    let looped = |call: &str| {
        let call = call.replace("{columns}", COLUMNS);
        Script { calls: 2000, ..Script::new(format!("DO $$ BEGIN FOR n IN 1..2000 LOOP {call} END LOOP; END $$;\n")) }
    };
    let workload = |(name, title, call, plain): (&'static str, &'static str, &'static str, &'static str)| {
        Workload::new(name, move |stores| {
            let stores = stores.read();
            let mut sides = beside(&looped(call), &stores);
            sides.push(looped(plain).labelled("plain SELECT", &stores[1]));
            Race { sides, rows: vec![Row::new(title).target(3.0), Row::new(title).sides(2, 1)] }
        })
    };
    Theme { title: "In a loop inside the server, calls a second", workloads: calls.map(workload).into() }
}
