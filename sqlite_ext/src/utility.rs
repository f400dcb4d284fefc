//! The functions that only read their argument: usable in indexes, views and triggers.

use std::rc::Rc;

use message_store_core::{MESSAGE_DB_VERSION, RELEASE, hash, stream_name};

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::scalar::{Answer, Purity, Scalar};
use crate::errors::Result;

/// The functions of this module.
pub const FUNCTIONS: [Scalar; 7] = [
    Scalar { name: "category", arguments: (1, 1), purity: Purity::Pure, work: category },
    Scalar { name: "id", arguments: (1, 1), purity: Purity::Pure, work: id },
    Scalar { name: "cardinal_id", arguments: (1, 1), purity: Purity::Pure, work: cardinal_id },
    Scalar { name: "is_category", arguments: (1, 1), purity: Purity::Pure, work: is_category },
    Scalar { name: "hash_64", arguments: (1, 1), purity: Purity::Pure, work: hash_64 },
    Scalar { name: "message_store_version", arguments: (0, 0), purity: Purity::Pure, work: message_store_version },
    Scalar { name: "message_store_release", arguments: (0, 0), purity: Purity::Pure, work: message_store_release },
];

fn category<'a>(_: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    Ok(arguments.text(0).map(stream_name::category).into())
}

fn id<'a>(_: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    Ok(arguments.text(0).and_then(stream_name::id).into())
}

fn cardinal_id<'a>(_: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    Ok(arguments.text(0).and_then(stream_name::cardinal_id).into())
}

fn is_category<'a>(_: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    Ok(stream_name::is_category(arguments.text(0)).into())
}

fn hash_64<'a>(_: &Rc<Connection>, arguments: &'a Arguments<'a>) -> Result<Answer<'a>> {
    Ok(arguments.text(0).map(hash::hash_64).into())
}

/// The version of Message DB whose contract is kept.
fn message_store_version<'a>(_: &Rc<Connection>, _: &'a Arguments<'a>) -> Result<Answer<'a>> {
    Ok(MESSAGE_DB_VERSION.into())
}

/// The product's own version.
fn message_store_release<'a>(_: &Rc<Connection>, _: &'a Arguments<'a>) -> Result<Answer<'a>> {
    Ok(RELEASE.into())
}
