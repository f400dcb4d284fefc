//! Where a consumer has got to in a category.

use crate::error::{Error, Result, text};
use crate::stream_name::is_category;

/// `record_consumer_position`, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerPosition<'a> {
    /// The category that is consumed.
    pub category: &'a [u8],
    /// The consumer's own name; the members of a group have one each.
    pub consumer: &'a [u8],
    /// The global position of the last message that it has processed.
    pub position: i64,
}

impl<'a> ConsumerPosition<'a> {
    /// Checks the arguments. Unlike in a read, NULL is no category: there would be nothing to find the position by.
    pub fn new(category: Option<&'a [u8]>, consumer: Option<&'a [u8]>, position: Option<i64>) -> Result<Self> {
        let category = category
            .filter(|&name| is_category(Some(name)))
            .ok_or_else(|| Error::MustBeCategory(category.map(text)))?;
        let consumer = consumer.filter(|name| !name.is_empty()).ok_or(Error::ConsumerMustNotBeEmpty)?;
        Ok(Self { category, consumer, position: position.ok_or(Error::NullConsumerPosition)? })
    }
}

/// The position that is stored after `recorded` was, `stored` being there before: never a lower one unless forced.
pub fn advance(stored: Option<i64>, recorded: i64, force: bool) -> i64 {
    stored.filter(|&stored| stored > recorded && !force).unwrap_or(recorded)
}

/// The category of `consumer_positions`; `None` for all.
pub fn check_filter(category: Option<&[u8]>) -> Result<Option<&[u8]>> {
    if is_category(category) { Ok(category) } else { Err(Error::MustBeCategory(category.map(text))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(category: Option<&[u8]>, consumer: Option<&[u8]>, position: Option<i64>) -> String {
        ConsumerPosition::new(category, consumer, position).expect_err("refused").to_string()
    }

    #[test]
    fn a_position_belongs_to_a_consumer_of_a_category() {
        let position = ConsumerPosition::new(Some(b"account"), Some(b"totals"), Some(7)).expect("accepted");
        assert_eq!(position, ConsumerPosition { category: b"account", consumer: b"totals", position: 7 });
    }

    #[test]
    fn the_category_is_checked_first_then_the_consumer_then_the_position() {
        assert_eq!(refused(Some(b"account-1"), None, None), "Must be a category: account-1");
        assert_eq!(refused(None, None, None), "Must be a category: <NULL>");
        assert_eq!(refused(Some(b"account"), Some(b""), None), "Consumer must not be empty");
        assert_eq!(refused(Some(b"account"), None, None), "Consumer must not be empty");
        assert_eq!(
            refused(Some(b"account"), Some(b"totals"), None),
            "null value in column \"position\" of relation \"consumer_positions\" violates not-null constraint"
        );
    }

    #[test]
    fn a_position_goes_back_only_by_force() {
        assert_eq!(advance(None, 3, false), 3);
        assert_eq!(advance(Some(2), 3, false), 3);
        assert_eq!(advance(Some(4), 3, false), 4);
        assert_eq!(advance(Some(4), 3, true), 3);
    }

    #[test]
    fn a_filter_may_be_missing_but_is_a_category() {
        assert_eq!(check_filter(None), Ok(None));
        assert_eq!(check_filter(Some(b"account")), Ok(Some(&b"account"[..])));
        assert_eq!(check_filter(Some(b"account-1")), Err(Error::MustBeCategory(Some("account-1".to_owned()))));
    }
}
