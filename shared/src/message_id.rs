//! Message ids: every spelling that Postgres' uuid type reads, the one spelling it prints, and new ids.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

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
    let is_canonical = id.len() == LENGTH && [8, 13, 18, 23].iter().all(|&at| id[at] == b'-') && small_digits(id) == 32;
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
    generate_many(1).pop().unwrap_or_else(Uuid::now_v7)
}

/// How many counts one millisecond has, and how many ids may begin in it; what is left is for those behind.
const COUNTS: u32 = 1 << 26;
const BEGINNINGS: u32 = COUNTS / 2;

/// The millisecond and the count of the last id that the process has made.
static LAST: Mutex<(u64, u32)> = Mutex::new((0, 0));

/// As many new ids, behind all that the process has made before, with one call to the system for the random bits of all.
///
/// Behind the milliseconds come 26 bits that count on, in each millisecond from a random number, and 48 random ones.
pub fn generate_many(count: usize) -> Vec<Uuid> {
    let mut random = vec![0; size_of::<u32>() + count * 6];
    let filled = getrandom::fill(&mut random);
    let (Ok(()), Some((beginning, random))) = (filled, random.split_first_chunk()) else {
        return (0..count).map(|_| Uuid::now_v7()).collect();
    };
    let beginning = u32::from_le_bytes(*beginning) % BEGINNINGS;
    let now = u64::try_from(time::now() / 1000).unwrap_or(0);
    // What it holds is right also where a thread has panicked with it.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let with_count = |[a, b, c, d, e, f]: &[u8; 6]| {
        *last = match *last {
            (millisecond, _) if millisecond < now => (now, beginning),
            (millisecond, count) if count + 1 < COUNTS => (millisecond, count + 1),
            (millisecond, _) => (millisecond + 1, beginning),
        };
        // The version takes half of the first byte, the variant two bits of the third.
        let [_, _, high, low] = (last.1 >> 14).to_be_bytes();
        let [_, _, rest, end] = (last.1 & 0x3fff).to_be_bytes();
        Builder::from_unix_timestamp_millis(last.0, &[high, low, rest, end, *a, *b, *c, *d, *e, *f]).into_uuid()
    };
    random.as_chunks().0.iter().map(with_count).collect()
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
        let before = time::now() / 1000;
        // Threads of other tests make ids, too, and may be in between.
        let mut last = Uuid::nil();
        for count in [1, 2, 0, 70_000, 1, 1, 500].into_iter().chain([2; 3_000]) {
            let ids = if count == 1 { vec![generate()] } else { generate_many(count) };
            assert_eq!(ids.len(), count);
            for id in ids {
                assert!(last < id, "{last} {id}");
                last = id;
                assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
                let (seconds, nanoseconds) = id.get_timestamp().expect("a time").to_unix();
                let made = i64::try_from(seconds).expect("a time") * 1000 + i64::from(nanoseconds) / 1_000_000;
                assert!((before..=time::now() / 1000).contains(&made));
            }
        }
    }

    #[test]
    fn each_random_bit_of_new_ids_is_as_often_set_as_not() {
        let ids = generate_many(10_000);
        for bit in 0..48 {
            let set = ids.iter().filter(|id| id.as_u128() >> bit & 1 == 1).count();
            assert!((4_500..5_500).contains(&set), "{bit} {set}");
        }
    }

    #[test]
    fn threads_make_different_ids_that_ascend_in_each() {
        let made: Vec<Vec<Uuid>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..200).flat_map(|_| generate_many(50)).collect())).collect();
            threads.into_iter().map(|thread| thread.join().expect("ids")).collect()
        });
        assert!(made.iter().all(|ids| ids.is_sorted_by(|a, b| a < b)));
        let all: std::collections::HashSet<&Uuid> = made.iter().flatten().collect();
        assert_eq!(all.len(), 4 * 200 * 50);
    }
}
