//! Global positions, compared by their order.

use serde_json::Value;
use std::collections::BTreeMap;

/// Which global position that was got stands for which one that is wanted. A write that fails burns one in Postgres and
/// none in SQLite, so it is their order that counts.
#[derive(Default)]
pub struct Positions(BTreeMap<i64, i64>);

impl Positions {
    /// Whether a value of `column` is as it should be.
    pub fn same(&mut self, column: &str, got: &Value, want: &Value) -> bool {
        match column {
            "global_position" => match (got.as_i64(), want.as_i64()) {
                (Some(got), Some(want)) => self.stands_for(got, want),
                _ => got == want,
            },
            "percent" => match (got.as_f64(), want.as_f64()) {
                (Some(got), Some(want)) => format!("{got:.2}") == format!("{want:.2}"),
                _ => got == want,
            },
            "write_messages" => self.same_answer(got, want),
            _ => got == want,
        }
    }

    fn stands_for(&mut self, got: i64, want: i64) -> bool {
        let before = self.0.range(..want).next_back();
        let after = self.0.range(want..).find(|(position, _)| **position != want);
        let in_order = before.is_none_or(|(_, before)| *before < got) && after.is_none_or(|(_, after)| got < *after);
        in_order && *self.0.entry(want).or_insert(got) == got
    }

    /// The answers of `write_messages`, whose text is otherwise the same.
    fn same_answer(&mut self, got: &Value, want: &Value) -> bool {
        let (Some(got), Some(want)) = (got.as_str(), want.as_str()) else { return got == want };
        let global_positions = |text: &str| -> Option<Vec<i64>> {
            let parsed: Value = serde_json::from_str(text).ok()?;
            parsed.as_array()?.iter().map(|written| written["global_position"].as_i64()).collect()
        };
        let (Some(ours), Some(theirs)) = (global_positions(got), global_positions(want)) else { return got == want };
        let named = |text: &str, positions: &[i64]| {
            positions.iter().fold(text.to_owned(), |text, position| {
                text.replacen(&format!("\"global_position\": {position}"), "\"global_position\": _", 1)
            })
        };
        named(got, &ours) == named(want, &theirs)
            && ours.iter().zip(&theirs).all(|(&got, &want)| self.stands_for(got, want))
    }
}
