//! The time of a message: text that is handed in, and the text SQLite stores.
//!
//! Times are microseconds since 1970-01-01 00:00:00 UTC. Text is the proleptic Gregorian calendar, years 1 to 9999.

use std::time::{SystemTime, UNIX_EPOCH};

const MICROSECONDS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Reads `YYYY-MM-DD HH:MM:SS`, with up to six digits of a second, `T` for the blank, and `Z` at the end if anything.
///
/// `None` for anything else, another time zone in particular: times are UTC and never converted.
pub fn parse(text: &[u8]) -> Option<i64> {
    let mut rest = text.strip_suffix(b"Z").unwrap_or(text);
    let year = number(&mut rest, 4)?;
    separator(&mut rest, b"-")?;
    let month = number(&mut rest, 2)?;
    separator(&mut rest, b"-")?;
    let day = number(&mut rest, 2)?;
    separator(&mut rest, b" T")?;
    let hour = number(&mut rest, 2)?;
    separator(&mut rest, b":")?;
    let minute = number(&mut rest, 2)?;
    separator(&mut rest, b":")?;
    let second = number(&mut rest, 2)?;
    let fraction = match rest {
        [] => 0,
        [b'.', digits @ ..] if (1..=6).contains(&digits.len()) => {
            let mut digits = digits;
            let length = digits.len();
            let value = number(&mut digits, length)?;
            (length..6).fold(value, |value, _| value * 10)
        }
        _ => return None,
    };
    let valid = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = days_since_epoch(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    valid.then_some(seconds * MICROSECONDS_PER_SECOND + fraction)
}

/// The digits of 00 to 99.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [*b"00"; 100];
    let mut number = 1;
    while number < 100 {
        let [tens, ones] = pairs[number - 1];
        pairs[number] = if ones == b'9' { [tens + 1, b'0'] } else { [tens, ones + 1] };
        number += 1;
    }
    pairs
};

/// Writes `YYYY-MM-DD HH:MM:SS.ffffff`, always with six digits, so that such texts sort as their times do.
pub fn format(microseconds: i64) -> String {
    std::str::from_utf8(&bytes(microseconds)).unwrap_or_default().to_owned()
}

/// The bytes of the same text.
pub fn bytes(microseconds: i64) -> [u8; 26] {
    let fraction = microseconds.rem_euclid(MICROSECONDS_PER_SECOND);
    let seconds = microseconds.div_euclid(MICROSECONDS_PER_SECOND);
    let (day, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let (year, month, day) = date(day);
    // By hand: the formatting machinery takes many times as long, and every message written has a time.
    let mut text = *b"0000-00-00 00:00:00.000000";
    let [year, month, day, second, fraction] =
        [year, month, day, second, fraction].map(|number| u32::try_from(number).unwrap_or(0));
    let mut two_digits = |at: usize, value: u32| text[at..at + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
    two_digits(0, year / 100);
    two_digits(2, year);
    two_digits(5, month);
    two_digits(8, day);
    two_digits(11, second / 3600);
    two_digits(14, second / 60 % 60);
    two_digits(17, second % 60);
    two_digits(20, fraction / 10_000);
    two_digits(22, fraction / 100);
    two_digits(24, fraction);
    text
}

/// The time now.
pub fn now() -> i64 {
    let micros = |duration: std::time::Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => micros(after),
        Err(before) => -micros(before.duration()),
    }
}

/// Takes `digits` decimal digits off the front.
fn number(text: &mut &[u8], digits: usize) -> Option<i64> {
    let (taken, rest) = text.split_at_checked(digits)?;
    *text = rest;
    taken.iter().try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))
}

/// Takes one byte off the front, which must be one of `allowed`.
fn separator(text: &mut &[u8], allowed: &[u8]) -> Option<()> {
    let (first, rest) = text.split_first()?;
    *text = rest;
    allowed.contains(first).then_some(())
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days before the first of `month`, counted from the first of March, which puts the leap day last.
fn days_before(month_from_march: i64) -> i64 {
    (153 * month_from_march + 2) / 5
}

/// Days in 400 years.
const ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let year = year.rem_euclid(400);
    era * ERA + year * 365 + year / 4 - year / 100 + days_before(month) + day - 1 - EPOCH
}

fn date(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH;
    let era = days.div_euclid(ERA);
    let of_era = days.rem_euclid(ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - days_before(month) + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(time in parse(b"0001-01-01 00:00:00").expect("first")
            ..=parse(b"9999-12-31 23:59:59.999999").expect("last"))
        {
            let text = format(time);
            prop_assert_eq!(text.len(), 26);
            prop_assert_eq!(parse(text.as_bytes()), Some(time));
            prop_assert_eq!(parse(text.replace(' ', "T").as_bytes()), Some(time));
            prop_assert_eq!(parse(format!("{text}Z").as_bytes()), Some(time));
        }

        #[test]
        fn any_other_text_is_refused_without_a_panic(text in "[0-9TZ: .+-]{0,30}") {
            if let Some(time) = parse(text.as_bytes()) {
                let canonical = format(time);
                let given = text.trim_end_matches('Z').replace('T', " ");
                prop_assert!(canonical.starts_with(given.trim_end_matches('0').trim_end_matches('.')));
            }
        }
    }

    #[test]
    fn known_times() {
        for (text, time) in [
            ("1970-01-01 00:00:00", 0),
            ("1970-01-01T00:00:00.000001Z", 1),
            ("1969-12-31 23:59:59.5", -500_000),
            ("2000-02-29 12:00:00.25", 951_825_600_250_000),
            ("2026-07-31 23:59:59.999999", 1_785_542_399_999_999),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(time), "{text}");
        }
        assert_eq!(format(-500_000), "1969-12-31 23:59:59.500000");
    }

    #[test]
    fn no_such_time() {
        for text in [
            "",
            "2026-02-29 00:00:00",
            "1900-02-29 00:00:00",
            "2026-13-01 00:00:00",
            "2026-04-31 00:00:00",
            "2026-01-01 24:00:00",
            "2026-01-01 00:60:00",
            "2026-01-01 00:00:60",
            "0000-01-01 00:00:00",
            "2026-01-01",
            "2026-01-01 00:00",
            "2026-01-01 00:00:00.",
            "2026-01-01 00:00:00.1234567",
            "2026-01-01 00:00:00+00",
            "2026-01-01 00:00:00 Z",
            "2026-1-1 00:00:00",
            " 2026-01-01 00:00:00",
            "2026-01-01 00:00:00ZZ",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
