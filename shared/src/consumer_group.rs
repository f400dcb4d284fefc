//! Consumer groups: which member of a group reads a stream.

use crate::error::{Error, Result};
use crate::{hash::hash_64, stream_name::cardinal_id};

/// A member of a consumer group, checked: `0 <= member < size`, `1 <= size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerGroup {
    /// The member that reads, from 0.
    pub member: i64,
    /// How many members the group has.
    pub size: i64,
}

impl ConsumerGroup {
    /// Checks the two arguments in Message DB's order. Both NULL means no group.
    pub fn new(member: Option<i64>, size: Option<i64>) -> Result<Option<Self>> {
        let (member, size) = match (member, size) {
            (None, None) => return Ok(None),
            (Some(member), Some(size)) => (member, size),
            _ => return Err(Error::ConsumerGroupIncomplete { member, size }),
        };
        if size < 1 {
            Err(Error::ConsumerGroupSizeTooSmall { member, size })
        } else if member < 0 {
            Err(Error::ConsumerGroupMemberNegative { member, size })
        } else if member >= size {
            Err(Error::ConsumerGroupMemberTooLarge { member, size })
        } else {
            Ok(Some(Self { member, size }))
        }
    }

    /// Refuses a size that does not fit a smallint, as Message DB does, but only after every other check.
    pub(crate) fn check_range(self) -> Result<()> {
        i16::try_from(self.size).map(drop).map_err(|_| Error::ConsumerGroupSizeOutOfRange)
    }

    /// Whether this member reads the stream. A stream without an id is read by no member.
    pub fn reads(self, stream_name: &[u8]) -> bool {
        member_of(stream_name, self.size) == Some(self.member)
    }
}

/// The member of a group of `size` that reads the stream: `abs(hash_64(cardinal_id)) mod size`.
///
/// `None` when the name has no id, or `size` is not positive. (Postgres' `abs` would overflow for the one hash that is
/// the smallest integer, which no known input has; here that hash counts as 2^63.)
pub fn member_of(stream_name: &[u8], size: i64) -> Option<i64> {
    let size = u64::try_from(size).ok().filter(|&size| size > 0)?;
    let cardinal_id = cardinal_id(stream_name)?;
    i64::try_from(hash_64(cardinal_id).unsigned_abs() % size).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn exactly_one_member_reads_a_stream_with_an_id(name in "[a-z]{0,4}-.{0,8}", size in 1i64..40) {
            let readers = (0..size)
                .filter(|&member| ConsumerGroup { member, size }.reads(name.as_bytes()))
                .count();
            prop_assert_eq!(readers, 1);
        }

        #[test]
        fn streams_of_one_cardinal_id_stay_together(id in "[a-z0-9]{1,8}", a in "[^-]{0,5}", b in "[^-]{0,5}") {
            let compound = format!("{b}-{id}+other");
            prop_assert_eq!(
                member_of(format!("{a}-{id}").as_bytes(), 7),
                member_of(compound.as_bytes(), 7)
            );
        }
    }

    #[test]
    fn no_member_reads_a_stream_without_an_id() {
        assert_eq!(member_of(b"account", 4), None);
    }

    #[test]
    fn a_group_without_members_reads_nothing() {
        assert_eq!(member_of(b"account-1", 0), None);
        assert_eq!(member_of(b"account-1", -3), None);
    }
}
