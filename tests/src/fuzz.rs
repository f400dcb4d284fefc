//! Tests on what is made at random, for a time.

use rand::SeedableRng;
use rand::rngs::StdRng;
use std::time::{Duration, Instant};

/// Seeds with which something was once wrong: a test's name and a seed a line.
const SEEDS: &str = include_str!("../fuzz/seeds.txt");

/// For how long a test goes on: what `MESSAGE_STORE_FUZZ_SECONDS` says, else `usual` seconds.
pub fn seconds(usual: u64) -> u64 {
    std::env::var("MESSAGE_STORE_FUZZ_SECONDS").map_or(usual, |seconds| seconds.parse().expect("a number"))
}

/// The seeds that are kept of a test.
pub fn kept_seeds(test: &str) -> Vec<u64> {
    let of_test = |line: &str| line.strip_prefix(test)?.trim().parse().ok();
    SEEDS.lines().filter(|line| !line.starts_with('#')).filter_map(of_test).collect()
}

/// Runs `round` with each seed kept of the test, and then with new ones until the time is over. Answers how often that was.
/// A failure names the seed: it belongs into `tests/fuzz/seeds.txt`.
pub fn rounds(test: &str, usual: u64, mut round: impl FnMut(&mut StdRng)) -> usize {
    let started = Instant::now();
    let first: u64 = match std::env::var("MESSAGE_STORE_SEED") {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => rand::random(),
    };
    let mut run = |seed: u64| {
        let told = Told { test, seed };
        round(&mut StdRng::seed_from_u64(seed));
        std::mem::forget(told);
    };
    let kept = kept_seeds(test);
    kept.iter().for_each(|&seed| run(seed));
    let mut count = 0;
    while count == 0 || started.elapsed() < Duration::from_secs(seconds(usual)) {
        run(first.wrapping_add(count as u64));
        count += 1;
    }
    count + kept.len()
}

/// Says with which seed a round has failed.
struct Told<'a> {
    test: &'a str,
    seed: u64,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        eprintln!("failed with the seed: {} {}", self.test, self.seed);
    }
}
