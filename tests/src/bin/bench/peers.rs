//! Stores that programs use as a library, each beside ours through the same language's driver: one connection, one event
//! an append. A peer is measured where `tests/setup.sh bench` could install it.

use crate::race::{Length, Race, Row, Side, Theme, Workload};
use crate::stores::{Stores, fill};
use message_store_tests::{Store, Target, dependencies};
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

/// Events in the streams that are read.
const STREAMS: u32 = 1000;

struct Peer {
    name: &'static str,
    title: &'static str,
    /// Both as in the folder that `tests/setup.sh` fills.
    interpreter: fn() -> PathBuf,
    installed: &'static str,
    program: &'static str,
    file: &'static str,
}

const PEERS: [Peer; 2] = [
    Peer {
        name: "peer-eventsourcing",
        title: "eventsourcing (Python, psycopg)",
        interpreter: || dependencies().join("bench/python/bin/python"),
        installed: "bench/python/.installed",
        program: include_str!("peers/eventsourcing.py"),
        file: "peer.py",
    },
    Peer {
        name: "peer-emmett",
        title: "emmett (Node, pg)",
        interpreter: || "node".into(),
        installed: "bench/node/.installed",
        program: include_str!("peers/emmett.mjs"),
        file: "peer.mjs",
    },
];

/// The workloads.
pub fn theme() -> Theme {
    let of_peer = |peer: &'static Peer| {
        ["append", "read"].map(|action| {
            Workload::fallible(format!("{}-{action}", peer.name), move |stores| peer.race(action, stores))
        })
    };
    Theme {
        title: "Peers, 1 client, synchronous_commit off, calls a second",
        workloads: PEERS.iter().flat_map(of_peer).collect(),
    }
}

impl Peer {
    fn race(&'static self, action: &'static str, stores: &mut Stores) -> Result<Race, String> {
        if !dependencies().join(self.installed).is_file() {
            return Err(format!("{}: not installed", self.title));
        }
        // The peer's tables are in a database of ours too, where nothing else uses them.
        let [theirs, ours] = [(); 2].map(|()| stores.fresh(Target::Ours));
        for store in [&theirs, &ours] {
            store.superuser().ok(&format!("ALTER DATABASE {} SET synchronous_commit = off", store.database));
        }
        self.command(&theirs, &["theirs", "fill", &STREAMS.to_string()])?;
        fill(&ours, 0, 100 * STREAMS);
        theirs.superuser().ok("VACUUM ANALYZE");
        let does = if action == "append" { "an event appended" } else { "10 events of a stream read" };
        Ok(Race {
            sides: vec![self.side("theirs", action, theirs), self.side("ours", action, ours)],
            rows: vec![Row::new(format!("{}: {does}", self.title))],
        })
    }

    fn side(&'static self, label: &'static str, action: &'static str, store: Rc<Store>) -> Side {
        Side::new(label, move |length| {
            let (unit, amount) = match length {
                Length::Seconds(seconds) => ("seconds", seconds),
                Length::Transactions(transactions) => ("calls", transactions),
            };
            let printed = self.command(&store, &[label, action, unit, &amount.to_string()]);
            let printed = printed.unwrap_or_else(|error| panic!("{error}"));
            printed.trim().parse().unwrap_or_else(|_| panic!("{} printed no rate: {printed}", self.title))
        })
    }

    fn command(&self, store: &Store, arguments: &[&str]) -> Result<String, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join(self.file);
        std::fs::write(&program, self.program).expect("a program");
        // Node looks for packages beside the program.
        let _ = std::os::unix::fs::symlink(
            dependencies().join("bench/node/node_modules"),
            folder.path().join("node_modules"),
        );
        let mut command: Command = store.cluster.command((self.interpreter)());
        let output = command.arg(&program).args(arguments).env("PGDATABASE", &store.database).output();
        let output = output.map_err(|error| format!("{}: {error}", self.title))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(format!("{}: {arguments:?}: {errors}", self.title))
        }
    }
}
