//! Consumers that outlive their connections: they keep their position, connect again, and go on.

use crate::Session;
use crate::consumer::{Seen, Source, of_source};
use postgres::Client;
use postgres::types::Type;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    /// In a table of the database, see [`Follower::create_table`], in one transaction with its work on the messages.
    InTheDatabase,
}

impl Follower {
    /// A consumer that has seen nothing yet.
    pub fn new(source: Source, namespace: &str, keeping: Keeping) -> Follower {
        Follower { source, namespace: namespace.into(), keeping, next: 1, seen: Vec::new() }
    }

    /// The table of one follower that keeps its position in the database.
    pub fn create_table(superuser: &mut Session) {
        superuser.ok("CREATE TABLE public.worked_on (number bigserial PRIMARY KEY, global_position bigint, id text);
             GRANT INSERT, SELECT ON public.worked_on TO message_store; GRANT USAGE ON SEQUENCE public.worked_on_number_seq TO message_store");
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
    fn poll(&mut self, client: &mut Client) -> Result<usize, postgres::Error> {
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
            Keeping::InTheDatabase => {
                let mut transaction = client.transaction()?;
                let last = "SELECT coalesce(max(global_position), 0) FROM public.worked_on";
                let last: i64 = transaction.query_typed(last, &[])?[0].get(0);
                let rows = transaction
                    .query_typed(&format!("SELECT global_position, id::text FROM {}", self.call(last + 1)), &[])?;
                for row in &rows {
                    let (position, id): (i64, String) = (row.get(0), row.get(1));
                    let work = "INSERT INTO public.worked_on (global_position, id) VALUES ($1, $2)";
                    transaction.query_typed(work, &[(&position, Type::INT8), (&id, Type::TEXT)])?;
                }
                transaction.commit()?;
                Ok(rows.len())
            }
        }
    }

    fn call(&self, next: i64) -> String {
        format!("message_store.{}, '{}')", self.source.call(next, 50), self.namespace)
    }

    /// Reads what is left. Then it must have seen every message once and in order, and nothing that is not there.
    /// How many messages it saw.
    pub fn must_have_seen_all(&mut self, connect: impl Fn() -> Client, superuser: &mut Session) -> usize {
        let mut client = connect();
        while self.poll(&mut client).expect("a poll") > 0 {}
        if self.keeping == Keeping::InTheDatabase {
            let rows = superuser.rows("SELECT global_position, id FROM public.worked_on ORDER BY number");
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

/// A consumer of each kind: of everything, of a category, of each member of a group of two, and one that keeps its
/// position in the database, whose table it creates.
pub fn of_each_kind(superuser: &mut Session, namespace: &str) -> Vec<Follower> {
    Follower::create_table(superuser);
    let account = "account";
    let sources =
        [Source::Everything, Source::Category(account), Source::Member(account, 0, 2), Source::Member(account, 1, 2)];
    let outside = sources.map(|source| Follower::new(source, namespace, Keeping::Outside));
    let inside = Follower::new(Source::Category(account), namespace, Keeping::InTheDatabase);
    outside.into_iter().chain([inside]).collect()
}
