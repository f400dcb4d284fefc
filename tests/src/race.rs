//! Writers and consumers at once, on connections of their own.
//!
//! `MESSAGE_STORE_LONG=1` asks for the long form, `MESSAGE_STORE_SEED` repeats a run's random choices.

use crate::Store;
use crate::consumer::{Consumer, Seen, SetAtEnd};
use crate::writer::{self, Deeds, Writer};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;
use std::time::Instant;

fn seed() -> u64 {
    std::env::var("MESSAGE_STORE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a number"))
}

/// How many messages a race is about, in the form that was asked for.
pub fn messages(short: usize, long: usize) -> usize {
    if std::env::var_os("MESSAGE_STORE_LONG").is_some_and(|value| value == "1") { long } else { short }
}

/// What is written, and by how many.
pub struct Plan<'a> {
    /// The database.
    pub store: &'a Store,
    /// The namespace, an SQL expression.
    pub namespace: &'a str,
    /// The categories that a transaction writes to, in this order.
    pub categories: &'a [&'a str],
    /// How many streams each of them has.
    pub streams: usize,
    /// How many write.
    pub writers: usize,
    /// How many messages they commit.
    pub target: usize,
}

/// What came of it.
pub struct Run {
    /// What each consumer saw.
    pub seen: Vec<Vec<Seen>>,
    /// What the writers did.
    pub deeds: Deeds,
    /// How many messages they committed.
    pub committed: usize,
}

/// Runs the writers to their end, the consumers until nothing is left, and `beside` until its flag is set.
pub fn run(plan: &Plan<'_>, consumers: Vec<Consumer>, beside: impl FnOnce(&AtomicBool) + Send) -> Run {
    let &Plan { store, namespace, categories, streams, writers, target } = plan;
    let seed = seed();
    eprintln!("MESSAGE_STORE_SEED={seed}");
    let race = writer::Race { store, seed, namespace, categories, streams, committed: AtomicUsize::new(0) };
    let done = AtomicBool::new(false);
    let started = Instant::now();
    let (seen, deeds) = thread::scope(|scope| {
        let done = &done;
        let consumers: Vec<_> =
            consumers.into_iter().map(|consumer| scope.spawn(move || consumer.follow(done))).collect();
        let end = SetAtEnd(done);
        let beside = scope.spawn(move || beside(done));
        let writers: Vec<_> = (0..writers)
            .map(|number| Writer::new(&race, number))
            .map(|writer| scope.spawn(move || writer.run(target)))
            .collect();
        let mut deeds = Deeds::new();
        for (what, count) in writers.into_iter().flat_map(|writer| writer.join().expect("a writer")) {
            *deeds.entry(what).or_default() += count;
        }
        drop(end);
        beside.join().expect("what goes on beside");
        (consumers.into_iter().map(|consumer| consumer.join().expect("a consumer")).collect(), deeds)
    });
    let committed = race.committed.into_inner();
    eprintln!("{committed} messages in {:.1} s, {deeds:?}", started.elapsed().as_secs_f64());
    Run { seen, deeds, committed }
}
