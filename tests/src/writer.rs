//! A writer that does at random what writers do.

use crate::{Session, Store};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// More categories than a transaction marks one by one.
const WIDE: usize = 70;
const LONGEST: Duration = Duration::from_millis(20);
/// The category of the streams that some messages are correlated with.
pub const CORRELATED: &str = "order";

/// How often writers did what.
pub type Deeds = BTreeMap<&'static str, usize>;

/// What all writers of a race have in common.
pub struct Race<'a> {
    /// The database.
    pub store: &'a Store,
    /// Of their random choices.
    pub seed: u64,
    /// The namespace they write to, an SQL expression.
    pub namespace: &'a str,
    /// The categories they write to in one transaction, in this order; one may come several times.
    pub categories: &'a [&'a str],
    /// How many streams each of them has.
    pub streams: usize,
    /// How many messages were committed by all of them.
    pub committed: AtomicUsize,
}

/// A writer.
pub struct Writer<'a> {
    race: &'a Race<'a>,
    number: usize,
    random: StdRng,
    session: Session,
    /// Commits what the first one prepared.
    other: Session,
    /// Messages of the transaction at hand, which count if it commits.
    pending: usize,
    deeds: Deeds,
}

/// The transaction at hand was ended by Postgres, and is to be tried again.
struct DeadlockVictim;

type Done = Result<(), DeadlockVictim>;

impl<'a> Writer<'a> {
    /// One of the writers of a race.
    pub fn new(race: &'a Race<'a>, number: usize) -> Self {
        // A prepared transaction is committed by its own role, or the superuser.
        let [mut session, other] = [(); 2].map(|()| race.store.session_as("postgres"));
        session.ok("SET deadlock_timeout = '20ms'");
        let random = StdRng::seed_from_u64(race.seed.wrapping_mul(1000).wrapping_add(number as u64));
        Writer { race, number, random, session, other, pending: 0, deeds: Deeds::new() }
    }

    /// Writes until all writers together have committed so many messages.
    pub fn run(mut self, target: usize) -> Deeds {
        while self.race.committed.load(Ordering::SeqCst) < target {
            self.pending = 0;
            if self.transaction().is_err() {
                self.session.ok("ROLLBACK");
                self.did("deadlock victims");
            }
        }
        self.deeds
    }

    fn did(&mut self, what: &'static str) {
        *self.deeds.entry(what).or_default() += 1;
    }

    fn transaction(&mut self) -> Done {
        match self.random.random_range(0..100) {
            0..20 => {
                let category = *self.race.categories.choose(&mut self.random).expect("a category");
                self.write(category)?;
                self.did("single statements");
                self.end(true);
                Ok(())
            }
            20..22 => {
                self.session.ok("BEGIN");
                for category in 0..WIDE {
                    self.one(&format!("wide{category:02}"))?;
                }
                self.session.ok("COMMIT");
                self.did("transactions of 70 categories");
                self.end(true);
                Ok(())
            }
            _ => self.several(),
        }
    }

    /// Where writers lock categories, and these are in ascending order, no two transactions wait for each other.
    fn several(&mut self) -> Done {
        self.session.ok("BEGIN");
        let mut pause = self.random.random_range(Duration::ZERO..LONGEST);
        for category in self.race.categories {
            if !self.random.random_bool(0.3) {
                continue;
            }
            match self.random.random_range(0..10) {
                0..2 => {
                    self.session.ok("SAVEPOINT again");
                    let before = self.pending;
                    self.write(category)?;
                    self.pause(&mut pause);
                    self.pending = before;
                    self.session.ok("ROLLBACK TO SAVEPOINT again");
                    self.write(category)?;
                    self.did("savepoints rolled back and written again");
                }
                2 => {
                    self.session.ok("SAVEPOINT kept");
                    self.write(category)?;
                    self.session.ok("RELEASE SAVEPOINT kept");
                    self.did("savepoints kept");
                }
                _ => self.write(category)?,
            }
            self.pause(&mut pause);
        }
        sleep(pause);
        match self.random.random_range(0..20) {
            0..3 => {
                self.session.ok("ROLLBACK");
                self.did("rollbacks");
                self.end(false);
            }
            3 => {
                // Names of prepared transactions belong to the cluster, which the tests share.
                static NAMES: AtomicUsize = AtomicUsize::new(0);
                let name = format!("race_{}_{}", self.number, NAMES.fetch_add(1, Ordering::Relaxed));
                self.session.ok(&format!("PREPARE TRANSACTION '{name}'"));
                sleep(self.random.random_range(Duration::ZERO..LONGEST));
                let commit = self.random.random_bool(0.8);
                let end = if commit { "COMMIT" } else { "ROLLBACK" };
                self.other.ok(&format!("{end} PREPARED '{name}'"));
                self.did("prepared transactions");
                self.end(commit);
            }
            _ => {
                self.session.ok("COMMIT");
                self.did("commits");
                self.end(true);
            }
        }
        Ok(())
    }

    fn end(&mut self, committed: bool) {
        if committed {
            self.race.committed.fetch_add(self.pending, Ordering::SeqCst);
        }
    }

    /// A part of what is left of the transaction's pause.
    fn pause(&mut self, left: &mut Duration) {
        let part = left.mul_f64(self.random.random_range(0.0..0.5));
        *left -= part;
        sleep(part);
    }

    fn write(&mut self, category: &str) -> Done {
        if self.random.random_bool(0.5) {
            return self.one(category);
        }
        let (stream, count) = (self.stream(category), self.random.random_range(1..20));
        let messages = vec![r#"{"type": "T", "data": {"amount": 1}}"#; count].join(",");
        let namespace = self.race.namespace;
        self.call(&format!("write_messages('{stream}', '[{messages}]', NULL, {namespace})"))?;
        self.pending += count;
        self.did("batches");
        Ok(())
    }

    fn one(&mut self, category: &str) -> Done {
        let (stream, namespace) = (self.stream(category), self.race.namespace);
        let metadata = match self.random.random_bool(0.5) {
            true => format!("'{{\"correlationStreamName\": \"{CORRELATED}-1\"}}'"),
            false => "NULL".into(),
        };
        self.call(&format!("write_message(NULL, '{stream}', 'T', '{{}}', {metadata}, NULL, {namespace})"))?;
        self.pending += 1;
        Ok(())
    }

    fn call(&mut self, call: &str) -> Done {
        let sql = format!("SELECT message_store.{call}");
        match self.session.run(&sql).result {
            Ok(_) => Ok(()),
            Err(failure) if failure.sqlstate == "40P01" => Err(DeadlockVictim),
            Err(failure) => panic!("{sql}: {failure}"),
        }
    }

    fn stream(&mut self, category: &str) -> String {
        format!("{category}-{}", self.random.random_range(0..self.race.streams))
    }
}
