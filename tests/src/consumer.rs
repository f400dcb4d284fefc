//! A consumer: it polls and goes on after the last position it saw.

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

/// What a consumer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `get_all_messages`.
    Everything,
    /// `get_category_messages`.
    Category(&'static str),
    /// The same, of messages that are correlated with a category.
    Correlated(&'static str, &'static str),
    /// The same, of a member of a group of that size.
    Member(&'static str, usize, usize),
}

impl Source {
    /// The function's call, without its last argument, the namespace, and what closes it.
    pub(crate) fn call(self, next: i64, size: usize) -> String {
        match self {
            Source::Everything => format!("get_all_messages({next}, {size}"),
            Source::Category(category) => Source::category(category, next, size, "NULL, NULL, NULL"),
            Source::Correlated(category, with) => {
                Source::category(category, next, size, &format!("'{with}', NULL, NULL"))
            }
            Source::Member(category, member, of) => {
                Source::category(category, next, size, &format!("NULL, {member}, {of}"))
            }
        }
    }

    fn category(category: &str, next: i64, size: usize, rest: &str) -> String {
        format!("get_category_messages('{category}', {next}, {size}, {rest}, NULL")
    }

    /// Which rows of the table it means, an SQL condition.
    pub fn condition(self) -> String {
        let of = |category| format!("message_store.category(stream_name) = '{category}'");
        match self {
            Source::Everything => "true".into(),
            Source::Category(category) => of(category),
            Source::Correlated(category, with) => {
                format!("{} AND message_store.category(metadata->>'correlationStreamName') = '{with}'", of(category))
            }
            Source::Member(category, member, size) => format!(
                "{} AND mod(abs(message_store.hash_64(message_store.cardinal_id(stream_name))), {size}) = {member}",
                of(category)
            ),
        }
    }
}

/// A consumer of the store that the session's search_path or `namespace` means.
pub struct Consumer {
    session: Session,
    polling: Polling,
    source: Source,
    namespace: String,
    polls: usize,
    seen: Vec<Seen>,
    next: i64,
}

const POLLS_A_TRANSACTION: usize = 5;

impl Consumer {
    /// A consumer of everything that has seen nothing yet. `namespace` is an SQL expression.
    pub fn new(session: Session, polling: Polling, namespace: &str) -> Consumer {
        Consumer::of(Source::Everything, session, polling, namespace)
    }

    /// The same, of a source.
    pub fn of(source: Source, mut session: Session, polling: Polling, namespace: &str) -> Consumer {
        if let Polling::AllInOne(level) = polling {
            session.ok(&format!("BEGIN ISOLATION LEVEL {level}"));
            // It is the first query that takes the transaction's snapshot.
            session.ok("SELECT 1");
        }
        Consumer { session, polling, source, namespace: namespace.into(), polls: 0, seen: Vec::new(), next: 1 }
    }

    /// Goes on from its position with another connection.
    pub fn connect(&mut self, session: Session) {
        assert_eq!(self.polling, Polling::EachByItself, "a transaction may be open");
        self.session = session;
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
        let (call, namespace) = (self.source.call(self.next, size), &self.namespace);
        let rows = self.session.rows(&format!("SELECT global_position, id FROM message_store.{call}, {namespace})"));
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
    of_source(session, table, Source::Everything)
}

/// The same, of a source.
pub fn of_source(session: &mut Session, table: &str, source: Source) -> Vec<Seen> {
    let condition = source.condition();
    let rows =
        session.rows(&format!("SELECT global_position, id FROM {table} WHERE {condition} ORDER BY global_position"));
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

/// Every stream's positions are 0, 1, 2 ... in the order of their global positions.
pub fn streams_are_gapless(session: &mut Session, table: &str) {
    let broken = session.number(&format!(
        "SELECT count(*) FROM (SELECT position, row_number() OVER
             (PARTITION BY stream_name ORDER BY global_position) AS number FROM {table}) AS m
         WHERE position <> number - 1"
    ));
    assert_eq!(broken, 0, "messages out of their stream's order");
}
