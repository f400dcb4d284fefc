//! JSON text in the canonical form of Postgres' jsonb, and Postgres' errors for text that is not JSON.
//!
//! `canonical` gives what Postgres 15 prints for `(text::jsonb)::text` in a UTF-8 database, and its exact error
//! otherwise: keys without duplicates, the last one wins, ordered by byte length, then by bytes; numbers written out
//! with the scale they were given; escapes only where JSON needs them.
//!
//! Three limits are not exactly Postgres' own:
//! - the depth, which Postgres bounds by its stack (`MAX_DEPTH` says how);
//! - the size of an array or object, which in jsonb is 256 MiB less one byte; here only a string is held to that;
//! - the size of the canonical text, which in Postgres is 1 GiB less one byte and met when the text is read; here all
//!   numbers together are held to that, since only they can grow by much.

mod canonical;
mod key_order;
mod lexer;
mod number;
mod ordinary;
mod parser;
mod string;
mod syntax_error;
mod value;

pub use ordinary::{Member, Object, Objects};
pub use value::Value;

use crate::encoding;
use crate::error::Result;
use std::borrow::Cow;

/// How many arrays and objects may be open at once.
///
/// Postgres 15 with its default `max_stack_depth` of 2 MB was measured to take 14,522 arrays, 13,070 objects, or 13,758
/// of both in turn. Its limit differs between builds and with the caller, so this one stays well below: what is
/// accepted here is accepted there.
pub const MAX_DEPTH: usize = 6_000;

/// The text that Postgres prints for this JSON once it is jsonb.
///
/// Fails with `Error::InvalidJson`, which carries Postgres' SQLSTATE, message and detail.
pub fn canonical(text: &[u8]) -> Result<String> {
    canonical_text(encoding::utf8(text)?).map(Cow::into_owned)
}

/// The same, without a copy where the text is in canonical form already.
pub fn canonical_text(text: &str) -> Result<Cow<'_, str>> {
    match ordinary::canonical(text) {
        Some(text) => Ok(text),
        None => parsed(text).map(Cow::Owned),
    }
}

/// What `canonical` gives, by the parser.
fn parsed(text: &str) -> Result<String> {
    // For zero bytes, which are UTF-8.
    encoding::check(text.as_bytes())?;
    let mut sink = canonical::Text::with_capacity(text.len());
    parser::parse(text, &mut sink)?;
    Ok(sink.finish())
}

/// Reads JSON text. Fails as `canonical` does; what is read prints as the text `canonical` gives.
pub fn parse(text: &[u8]) -> Result<Value> {
    let mut sink = value::Tree::default();
    parser::parse(encoding::utf8(text)?, &mut sink)?;
    Ok(sink.finish())
}

/// The objects of an array, each member's value as canonical text. `None` for all that is not as simple as that, whether
/// it is JSON or not: `parse` tells.
pub fn objects(text: &str) -> Option<Objects<'_>> {
    ordinary::objects(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_short_way_gives_what_the_parser_gives(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "{}", "[", "]", "[]", ",", ", ", ":", ": ", " ", "\n", "\t ", "\"", "\\", "\"a\"", "\"aa\"", "\"b\"",
                    "\"\\u0061\"", "\"\\n\"", "\"\\/\"", "\"\\\"", "\"é\"", "\"\u{1}\"", "\"\u{7f}\"", "0", "-0", "-0.0", "-", "1", "01",
                    "12.50", "1.", ".5", "1e2", "1E", "true", "false", "null", "nul", "x", "\0",
                    "{\"a\":1,\"b\":[2]}", "{\"b\":1, \"a\":2}", "{\"a\":1, \"a\":2}", "{\"a\": {\"b\": \"c\"}}",
                ]),
                0..10,
            ),
        ) {
            let text = pieces.concat();
            let expected = parsed(&text);
            prop_assert_eq!(canonical(text.as_bytes()), expected.clone());
            if let Some(found) = ordinary::canonical(&text) {
                prop_assert_eq!(Ok(found.into_owned()), expected);
            }
        }

        #[test]
        fn the_short_way_gives_what_the_parser_gives_for_members(
            members in prop::collection::vec(
                (prop::sample::select(vec!["\"a\"", "\"b\"", "\"ab\"", " \"ba\" "]), prop::sample::select(vec![
                    "1", " -2.50", "-0", "[ ]", "[1 ,2]", "\"x\\ny\"", "{ }", "{\"b\" : 1}", "{\"b\":1,\"a\":2}", "true ", "1e3",
                ])),
                0..4,
            ),
        ) {
            let members: Vec<String> = members.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
            let text = format!("{{{}}}", members.join(","));
            prop_assert_eq!(canonical(text.as_bytes()), parsed(&text));
        }
    }
}
