//! What a caller is told: the rules' errors by SQLite's result codes, and SQLite's own as they are.

use std::ffi::c_int;

use message_store_core::Error;
use rusqlite::ffi;

/// The result of anything that may fail.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a call failed.
#[derive(Debug)]
pub enum Failure {
    /// A rule of Message Store's refuses it.
    Rule(Error),
    /// SQLite cannot do it: its extended result code and its message.
    Engine {
        /// The extended result code.
        code: c_int,
        /// SQLite's message, or ours where SQLite has none.
        message: String,
    },
}

impl Failure {
    /// A failure that SQLite has a code, but no words for.
    pub fn new(code: c_int, message: impl Into<String>) -> Self {
        Self::Engine { code, message: message.into() }
    }

    /// The file is of a later version of this product.
    pub fn newer_schema(namespace: &str, version: i64, known: i64) -> Self {
        let message = format!(
            "Message store is newer than this extension: {namespace} (schema version {version}, the extension knows {known})"
        );
        Self::new(ffi::SQLITE_ERROR, message)
    }

    /// The namespace is registered, its file gone.
    pub fn missing_file(namespace: &str) -> Self {
        Self::new(ffi::SQLITE_CANTOPEN, format!("Namespace file is missing: {namespace}"))
    }

    /// The result code a host sees.
    pub fn code(&self) -> c_int {
        match self {
            Self::Rule(error) => match error.sqlstate() {
                "23505" => ffi::SQLITE_CONSTRAINT_UNIQUE,
                "23502" => ffi::SQLITE_CONSTRAINT_NOTNULL,
                "42501" => ffi::SQLITE_AUTH,
                _ => ffi::SQLITE_ERROR,
            },
            Self::Engine { code, .. } => *code,
        }
    }

    /// The text a host sees.
    pub fn message(&self) -> String {
        match self {
            Self::Rule(error) => error.to_string(),
            Self::Engine { message, .. } => message.clone(),
        }
    }

    /// Whether another connection holds a lock, and waiting may help.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Engine { code, .. }
            if *code == ffi::SQLITE_BUSY || *code == ffi::SQLITE_BUSY_RECOVERY || *code == SQLITE_BUSY_TIMEOUT)
    }

    /// Whether the host has interrupted the statement.
    pub fn is_interrupt(&self) -> bool {
        matches!(self, Self::Engine { code, .. } if code & 0xff == ffi::SQLITE_INTERRUPT)
    }

    /// Whether there is no savepoint of that name.
    pub fn is_missing_savepoint(&self) -> bool {
        matches!(self, Self::Engine { message, .. } if message.starts_with("no such savepoint"))
    }

    /// Whether a table of ours is not there: SQLite has no code of its own for that.
    pub fn is_missing_table(&self) -> bool {
        let Self::Engine { code: ffi::SQLITE_ERROR, message } = self else { return false };
        let Some(table) = message.strip_prefix("no such table: ") else { return false };
        // Not one that a trigger of somebody's writes to.
        table.ends_with("messages") || table.contains("message_store_") || table.ends_with("sqlite_sequence")
    }

    /// Whether the constraint on these columns is broken.
    pub fn breaks_unique(&self, columns: &str) -> bool {
        matches!(self, Self::Engine { code, message }
            if *code == ffi::SQLITE_CONSTRAINT_UNIQUE
                && message.strip_prefix("UNIQUE constraint failed: ").is_some_and(|broken| broken == columns))
    }
}

/// Since SQLite 3.33; not among the oldest bindings' constants.
const SQLITE_BUSY_TIMEOUT: c_int = ffi::SQLITE_BUSY | (3 << 8);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Rule(error)
    }
}
