//! Random operations on a store.

use super::portable::{Call, Portable, same};
use super::values::Values;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Who runs an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The session that writes, in and out of transactions.
    Main,
    /// Another connection, which never waits for long.
    Other,
}

/// Something to run on every store.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The session.
    pub actor: Actor,
    /// The statements.
    pub sql: String,
    /// The same on SQLite.
    pub portable: Portable,
    /// Whether it may write messages.
    pub writes: bool,
    /// Whether the rows' order is defined.
    pub ordered: bool,
    /// Whether ours reads as of the call and Message DB as of the transaction's snapshot.
    pub as_of_call: bool,
}

/// Makes up operations that fit each other.
pub struct Generator {
    pub(super) values: Values,
    pub(super) number: u32,
    in_transaction: bool,
    keeps_snapshot: bool,
    savepoint: bool,
    failed: bool,
}

impl Generator {
    /// The same operations for the same seed and the same answers.
    pub fn new(seed: u64) -> Generator {
        let values = Values::new(StdRng::seed_from_u64(seed));
        Generator { values, number: 0, in_transaction: false, keeps_snapshot: false, savepoint: false, failed: false }
    }

    /// Tells the generator how the main session's last operation went.
    pub fn answered(&mut self, failed: bool) {
        self.failed = failed && self.in_transaction;
    }

    /// The next operation.
    pub fn next_operation(&mut self) -> Operation {
        self.number += 1;
        let (mut ordered, mut writes) = (true, false);
        let (actor, (sql, portable)) = if !self.failed && self.values.one_in(8) {
            writes = self.values.one_in(6);
            let call = if writes {
                let (sql, portable) = self.write();
                (format!("SET lock_timeout = '20ms'; {sql}"), portable)
            } else {
                self.read(&mut ordered)
            };
            (Actor::Other, call)
        } else if self.failed && !self.values.one_in(4) {
            (Actor::Main, self.recover())
        } else {
            (Actor::Main, self.anything(&mut ordered, &mut writes))
        };
        let as_of_call =
            actor == Actor::Main && self.in_transaction && self.keeps_snapshot && sql.contains("get_category_messages");
        Operation { actor, sql, portable, writes, ordered, as_of_call }
    }

    fn anything(&mut self, ordered: &mut bool, writes: &mut bool) -> Call {
        let choice = self.values.rng.random_range(0..100);
        *writes = choice < 42;
        match choice {
            0..34 => self.write(),
            34..38 => self.writes_in_one_statement(),
            38..42 => self.insert(),
            42..80 => self.read(ordered),
            80..84 => self.pure(),
            84..88 => self.values.setting(),
            88..90 => self.wrong_call(),
            _ => self.transaction(),
        }
    }

    fn recover(&mut self) -> Call {
        if self.savepoint && self.values.one_in(2) {
            return same("ROLLBACK TO SAVEPOINT s".into());
        }
        self.end(&["ROLLBACK", "COMMIT"])
    }

    fn transaction(&mut self) -> Call {
        if !self.in_transaction {
            self.in_transaction = true;
            let modes = ["", "", "", " ISOLATION LEVEL REPEATABLE READ", " ISOLATION LEVEL SERIALIZABLE", " READ ONLY"];
            let mode = self.values.pick(&modes);
            self.keeps_snapshot = mode.contains("ISOLATION");
            return (format!("BEGIN{mode}"), Portable::Statement("BEGIN".into()));
        }
        match self.values.rng.random_range(0..6) {
            0 | 1 => {
                self.savepoint = true;
                same("SAVEPOINT s".into())
            }
            2 if self.savepoint => same("ROLLBACK TO SAVEPOINT s".into()),
            3 if self.savepoint => {
                self.savepoint = false;
                same("RELEASE SAVEPOINT s".into())
            }
            _ => self.end(&["COMMIT", "COMMIT", "ROLLBACK"]),
        }
    }

    fn end(&mut self, ways: &[&str]) -> Call {
        self.in_transaction = false;
        self.savepoint = false;
        let way = self.values.pick(ways);
        // Postgres takes a failed transaction back whatever it is told.
        (way.into(), Portable::Statement(if self.failed { "ROLLBACK" } else { way }.into()))
    }
}
