//! What a client can read of an error.

use std::fmt;

/// An error as the server sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Five characters.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
    /// The constraint that was violated.
    pub constraint: Option<String>,
    /// The table it concerns, with its schema.
    pub table: Option<String>,
    /// The column it concerns.
    pub column: Option<String>,
    /// CONTEXT, which differs between plpgsql and native functions.
    pub context: Option<String>,
}

impl Failure {
    /// From the driver's error, which must be one that the server sent.
    pub fn from_driver(error: &postgres::Error) -> Failure {
        let error = error.as_db_error().unwrap_or_else(|| panic!("not an error of the server's: {error:?}"));
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let table = error.schema().zip(error.table()).map(|(schema, table)| format!("{schema}.{table}"));
        Failure {
            sqlstate: error.code().code().into(),
            message: error.message().into(),
            detail: owned(error.detail()),
            hint: owned(error.hint()),
            constraint: owned(error.constraint()),
            table,
            column: owned(error.column()),
            context: owned(error.where_()),
        }
    }

    /// Everything but the context, and without what no two runs have in common: the time in the detail of a not-null
    /// violation or of a check's, and the place in the table in that of a name too long for the index.
    pub fn comparable(&self) -> Failure {
        let mut failure = self.clone();
        failure.context = None;
        if matches!(self.sqlstate.as_str(), "23502" | "23514" | "54000") {
            failure.detail = None;
        }
        failure
    }

    /// Fails the test if any part of the error shows what only a developer of the extension should see.
    pub fn assert_clean(&self) {
        for text in [Some(&self.message), self.detail.as_ref(), self.hint.as_ref(), self.context.as_ref()] {
            let text = text.map_or("", |t| t.as_str());
            for trace in [".rs", "panicked", "backtrace", "Backtrace", "BACKTRACE", "src/", "pgrx", "unwrap", "Rust"] {
                assert!(!text.contains(trace), "`{trace}` in an error: {self}");
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.sqlstate, self.message)?;
        let parts = [
            ("detail", &self.detail),
            ("hint", &self.hint),
            ("constraint", &self.constraint),
            ("table", &self.table),
            ("column", &self.column),
            ("context", &self.context),
        ];
        for (name, part) in parts {
            if let Some(part) = part {
                write!(f, " [{name}: {part}]")?;
            }
        }
        Ok(())
    }
}
