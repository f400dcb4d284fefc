//! The arguments of the reading functions: defaults, and checks in Message DB's order.
//!
//! Which of two wrong arguments is reported is part of the contract, so each check stands where Message DB has it.
//! `None` stands for SQL NULL, which means the default for every argument that has one.

use crate::consumer_group::ConsumerGroup;
use crate::error::{Error, Result, text};
use crate::stream_name::is_category;

/// How many messages a read returns when `batch_size` is not given.
pub const DEFAULT_BATCH_SIZE: i64 = 1000;
/// Where a stream read starts by default. Positions in a stream start at 0.
pub const DEFAULT_STREAM_POSITION: i64 = 0;
/// Where a category read, or a read of everything, starts by default. Global positions start at 1.
pub const DEFAULT_GLOBAL_POSITION: i64 = 1;
/// The `batch_size` that means no limit.
pub const UNLIMITED: i64 = -1;

/// How many rows a read returns at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSize(i64);

impl BatchSize {
    fn new(batch_size: Option<i64>) -> Self {
        Self(batch_size.unwrap_or(DEFAULT_BATCH_SIZE))
    }

    /// The batch size of a function that checks nothing after it.
    pub fn checked(batch_size: Option<i64>) -> Result<Self> {
        let batch_size = Self::new(batch_size);
        batch_size.limit().map(|_| batch_size)
    }

    /// The argument as given, or its default.
    pub fn value(self) -> i64 {
        self.0
    }

    /// Whether there is no limit.
    pub fn is_unlimited(self) -> bool {
        self.0 == UNLIMITED
    }

    /// The number of rows, `None` for no limit. Below -1 it is the error Postgres has for a negative LIMIT.
    ///
    /// Message DB leaves this to the query, so it comes after every other check, a condition's syntax included.
    pub fn limit(self) -> Result<Option<i64>> {
        match self.0 {
            UNLIMITED => Ok(None),
            limit if limit < 0 => Err(Error::NegativeLimit),
            limit => Ok(Some(limit)),
        }
    }
}

/// Whether the setting `message_store.sql_condition` lets conditions through.
///
/// They are blocked only while it is unset or exactly `off`; any other text, the empty one too, lets them through.
pub fn condition_is_activated(setting: Option<&[u8]>) -> bool {
    setting.is_some_and(|value| value != b"off")
}

/// Whether a debug setting is on: exactly `on`.
pub fn debug_is_on(setting: Option<&[u8]>) -> bool {
    setting == Some(b"on")
}

/// `get_stream_messages`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRead<'a> {
    /// The stream that is read.
    pub stream_name: &'a [u8],
    /// The first position that is returned.
    pub position: i64,
    /// How many messages are returned at the most.
    pub batch_size: BatchSize,
    /// SQL the caller adds to the filter.
    pub condition: Option<&'a [u8]>,
}

impl<'a> StreamRead<'a> {
    /// Checks the arguments; `activated` says whether conditions are let through.
    pub fn new(
        stream_name: Option<&'a [u8]>,
        position: Option<i64>,
        batch_size: Option<i64>,
        condition: Option<&'a [u8]>,
        activated: bool,
    ) -> Result<Self> {
        let stream_name = match stream_name {
            Some(name) if !is_category(Some(name)) => name,
            name => return Err(Error::MustBeStreamName(name.map(text))),
        };
        check_condition(condition, activated)?;
        Ok(Self {
            stream_name,
            position: position.unwrap_or(DEFAULT_STREAM_POSITION),
            batch_size: BatchSize::new(batch_size),
            condition,
        })
    }
}

/// `get_category_messages`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryRead<'a> {
    /// The category that is read. NULL passes the checks and matches nothing.
    pub category: Option<&'a [u8]>,
    /// The first global position that is returned.
    pub position: i64,
    /// How many messages are returned at the most.
    pub batch_size: BatchSize,
    /// The category that a message's `correlationStreamName` must have.
    pub correlation: Option<&'a [u8]>,
    /// The consumer group member that reads.
    pub consumer_group: Option<ConsumerGroup>,
    /// SQL the caller adds to the filter.
    pub condition: Option<&'a [u8]>,
}

/// The arguments of `get_category_messages` as they were given.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs)] // named as in SQL
pub struct CategoryArguments<'a> {
    pub category: Option<&'a [u8]>,
    pub position: Option<i64>,
    pub batch_size: Option<i64>,
    pub correlation: Option<&'a [u8]>,
    pub consumer_group_member: Option<i64>,
    pub consumer_group_size: Option<i64>,
    pub condition: Option<&'a [u8]>,
}

impl<'a> CategoryRead<'a> {
    /// Checks the arguments; `activated` says whether conditions are let through.
    pub fn new(arguments: CategoryArguments<'a>, activated: bool) -> Result<Self> {
        let CategoryArguments { category, correlation, condition, .. } = arguments;
        if !is_category(category) {
            return Err(Error::MustBeCategory(category.map(text)));
        }
        if let Some(correlation) = correlation.filter(|&name| !is_category(Some(name))) {
            return Err(Error::CorrelationMustBeCategory(text(correlation)));
        }
        let consumer_group = ConsumerGroup::new(arguments.consumer_group_member, arguments.consumer_group_size)?;
        check_condition(condition, activated)?;
        Ok(Self {
            category,
            position: arguments.position.unwrap_or(DEFAULT_GLOBAL_POSITION),
            batch_size: BatchSize::new(arguments.batch_size),
            correlation,
            consumer_group,
            condition,
        })
    }
}

impl CategoryRead<'_> {
    /// Refuses a group size that is no smallint. Message DB finds that out when it runs its query: after it has said what
    /// it is about to do.
    pub fn check_group_size(&self) -> Result<()> {
        self.consumer_group.map_or(Ok(()), ConsumerGroup::check_range)
    }
}

fn check_condition(condition: Option<&[u8]>, activated: bool) -> Result<()> {
    if condition.is_some() && !activated { Err(Error::ConditionNotActivated) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category_error(arguments: CategoryArguments) -> String {
        CategoryRead::new(arguments, false).expect_err("refused").to_string()
    }

    #[test]
    fn category_checks_come_in_message_dbs_order() {
        let mut arguments = CategoryArguments {
            category: Some(b"a-1"),
            batch_size: Some(-2),
            correlation: Some(b"b-1"),
            consumer_group_member: Some(-1),
            consumer_group_size: Some(0),
            condition: Some(b"true"),
            ..Default::default()
        };
        let suffix = |m: i64, s: i64| format!("(Consumer Group Member: {m}, Consumer Group Size: {s})");
        assert_eq!(category_error(arguments), "Must be a category: a-1");
        arguments.category = Some(b"a");
        assert_eq!(category_error(arguments), "Correlation must be a category (Correlation: b-1)");
        arguments.correlation = Some(b"b");
        assert_eq!(category_error(arguments), format!("Consumer group size must not be less than 1 {}", suffix(-1, 0)));
        arguments.consumer_group_size = Some(40_000);
        assert_eq!(
            category_error(arguments),
            format!("Consumer group member must not be less than 0 {}", suffix(-1, 40_000))
        );
        arguments.consumer_group_member = Some(40_000);
        assert_eq!(
            category_error(arguments),
            format!("Consumer group member must be less than the group size {}", suffix(40_000, 40_000))
        );
        arguments.consumer_group_member = None;
        assert_eq!(
            category_error(arguments),
            "Consumer group member and size must be specified (Consumer Group Member: <NULL>, Consumer Group Size: \
             40000)"
        );
        arguments.consumer_group_member = Some(1);
        assert_eq!(category_error(arguments), "Retrieval with SQL condition is not activated");
        arguments.condition = None;
        let read = CategoryRead::new(arguments, false).expect("accepted");
        assert_eq!(read.check_group_size(), Err(Error::ConsumerGroupSizeOutOfRange));
        arguments.consumer_group_size = Some(2);
        let read = CategoryRead::new(arguments, false).expect("accepted");
        assert_eq!(read.batch_size.limit(), Err(Error::NegativeLimit));
    }

    #[test]
    fn null_means_the_default() {
        let read = StreamRead::new(Some(b"a-1"), None, None, None, false).expect("accepted");
        assert_eq!((read.position, read.batch_size.limit()), (0, Ok(Some(1000))));
        let read = CategoryRead::new(CategoryArguments::default(), false).expect("accepted");
        assert_eq!((read.position, read.batch_size.limit()), (1, Ok(Some(1000))));
    }

    #[test]
    fn minus_one_means_no_limit_and_less_is_refused() {
        assert_eq!(BatchSize::checked(Some(-1)).and_then(BatchSize::limit), Ok(None));
        assert_eq!(BatchSize::checked(Some(0)).and_then(BatchSize::limit), Ok(Some(0)));
        assert_eq!(BatchSize::checked(Some(-2)), Err(Error::NegativeLimit));
    }

    #[test]
    fn a_stream_read_needs_a_stream_name_before_anything_else() {
        let error = StreamRead::new(Some(b"a"), None, Some(-2), Some(b"x"), false).expect_err("refused");
        assert_eq!(error.to_string(), "Must be a stream name: a");
        let error = StreamRead::new(None, None, None, None, true).expect_err("refused");
        assert_eq!(error.to_string(), "Must be a stream name: <NULL>");
        let error = StreamRead::new(Some(b"a-1"), None, Some(-2), Some(b"x"), false).expect_err("refused");
        assert_eq!(error, Error::ConditionNotActivated);
    }

    #[test]
    fn only_unset_and_off_block_conditions() {
        assert!(!condition_is_activated(None));
        assert!(!condition_is_activated(Some(b"off")));
        for value in [&b"on"[..], b"", b"OFF", b"false"] {
            assert!(condition_is_activated(Some(value)));
        }
    }
}
