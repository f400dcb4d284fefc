//! The short run: every workload for a moment, and a few ratios so far from 1 that no noise hides a mistake.

use crate::race::{Length, Race, Theme};
use crate::runner::Plan;
use crate::stores::Stores;
use message_store_tests::Cluster;
use std::process::ExitCode;

const SETTINGS: [&str; 4] = ["fsync=off", "shared_buffers=128MB", "checkpoint_timeout=1h", "autovacuum=off"];
const SIZES: [u32; 3] = [10_000, 20_000, 50_000];

/// Where nothing is asserted, it is enough that there is no error.
const MOMENT: Plan = Plan { warm_up: None, rounds: 1, length: Length::Transactions(5) };
const ASSERTED: Plan = Plan { warm_up: Some(Length::Transactions(5)), rounds: 3, length: Length::Seconds(1) };

/// Fails where a ratio is below its floor; where a workload has an error, it panics.
pub fn run(themes: Vec<Theme>) -> ExitCode {
    Cluster::shared_with(&SETTINGS);
    let mut stores = Stores::new(SIZES);
    let plan = |race: &Race| if race.rows.iter().any(|row| row.floor.is_some()) { ASSERTED } else { MOMENT };
    let mut status = ExitCode::SUCCESS;
    for theme in themes {
        println!("{}", theme.title);
        crate::run(theme, &mut stores, plan, |row| match row {
            Ok(row) => {
                let (ratio, title, beside) = (row.ratio.median, &row.title, row.beside);
                match row.floor {
                    None => println!("- runs: {title}, beside {beside}"),
                    Some(floor) if ratio >= floor => {
                        println!("- ok: {title}, {ratio:.2} times {beside}, at least {floor}")
                    }
                    Some(floor) => {
                        println!("- TOO SLOW: {title}, {ratio:.2} times {beside}, at least {floor}");
                        status = ExitCode::FAILURE;
                    }
                }
            }
            Err(remark) => println!("- not run: {remark}"),
        });
    }
    status
}
