//! A writer that does at random what writers do.

use message_store_tests::{Session, Store};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

const CATEGORIES: usize = 6;
/// More than a transaction marks one by one.
const WIDE: usize = 70;
const LONGEST: Duration = Duration::from_millis(20);

/// How often writers did what.
pub type Deeds = BTreeMap<&'static str, usize>;

pub struct Writer<'a> {
    number: usize,
    random: StdRng,
    session: Session,
    /// Commits what the first one prepared.
    other: Session,
    namespace: &'a str,
    committed: &'a AtomicUsize,
    /// Messages of the transaction at hand, which count if it commits.
    pending: usize,
    deeds: Deeds,
}

impl<'a> Writer<'a> {
    pub fn new(store: &Store, seed: u64, number: usize, namespace: &'a str, committed: &'a AtomicUsize) -> Self {
        // A prepared transaction is committed by its own role, or the superuser.
        let [session, other] = [(); 2].map(|()| store.session_as("postgres"));
        let random = StdRng::seed_from_u64(seed.wrapping_mul(1000).wrapping_add(number as u64));
        Writer { number, random, session, other, namespace, committed, pending: 0, deeds: Deeds::new() }
    }

    /// Writes until all writers together have committed so many messages.
    pub fn run(mut self, target: usize) -> Deeds {
        while self.committed.load(Ordering::SeqCst) < target {
            self.transaction();
        }
        self.deeds
    }

    fn did(&mut self, what: &'static str) {
        *self.deeds.entry(what).or_default() += 1;
    }

    fn transaction(&mut self) {
        self.pending = 0;
        match self.random.random_range(0..100) {
            0..20 => {
                let category = self.random.random_range(0..CATEGORIES);
                self.write(&format!("c{category}"));
                self.did("single statements");
                self.end(true);
            }
            20..22 => {
                self.session.ok("BEGIN");
                for category in 0..WIDE {
                    self.one(&format!("wide{category:02}"));
                }
                self.session.ok("COMMIT");
                self.did("transactions of 70 categories");
                self.end(true);
            }
            _ => self.several(),
        }
    }

    /// Categories in ascending order, so that no two transactions wait for each other.
    fn several(&mut self) {
        self.session.ok("BEGIN");
        let mut pause = self.random.random_range(Duration::ZERO..LONGEST);
        for category in 0..CATEGORIES {
            if !self.random.random_bool(0.3) {
                continue;
            }
            let category = format!("c{category}");
            match self.random.random_range(0..10) {
                0..2 => {
                    self.session.ok("SAVEPOINT again");
                    let before = self.pending;
                    self.write(&category);
                    self.pause(&mut pause);
                    self.pending = before;
                    self.session.ok("ROLLBACK TO SAVEPOINT again");
                    self.write(&category);
                    self.did("savepoints rolled back and written again");
                }
                2 => {
                    self.session.ok("SAVEPOINT kept");
                    self.write(&category);
                    self.session.ok("RELEASE SAVEPOINT kept");
                    self.did("savepoints kept");
                }
                _ => self.write(&category),
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
    }

    fn end(&mut self, committed: bool) {
        if committed {
            self.committed.fetch_add(self.pending, Ordering::SeqCst);
        }
    }

    /// A part of what is left of the transaction's pause.
    fn pause(&mut self, left: &mut Duration) {
        let part = left.mul_f64(self.random.random_range(0.0..0.5));
        *left -= part;
        sleep(part);
    }

    fn write(&mut self, category: &str) {
        if self.random.random_bool(0.5) {
            self.one(category);
            return;
        }
        let (stream, count) = (self.stream(category), self.random.random_range(1..20));
        let messages = vec![r#"{"type": "T", "data": {"amount": 1}}"#; count].join(",");
        let namespace = self.namespace;
        self.session.ok(&format!("SELECT message_store.write_messages('{stream}', '[{messages}]', NULL, {namespace})"));
        self.pending += count;
        self.did("batches");
    }

    fn one(&mut self, category: &str) {
        let (stream, namespace) = (self.stream(category), self.namespace);
        self.session
            .ok(&format!("SELECT message_store.write_message(NULL, '{stream}', 'T', '{{}}', NULL, NULL, {namespace})"));
        self.pending += 1;
    }

    fn stream(&mut self, category: &str) -> String {
        format!("{category}-{}", self.random.random_range(0..10))
    }
}
