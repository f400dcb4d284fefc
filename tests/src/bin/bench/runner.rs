//! Runs races: side after side in each round, so that what disturbs the machine for long disturbs all of them.

use crate::race::{Length, Race};
use crate::spread::Spread;

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Runs of each side before the first round.
    pub warm_up: Option<Length>,
    /// How often each side has its turn.
    pub rounds: u32,
    /// How long each time.
    pub length: Length,
}

/// A row of the table, measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub title: String,
    /// What ours is beside.
    pub beside: &'static str,
    /// What that did a second.
    pub theirs: Spread,
    /// What ours did a second.
    pub ours: Spread,
    /// The ratio of the medians; around it, the least and the most of a round's own.
    pub ratio: Spread,
    /// The ratio that the project promises.
    pub target: Option<f64>,
    /// The ratio that no noise takes it below.
    pub floor: Option<f64>,
}

impl Outcome {
    /// Whether it stays below what the project promises.
    pub fn is_missed(&self) -> bool {
        self.target.is_some_and(|target| self.ratio.median < target)
    }
}

/// Runs `race` and returns its rows.
pub fn run(mut race: Race, plan: Plan) -> Vec<Outcome> {
    if let Some(length) = plan.warm_up {
        for side in &mut race.sides {
            side.run(length);
        }
    }
    let mut rates = vec![Vec::new(); race.sides.len()];
    for _ in 0..plan.rounds {
        for (side, rates) in race.sides.iter_mut().zip(&mut rates) {
            rates.push(side.run(plan.length));
        }
    }
    let outcome = |row: crate::race::Row| {
        let [theirs, ours] = [row.beside, row.ours].map(|side| &rates[side]);
        let of_rounds = Spread::of(theirs.iter().zip(ours).map(|(theirs, ours)| ours / theirs).collect());
        let [theirs, ours] = [theirs, ours].map(|rates| Spread::of(rates.clone()));
        Outcome {
            title: row.title,
            beside: race.sides[row.beside].label,
            ratio: Spread { median: ours.median / theirs.median, ..of_rounds },
            theirs,
            ours,
            target: row.target,
            floor: row.floor,
        }
    };
    race.rows.into_iter().map(outcome).collect()
}
