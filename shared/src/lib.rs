//! The rules that Message Store's Postgres and SQLite extensions share.
//!
//! Everything that decides lives here: how a stream name is read, which hash places it, which arguments are refused
//! and with which words, what an id or a JSON text looks like once stored. The extensions only carry out.
//! There is no I/O and no database API in this crate.
//!
//! Stream names, categories and types are taken as bytes: both engines hand them over as bytes, a Postgres database
//! need not be UTF-8, and every rule about them concerns ASCII characters only.
#![forbid(unsafe_code)]

pub mod arguments;
pub mod batch;
pub mod consumer_group;
pub mod consumer_position;
pub mod encoding;
pub mod error;
pub mod expected_version;
pub mod hash;
pub mod json;
pub mod lock_key;
pub mod message_id;
pub mod namespace_name;
pub mod namespace_option;
pub mod retention;
pub mod stream_name;
pub mod time;

pub use error::{Error, Result};

/// The version of Message DB whose contract is kept, as `message_store_version()` answers it.
pub const MESSAGE_DB_VERSION: &str = "1.3.0";

/// The product's own version, as `message_store_release()` answers it.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");
