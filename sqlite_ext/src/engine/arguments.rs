//! The arguments of a function call.

use std::ffi::c_int;
use std::slice;

use message_store_core::{Error, encoding};
use rusqlite::ffi;

use crate::errors::Result;

/// The most arguments a function has: `get_category_messages` with its namespace.
pub const MAX_ARGUMENTS: usize = 8;

/// The arguments by number, from 0. One that was not given is NULL.
pub struct Arguments<'a> {
    values: [*mut ffi::sqlite3_value; MAX_ARGUMENTS],
    /// Those that are texts, once they were checked.
    texts: [Option<&'a str>; MAX_ARGUMENTS],
}

impl<'a> Arguments<'a> {
    /// The arguments of a callback: its values in order, and the number of the argument that each one is.
    ///
    /// # Safety
    /// The values must be protected ones and outlive the result, as those handed to a callback do until it returns.
    pub unsafe fn new(values: impl IntoIterator<Item = (usize, *mut ffi::sqlite3_value)>) -> Self {
        let mut arguments = [std::ptr::null_mut(); MAX_ARGUMENTS];
        for (number, value) in values {
            if let Some(argument) = arguments.get_mut(number) {
                *argument = value;
            }
        }
        Self { values: arguments, texts: [None; MAX_ARGUMENTS] }
    }

    /// How many were given, counted up to the last one.
    pub fn count(&self) -> usize {
        self.values.iter().rposition(|value| !value.is_null()).map_or(0, |last| last + 1)
    }

    fn kind(&self, number: usize) -> c_int {
        let value = self.values[number];
        if value.is_null() {
            return ffi::SQLITE_NULL;
        }
        // SAFETY: not null, and alive as `new` asks for.
        unsafe { ffi::sqlite3_value_type(value) }
    }

    /// A text, as bytes. A number is taken as SQLite prints it, a blob as the bytes it is.
    pub fn text(&self, number: usize) -> Option<&'a [u8]> {
        self.texts[number].map(str::as_bytes).or_else(|| self.read_text(number))
    }

    /// The same as UTF-8.
    pub fn utf8(&self, number: usize) -> Result<Option<&'a str>> {
        match self.texts[number] {
            None => Ok(self.read_text(number).map(encoding::utf8).transpose()?),
            text => Ok(text),
        }
    }

    fn read_text(&self, number: usize) -> Option<&'a [u8]> {
        match self.kind(number) {
            ffi::SQLITE_NULL => None,
            kind => Some(self.bytes(number, kind)),
        }
    }

    /// The text of an argument of that kind, which is not NULL.
    fn bytes(&self, number: usize, kind: c_int) -> &'a [u8] {
        let value = self.values[number];
        // SAFETY: the value is alive; its bytes stay where they are until it is converted again, and asking once more
        // in the same form converts nothing. The length is asked for first, which makes text UTF-8 where it is not; a
        // blob is then had without the copy that puts a NUL behind it.
        unsafe {
            if kind == ffi::SQLITE_INTEGER || kind == ffi::SQLITE_FLOAT {
                ffi::sqlite3_value_text(value);
            }
            let length = usize::try_from(ffi::sqlite3_value_bytes(value)).unwrap_or(0);
            let start = ffi::sqlite3_value_blob(value).cast::<u8>();
            if start.is_null() { &[] } else { slice::from_raw_parts(start, length) }
        }
    }

    /// Refuses texts that Postgres would not have let in: one with a zero byte would be cut off there by some of SQLite's
    /// own functions and not by others, and belong to two categories.
    pub fn check_texts(&mut self) -> Result<()> {
        for number in 0..self.count() {
            let kind = self.kind(number);
            if kind == ffi::SQLITE_TEXT || kind == ffi::SQLITE_BLOB {
                let text = self.bytes(number, kind);
                encoding::check(text)?;
                // SAFETY: what is no UTF-8 was refused. The bytes stay where they are: the value is a text or a blob, and
                // nothing asks for it in another form.
                self.texts[number] = Some(unsafe { str::from_utf8_unchecked(text) });
            }
        }
        Ok(())
    }

    /// An integer. Some hosts bind every number as a real, so a whole one is taken as well; text is read as Postgres
    /// reads a literal.
    pub fn integer(&self, number: usize) -> Result<Option<i64>> {
        let value = self.values[number];
        match self.kind(number) {
            ffi::SQLITE_NULL => Ok(None),
            // SAFETY: `kind` has found the value alive.
            ffi::SQLITE_INTEGER => Ok(Some(unsafe { ffi::sqlite3_value_int64(value) })),
            ffi::SQLITE_FLOAT => {
                // SAFETY: likewise.
                let real = unsafe { ffi::sqlite3_value_double(value) };
                whole(real).map(Some).ok_or_else(|| Error::InvalidInteger(real.to_string()).into())
            }
            _ => {
                let text = String::from_utf8_lossy(self.text(number).unwrap_or_default());
                parse_integer(&text).map(Some)
            }
        }
    }

    /// A boolean: 0 or not 0, or a text that Postgres reads as one.
    pub fn boolean(&self, number: usize) -> Result<Option<bool>> {
        match self.kind(number) {
            ffi::SQLITE_NULL => Ok(None),
            ffi::SQLITE_INTEGER | ffi::SQLITE_FLOAT => Ok(self.integer(number)?.map(|value| value != 0)),
            _ => {
                let text = String::from_utf8_lossy(self.text(number).unwrap_or_default());
                parse_boolean(&text).map(Some).ok_or_else(|| Error::InvalidBoolean(text.into_owned()).into())
            }
        }
    }
}

/// The integer that a real is, if it is one.
fn whole(real: f64) -> Option<i64> {
    // Both bounds are powers of two, so they are exact; the upper one is itself no i64.
    let in_range = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&real);
    #[allow(clippy::cast_possible_truncation)] // whole and in range
    (in_range && real.fract() == 0.0).then_some(real as i64)
}

/// Postgres takes every beginning of these words that is not one of another, in any case.
fn parse_boolean(text: &str) -> Option<bool> {
    let text = text.trim_matches(BLANKS).to_ascii_lowercase();
    let begins = |word: &str, shortest: usize| text.len() >= shortest && word.starts_with(&text);
    if begins("true", 1) || begins("yes", 1) || begins("on", 2) || text == "1" {
        return Some(true);
    }
    (begins("false", 1) || begins("no", 1) || begins("off", 2) || text == "0").then_some(false)
}

/// What Postgres passes over around a number or a boolean.
const BLANKS: [char; 6] = [' ', '\t', '\n', '\r', '\x0b', '\x0c'];

fn parse_integer(text: &str) -> Result<i64> {
    let trimmed = text.trim_matches(BLANKS);
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::InvalidInteger(text.to_owned()).into());
    }
    trimmed.parse().map_err(|_| Error::IntegerOutOfRange(text.to_owned()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_reals_are_integers() {
        assert_eq!(whole(-3.0), Some(-3));
        assert_eq!(whole(9_007_199_254_740_992.0), Some(9_007_199_254_740_992));
        assert_eq!(whole(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        for real in [1.5, 9_223_372_036_854_775_808.0, f64::INFINITY, f64::NAN] {
            assert_eq!(whole(real), None);
        }
    }

    #[test]
    fn booleans_are_read_as_postgres_reads_them() {
        for (wanted, texts) in [
            (Some(true), "t tr TRUE y Yes on 1"),
            (Some(false), "f fals F n no of OFF 0"),
            (None, "o truex 2 yess onn 10 \u{a0}t"),
        ] {
            for text in texts.split(' ') {
                assert_eq!(parse_boolean(text), wanted, "{text}");
            }
        }
        assert_eq!((parse_boolean(""), parse_boolean("\t true\n")), (None, Some(true)));
    }

    #[test]
    fn integers_are_read_as_postgres_reads_them() {
        assert_eq!(parse_integer(" -12 ").expect("integer"), -12);
        assert_eq!(parse_integer("+12").expect("integer"), 12);
        let message = |text| parse_integer(text).expect_err("refused").message();
        assert_eq!(message("1.0"), "invalid input syntax for type bigint: \"1.0\"");
        assert_eq!(message(""), "invalid input syntax for type bigint: \"\"");
        assert_eq!(message("9223372036854775808"), "value \"9223372036854775808\" is out of range for type bigint");
    }
}
