//! JSON strings: what their escapes stand for, and how Postgres writes them.

use super::syntax_error::{invalid_token, syntax, zero_character};
use crate::error::{Error, Result};

/// The most bytes of a string, a key included, in jsonb: what a 28-bit length holds.
pub(super) const MAX_BYTES: usize = 0x0fff_ffff;

/// What a string in JSON text stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JsonString<'a> {
    /// It has no escapes, so it needs none to be written either.
    Plain(&'a str),
    Unescaped(String),
}

impl JsonString<'_> {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Plain(value) => value,
            Self::Unescaped(value) => value,
        }
    }

    pub fn into_string(self) -> String {
        match self {
            Self::Plain(value) => value.to_owned(),
            Self::Unescaped(value) => value,
        }
    }

    /// Appends the string as `write` does, without a search for what to escape where there is nothing.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Plain(value) => {
                out.push('"');
                out.push_str(value);
                out.push('"');
            }
            Self::Unescaped(value) => write(out, value),
        }
    }
}

/// Reads the string that starts with the quote at `start`, and tells where the text goes on.
pub(super) fn read(text: &str, start: usize) -> Result<(JsonString<'_>, usize)> {
    let content = start + 1;
    let end = plain_end(text, content);
    match text.as_bytes().get(end) {
        Some(b'"') => Ok((JsonString::Plain(&text[content..end]), end + 1)),
        Some(b'\\') => Unescape { text, start, at: end, value: text[content..end].to_owned(), high: None }
            .run()
            .map(|(value, end)| (JsonString::Unescaped(value), end)),
        Some(&control) => Err(must_be_escaped(control)),
        None => Err(invalid_token(&text[start..])),
    }
}

/// The first quote, backslash or control character from `at` on, or the end of the text.
fn plain_end(text: &str, at: usize) -> usize {
    let plain = |byte: &u8| *byte != b'"' && *byte != b'\\' && *byte >= b' ';
    at + text.as_bytes()[at..].iter().take_while(|byte| plain(byte)).count()
}

fn must_be_escaped(control: u8) -> Error {
    syntax(format!("Character with value 0x{control:02x} must be escaped."))
}

/// A string with escapes, while it is read.
struct Unescape<'a> {
    text: &'a str,
    /// Where its opening quote stands.
    start: usize,
    /// The next byte to read.
    at: usize,
    value: String,
    /// A high surrogate whose low one must come next.
    high: Option<u32>,
}

impl Unescape<'_> {
    fn run(mut self) -> Result<(String, usize)> {
        loop {
            match self.next_byte()? {
                b'"' => {
                    self.no_high_surrogate()?;
                    return Ok((self.value, self.at));
                }
                b'\\' => self.escape()?,
                control if control < b' ' => return Err(must_be_escaped(control)),
                _ => {
                    self.no_high_surrogate()?;
                    let plain = self.at - 1;
                    self.at = plain_end(self.text, self.at);
                    self.value.push_str(&self.text[plain..self.at]);
                }
            }
        }
    }

    fn next_byte(&mut self) -> Result<u8> {
        let byte = self.text.as_bytes().get(self.at).ok_or_else(|| invalid_token(&self.text[self.start..]))?;
        self.at += 1;
        Ok(*byte)
    }

    fn escape(&mut self) -> Result<()> {
        let escaped = match self.next_byte()? {
            b'u' => return self.unicode_escape(),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            plain @ (b'"' | b'\\' | b'/') => char::from(plain),
            _ => {
                self.no_high_surrogate()?;
                let unknown = self.text[self.at - 1..].chars().next().unwrap_or_default();
                return Err(syntax(format!("Escape sequence \"\\{unknown}\" is invalid.")));
            }
        };
        self.no_high_surrogate()?;
        self.value.push(escaped);
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<()> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.next_byte()?).to_digit(16);
            unit = unit << 4 | digit.ok_or_else(|| syntax("\"\\u\" must be followed by four hexadecimal digits."))?;
        }
        let code_point = match (unit, self.high) {
            (0xd800..=0xdbff, None) => {
                self.high = Some(unit);
                return Ok(());
            }
            (0xd800..=0xdbff, Some(_)) => {
                return Err(syntax("Unicode high surrogate must not follow a high surrogate."));
            }
            (0xdc00..=0xdfff, Some(high)) => {
                self.high = None;
                0x10000 + ((high & 0x3ff) << 10 | unit & 0x3ff)
            }
            _ => unit,
        };
        self.no_high_surrogate()?;
        match char::from_u32(code_point) {
            Some('\0') => Err(zero_character()),
            Some(character) => {
                self.value.push(character);
                Ok(())
            }
            None => Err(surrogate_alone()),
        }
    }

    fn no_high_surrogate(&self) -> Result<()> {
        if self.high.is_some() { Err(surrogate_alone()) } else { Ok(()) }
    }
}

/// The one wording for a high surrogate without a low one and for a low one without a high one.
fn surrogate_alone() -> Error {
    syntax("Unicode low surrogate must follow a high surrogate.")
}

/// Appends the string in quotes, escaped where JSON needs it and nowhere else.
pub(super) fn write(out: &mut String, value: &str) {
    out.push('"');
    let mut rest = value;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..b' ')) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'\x08' => out.push_str("\\b"),
            b'\x0c' => out.push_str("\\f"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            plain @ (b'"' | b'\\') => out.extend(['\\', char::from(plain)]),
            control => out.push_str(&format!("\\u{control:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn detail(text: &str) -> String {
        read(text, 0).expect_err(text).detail().expect("a detail")
    }

    #[test]
    fn a_string_without_escapes_is_plain() {
        assert_eq!(read("x\"é/\u{7f}\" ", 1), Ok((JsonString::Plain("é/\u{7f}"), 7)));
    }

    #[test]
    fn escapes_are_decoded() {
        let text = r#""a\"\\\/\b\f\n\r\t\u00e9\uD83D\ude42z""#;
        assert_eq!(read(text, 0), Ok((JsonString::Unescaped("a\"\\/\u{8}\u{c}\n\r\té🙂z".to_owned()), text.len())));
    }

    #[test]
    fn surrogates_must_pair() {
        let low = "Unicode low surrogate must follow a high surrogate.";
        for text in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ud83d\n""#, r#""\ude42""#, r#""\ud83d\u0041""#] {
            assert_eq!(detail(text), low, "{text}");
        }
        assert_eq!(detail(r#""\ud83d\ud83d""#), "Unicode high surrogate must not follow a high surrogate.");
    }

    #[test]
    fn an_unknown_escape_is_named_by_its_whole_character() {
        assert_eq!(detail("\"\\é\""), "Escape sequence \"\\é\" is invalid.");
    }

    #[test]
    fn only_what_must_be_escaped_is() {
        let mut out = String::new();
        write(&mut out, "\"\\/\u{1}\u{8}\t\n\u{c}\r\u{1f}\u{7f}é🙂");
        assert_eq!(out, "\"\\\"\\\\/\\u0001\\b\\t\\n\\f\\r\\u001f\u{7f}é🙂\"");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in "(?s)[^\0]*") {
            let mut text = String::new();
            write(&mut text, &value);
            let (read, end) = read(&text, 0).expect("a string");
            prop_assert_eq!((read.as_str(), end), (value.as_str(), text.len()));
        }
    }
}
