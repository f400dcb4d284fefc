//! JSON numbers as Postgres' numeric reads and writes them: exact, with the scale they were given, no exponent.

use super::syntax_error::{number_overflow, text_too_long};
use crate::error::Result;
use std::borrow::Cow;

/// The most digits before the decimal point.
const MAX_WHOLE_DIGITS: usize = 131_072;
/// The most digits after the decimal point, zeros included.
const MAX_SCALE: usize = 16_383;
/// An exponent of this size is refused whatever the digits are, even for zero.
const EXPONENT_LIMIT: u64 = i32::MAX as u64 / 2;

/// The most bytes of a text in Postgres.
const MAX_TEXT_BYTES: usize = 0x3fff_ffff;

/// The numbers of one document.
///
/// `1e131071` is eight bytes that become 131,072, so a short text could ask for any amount of memory.
#[derive(Default)]
pub(super) struct Numbers {
    /// How many bytes all of them have in canonical text.
    bytes: usize,
}

impl Numbers {
    /// The canonical text of the next number, as long as all of them together fit a text.
    pub fn canonical<'a>(&mut self, literal: &'a str) -> Result<Cow<'a, str>> {
        let number = canonical(literal)?;
        if self.bytes + number.len() > MAX_TEXT_BYTES {
            return Err(text_too_long(self.bytes, number.len()));
        }
        self.bytes += number.len();
        Ok(number)
    }
}

/// The canonical text of a number, given as JSON's grammar has it.
fn canonical(literal: &str) -> Result<Cow<'_, str>> {
    if let Some((mantissa, exponent)) = literal.split_once(['e', 'E']) {
        return expand(mantissa, exponent).map(Cow::Owned);
    }
    let unsigned = literal.strip_prefix('-').unwrap_or(literal);
    let (whole, fraction) = parts(unsigned);
    if whole.len() > MAX_WHOLE_DIGITS || fraction.len() > MAX_SCALE {
        return Err(number_overflow());
    }
    Ok(Cow::Borrowed(if is_zero(unsigned) { unsigned } else { literal }))
}

/// The digits before and after the decimal point.
fn parts(unsigned: &str) -> (&str, &str) {
    unsigned.split_once('.').unwrap_or((unsigned, ""))
}

fn is_zero(unsigned: &str) -> bool {
    unsigned.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

/// Moves the decimal point by the exponent.
fn expand(mantissa: &str, exponent: &str) -> Result<String> {
    let exponent = exponent_value(exponent).ok_or_else(number_overflow)?;
    let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = parts(unsigned);

    let scale = count(fraction.len()).saturating_sub(exponent).max(0);
    let scale = usize::try_from(scale).ok().filter(|&scale| scale <= MAX_SCALE).ok_or_else(number_overflow)?;

    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0');
    // How many of the significant digits stand before the point; negative when zeros follow it first.
    let before = count(whole.len()) + exponent - count(digits.len() - significant.len());

    let mut out = String::new();
    if significant.is_empty() {
        out.push('0');
    } else {
        let before = usize::try_from(before).unwrap_or(0);
        if before > MAX_WHOLE_DIGITS {
            return Err(number_overflow());
        }
        if mantissa.len() > unsigned.len() {
            out.push('-');
        }
        let whole = significant.get(..before).unwrap_or(significant);
        out.push_str(if before == 0 { "0" } else { whole });
        zeros(&mut out, before - whole.len());
    }
    if scale > 0 {
        let fraction = usize::try_from(before).map_or(significant, |before| significant.get(before..).unwrap_or(""));
        out.push('.');
        zeros(&mut out, scale - fraction.len());
        out.push_str(fraction);
    }
    Ok(out)
}

/// The exponent, when it is small enough to be looked at.
fn exponent_value(exponent: &str) -> Option<i64> {
    // The lexer let only digits and a sign through, so this fails only on what does not fit.
    exponent.parse().ok().filter(|value: &i64| value.unsigned_abs() < EXPONENT_LIMIT)
}

/// A length as a signed number; no text in memory is too long for that.
fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn zeros(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n('0', count));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overflows(literal: &str) -> bool {
        canonical(literal).is_err_and(|error| error.sqlstate() == "22003")
    }

    #[test]
    fn the_scale_is_kept() {
        for literal in ["0", "-1", "1.50", "0.000", "-0.10", "12345678901234567890.5"] {
            assert_eq!(canonical(literal), Ok(Cow::Borrowed(literal)));
        }
    }

    #[test]
    fn zero_has_no_sign() {
        for (literal, text) in [("-0", "0"), ("-0.00", "0.00"), ("-0e5", "0"), ("-0.00e1", "0.0"), ("0e-3", "0.000")] {
            assert_eq!(canonical(literal).as_deref(), Ok(text));
        }
    }

    #[test]
    fn exponents_are_written_out() {
        for (literal, text) in [
            ("1e2", "100"),
            ("1E+02", "100"),
            ("1.5e3", "1500"),
            ("-1.5e-3", "-0.0015"),
            ("12.50e1", "125.0"),
            ("12.50e2", "1250"),
            ("12.50e-1", "1.250"),
            ("12.50e-2", "0.1250"),
            ("0.05e1", "0.5"),
            ("0.05e3", "50"),
            ("0.0012e3", "1.2"),
            ("100e-2", "1.00"),
            ("1e0", "1"),
            ("1e-0", "1"),
        ] {
            assert_eq!(canonical(literal).as_deref(), Ok(text), "{literal}");
        }
    }

    #[test]
    fn numerics_limits_hold() {
        let nines = "9".repeat(MAX_WHOLE_DIGITS);
        assert_eq!(canonical(&nines).as_deref(), Ok(nines.as_str()));
        assert!(overflows(&format!("{nines}0")));
        assert_eq!(canonical("1e131071").map(|text| text.len()), Ok(MAX_WHOLE_DIGITS));
        assert!(overflows("1e131072") && overflows("10e131071") && !overflows("0.1e131072"));
        assert_eq!(canonical("1e-16383").map(|text| text.len()), Ok(MAX_SCALE + 2));
        assert!(overflows("1e-16384") && overflows("1.0e-16383") && overflows("0e-16384"));
        assert!(overflows(&format!("0.{}", "0".repeat(MAX_SCALE + 1))));
    }

    #[test]
    fn numbers_that_no_text_can_hold_are_refused() {
        let mut numbers = Numbers { bytes: MAX_TEXT_BYTES - 3 };
        assert_eq!(numbers.canonical("1e2").as_deref(), Ok("100"));
        assert_eq!(numbers.canonical("5").map_err(|error| error.sqlstate()), Err("54000"));
    }

    #[test]
    fn only_the_largest_exponents_overflow_on_zero() {
        assert_eq!(canonical("0e1073741822").as_deref(), Ok("0"));
        assert!(overflows("0e1073741823") && overflows("0e-1073741823"));
        assert!(overflows("0e9223372036854775807") && overflows("0e-9223372036854775808"));
        assert!(overflows("0e99999999999999999999") && overflows("0e-99999999999999999999"));
        assert_eq!(canonical("5e00000000000000000000001").as_deref(), Ok("50"));
    }
}
