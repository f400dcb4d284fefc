//! Writers whose answers are kept, to be compared with what is there after a fault.
//!
//! A message's metadata says which call or transaction it belongs to, and how many messages that has: what is half
//! written shows.

use crate::{Session, Store};
use postgres::types::Type;
use postgres::{Client, NoTls};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What was acknowledged: each message's stream and position, by its id.
pub type Acknowledged = HashMap<String, (String, i64)>;

/// Whether the long form is asked for, with `MESSAGE_STORE_LONG=1`.
pub fn is_long() -> bool {
    std::env::var_os("MESSAGE_STORE_LONG").is_some_and(|value| value == "1")
}

/// One of the writers of a load.
pub struct Load {
    /// Its number: half of its streams are shared with its neighbour.
    pub number: usize,
    /// Of several loads on one store.
    pub round: usize,
    /// The namespace it writes to, or none for the default store.
    pub namespace: Option<String>,
    next: u64,
    acknowledged: Acknowledged,
}

impl Load {
    /// A writer to the default store.
    pub fn new(number: usize, round: usize) -> Load {
        Load { number, round, namespace: None, next: 0, acknowledged: Acknowledged::new() }
    }

    /// Writes once: a message, a batch of three, or a transaction of two. An error says nothing about what is there.
    pub fn write(&mut self, client: &mut Client) -> Result<(), postgres::Error> {
        let n = self.next;
        self.next += 1;
        let stream = format!("account-{}", if n.is_multiple_of(2) { self.number } else { self.number / 2 + 100 });
        let count = [2, 3, 1, 1, 1][(n % 5) as usize];
        let ids: Vec<String> = (0..count)
            .map(|k| format!("{:08x}-{:04x}-4000-8000-{:012x}", self.round, self.number, 4 * n + k))
            .collect();
        let metadata = format!(r#"{{"within": "{}-{}-{n}", "of": {count}}}"#, self.round, self.number);
        let positions = match count {
            1 => {
                vec![self.one(&mut |sql, arguments| client.query_typed(sql, arguments), &ids[0], &stream, &metadata)?]
            }
            2 => {
                let mut transaction = client.transaction()?;
                let mut run = |sql: &str, arguments: &Arguments<'_>| transaction.query_typed(sql, arguments);
                let positions = ids.iter().map(|id| self.one(&mut run, id, &stream, &metadata));
                let positions = positions.collect::<Result<_, _>>()?;
                transaction.commit()?;
                positions
            }
            _ => self.batch(client, &ids, &stream, &metadata)?,
        };
        let places = positions.into_iter().map(|position| (stream.clone(), position));
        self.acknowledged.extend(ids.into_iter().zip(places));
        Ok(())
    }

    fn one(&self, run: Run<'_>, id: &String, stream: &String, metadata: &String) -> Result<i64, postgres::Error> {
        let write = "SELECT message_store.write_message($1, $2, 'T', '{}', $3::text::jsonb, NULL, $4)";
        let arguments: &Arguments<'_> =
            &[(id, Type::TEXT), (stream, Type::TEXT), (metadata, Type::TEXT), (&self.namespace, Type::TEXT)];
        Ok(run(write, arguments)?[0].get(0))
    }

    fn batch(
        &self,
        client: &mut Client,
        ids: &[String],
        stream: &String,
        metadata: &str,
    ) -> Result<Vec<i64>, postgres::Error> {
        let message = |id| format!(r#"{{"id": "{id}", "type": "T", "metadata": {metadata}}}"#);
        let messages = format!("[{}]", ids.iter().map(message).collect::<Vec<_>>().join(","));
        let write = "SELECT (written->>'position')::bigint FROM
            jsonb_array_elements(message_store.write_messages($1, $2::text::jsonb, NULL, $3)::jsonb) AS written";
        let rows = client
            .query_typed(write, &[(stream, Type::TEXT), (&messages, Type::TEXT), (&self.namespace, Type::TEXT)])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Writes until the connection or a call fails, and says what it failed with.
    pub fn until_it_fails(&mut self, client: &mut Client) -> postgres::Error {
        loop {
            if let Err(error) = self.write(client) {
                return error;
            }
        }
    }

    /// Writes until `done` is set; after an error on the same connection, or a new one where that is gone. Counts the
    /// calls that failed.
    pub fn until_done(&mut self, connect: impl Fn() -> Client, done: &AtomicBool, failed: &AtomicUsize) {
        let mut client = connect();
        while !done.load(Ordering::SeqCst) {
            if self.write(&mut client).is_err() {
                failed.fetch_add(1, Ordering::SeqCst);
                if client.is_closed() {
                    client = connect();
                }
            }
        }
    }

    /// What it had an answer for.
    pub fn acknowledged(self) -> Acknowledged {
        self.acknowledged
    }
}

type Arguments<'a> = [(&'a (dyn postgres::types::ToSql + Sync), Type)];
type Run<'a> = &'a mut dyn FnMut(&str, &Arguments<'_>) -> Result<Vec<postgres::Row>, postgres::Error>;

/// A connection as the role `message_store`, tried for again while the server recovers, for at most a minute.
pub fn connect(store: &Store) -> Client {
    connect_with(&store.cluster.config(&store.database, "message_store"))
}

/// The same, as the configuration says.
pub fn connect_with(config: &postgres::Config) -> Client {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match config.connect(NoTls) {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < until, "no connection: {error:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many of the acknowledged messages are not there, where they were said to be.
pub fn lost(session: &mut Session, table: &str, acknowledged: &Acknowledged) -> usize {
    let found: Acknowledged = session
        .rows(&format!("SELECT id, stream_name, position FROM {table}"))
        .into_iter()
        .map(|row| {
            let [id, stream, position] = row.try_into().expect("three columns");
            let position = position.expect("a position").parse().expect("a number");
            (id.expect("an id"), (stream.expect("a stream"), position))
        })
        .collect();
    acknowledged.iter().filter(|(id, place)| found.get(*id) != Some(place)).count()
}

/// No stream has a gap, nothing is there twice, no call or transaction left a part of itself, and the indexes agree with
/// the table. `namespace` is the table's schema.
pub fn is_whole(session: &mut Session, namespace: &str) {
    let table = format!("\"{namespace}\".messages");
    crate::consumer::streams_are_gapless(session, &table);
    let counts =
        session.rows(&format!("SELECT count(*), count(DISTINCT id), count(DISTINCT global_position) FROM {table}"));
    assert!(counts[0].iter().all(|count| *count == counts[0][0]), "something is there twice: {counts:?}");
    let halves = session.number(&format!(
        "SELECT count(*) FROM (SELECT FROM {table} WHERE metadata ? 'within' GROUP BY metadata->>'within'
             HAVING count(*) <> max((metadata->>'of')::int)) AS half"
    ));
    assert_eq!(halves, 0, "written by half");
    let number = |session: &mut Session, from: &str| session.number(&format!("SELECT count(*) FROM {from}"));
    let (total, accounts) =
        (number(session, &table), number(session, &format!("{table} WHERE stream_name LIKE 'account-%'")));
    session.ok("SET enable_seqscan = off");
    let all = format!("message_store.get_all_messages(1, -1, '{namespace}')");
    assert_eq!(number(session, &all), total);
    let category =
        format!("message_store.get_category_messages('account', 1, -1, NULL, NULL, NULL, NULL, '{namespace}')");
    assert_eq!(number(session, &category), accounts);
    assert_eq!(number(session, &format!("(SELECT id FROM {table} ORDER BY id) AS by_id")), total);
    session.ok("RESET enable_seqscan");
}
