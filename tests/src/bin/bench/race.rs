//! What is measured: sides that run in turn, and the rows of the table that compare them.

use crate::stores::Stores;
use std::fmt;
use std::time::{Duration, Instant};

/// How long a side runs.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// So many seconds.
    Seconds(u32),
    /// So many transactions of each client.
    Transactions(u32),
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Length::Seconds(seconds) => write!(f, "{seconds} s"),
            Length::Transactions(transactions) => write!(f, "{transactions} transactions"),
        }
    }
}

impl Length {
    /// Calls `transaction` for this long and returns how many it made a second.
    pub fn rate(self, mut transaction: impl FnMut()) -> f64 {
        let started = Instant::now();
        let mut made = 0_u32;
        loop {
            transaction();
            made += 1;
            let done = match self {
                Length::Seconds(seconds) => started.elapsed() >= Duration::from_secs(seconds.into()),
                Length::Transactions(transactions) => made >= transactions,
            };
            if done {
                return f64::from(made) / started.elapsed().as_secs_f64();
            }
        }
    }
}

/// Something that can be run again and again.
pub struct Side {
    /// What the table calls it, as the one that ours is beside.
    pub label: &'static str,
    run: Box<dyn FnMut(Length) -> f64>,
}

impl Side {
    /// A side of `run`, which returns what it did a second.
    pub fn new(label: &'static str, run: impl FnMut(Length) -> f64 + 'static) -> Side {
        Side { label, run: Box::new(run) }
    }

    /// Keeps something alive as long as the side.
    pub fn keep(&mut self, kept: impl Sized + 'static) {
        let mut run = std::mem::replace(&mut self.run, Box::new(|_| 0.0));
        self.run = Box::new(move |length| {
            let _kept = &kept;
            run(length)
        });
    }

    /// What it does a second, run for so long.
    pub fn run(&mut self, length: Length) -> f64 {
        (self.run)(length)
    }
}

/// A row of the table: one side beside another of the same race.
pub struct Row {
    /// What was done.
    pub title: String,
    /// The index of the side that is compared with.
    pub beside: usize,
    /// The index of the side that is ours.
    pub ours: usize,
    /// The ratio that the project promises.
    pub target: Option<f64>,
    /// The ratio that no noise takes it below.
    pub floor: Option<f64>,
}

impl Row {
    /// Side 1 beside side 0, without a target.
    pub fn new(title: impl Into<String>) -> Row {
        Row { title: title.into(), beside: 0, ours: 1, target: None, floor: None }
    }

    /// Other sides than 1 beside 0.
    pub fn sides(self, beside: usize, ours: usize) -> Row {
        Row { beside, ours, ..self }
    }

    /// With the ratio that the project promises.
    pub fn target(self, ratio: f64) -> Row {
        Row { target: Some(ratio), ..self }
    }

    /// With the ratio that the short run asserts.
    pub fn floor(self, ratio: f64) -> Row {
        Row { floor: Some(ratio), ..self }
    }
}

/// Sides that are run in turn, and what is told of them.
pub struct Race {
    /// Run in this order in each round.
    pub sides: Vec<Side>,
    /// The table's rows.
    pub rows: Vec<Row>,
}

type Prepare = Box<dyn Fn(&mut Stores) -> Result<Race, String>>;

/// A race that can be chosen.
pub struct Workload {
    /// The argument that chooses it; its beginning up to a hyphen chooses it too.
    pub name: String,
    /// Fills the stores and lines up the sides; an error is why it cannot be run.
    pub race: Prepare,
}

impl Workload {
    /// A workload that can always be run.
    pub fn new(name: impl Into<String>, race: impl Fn(&mut Stores) -> Race + 'static) -> Workload {
        Workload { name: name.into(), race: Box::new(move |stores| Ok(race(stores))) }
    }

    /// A workload that needs what may be missing.
    pub fn fallible(name: impl Into<String>, race: impl Fn(&mut Stores) -> Result<Race, String> + 'static) -> Workload {
        Workload { name: name.into(), race: Box::new(race) }
    }

    /// Whether the argument `word` chooses it.
    pub fn is_chosen_by(&self, word: &str) -> bool {
        self.name.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// The workloads of one theme.
pub struct Theme {
    /// The heading of its table.
    pub title: &'static str,
    /// In the order of the table.
    pub workloads: Vec<Workload>,
}
