//! The commands, one a file.

pub mod copy;
pub mod export;
pub mod import;
pub mod namespaces;
pub mod stats;
pub mod tail;
pub mod verify;

use serde_json::Value;

use crate::failure::{Failure, Side};
use crate::interrupt;
use crate::store::{Patience, Store};

/// What a command has to say in the end.
pub struct Report {
    /// For scripts.
    pub json: Value,
    /// For people.
    pub text: String,
    /// Whether people are told on standard error.
    pub is_to_stderr: bool,
    /// Whether standard output is taken by what was exported, so that scripts are told on standard error, too.
    pub is_stdout_taken: bool,
}

impl Report {
    /// On standard output.
    pub fn new(json: Value, text: String) -> Self {
        Self { json, text, is_to_stderr: false, is_stdout_taken: false }
    }
}

/// The global position that a source would give out next, once everything below it can be read.
fn settle(source: &mut dyn Store, patience: Patience) -> Result<i64, Failure> {
    match source.settle(patience) {
        Err(error) if interrupt::requested() => Err(Failure::Interrupted(format!("interrupted: {error}"))),
        settled => settled.of_source(),
    }
}
