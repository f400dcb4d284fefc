//! SQLite's C interface behind safe types. All of the crate's `unsafe` is here and in `entry`.

pub mod arguments;
pub mod closing_hook;
pub mod db;
pub mod guard;
mod row_values;
pub mod rows;
pub mod scalar;
pub mod statement;
pub mod table_function;
