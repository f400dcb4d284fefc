//! Writers and readers on connections of their own.

use message_store_tests::{Session, Store, for_both};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

for_both!(
    one_writer_wins_each_version_of_a_stream,
    a_consumer_that_polls_a_category_misses_nothing,
    writers_without_a_version_all_get_a_position,
    writes_to_other_categories_do_not_wait,
);

const WRITERS: usize = 8;

/// Each of 8 writers tries to write every version from 0 to 99.
fn one_writer_wins_each_version_of_a_stream(store: &Store) {
    const VERSIONS: i64 = 100;
    let writer = |writer: usize, session: &mut Session| {
        let mut won = Vec::new();
        for version in 0..VERSIONS {
            let expected = version - 1;
            let write = format!(
                "SELECT write_message(gen_random_uuid()::varchar, 'account-1', 'T', '{{\"writer\": {writer}}}', NULL, {expected})"
            );
            match session.run(&write).result {
                Ok(rows) => {
                    assert_eq!(rows.rows, [[Some(version.to_string())]]);
                    won.push(version);
                }
                Err(failure) => {
                    assert_eq!(failure.sqlstate, "P0001", "{failure}");
                    let prefix = format!("Wrong expected version: {expected} (Stream: account-1, Stream Version: ");
                    let actual = failure.message.strip_prefix(&prefix).and_then(|m| m.strip_suffix(')'));
                    let actual: i64 = actual.and_then(|a| a.parse().ok()).unwrap_or_else(|| panic!("{failure}"));
                    assert!(actual > expected, "{failure}");
                }
            }
        }
        won
    };
    let won: Vec<Vec<i64>> = run(store, writer);

    let mut positions: Vec<i64> = won.iter().flatten().copied().collect();
    positions.sort_unstable();
    assert_eq!(positions, (0..VERSIONS).collect::<Vec<_>>(), "one winner a version");
    let rows = store.session().rows("SELECT position, (data::jsonb)->>'writer' FROM get_stream_messages('account-1')");
    for row in rows {
        let [position, writer] = [0, 1].map(|i| row[i].as_ref().expect("a value").parse::<usize>().expect("a number"));
        assert!(won[writer].contains(&(position as i64)), "position {position} is not of writer {writer}");
    }
}

/// Half of the writers call `write_message`; half do what Message DB's functions do, in plpgsql, holding the same lock.
fn a_consumer_that_polls_a_category_misses_nothing(store: &Store) {
    const MESSAGES: usize = 200;
    store.superuser().ok(include_str!("concurrency/write_as_message_db.sql"));
    let done = AtomicBool::new(false);
    let writer = |writer: usize, session: &mut Session| {
        let function = if writer.is_multiple_of(2) { "write_message" } else { "write_as_message_db" };
        for message in 0..MESSAGES {
            // Two streams, so that writers share one; now and then a transaction of several messages, or a rollback.
            let stream = format!("account-{}", message % 2);
            let write =
                format!("SELECT {function}(gen_random_uuid()::varchar, '{stream}', 'T', '{{\"writer\": {writer}}}')");
            match message % 10 {
                0 => session.ok(&format!("BEGIN; {write}; ROLLBACK; {write}")),
                1 => session.ok(&format!("BEGIN; {write}; SELECT pg_sleep(0.001); COMMIT")),
                _ => session.ok(&write),
            }
        }
    };
    let consumer = || {
        let mut session = store.session();
        let (mut seen, mut next) = (Vec::new(), 1);
        loop {
            let last = done.load(Ordering::SeqCst);
            let read = format!("SELECT global_position FROM get_category_messages('account', {next}, 10)");
            let batch = numbers(&mut session, &read);
            if last && batch.is_empty() {
                return seen;
            }
            next = batch.last().map_or(next, |position| position + 1);
            seen.extend(batch);
        }
    };
    let seen = thread::scope(|scope| {
        let consumer = scope.spawn(consumer);
        let end = SetAtEnd(&done);
        run(store, writer);
        drop(end);
        consumer.join().expect("the consumer")
    });

    let written = numbers(&mut store.session(), "SELECT global_position FROM messages ORDER BY global_position");
    assert_eq!(written.len(), WRITERS * MESSAGES);
    assert_eq!(seen, written, "the consumer saw every message once, in order");
    gapless(&mut store.session());
}

fn writers_without_a_version_all_get_a_position(store: &Store) {
    let writer = |_, session: &mut Session| {
        let write = "SELECT write_message(gen_random_uuid()::varchar, 'account-' || n % 3, 'T', '{}') FROM generate_series(1, 60) AS n";
        (0..3).for_each(|_| session.ok(write));
    };
    run(store, writer);
    assert_eq!(store.session().number("SELECT count(*) FROM messages"), WRITERS as i64 * 180);
    gapless(&mut store.session());
}

fn writes_to_other_categories_do_not_wait(store: &Store) {
    let (mut holder, mut other) = (store.session(), store.session());
    holder.ok("BEGIN; SELECT write_message(gen_random_uuid()::varchar, 'account-1', 'T', '{}')");
    other.ok("SET lock_timeout = '5s'");
    for stream in ["order-1", "accounts-1", "Account-1", "", "account+1"] {
        other.ok(&format!("SELECT write_message(gen_random_uuid()::varchar, '{stream}', 'T', '{{}}')"));
    }
    other.ok("SET lock_timeout = '50ms'");
    let failure = other.error("SELECT write_message(gen_random_uuid()::varchar, 'account-2', 'T', '{}')");
    assert_eq!(failure.sqlstate, "55P03");
    holder.ok("COMMIT");
    other.ok("SELECT write_message(gen_random_uuid()::varchar, 'account-2', 'T', '{}')");
}

/// Runs 8 writers, each with a connection, and returns what each did.
fn run<T: Send>(store: &Store, writer: impl Fn(usize, &mut Session) -> T + Sync) -> Vec<T> {
    let mut sessions: Vec<Session> = (0..WRITERS).map(|_| store.session()).collect();
    thread::scope(|scope| {
        let writer = &writer;
        let writers = sessions.iter_mut().enumerate().map(|(n, session)| scope.spawn(move || writer(n, session)));
        let writers: Vec<_> = writers.collect();
        writers.into_iter().map(|writer| writer.join().expect("a writer")).collect()
    })
}

/// Sets its flag however the writers end, so that the consumer ends too.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Every stream's positions are 0, 1, 2 ... in the order of their global positions.
fn gapless(session: &mut Session) {
    let mut streams: BTreeMap<Option<String>, Vec<i64>> = BTreeMap::new();
    for mut row in session.rows("SELECT position, stream_name FROM messages ORDER BY global_position") {
        let position = row[0].take().expect("a value").parse().expect("a number");
        streams.entry(row[1].take()).or_default().push(position);
    }
    for (stream, positions) in streams {
        assert_eq!(positions, (0..positions.len() as i64).collect::<Vec<_>>(), "{stream:?}");
    }
}

fn numbers(session: &mut Session, sql: &str) -> Vec<i64> {
    session.rows(sql).iter().map(|row| row[0].as_ref().expect("a value").parse().expect("a number")).collect()
}
