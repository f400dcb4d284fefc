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
mod encoding;
mod key_order;
mod lexer;
mod number;
mod parser;
mod string;
mod syntax_error;
mod value;

pub use value::Value;

use crate::error::Result;

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
    let text = encoding::utf8(text)?;
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
