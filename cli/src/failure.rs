//! What ends the program early, and with which exit code.

use thiserror::Error;

/// Why a command ended, with the text for the user.
#[derive(Debug, Error)]
pub enum Failure {
    /// The two stores are not equal.
    #[error("{0}")]
    Difference(String),
    /// The command asks for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// The store or file that is read.
    #[error("{0}")]
    Source(String),
    /// The store or file that is written.
    #[error("{0}")]
    Target(String),
    /// SIGINT or SIGTERM.
    #[error("{0}")]
    Interrupted(String),
}

impl Failure {
    /// The exit code; 0 is success.
    pub fn code(&self) -> u8 {
        match self {
            Self::Difference(_) => 1,
            Self::Usage(_) => 2,
            Self::Source(_) => 3,
            Self::Target(_) => 4,
            Self::Interrupted(_) => 5,
        }
    }

    /// The code's name, for scripts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Difference(_) => "difference",
            Self::Usage(_) => "usage",
            Self::Source(_) => "source",
            Self::Target(_) => "target",
            Self::Interrupted(_) => "interrupted",
        }
    }
}

/// Says which side an error is of.
pub trait Side<T> {
    /// Of what is read.
    fn of_source(self) -> Result<T, Failure>;
    /// Of what is written.
    fn of_target(self) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> Side<T> for Result<T, E> {
    fn of_source(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Source(error.to_string()))
    }

    fn of_target(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Target(error.to_string()))
    }
}
