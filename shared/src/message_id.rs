//! Message ids: every spelling that Postgres' uuid type reads, the one spelling it prints, and new ids.

use std::borrow::Cow;

use crate::error::{Error, Result, text};
use crate::time;
use uuid::{Builder, Uuid};

/// Reads an id in any spelling Postgres' uuid type accepts.
///
/// Thirty-two hexadecimal digits of either case, a hyphen allowed after every fourth, the whole optionally in braces.
/// The uuid crate's own parser accepts other spellings (`urn:uuid:`) and refuses some of these.
pub fn parse(id: &[u8]) -> Result<Uuid> {
    digits(id).ok_or_else(|| Error::InvalidId(text(id)))
}

fn digits(id: &[u8]) -> Option<Uuid> {
    let mut rest = match id {
        [b'{', inner @ .., b'}'] => inner,
        _ => id,
    };
    let mut bytes = [0u8; 16];
    for (i, byte) in bytes.iter_mut().enumerate() {
        let [high, low, after @ ..] = rest else { return None };
        *byte = hex(*high)? << 4 | hex(*low)?;
        rest = match after {
            [b'-', after @ ..] if i % 2 == 1 && i < 15 => after,
            _ => after,
        };
    }
    rest.is_empty().then(|| Uuid::from_bytes(bytes))
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// How many bytes an id has in canonical form.
pub const LENGTH: usize = 36;

/// Writes an id in canonical form.
pub fn write<'a>(id: &Uuid, text: &'a mut [u8; LENGTH]) -> &'a str {
    id.hyphenated().encode_lower(text)
}

/// The id as it is stored and returned: lower case, hyphens in the usual places.
pub fn canonical(id: &[u8]) -> Result<String> {
    canonical_text(id).map(Cow::into_owned)
}

/// The same, without reading an id that is spelled so already.
pub fn canonical_text(id: &[u8]) -> Result<Cow<'_, str>> {
    let is_canonical = id.len() == 36 && [8, 13, 18, 23].iter().all(|&at| id[at] == b'-') && small_digits(id) == 32;
    match std::str::from_utf8(id) {
        Ok(text) if is_canonical => Ok(Cow::Borrowed(text)),
        _ => parse(id).map(|id| Cow::Owned(id.hyphenated().to_string())),
    }
}

/// How many of a few bytes are hexadecimal digits in lower case; added up without a branch, many at a time.
fn small_digits(bytes: &[u8]) -> u8 {
    bytes.iter().map(|byte| u8::from(byte.is_ascii_digit()) | u8::from(matches!(byte, b'a'..=b'f'))).sum()
}

/// A new id: version 7, so that ids sort by the time they were made and the index on them grows at its end.
pub fn generate() -> Uuid {
    Uuid::now_v7()
}

/// As many new ids, ascending, with one call to the system for the random bits of all.
///
/// Behind the time come 26 bits that count on from a random number, half of their range kept free, and 48 random ones.
pub fn generate_many(count: usize) -> Vec<Uuid> {
    let mut random = vec![0; size_of::<u32>() + count * 6];
    let filled = getrandom::fill(&mut random);
    let (Ok(()), Some((first, random)), Ok(now)) =
        (filled, random.split_first_chunk(), u64::try_from(time::now() / 1000))
    else {
        return (0..count).map(|_| generate()).collect();
    };
    let first = u32::from_le_bytes(*first) >> 7;
    let with_counter = |(counter, [a, b, c, d, e, f]): (u32, &[u8; 6])| {
        // The version takes half of the first byte, the variant two bits of the third.
        let [_, _, high, low] = (counter >> 14).to_be_bytes();
        let [_, _, rest, last] = (counter & 0x3fff).to_be_bytes();
        Builder::from_unix_timestamp_millis(now, &[high, low, rest, last, *a, *b, *c, *d, *e, *f]).into_uuid()
    };
    (first..).zip(random.as_chunks().0).map(with_counter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_spelling_reads_as_the_same_id(bytes: [u8; 16], hyphens: [bool; 7], braces: bool, upper: bool) {
            let plain = Uuid::from_bytes(bytes).simple().to_string();
            let mut spelling = String::new();
            for (i, group) in plain.as_bytes().chunks(4).enumerate() {
                spelling.push_str(std::str::from_utf8(group).expect("hex"));
                if hyphens.get(i).copied().unwrap_or(false) {
                    spelling.push('-');
                }
            }
            if upper {
                spelling.make_ascii_uppercase();
            }
            if braces {
                spelling = format!("{{{spelling}}}");
            }
            prop_assert_eq!(parse(spelling.as_bytes()).map(Uuid::into_bytes), Ok(bytes));
            let usual = Uuid::from_bytes(bytes).to_string();
            prop_assert_eq!(canonical(spelling.as_bytes()), Ok(usual.clone()));
            prop_assert!(matches!(canonical_text(usual.as_bytes()), Ok(Cow::Borrowed(text)) if text == usual));
        }

        #[test]
        fn anything_else_is_refused_and_named(id in ".{0,40}") {
            prop_assume!(!id.contains(|c: char| c.is_ascii_hexdigit()));
            let error = parse(id.as_bytes()).expect_err("refused");
            prop_assert_eq!(error.to_string(), format!("invalid input syntax for type uuid: \"{id}\""));
            prop_assert_eq!(error.sqlstate(), "22P02");
        }
    }

    #[test]
    fn new_ids_are_version_7_and_ascend() {
        let ids: Vec<Uuid> = (0..1000).map(|_| generate()).collect();
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert!(ids.is_sorted());
    }

    #[test]
    fn new_ids_of_a_batch_are_version_7_and_ascend() {
        let before = time::now() / 1000;
        for count in [0, 1, 70_000] {
            let ids = generate_many(count);
            assert_eq!(ids.len(), count);
            assert!(ids.is_sorted_by(|a, b| a < b));
            for id in ids {
                assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
                let (seconds, nanoseconds) = id.get_timestamp().expect("a time").to_unix();
                let made = i64::try_from(seconds).expect("a time") * 1000 + i64::from(nanoseconds) / 1_000_000;
                assert!((before..=time::now() / 1000).contains(&made));
            }
        }
        // As many of the random bits are set in all as are not.
        let ids = generate_many(10_000);
        for bit in 0..48 {
            let set = ids.iter().filter(|id| id.as_u128() >> bit & 1 == 1).count();
            assert!((4_500..5_500).contains(&set), "{bit} {set}");
        }
    }
}
