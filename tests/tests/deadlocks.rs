//! Transactions that write to the same categories or streams: in any order they may deadlock, and try again; in the
//! documented order they never do. `MESSAGE_STORE_LONG=1` for ten times as many.

use message_store_tests::consumer::streams_are_gapless;
use message_store_tests::load::is_long;
use message_store_tests::namespaces::wait_until_blocked;
use message_store_tests::{Failure, Session, Store, Target};
use rand::Rng;
use rand::seq::SliceRandom;
use std::thread;
use std::time::Duration;

const TABLE: &str = "message_store.messages";
const WRITERS: usize = 6;
/// For how long a writer waits before it looks for a deadlock.
const TIMEOUT: Duration = Duration::from_millis(15);

fn transactions() -> usize {
    if is_long() { 100 } else { 10 }
}

/// In which order a transaction writes to what it writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Any,
    ByName,
}

/// What a writer did: the ids that it committed, how often it was the victim, and those of the victims' messages.
#[derive(Default)]
struct Done {
    committed: Vec<String>,
    victims: usize,
    undone: Vec<String>,
}

/// One transaction of four writes, with a pause between them: each a message or a batch.
fn transaction(session: &mut Session, streams: &[String]) -> Result<Vec<String>, Box<(Failure, Vec<String>)>> {
    let mut ids = Vec::new();
    session.ok("BEGIN");
    for stream in streams {
        let id = |_| {
            let random: u128 = rand::random();
            format!("{:08x}-{:04x}-4000-8000-{:012x}", random >> 96, (random >> 80) & 0xffff, random & 0xffff_ffff_ffff)
        };
        let new: Vec<String> = (0..rand::rng().random_range(1..4)).map(id).collect();
        let call = match &new[..] {
            [one] => format!("SELECT write_message('{one}', '{stream}', 'T', '{{}}')"),
            several => {
                let several = several.iter().map(|id| format!(r#"{{"type": "T", "id": "{id}"}}"#));
                format!("SELECT write_messages('{stream}', '[{}]')", several.collect::<Vec<_>>().join(","))
            }
        };
        ids.extend(new);
        if let Err(failure) = session.run(&call).result {
            session.ok("ROLLBACK");
            return Err(Box::new((failure, ids)));
        }
        thread::sleep(Duration::from_micros(rand::rng().random_range(0..1500)));
    }
    session.ok("COMMIT");
    Ok(ids)
}

fn writer(store: &Store, direct: &str, names: &[&str], order: Order) -> Done {
    // Only a superuser may have deadlocks looked for sooner.
    let mut session = store.superuser();
    let timeout = TIMEOUT.as_millis();
    session.ok(&format!("SET deadlock_timeout = {timeout}; SET message_store.direct_access = {direct}"));
    let mut done = Done::default();
    for _ in 0..transactions() {
        let mut streams: Vec<String> =
            names.iter().filter(|_| rand::rng().random_bool(0.7)).map(|name| (*name).to_owned()).collect();
        match order {
            Order::Any => streams.shuffle(&mut rand::rng()),
            Order::ByName => streams.sort(),
        }
        // The same again, until it is through. Without a pause that differs they can keep ending each other.
        for attempt in 1.. {
            assert!(attempt < 1000, "{order:?}: the same transaction was the victim {attempt} times");
            match transaction(&mut session, &streams) {
                Ok(ids) => {
                    done.committed.extend(ids);
                    break;
                }
                Err(undone) => {
                    let (failure, ids) = *undone;
                    failure.assert_clean();
                    assert_eq!(failure.sqlstate, "40P01", "{failure}");
                    let longest = 2 * TIMEOUT * attempt.min(10);
                    thread::sleep(rand::rng().random_range(Duration::ZERO..longest));
                    done.victims += 1;
                    done.undone.extend(ids);
                }
            }
        }
    }
    done
}

/// All write at once. How often one was the victim of a deadlock.
fn victims(mode: &str, direct: &str, names: &[&str], order: Order) -> usize {
    let store = Store::fresh(Target::Ours);
    store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
    let all: Vec<Done> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(|| writer(&store, direct, names, order))).collect();
        writers.into_iter().map(|writer| writer.join().expect("a writer")).collect()
    });
    let mut session = store.superuser();
    let mut committed: Vec<String> = all.iter().flat_map(|done| done.committed.clone()).collect();
    committed.sort();
    let there = session.rows(&format!("SELECT id::text FROM {TABLE} ORDER BY id::text COLLATE \"C\""));
    let there: Vec<String> = there.into_iter().map(|mut row| row.remove(0).expect("an id")).collect();
    assert!(there == committed, "{} are there, {} were committed", there.len(), committed.len());
    let undone = all.iter().flat_map(|done| &done.undone).filter(|id| there.binary_search(id).is_ok()).count();
    assert_eq!(undone, 0, "a victim's messages are there");
    streams_are_gapless(&mut session, TABLE);
    assert_eq!(session.number("SELECT count(*) FROM get_all_messages(1, -1)"), there.len() as i64);
    let victims = all.iter().map(|done| done.victims).sum();
    eprintln!("{mode}, direct {direct}, {order:?}: {} messages, {victims} victims", there.len());
    victims
}

const CATEGORIES: [&str; 5] = ["account-1", "bill-1", "customer-1", "delivery-1", "employee-1"];
const STREAMS: [&str; 5] = ["account-1", "account-2", "account-3", "bill-1", "bill-2"];

#[test]
fn the_victim_of_a_deadlock_has_written_nothing_and_tries_again() {
    assert!(victims("category", "on", &CATEGORIES, Order::Any) > 0, "no deadlock came about");
    assert!(victims("stream", "on", &STREAMS, Order::Any) > 0, "no deadlock came about");
    assert!(victims("stream", "off", &STREAMS, Order::Any) > 0, "no deadlock came about");
}

#[test]
fn writers_in_a_fixed_order_never_deadlock() {
    assert_eq!(victims("category", "on", &CATEGORIES, Order::ByName), 0);
    assert_eq!(victims("category", "off", &STREAMS, Order::ByName), 0);
    assert_eq!(victims("stream", "on", &STREAMS, Order::ByName), 0);
    assert_eq!(victims("stream", "off", &STREAMS, Order::ByName), 0);
}

/// Both share the category, and neither gets it alone.
#[test]
fn of_two_who_write_to_many_streams_of_a_category_at_once_one_tries_again() {
    let store = Store::fresh(Target::Ours);
    store.superuser().ok("SELECT set_namespace_option('message_store', 'append_lock', 'stream')");
    let many = |session: &mut Session, prefix: &str, from: usize, to: usize| {
        let call = format!(
            "SELECT max(write_message(NULL, 'account-{prefix}' || n, 'T', '{{}}')) FROM generate_series({from}, {to}) AS n"
        );
        session.run(&call).result.map_err(Box::new)
    };
    let (mut one, mut two) = (store.session(), store.session());
    for (session, prefix) in [(&mut one, "a"), (&mut two, "b")] {
        session.ok("BEGIN");
        many(session, prefix, 1, 250).expect("written");
    }
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| {
            let done = many(&mut one, "a", 251, 300);
            one.ok(if done.is_ok() { "COMMIT" } else { "ROLLBACK" });
            done.err()
        });
        let second = many(&mut two, "b", 251, 300);
        two.ok(if second.is_ok() { "COMMIT" } else { "ROLLBACK" });
        (first.join().expect("a writer"), second.err())
    });
    let failures: Vec<_> = [first, second].into_iter().flatten().map(|failure| failure.sqlstate).collect();
    assert_eq!(failures, ["40P01"]);
    let mut session = store.superuser();
    assert_eq!(session.number(&format!("SELECT count(*) FROM {TABLE}")), 300);
    many(&mut one, "a", 1, 300).expect("again");
    many(&mut two, "b", 1, 300).expect("again");
    assert_eq!(session.number("SELECT count(*) FROM get_all_messages(1, -1)"), 900);
    streams_are_gapless(&mut session, TABLE);
}

/// Whoever has called `acquire_lock` has the category, and not yet the table; the switch has the table, and may then want
/// the category.
#[test]
fn of_a_switch_of_the_mode_and_a_holder_of_acquire_lock_one_tries_again() {
    for mode in ["category", "stream"] {
        let store = Store::fresh(Target::Ours);
        let write = |stream: &str| format!("SELECT write_message(NULL, '{stream}', 'T', '{{}}')");
        let switch = format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')");
        let (mut holder, mut switcher) = (store.superuser(), store.superuser());
        let holding = holder.number("SELECT pg_backend_pid()");
        holder.ok("BEGIN; SELECT acquire_lock('account-1')");
        switcher.ok(&format!("BEGIN; {switch}"));
        let (first, second) = thread::scope(|scope| {
            let first = scope.spawn(|| {
                let done = holder.run(&write("account-1")).result;
                holder.ok(if done.is_ok() { "COMMIT" } else { "ROLLBACK" });
                done.err()
            });
            wait_until_blocked(&mut store.superuser(), holding);
            let second = switcher.run(&write("account-1")).result;
            switcher.ok(if second.is_ok() { "COMMIT" } else { "ROLLBACK" });
            (first.join().expect("a writer"), second.err())
        });
        let failures: Vec<_> = [first, second].into_iter().flatten().collect();
        assert_eq!(failures.iter().map(|failure| failure.sqlstate.as_str()).collect::<Vec<_>>(), ["40P01"]);
        failures[0].assert_clean();
        assert_eq!(holder.number(&format!("SELECT count(*) FROM {TABLE}")), 1);
        // Again, one after the other, and nothing is in the way.
        for session in [&mut holder, &mut switcher] {
            session.ok(&format!("BEGIN; {switch}; {}; COMMIT", write("account-1")));
        }
        assert_eq!(holder.number("SELECT count(*) FROM get_all_messages(1, -1)"), 3);
    }
}

/// The switch in a transaction of its own only queues up between a writer who waits and the one he waits for, and
/// Postgres lets that one pass.
#[test]
fn a_switch_of_the_mode_in_a_transaction_of_its_own_makes_nobody_a_victim() {
    let store = Store::fresh(Target::Ours);
    let write = "SELECT write_message(NULL, 'account-1', 'T', '{}')";
    let [mut holder, mut writer, mut switcher] = [(); 3].map(|()| {
        let mut session = store.superuser();
        session.ok("SET deadlock_timeout = '50ms'");
        session
    });
    let mut watcher = store.superuser();
    let [writing, switching] = [&mut writer, &mut switcher].map(|session| session.number("SELECT pg_backend_pid()"));
    holder.ok("BEGIN; SELECT acquire_lock('account-1')");
    thread::scope(|scope| {
        let writer = scope.spawn(|| writer.number(write));
        wait_until_blocked(&mut watcher, writing);
        let switch = "SELECT set_namespace_option('message_store', 'append_lock', 'stream')";
        let switcher = scope.spawn(|| switcher.ok(switch));
        wait_until_blocked(&mut watcher, switching);
        assert_eq!(holder.number(write), 0);
        holder.ok("COMMIT");
        assert_eq!(writer.join().expect("a writer"), 1);
        switcher.join().expect("the switch");
    });
    assert_eq!(holder.number(write), 2);
}
