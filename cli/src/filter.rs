//! Which messages are moved.

use clap::Args;
use message_store_core::time;
use serde::{Deserialize, Serialize};

/// Which messages are moved: all of a category, or of all, between two places in the global order.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Only this category's streams
    #[arg(long, value_parser = category)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// From this global position on
    #[arg(long, value_name = "POSITION", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// Up to this global position, itself included
    #[arg(long, value_name = "POSITION", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// From the first message on that is not before this time: YYYY-MM-DD, or YYYY-MM-DD HH:MM:SS, UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Up to the first message, itself not included, that is not before this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

fn category(name: &str) -> Result<String, String> {
    if name.contains('-') { Err(format!("Must be a category: {name}")) } else { Ok(name.to_owned()) }
}

fn instant(text: &str) -> Result<i64, String> {
    let whole = if text.len() == 10 { format!("{text} 00:00:00") } else { text.to_owned() };
    time::parse(whole.as_bytes()).ok_or_else(|| "must be YYYY-MM-DD or YYYY-MM-DD HH:MM:SS, UTC".to_owned())
}

impl Filter {
    /// Whether it may leave out what comes first in a store.
    pub fn begins_late(&self) -> bool {
        self.from.is_some_and(|from| from > 1) || self.since.is_some()
    }

    /// Whether it may leave out what comes last.
    pub fn ends_early(&self) -> bool {
        self.to.is_some() || self.until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_first_moment() {
        assert_eq!(instant("1970-01-02"), Ok(86_400_000_000));
        assert_eq!(instant("1970-01-02 00:00:01Z"), Ok(86_401_000_000));
        assert!(instant("yesterday").is_err());
    }
}
