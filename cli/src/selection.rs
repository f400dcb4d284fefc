//! The messages that a filter picks in a store: of a category or of all, between two global positions.
//!
//! A time is a global position as well, that of the first message which is not older. Were each message taken by its own
//! time, a stream whose times do not ascend would have gaps, which no store takes.

use crate::filter::Filter;
use crate::store::{Result, Store, quoted};

/// A part of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Of this category only.
    pub category: Option<String>,
    /// From this global position on, at least 1.
    pub from: i64,
    /// Below this one.
    pub end: i64,
}

impl Selection {
    /// What the filter picks of a store that gives out `next` next.
    pub fn of(filter: &Filter, store: &mut dyn Store, next: i64) -> Result<Self> {
        let end = filter.to.map_or(next, |to| next.min(to.saturating_add(1)));
        let mut selection = Self { category: filter.category.clone(), from: filter.from.unwrap_or(1).max(1), end };
        if let Some(since) = filter.since {
            selection.from = store.first_not_before(since, &selection)?.unwrap_or(end.max(selection.from));
        }
        if let Some(until) = filter.until {
            selection.end = store.first_not_before(until, &selection)?.unwrap_or(end);
        }
        Ok(selection)
    }

    /// How far a global position is on the way from the beginning to the end, for the progress.
    pub fn steps(&self, position: i64) -> u64 {
        u64::try_from(position.saturating_sub(self.from)).unwrap_or(0)
    }

    /// A condition for the category, in SQL; `category` is the engine's expression for a stream's category.
    pub fn of_category(&self, category: &str) -> String {
        self.category.as_ref().map_or("true".to_owned(), |name| format!("{category} = {}", quoted(name)))
    }

    /// A query for the first global position whose time is not before a literal.
    pub fn first_not_before_sql(&self, messages: &str, category: &str, time: &str) -> String {
        let Self { from, end, .. } = self;
        format!(
            "SELECT global_position FROM {messages} WHERE global_position >= {from} AND global_position < {end} \
             AND time >= {time} AND {} ORDER BY global_position LIMIT 1",
            self.of_category(category)
        )
    }

    /// A query for the streams that have messages, but not their first ones in this part: name, and version before it.
    pub fn heads_sql(&self, messages: &str, category: &str) -> String {
        let Self { from, end, .. } = self;
        let mut version = format!("min(position) FILTER (WHERE global_position BETWEEN {from} AND {end} - 1) - 1");
        if *from > 1 {
            version = format!("coalesce({version}, max(position) FILTER (WHERE global_position < {from}))");
        }
        format!(
            "SELECT stream_name, {version} AS position FROM {messages} WHERE {} GROUP BY stream_name HAVING {version} >= 0",
            self.of_category(category)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_says_all_of_it() {
        let all = Selection { category: None, from: 1, end: 10 };
        assert_eq!(
            all.heads_sql("m", "c(x)"),
            "SELECT stream_name, min(position) FILTER (WHERE global_position BETWEEN 1 AND 10 - 1) - 1 AS position FROM m \
             WHERE true GROUP BY stream_name \
             HAVING min(position) FILTER (WHERE global_position BETWEEN 1 AND 10 - 1) - 1 >= 0"
        );
        let part = Selection { category: Some("o'b".to_owned()), from: 3, end: 10 };
        assert_eq!(
            part.first_not_before_sql("m", "c(x)", "'t'"),
            "SELECT global_position FROM m WHERE global_position >= 3 AND global_position < 10 AND time >= 't' \
             AND c(x) = 'o''b' ORDER BY global_position LIMIT 1"
        );
    }
}
