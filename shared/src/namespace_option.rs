//! The options of a namespace.

use crate::error::{Error, Result, text};

/// An option with its value, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespaceOption {
    /// `append_lock`: what a writer locks.
    AppendLock(AppendLock),
    /// `notify`: whether a transaction that writes tells who listens, once a category. Off by default.
    Notify(bool),
}

/// What excludes writers of one category from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendLock {
    /// The category, as in Message DB: the order of global positions is the order of commits.
    Category,
    /// The stream: writers of different streams go on side by side.
    Stream,
}

impl AppendLock {
    /// The value as it is written in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Stream => "stream",
        }
    }
}

/// Reads an option and its value. Checked before the namespace is looked up.
pub fn check(option: Option<&[u8]>, value: Option<&[u8]>) -> Result<NamespaceOption> {
    match (option, value) {
        (Some(b"append_lock"), Some(b"category")) => Ok(NamespaceOption::AppendLock(AppendLock::Category)),
        (Some(b"append_lock"), Some(b"stream")) => Ok(NamespaceOption::AppendLock(AppendLock::Stream)),
        (Some(b"append_lock"), value) => Err(Error::InvalidAppendLock(value.map(text))),
        (Some(b"notify"), Some(b"on")) => Ok(NamespaceOption::Notify(true)),
        (Some(b"notify"), Some(b"off")) => Ok(NamespaceOption::Notify(false)),
        (Some(b"notify"), value) => Err(Error::InvalidNotify(value.map(text))),
        (option, _) => Err(Error::UnknownNamespaceOption(option.map(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_append_lock_is_category_or_stream() {
        for lock in [AppendLock::Category, AppendLock::Stream] {
            let checked = check(Some(b"append_lock"), Some(lock.name().as_bytes()));
            assert_eq!(checked, Ok(NamespaceOption::AppendLock(lock)));
        }
        for (value, printed) in [(None, "<NULL>"), (Some(&b"row"[..]), "row")] {
            let error = check(Some(b"append_lock"), value).expect_err("refused").to_string();
            assert_eq!(error, format!("Invalid value for append_lock: {printed} (category or stream)"));
        }
    }

    #[test]
    fn notify_is_on_or_off() {
        for (value, is_on) in [(&b"on"[..], true), (b"off", false)] {
            assert_eq!(check(Some(b"notify"), Some(value)), Ok(NamespaceOption::Notify(is_on)));
        }
        for (value, printed) in [(None, "<NULL>"), (Some(&b"ON"[..]), "ON")] {
            let error = check(Some(b"notify"), value).expect_err("refused").to_string();
            assert_eq!(error, format!("Invalid value for notify: {printed} (on or off)"));
        }
    }

    #[test]
    fn there_is_no_other_option() {
        for (option, printed) in [(None, "<NULL>"), (Some(&b"append"[..]), "append")] {
            let error = check(option, Some(b"on")).expect_err("refused").to_string();
            assert_eq!(error, format!("Unknown namespace option: {printed}"));
        }
    }
}
