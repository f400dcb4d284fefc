//! The same calls as the store grows: beside genuine Message DB at each size, and beside themselves in the smallest.

use crate::pgbench::Script;
use crate::race::{Race, Row, Side, Theme, Workload};
use crate::stores::{STREAM, Stores};
use crate::writes::write_message;

struct Sized {
    name: &'static str,
    title: &'static str,
    /// The call in a store of so many messages.
    script: fn(u32) -> Script,
    /// In the largest store beside the smallest.
    target: f64,
}

/// The write comes last: it changes the stores.
const SIZED: [Sized; 4] = [
    Sized { name: "size-stream-10", title: "get_stream_messages, 10", script: stream, target: 0.8 },
    Sized { name: "size-category-100", title: "get_category_messages, 100", script: category, target: 0.8 },
    Sized { name: "size-group-100", title: "100 of a member of a group of 4", script: group, target: 0.8 },
    Sized { name: "size-write", title: "write_message, synchronous_commit off", script: write, target: 0.7 },
];

/// The workloads.
pub fn theme() -> Theme {
    let workload = |sized: &'static Sized| Workload::new(sized.name, |stores| sized.race(stores));
    Theme { title: "As the store grows, 1 client, calls a second", workloads: SIZED.iter().map(workload).collect() }
}

impl Sized {
    fn race(&self, stores: &mut Stores) -> Race {
        let sizes = stores.sizes.map(words);
        let mut sides: Vec<Side> = Vec::new();
        for (size, pair) in stores.sizes.into_iter().zip(&stores.sized()) {
            sides.extend(pair.iter().map(|store| (self.script)(size).on(store)));
        }
        sides[1].label = "itself in the smallest";
        let row = |n: usize| Row::new(format!("{}, of {} messages", self.title, sizes[n]));
        let mut rows: Vec<Row> = (0..3).map(|n| row(n).sides(2 * n, 2 * n + 1)).collect();
        rows.extend((1..3).map(|n| row(n).sides(1, 2 * n + 1)));
        rows[4].target = Some(self.target);
        Race { sides, rows }
    }
}

/// The number with its thousands set off.
fn words(number: u32) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits")).collect();
    groups.join(",")
}

fn streams(messages: u32) -> String {
    format!("\\set stream random(0, {} - 1)\n", (messages / STREAM).max(1000))
}

fn positions(messages: u32) -> String {
    format!("\\set position random(1, {})\n", messages * 9 / 10)
}

fn stream(messages: u32) -> Script {
    let read =
        "\\set position random(0, 89)\nSELECT * FROM get_stream_messages('account-' || :stream, :position, 10);\n";
    Script::new(streams(messages) + read)
}

fn category(messages: u32) -> Script {
    Script::new(positions(messages) + "SELECT * FROM get_category_messages('account', :position, 100);\n")
}

fn group(messages: u32) -> Script {
    let read = "\\set member random(0, 3)\nSELECT * FROM get_category_messages('account', :position, 100, NULL, :member, 4);\n";
    Script::new(positions(messages) + read)
}

fn write(messages: u32) -> Script {
    let script = Script::new(streams(messages) + &write_message("'account-' || :stream"));
    Script { options: "-c synchronous_commit=off", ..script }
}
