//! Message Store for SQLite: an event and message store as SQL functions, in the user's own file.
//!
//! A Rust program registers the functions on a connection and uses them from SQL:
//!
//! ```
//! use message_store_sqlite::rusqlite::{Connection, Result};
//!
//! # fn main() -> Result<()> {
//! let connection = Connection::open_in_memory()?;
//! message_store_sqlite::register(&connection)?;
//! let position: i64 = connection.query_row(
//!     "SELECT write_message(NULL, 'account-1', 'Opened', '{\"owner\": \"Ada\"}')",
//!     [],
//!     |row| row.get(0),
//! )?;
//! assert_eq!(position, 0);
//! # Ok(())
//! # }
//! ```
//!
//! Any other host loads `message-store-sqlite-loadable`, the same functions as an extension.

mod all_messages;
mod batch;
mod category_messages;
mod condition;
mod connection;
mod consumer_positions;
mod engine;
#[cfg(feature = "loadable")]
pub mod entry;
mod errors;
mod import;
mod insert;
mod last_message;
mod listings;
mod lock;
mod message_rows;
mod namespace_file;
mod namespace_functions;
mod namespaces;
mod newest;
#[cfg(debug_assertions)]
mod provoked;
mod register;
mod registry;
mod retention;
mod schema;
mod settings;
mod statements;
mod stats;
mod store;
mod stream_messages;
mod stream_version;
mod transaction;
mod undo;
mod utility;
mod write;
mod write_messages;

pub use register::register;
pub use rusqlite;
