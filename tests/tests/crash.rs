//! A server that dies under load. `MESSAGE_STORE_LONG=1` kills it 30 times in each mode.

use message_store_tests::wal::alone;
use message_store_tests::{Session, Store};
use std::collections::HashMap;
use std::thread;
use std::time::Duration;

const WRITERS: usize = 8;

/// An acknowledged message: its stream and position.
type Acknowledged = HashMap<String, (String, i64)>;

fn rounds() -> usize {
    if std::env::var_os("MESSAGE_STORE_LONG").is_some_and(|value| value == "1") { 30 } else { 3 }
}

/// Writes until the connection ends, and says what it had an answer for.
fn write_until_the_end(mut session: Session, number: usize, round: usize) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for n in 0_u64.. {
        // Half of the streams are shared with another writer.
        let stream = format!("account-{}", if n % 2 == 0 { number } else { number / 2 + 100 });
        let id = |k: u64| format!("{round:08x}-{number:04x}-4000-8000-{:012x}", 2 * n + k);
        let (one, two) = (id(0), id(1));
        let client = session.client();
        let written: Result<Vec<i64>, postgres::Error> = if n % 5 == 0 {
            // Two in a transaction: both or none.
            client.transaction().and_then(|mut transaction| {
                let write = "SELECT write_message($1, $2, 'T', '{}')";
                let positions =
                    [&one, &two].map(|id| transaction.query_one(write, &[id, &stream]).map(|row| row.get::<_, i64>(0)));
                let positions = positions.into_iter().collect::<Result<Vec<_>, _>>()?;
                transaction.commit().map(|()| positions)
            })
        } else {
            client.query_one("SELECT write_message($1, $2, 'T', '{}')", &[&one, &stream]).map(|row| vec![row.get(0)])
        };
        let Ok(positions) = written else { break };
        acknowledged
            .extend([one, two].into_iter().zip(positions).map(|(id, position)| (id, (stream.clone(), position))));
    }
    acknowledged
}

/// Crashes the server while all write, and returns what was acknowledged.
fn crash_under_load(store: &Store, round: usize, settings: &str) -> Acknowledged {
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let mut session = store.session();
                session.ok(settings);
                scope.spawn(move || write_until_the_end(session, number, round))
            })
            .collect();
        thread::sleep(Duration::from_millis(400));
        store.cluster.crash();
        writers.into_iter().flat_map(|writer| writer.join().expect("a writer")).collect()
    })
}

/// How many of the acknowledged messages are not there, where they were said to be.
fn lost(session: &mut Session, acknowledged: &Acknowledged) -> usize {
    let found: Acknowledged = session
        .rows("SELECT id, stream_name, position FROM message_store.messages")
        .into_iter()
        .map(|row| {
            let [id, stream, position] = row.try_into().expect("three columns");
            let position = position.expect("a position").parse().expect("a number");
            (id.expect("an id"), (stream.expect("a stream"), position))
        })
        .collect();
    acknowledged.iter().filter(|(id, place)| found.get(*id) != Some(place)).count()
}

fn streams_are_gapless(session: &mut Session) {
    let broken =
        "SELECT count(*) FROM (SELECT position, row_number() OVER (PARTITION BY stream_name ORDER BY position) AS n
                  FROM message_store.messages) AS m WHERE position <> n - 1";
    assert_eq!(session.number(broken), 0, "positions with gaps, or twice");
}

fn no_acknowledged_message_is_lost(mode: &str) {
    let store = alone();
    store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
    let mut all = Acknowledged::new();
    for round in 0..rounds() {
        let acknowledged = crash_under_load(&store, round, "SET message_store.commit_pipelining = auto");
        assert!(acknowledged.len() > 50, "a load: {}", acknowledged.len());
        all.extend(acknowledged);
        let mut session = store.superuser();
        assert_eq!(lost(&mut session, &all), 0, "round {round}: of {} acknowledged messages", all.len());
        streams_are_gapless(&mut session);
        let counts = session
            .rows("SELECT count(*), count(DISTINCT id), count(DISTINCT global_position) FROM message_store.messages");
        assert!(counts[0].iter().all(|count| *count == counts[0][0]), "something is there twice: {counts:?}");
        // The indexes agree with the table.
        session.ok("SET enable_seqscan = off");
        let through = |session: &mut Session, call: &str| session.number(&format!("SELECT count(*) FROM {call}"));
        let total = through(&mut session, "message_store.messages");
        assert_eq!(through(&mut session, "get_all_messages(1, -1)"), total);
        assert_eq!(through(&mut session, "get_category_messages('account', 1, -1)"), total);
    }
    eprintln!("{mode}: {} acknowledged messages in {} crashes", all.len(), rounds());
}

#[test]
fn a_crash_loses_no_acknowledged_message_where_writers_lock_categories() {
    no_acknowledged_message_is_lost("category");
}

#[test]
fn a_crash_loses_no_acknowledged_message_where_writers_lock_streams() {
    no_acknowledged_message_is_lost("stream");
}

/// What the flush prevents, or else the tests above prove nothing.
#[test]
fn a_crash_loses_messages_whose_writers_do_not_wait_for_the_flush() {
    let store = alone();
    let acknowledged = crash_under_load(&store, 0, "SET synchronous_commit = off");
    let mut session = store.superuser();
    let lost = lost(&mut session, &acknowledged);
    eprintln!("{lost} of {} messages lost", acknowledged.len());
    assert!(lost > 0, "none of {} lost", acknowledged.len());
    streams_are_gapless(&mut session);
}
