//! SQLite's C interface behind safe types. All of the crate's `unsafe` is here and in `entry`.

pub mod arguments;

pub mod db;
pub mod guard;
pub mod hooks;
mod row_values;
pub mod rows;
pub mod scalar;
pub mod statement;
pub mod table_function;
