//! The load on Postgres: connections that do one thing each, others that make, use and delete namespaces, one that is
//! told of what is written, and one that sweeps.

use crate::Plan;
use crate::namespaces::{namespaces, visitor};
use crate::sample::Course;
use crate::work::WORK;
use message_store_tests::{Session, Store, Target};
use postgres::fallible_iterator::FallibleIterator;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

/// The stores beside the default one: `lanes` is written by stream, `told` tells who listens, and only one connection
/// writes to `imports`.
const STORES: [&str; 4] = ["work", "lanes", "told", "imports"];

/// Runs the load. Answers what was wrong.
pub fn run(plan: Plan) -> Vec<String> {
    let store = Store::fresh(Target::Ours);
    let mut admin = store.superuser();
    STORES.iter().for_each(|name| admin.ok(&format!("SELECT create_namespace('{name}')")));
    admin.ok("SELECT set_namespace_option('lanes', 'append_lock', 'stream')");
    admin.ok("SELECT set_namespace_option('told', 'notify', 'on')");
    let made = AtomicUsize::new(0);
    let (store, made) = (&store, &made);
    let mut wrong: Vec<String> = thread::scope(|scope| {
        let mut workers: Vec<_> =
            WORK.into_iter().map(|(what, round)| scope.spawn(move || worker(store, plan, what, round))).collect();
        workers.push(scope.spawn(|| namespaces(store, plan, made)));
        workers.push(scope.spawn(|| visitor(store, plan, made)));
        workers.push(scope.spawn(|| listener(store, plan)));
        workers.push(scope.spawn(|| sweeper(store, plan)));
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    let left = "SELECT count(*) FROM pg_locks WHERE locktype IN ('advisory', 'userlock')";
    for (what, found, expected) in [
        ("locks", admin.number(left), 0),
        ("namespaces", admin.number("SELECT count(*) FROM list_namespaces()"), 5),
        ("schemas", admin.number("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'soak-%'"), 0),
        ("prepared transactions", admin.number("SELECT count(*) FROM pg_prepared_xacts"), 0),
    ] {
        if found != expected {
            wrong.push(format!("{what} at the end: {found}, not {expected}"));
        }
    }
    wrong
}

fn worker(store: &Store, plan: Plan, what: &'static str, round: fn(&mut Session, usize)) -> Vec<String> {
    let mut session = store.superuser();
    let mut course = Course::new(what, plan.time);
    while !course.is_over(&mut session) {
        round(&mut session, course.rounds);
        course.rounds += 1;
    }
    course.finish(&mut session)
}

/// Hears of what is written to `told`.
fn listener(store: &Store, plan: Plan) -> Vec<String> {
    let mut session = store.superuser();
    session.ok("LISTEN told");
    let mut course = Course::new("listener", plan.time);
    let mut heard = 0;
    while !course.is_over(&mut session) {
        let mut notifications = session.client().notifications();
        let mut waited = notifications.timeout_iter(Duration::from_millis(100));
        // Not for as long as some come.
        for _ in 0..1000 {
            match waited.next().expect("a notification") {
                Some(notification) => assert_eq!(notification.channel(), "told"),
                None => break,
            }
            heard += 1;
        }
        course.rounds += 1;
    }
    println!("listener: {heard} notifications");
    let mut wrong = course.finish(&mut session);
    if heard == 0 {
        wrong.push("listener: heard of nothing".into());
    }
    wrong
}

/// Clears the stores twenty times, so that they stay of one size.
fn sweeper(store: &Store, plan: Plan) -> Vec<String> {
    let mut session = store.superuser();
    let mut course = Course::new("sweeper", plan.time);
    let mut removed = 0;
    while !course.is_over(&mut session) {
        thread::sleep(plan.time / 20);
        for namespace in ["message_store", "work", "lanes", "told"] {
            removed += session.number(&format!("SELECT clear_namespace('{namespace}')"));
        }
        course.rounds += 1;
    }
    println!("sweeper: {removed} messages removed");
    course.finish(&mut session)
}
