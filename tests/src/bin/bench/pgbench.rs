//! A side that pgbench runs.

use crate::race::{Length, Side};
use message_store_tests::{Store, Target, program};
use std::io::Write;
use std::rc::Rc;

/// What pgbench runs, with prepared statements.
#[derive(Clone)]
pub struct Script {
    /// One transaction.
    pub sql: String,
    /// Connections at once.
    pub clients: u32,
    /// Options of the connections.
    pub options: &'static str,
    /// How many calls a transaction makes; rates are calls a second.
    pub calls: u32,
}

impl Script {
    /// One client, no options, one call.
    pub fn new(sql: impl Into<String>) -> Script {
        Script { sql: sql.into(), clients: 1, options: "", calls: 1 }
    }

    /// The side that runs it on `store`, called after what the store is.
    pub fn on(&self, store: &Rc<Store>) -> Side {
        let label = match store.target {
            Target::Genuine => "Message DB",
            Target::Ours => "ours",
        };
        self.labelled(label, store)
    }

    /// The same under another name.
    pub fn labelled(&self, label: &'static str, store: &Rc<Store>) -> Side {
        let (script, store) = (self.clone(), Rc::clone(store));
        Side::new(label, move |length| script.run(&store, length) * f64::from(script.calls))
    }

    /// Transactions a second, as the role `message_store`.
    fn run(&self, store: &Store, length: Length) -> f64 {
        let mut script = tempfile::NamedTempFile::new().expect("a file");
        script.write_all(self.sql.as_bytes()).expect("a script");
        let mut command = store.cluster.command(program("pgbench"));
        command.args(["--no-vacuum", "--protocol=prepared", "--username=message_store", "--random-seed=1"]);
        command.arg(format!("--client={}", self.clients)).arg(format!("--jobs={}", self.clients.min(2)));
        command.arg(match length {
            Length::Seconds(seconds) => format!("--time={seconds}"),
            Length::Transactions(transactions) => format!("--transactions={transactions}"),
        });
        command.arg("--file").arg(script.path()).arg(&store.database);
        let output = command.env("PGOPTIONS", self.options).output().expect("pgbench");
        let printed = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !errors.contains("ERROR"), "{}{errors}", self.sql);
        let rate = printed.lines().find_map(|line| line.strip_prefix("tps = ")).and_then(|line| line.split(' ').next());
        rate.and_then(|rate| rate.parse().ok()).unwrap_or_else(|| panic!("no rate in: {printed}"))
    }
}
