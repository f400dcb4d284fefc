//! Consumers that outlive their connections: they keep their position, connect again, and go on.

use crate::Session;
use crate::consumer::{Seen, Source, of_source};
use postgres::types::Type;
use postgres::{Client, Transaction};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The category that is read by [`of_each_kind`].
const CATEGORY: &str = "account";

/// A consumer, with its position and all that it ever saw.
pub struct Follower {
    source: Source,
    namespace: String,
    keeping: Keeping,
    next: i64,
    seen: Vec<Seen>,
}

/// Where a follower keeps its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// Outside of the database.
    Outside,
    /// In its own work on the messages: what it has done last.
    InTheDatabase,
    /// By `record_consumer_position`, in one transaction with its work on the messages.
    InTheStore,
}

impl Follower {
    /// A consumer that has seen nothing yet.
    pub fn new(source: Source, namespace: &str, keeping: Keeping) -> Follower {
        Follower { source, namespace: namespace.into(), keeping, next: 1, seen: Vec::new() }
    }

    /// The table of what followers have done that keep their position in the database.
    fn create_table(superuser: &mut Session) {
        superuser.ok("CREATE TABLE IF NOT EXISTS public.worked_on
                 (number bigserial PRIMARY KEY, follower text, global_position bigint, id text);
             CREATE INDEX IF NOT EXISTS worked_on_last ON public.worked_on (follower, global_position);
             GRANT INSERT, SELECT ON public.worked_on TO message_store;
             GRANT USAGE ON SEQUENCE public.worked_on_number_seq TO message_store");
    }

    /// Polls until `done` is set, on a new connection where the old one is gone.
    pub fn until_done(&mut self, connect: impl Fn() -> Client, done: &AtomicBool) {
        let mut client = connect();
        while !done.load(Ordering::SeqCst) {
            match self.poll(&mut client) {
                Ok(0) => std::thread::sleep(Duration::from_millis(2)),
                Ok(_) => {}
                Err(_) if client.is_closed() => client = connect(),
                Err(_) => {}
            }
        }
    }

    /// Polls until an error ends the connection.
    pub fn until_it_fails(&mut self, client: &mut Client) {
        while let Ok(count) = self.poll(client) {
            if count == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// One poll; how many messages it got.
    pub fn poll(&mut self, client: &mut Client) -> Result<usize, postgres::Error> {
        match self.keeping {
            Keeping::Outside => {
                let poll = format!("SELECT global_position, id::text FROM {}", self.call(self.next));
                let rows = client.query_typed(&poll, &[])?;
                for row in &rows {
                    let position = row.get(0);
                    assert!(position >= self.next, "{position} after {}", self.next - 1);
                    self.next = position + 1;
                    self.seen.push((position, row.get(1)));
                }
                Ok(rows.len())
            }
            Keeping::InTheDatabase | Keeping::InTheStore => {
                let name = self.name();
                let mut transaction = client.transaction()?;
                let last = self.kept_position(&mut transaction)?;
                let rows = transaction
                    .query_typed(&format!("SELECT global_position, id::text FROM {}", self.call(last + 1)), &[])?;
                let (positions, ids): (Vec<i64>, Vec<String>) =
                    rows.iter().map(|row| (row.get::<_, i64>(0), row.get::<_, String>(1))).unzip();
                let work = "INSERT INTO public.worked_on (follower, global_position, id)
                    SELECT $1, position, id FROM unnest($2, $3) WITH ORDINALITY AS m (position, id, n) ORDER BY n";
                transaction.query_typed(
                    work,
                    &[(&name, Type::TEXT), (&positions, Type::INT8_ARRAY), (&ids, Type::TEXT_ARRAY)],
                )?;
                if let (Keeping::InTheStore, Some(last)) = (self.keeping, positions.last()) {
                    self.record(&mut transaction, *last)?;
                }
                transaction.commit()?;
                Ok(rows.len())
            }
        }
    }

    /// Where it has come to, and in the store nobody else of its name goes on from there meanwhile.
    fn kept_position(&self, transaction: &mut Transaction<'_>) -> Result<i64, postgres::Error> {
        if self.keeping == Keeping::InTheStore {
            return self.record(transaction, 0);
        }
        let last = "SELECT coalesce(max(global_position), 0) FROM public.worked_on WHERE follower = $1";
        Ok(transaction.query_typed(last, &[(&self.name(), Type::TEXT)])?[0].get(0))
    }

    fn record(&self, transaction: &mut Transaction<'_>, position: i64) -> Result<i64, postgres::Error> {
        let record =
            format!("SELECT message_store.record_consumer_position('{CATEGORY}', $1, $2, NULL, '{}')", self.namespace);
        Ok(transaction.query_typed(&record, &[(&self.name(), Type::TEXT), (&position, Type::INT8)])?[0].get(0))
    }

    /// What its work and its position are found by.
    fn name(&self) -> String {
        format!("{} {:?}", self.namespace, self.keeping)
    }

    fn call(&self, next: i64) -> String {
        format!("message_store.{}, '{}')", self.source.call(next, 50), self.namespace)
    }

    /// What it has recorded is what it has done, no more and no less.
    fn must_agree(&self, superuser: &mut Session) {
        let (name, namespace) = (self.name(), &self.namespace);
        let recorded = superuser.number(&format!(
            "SELECT coalesce(max(position), 0) FROM message_store.consumer_positions('{CATEGORY}', '{namespace}')
             WHERE consumer = '{name}'"
        ));
        let done = superuser.number(&format!(
            "SELECT coalesce(max(global_position), 0) FROM public.worked_on WHERE follower = '{name}'"
        ));
        assert_eq!(recorded, done, "{name}: the position that was recorded, and that of the last message worked on");
    }

    /// Reads what is left. Then it must have seen every message once and in order, and nothing that is not there.
    /// How many messages it saw.
    pub fn must_have_seen_all(&mut self, connect: impl Fn() -> Client, superuser: &mut Session) -> usize {
        if self.keeping == Keeping::InTheStore {
            self.must_agree(superuser);
        }
        let mut client = connect();
        while self.poll(&mut client).expect("a poll") > 0 {}
        if self.keeping != Keeping::Outside {
            let rows = superuser.rows(&format!(
                "SELECT global_position, id FROM public.worked_on WHERE follower = '{}' ORDER BY number",
                self.name()
            ));
            self.seen = rows
                .into_iter()
                .map(|row| {
                    let [position, id] = row.try_into().expect("two columns");
                    (position.expect("a position").parse().expect("a number"), id.expect("an id"))
                })
                .collect();
        }
        let there = of_source(superuser, &format!("\"{}\".messages", self.namespace), self.source);
        let first = there.iter().zip(&self.seen).position(|(there, seen)| there != seen);
        assert!(
            self.seen == there,
            "{:?}, {:?}: saw {} of {}, other than there are from the {first:?}",
            self.source,
            self.keeping,
            self.seen.len(),
            there.len()
        );
        there.len()
    }
}

/// A consumer of each kind: of everything, of a category, of each member of a group of two, and two that keep their
/// position in the database, each in its way.
pub fn of_each_kind(superuser: &mut Session, namespace: &str) -> Vec<Follower> {
    Follower::create_table(superuser);
    let category = Source::Category(CATEGORY);
    let sources = [Source::Everything, category, Source::Member(CATEGORY, 0, 2), Source::Member(CATEGORY, 1, 2)];
    let outside = sources.map(|source| Follower::new(source, namespace, Keeping::Outside));
    let inside =
        [Keeping::InTheDatabase, Keeping::InTheStore].map(|keeping| Follower::new(category, namespace, keeping));
    outside.into_iter().chain(inside).collect()
}
