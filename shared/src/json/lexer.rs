//! JSON text as tokens, cut where Postgres cuts them, so that its errors name the same piece of text.

use super::string::{self, JsonString};
use super::syntax_error::{invalid_token, unexpected};
use crate::error::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Comma,
    Colon,
    String(JsonString<'a>),
    Number,
    Boolean(bool),
    Null,
    /// The end of the text.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub kind: Kind<'a>,
    /// The token as it is written.
    pub text: &'a str,
}

impl Token<'_> {
    /// The error that something else should stand here.
    pub fn unexpected(&self, expected: &str) -> Error {
        unexpected(expected, Some(self.text).filter(|_| self.kind != Kind::End))
    }
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    /// Where the next token, or the space before it, starts.
    at: usize,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token; after the last one, the end again and again.
    pub fn next(&mut self) -> Result<Token<'a>> {
        let bytes = self.text.as_bytes();
        let space = bytes[self.at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        let start = self.at + space;
        let (kind, end) = match bytes.get(start) {
            None => (Kind::End, start),
            Some(b'{') => (Kind::ObjectStart, start + 1),
            Some(b'}') => (Kind::ObjectEnd, start + 1),
            Some(b'[') => (Kind::ArrayStart, start + 1),
            Some(b']') => (Kind::ArrayEnd, start + 1),
            Some(b',') => (Kind::Comma, start + 1),
            Some(b':') => (Kind::Colon, start + 1),
            Some(b'"') => {
                let (value, end) = string::read(self.text, start)?;
                (Kind::String(value), end)
            }
            Some(b'-' | b'0'..=b'9') => (Kind::Number, self.number_end(start)?),
            Some(_) => self.word(start)?,
        };
        self.at = end;
        Ok(Token { kind, text: &self.text[start..end] })
    }

    /// `true`, `false` or `null`. Anything else that looks like a word is named as a whole.
    fn word(&self, start: usize) -> Result<(Kind<'a>, usize)> {
        let end = self.skip(start, is_word);
        let kind = match &self.text[start..end] {
            "true" => Kind::Boolean(true),
            "false" => Kind::Boolean(false),
            "null" => Kind::Null,
            "" => return Err(invalid_token(&self.text[start..=start])),
            word => return Err(invalid_token(word)),
        };
        Ok((kind, end))
    }

    /// Where the number ends that starts at `start`.
    ///
    /// A part that is missing does not end it, nor does a letter: all of `1.e+5x` is the token that is refused.
    fn number_end(&self, start: usize) -> Result<usize> {
        let byte = |at: usize| self.text.as_bytes().get(at).copied();
        let mut valid = true;
        let mut at = start;
        let mut digits = |at: usize| {
            let end = self.skip(at, |byte| byte.is_ascii_digit());
            valid &= end > at;
            end
        };
        if byte(at) == Some(b'-') {
            at += 1;
        }
        at = if byte(at) == Some(b'0') { at + 1 } else { digits(at) };
        if byte(at) == Some(b'.') {
            at = digits(at + 1);
        }
        if let Some(b'e' | b'E') = byte(at) {
            at += 1;
            if let Some(b'+' | b'-') = byte(at) {
                at += 1;
            }
            at = digits(at);
        }
        let end = self.skip(at, is_word);
        if valid && end == at { Ok(end) } else { Err(invalid_token(&self.text[start..end])) }
    }

    /// The first byte from `at` on that `class` does not hold.
    fn skip(&self, at: usize, class: impl Fn(u8) -> bool) -> usize {
        at + self.text.as_bytes()[at..].iter().take_while(|&&byte| class(byte)).count()
    }
}

/// Whether Postgres counts the byte as part of a word: every character beyond ASCII is.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<Vec<String>> {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        loop {
            match lexer.next()? {
                Token { kind: Kind::End, .. } => return Ok(tokens),
                token => tokens.push(token.text.to_owned()),
            }
        }
    }

    #[test]
    fn tokens_need_no_space_between_them() {
        let tokens = tokens("{\"a\":[-1.5e+3,true\t]\n}null").expect("tokens");
        assert_eq!(tokens, ["{", "\"a\"", ":", "[", "-1.5e+3", ",", "true", "]", "}", "null"]);
    }

    #[test]
    fn what_is_refused_is_named_as_postgres_cuts_it() {
        for (text, token) in [
            ("01", "01"),
            ("-", "-"),
            ("-.5e", "-.5e"),
            ("1.", "1."),
            ("1.e+5x", "1.e+5x"),
            ("1e+-", "1e+"),
            ("1é,", "1é"),
            ("+1", "+"),
            ("nulls]", "nulls"),
            ("日本 語", "日本"),
            ("\u{7f}", "\u{7f}"),
            ("\"a\\", "\"a\\"),
        ] {
            let error = tokens(text).expect_err(text);
            assert_eq!(error.detail(), Some(format!("Token \"{token}\" is invalid.")), "{text}");
        }
    }
}
