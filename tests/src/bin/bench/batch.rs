//! 100 messages in one transaction: one call of `write_messages` beside 100 calls of genuine Message DB's
//! `write_message`, each store through the same driver and one prepared statement.

use message_store_tests::{Session, Store, Target};
use postgres::Statement;
use std::time::{Duration, Instant};

/// The argument that chooses it.
pub const NAME: &str = "batch";

const TITLE: &str = "100 messages in a transaction: 100 calls of write_message, one of write_messages";
const MESSAGES: u32 = 100;
/// The ratio that the project promises.
const WANTED: f64 = 6.0;

const DATA: &str = r#"{"amount": 12.50, "currency": "EUR"}"#;
const METADATA: &str = r#"{"correlationStreamName": "order-1"}"#;

/// A line of the table: transactions a second, in turn, so many seconds and rounds each.
pub fn compare(rounds: u32, seconds: u32) -> String {
    let mut sides = Target::BOTH.map(|target| Side::of(&Store::fresh(target)));
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (side, rates) in sides.iter_mut().zip(&mut rates) {
            // The first round warms up.
            let rate = side.run(Duration::from_secs(if round == 0 { 1 } else { seconds }.into()));
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    crate::line(TITLE, WANTED, rates)
}

struct Side {
    target: Target,
    session: Session,
    write: Statement,
    written: u32,
}

impl Side {
    fn of(store: &Store) -> Side {
        let mut session = store.session();
        session.ok("SET synchronous_commit = off");
        let write = session.client().prepare(match store.target {
            Target::Genuine => {
                "SELECT write_message(gen_random_uuid()::varchar, $1::varchar, 'Deposited', $2::text::jsonb, $3::text::jsonb)"
            }
            Target::Ours => "SELECT write_messages($1::varchar, $2::text::jsonb)",
        });
        Side { target: store.target, session, write: write.expect("a statement"), written: 0 }
    }

    /// Transactions a second.
    fn run(&mut self, length: Duration) -> f64 {
        let batch = format!(
            "[{}]",
            vec![format!(r#"{{"type": "Deposited", "data": {DATA}, "metadata": {METADATA}}}"#); MESSAGES as usize]
                .join(", ")
        );
        let (started, before) = (Instant::now(), self.written);
        while started.elapsed() < length {
            let stream = format!("account-{}", self.written % 1000);
            let mut transaction = self.session.client().transaction().expect("a transaction");
            match self.target {
                Target::Genuine => {
                    for _ in 0..MESSAGES {
                        transaction.query_one(&self.write, &[&stream, &DATA, &METADATA]).expect("a write");
                    }
                }
                Target::Ours => {
                    transaction.query_one(&self.write, &[&stream, &batch]).expect("a write");
                }
            }
            transaction.commit().expect("a commit");
            self.written += 1;
        }
        f64::from(self.written - before) / started.elapsed().as_secs_f64()
    }
}
