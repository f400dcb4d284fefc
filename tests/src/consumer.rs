//! A consumer of everything: it polls `get_all_messages` and goes on after the last position it saw.

use crate::Session;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How a consumer wraps its polls into transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polling {
    /// Each poll is a transaction of its own, READ COMMITTED.
    EachByItself,
    /// Several polls a transaction of this isolation level.
    Several(&'static str),
    /// All polls in one transaction of this isolation level, whose snapshot is older than every message.
    AllInOne(&'static str),
}

/// A message as a consumer sees it: its global position and its id.
pub type Seen = (i64, String);

/// A consumer of the store that the session's search_path or `namespace` means.
pub struct Consumer {
    session: Session,
    polling: Polling,
    namespace: String,
    polls: usize,
    seen: Vec<Seen>,
    next: i64,
}

const POLLS_A_TRANSACTION: usize = 5;

impl Consumer {
    /// A consumer that has seen nothing yet. `namespace` is an SQL expression.
    pub fn new(mut session: Session, polling: Polling, namespace: &str) -> Consumer {
        if let Polling::AllInOne(level) = polling {
            session.ok(&format!("BEGIN ISOLATION LEVEL {level}"));
            // It is the first query that takes the transaction's snapshot.
            session.ok("SELECT 1");
        }
        Consumer { session, polling, namespace: namespace.into(), polls: 0, seen: Vec::new(), next: 1 }
    }

    /// Polls until `done` is set and nothing is left, and returns what it saw, in the order in which it saw it.
    pub fn follow(mut self, done: &AtomicBool) -> Vec<Seen> {
        loop {
            let last = done.load(Ordering::SeqCst);
            match self.poll() {
                0 if last => return self.seen,
                0 => std::thread::sleep(Duration::from_millis(1)),
                _ => {}
            }
        }
    }

    /// One poll; how many messages it got.
    pub fn poll(&mut self) -> usize {
        if let Polling::Several(level) = self.polling {
            match self.polls % POLLS_A_TRANSACTION {
                0 if self.polls > 0 => self.session.ok(&format!("COMMIT; BEGIN ISOLATION LEVEL {level}")),
                0 => self.session.ok(&format!("BEGIN ISOLATION LEVEL {level}")),
                _ => {}
            }
        }
        // Batches of every size, so that their ends fall everywhere.
        let size = [1, 7, 100, 1000][self.polls % 4];
        self.polls += 1;
        let (next, namespace) = (self.next, &self.namespace);
        let rows = self.session.rows(&format!(
            "SELECT global_position, id FROM message_store.get_all_messages({next}, {size}, {namespace})"
        ));
        let count = rows.len();
        for row in rows {
            let mut row = row.into_iter().map(|value| value.expect("a value"));
            let position = row.next().expect("a position").parse().expect("a number");
            assert!(position >= self.next, "{position} after {}", self.next - 1);
            self.next = position + 1;
            self.seen.push((position, row.next().expect("an id")));
        }
        count
    }

    /// What it saw so far.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }
}

/// Every message of a table, in global order, as a consumer should have seen them.
pub fn all(session: &mut Session, table: &str) -> Vec<Seen> {
    let rows = session.rows(&format!("SELECT global_position, id FROM {table} ORDER BY global_position"));
    rows.into_iter()
        .map(|mut row| {
            let position = row[0].take().expect("a position").parse().expect("a number");
            (position, row[1].take().expect("an id"))
        })
        .collect()
}

/// Sets its flag when it goes, so that consumers end however the writers ended.
pub struct SetAtEnd<'a>(pub &'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
