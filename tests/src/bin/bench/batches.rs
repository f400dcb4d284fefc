//! 100 messages in a transaction, through one driver and prepared statements: one call of `write_messages` beside 100
//! calls of genuine Message DB's `write_message`, and beside one INSERT of as many rows.

use crate::race::{Length, Race, Row, Side, Theme, Workload};
use crate::stores::Stores;
use crate::writes::{DATA, METADATA};
use message_store_tests::{Session, Store, Target};
use postgres::types::ToSql;

const MESSAGES: u32 = 100;

/// The workloads.
pub fn theme() -> Theme {
    Theme { title: "Batches of 100, messages a second", workloads: vec![Workload::new("batch", race)] }
}

fn race(stores: &mut Stores) -> Race {
    let [genuine, ours] = stores.fresh_pair();
    let plain = stores.fresh(Target::Ours);
    let title = "write_messages of 100, 1 client, synchronous_commit off";
    Race {
        sides: vec![hundred_calls(&genuine), one_call(&ours), one_insert(&plain)],
        rows: vec![Row::new(title).target(8.0).floor(2.0), Row::new(title).sides(2, 1).target(0.8)],
    }
}

fn hundred_calls(store: &Store) -> Side {
    let mut session = session(store);
    let write = session.client().prepare(
        "SELECT write_message(gen_random_uuid()::varchar, $1::varchar, 'Deposited', $2::text::jsonb, $3::text::jsonb)",
    );
    let (write, mut streams) = (write.expect("a statement"), Streams::default());
    messages("Message DB, 100 calls in a transaction", move || {
        let (stream, _) = streams.next();
        let mut transaction = session.client().transaction().expect("a transaction");
        for _ in 0..MESSAGES {
            transaction.query_one(&write, &[&stream, &DATA, &METADATA]).expect("a write");
        }
        transaction.commit().expect("a commit");
    })
}

fn one_call(store: &Store) -> Side {
    let mut session = session(store);
    let write = session.client().prepare("SELECT write_messages($1::varchar, $2::text::jsonb)").expect("a statement");
    let message = format!(r#"{{"type": "Deposited", "data": {DATA}, "metadata": {METADATA}}}"#);
    let batch = format!("[{}]", vec![message; MESSAGES as usize].join(", "));
    let mut streams = Streams::default();
    messages("ours", move || {
        let (stream, _) = streams.next();
        let mut transaction = session.client().transaction().expect("a transaction");
        transaction.query_one(&write, &[&stream, &batch]).expect("a write");
        transaction.commit().expect("a commit");
    })
}

/// The driver counts the positions, which a client of one INSERT would have to.
fn one_insert(store: &Store) -> Side {
    let mut session = session(store);
    let row = |n: u32| {
        let n = n * 5;
        format!("(${}, ${}, ${}, ${}::text::jsonb, ${}::text::jsonb)", n + 1, n + 2, n + 3, n + 4, n + 5)
    };
    let rows: Vec<String> = (0..MESSAGES).map(row).collect();
    let insert =
        format!("INSERT INTO messages (stream_name, position, type, data, metadata) VALUES {}", rows.join(", "));
    let insert = session.client().prepare(&insert).expect("a statement");
    let mut streams = Streams::default();
    messages("one plain INSERT of 100 rows", move || {
        let (stream, first) = streams.next();
        let positions: Vec<i64> = (first..).take(MESSAGES as usize).collect();
        let of_row = |position| [&stream as &(dyn ToSql + Sync), position, &"Deposited", &DATA, &METADATA];
        let values: Vec<&(dyn ToSql + Sync)> = positions.iter().flat_map(|position| of_row(position)).collect();
        let mut transaction = session.client().transaction().expect("a transaction");
        transaction.execute(&insert, &values).expect("a write");
        transaction.commit().expect("a commit");
    })
}

fn session(store: &Store) -> Session {
    let mut session = store.session();
    session.ok("SET synchronous_commit = off");
    session
}

/// The side of `transaction`, which writes 100 messages.
fn messages(label: &'static str, mut transaction: impl FnMut() + 'static) -> Side {
    Side::new(label, move |length: Length| length.rate(&mut transaction) * f64::from(MESSAGES))
}

/// 1,000 streams in turn.
#[derive(Default)]
struct Streams {
    batches: u32,
}

impl Streams {
    /// The next stream and the position that follows its last.
    fn next(&mut self) -> (String, i64) {
        let (stream, rounds) = (self.batches % 1000, self.batches / 1000);
        self.batches += 1;
        (format!("account-{stream}"), i64::from(rounds * MESSAGES))
    }
}
