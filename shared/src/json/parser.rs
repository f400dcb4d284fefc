//! JSON's grammar, in Postgres' order of checks.
//!
//! The parser is always one token ahead of what it hands on: a bad token right after a number is reported before the
//! number's own overflow.

use super::MAX_DEPTH;
use super::lexer::{Kind, Lexer, Token};
use super::number::Numbers;
use super::string::{JsonString, MAX_BYTES};
use super::syntax_error::{string_too_long, too_deep};
use crate::error::Result;
use std::borrow::Cow;

/// What is made of the JSON while it is read.
pub(super) trait Sink<'a> {
    fn null(&mut self);
    fn boolean(&mut self, value: bool);
    /// A number in its canonical text.
    fn number(&mut self, number: Cow<'a, str>);
    fn string(&mut self, value: JsonString<'a>);
    fn begin_array(&mut self);
    fn end_array(&mut self);
    fn begin_object(&mut self);
    fn end_object(&mut self);
    /// The key of the member whose value comes next.
    fn key(&mut self, key: JsonString<'a>);
    /// Another element or member follows.
    fn comma(&mut self);
}

enum Open {
    Array,
    Object,
}

/// Reads the one value that `text` must consist of.
pub(super) fn parse<'a>(text: &'a str, sink: &mut impl Sink<'a>) -> Result<()> {
    let mut lexer = Lexer::new(text);
    let mut numbers = Numbers::default();
    let mut open = Vec::new();
    let mut token = lexer.next()?;
    // Each round starts where a value must stand.
    loop {
        match token.kind {
            Kind::ArrayStart => {
                enter(&mut open, Open::Array)?;
                sink.begin_array();
                token = lexer.next()?;
                if token.kind != Kind::ArrayEnd {
                    continue;
                }
            }
            Kind::ObjectStart => {
                enter(&mut open, Open::Object)?;
                sink.begin_object();
                token = lexer.next()?;
                if token.kind != Kind::ObjectEnd {
                    token = key(token, "string or \"}\"", &mut lexer, sink)?;
                    continue;
                }
            }
            _ => token = scalar(token, &mut lexer, &mut numbers, sink)?,
        }
        // A value is complete, or what was just opened is empty.
        loop {
            match (open.last(), &token.kind) {
                (None, Kind::End) => return Ok(()),
                (None, _) => return Err(token.unexpected("end of input")),
                (Some(Open::Array), Kind::Comma) => {
                    sink.comma();
                    token = lexer.next()?;
                    break;
                }
                (Some(Open::Array), Kind::ArrayEnd) => sink.end_array(),
                (Some(Open::Array), _) => return Err(token.unexpected("\",\" or \"]\"")),
                (Some(Open::Object), Kind::Comma) => {
                    sink.comma();
                    token = lexer.next()?;
                    token = key(token, "string", &mut lexer, sink)?;
                    break;
                }
                (Some(Open::Object), Kind::ObjectEnd) => sink.end_object(),
                (Some(Open::Object), _) => return Err(token.unexpected("\",\" or \"}\"")),
            }
            open.pop();
            token = lexer.next()?;
        }
    }
}

fn enter(open: &mut Vec<Open>, container: Open) -> Result<()> {
    if open.len() == MAX_DEPTH {
        return Err(too_deep());
    }
    open.push(container);
    Ok(())
}

/// Hands on a scalar and gives the token after it.
fn scalar<'a>(
    token: Token<'a>,
    lexer: &mut Lexer<'a>,
    numbers: &mut Numbers,
    sink: &mut impl Sink<'a>,
) -> Result<Token<'a>> {
    let (Kind::String(_) | Kind::Number | Kind::Boolean(_) | Kind::Null) = token.kind else {
        return Err(token.unexpected("JSON value"));
    };
    let next = lexer.next()?;
    match token.kind {
        Kind::String(value) => sink.string(limited(value)?),
        Kind::Number => sink.number(numbers.canonical(token.text)?),
        Kind::Boolean(value) => sink.boolean(value),
        _ => sink.null(),
    }
    Ok(next)
}

/// Hands on a key and gives the first token of the member's value.
fn key<'a>(token: Token<'a>, expected: &str, lexer: &mut Lexer<'a>, sink: &mut impl Sink<'a>) -> Result<Token<'a>> {
    let Kind::String(key) = token.kind else {
        return Err(token.unexpected(expected));
    };
    let colon = lexer.next()?;
    if colon.kind != Kind::Colon {
        return Err(colon.unexpected("\":\""));
    }
    let next = lexer.next()?;
    sink.key(limited(key)?);
    Ok(next)
}

fn limited(string: JsonString<'_>) -> Result<JsonString<'_>> {
    if string.as_str().len() > MAX_BYTES { Err(string_too_long()) } else { Ok(string) }
}
