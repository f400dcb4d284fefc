//! Which messages are moved.

use clap::Args;
use message_store_core::time;
use serde::{Deserialize, Serialize};

use crate::message::Message;
use crate::store::quoted;

/// Which messages are moved: all those for which everything given holds.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Only this category's streams
    #[arg(long, value_parser = category)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// From this global position on
    #[arg(long, value_name = "POSITION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// Up to this global position, itself included
    #[arg(long, value_name = "POSITION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// Not before this time: YYYY-MM-DD, or YYYY-MM-DD HH:MM:SS, UTC
    #[arg(long, value_name = "TIME", value_parser = instant)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Before this time
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
    /// Whether the message is one of them. The category is left to the store, which has an index for it.
    pub fn admits(&self, message: &Message) -> bool {
        self.since.is_none_or(|since| message.time >= since) && self.until.is_none_or(|until| message.time < until)
    }

    /// The first global position, at least 1.
    pub fn first(&self) -> i64 {
        self.from.unwrap_or(1).max(1)
    }

    /// Whether a message may be left out for its time.
    pub fn has_times(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// The same as SQL on the table `messages`; `category` is the engine's expression for a stream's category.
    pub fn sql(&self, category: &str, time: impl Fn(i64) -> String) -> String {
        let mut terms = vec![format!("global_position >= {}", self.first())];
        terms.extend(self.to.map(|to| format!("global_position <= {to}")));
        terms.extend(self.category.as_ref().map(|name| format!("{category} = {}", quoted(name))));
        terms.extend(self.since.map(|since| format!("time >= {}", time(since))));
        terms.extend(self.until.map(|until| format!("time < {}", time(until))));
        terms.join(" AND ")
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

    #[test]
    fn sql_says_all_of_it() {
        let filter =
            Filter { category: Some("o'b".into()), from: Some(3), to: Some(9), since: Some(1), until: Some(2) };
        assert_eq!(
            filter.sql("c(x)", |time| format!("t{time}")),
            "global_position >= 3 AND global_position <= 9 AND c(x) = 'o''b' AND time >= t1 AND time < t2"
        );
    }
}
