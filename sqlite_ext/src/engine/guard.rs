//! No panic may cross into the host: C code cannot unwind, and the process would end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::ffi;

use crate::errors::{Failure, Result};

/// Runs a callback's work; a panic in it becomes an error.
///
/// What the work had borrowed is released by unwinding; nothing here keeps invariants across calls that a panic
/// could leave broken.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Failure::new(ffi::SQLITE_INTERNAL, "internal error in Message Store")))
}

/// Runs work that has nobody to tell: a destructor.
pub fn quietly(work: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(work)));
}
