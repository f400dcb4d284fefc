//! The commands, one a file.

pub mod copy;
pub mod export;
pub mod import;
pub mod namespaces;
pub mod stats;
pub mod tail;
pub mod verify;

use serde_json::Value;

/// What a command has to say in the end.
pub struct Report {
    /// For scripts.
    pub json: Value,
    /// For people.
    pub text: String,
    /// Whether standard output is, or may be, taken by what was exported.
    pub is_to_stderr: bool,
}

impl Report {
    /// On standard output.
    pub fn new(json: Value, text: String) -> Self {
        Self { json, text, is_to_stderr: false }
    }
}

/// A share of the way to a global position, for the progress.
fn steps(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}
