//! Message Store for Postgres.
//!
//! This crate is the glue between Postgres and the rules in `message-store-core`: it reads a call's arguments, lets the
//! core decide, and carries out. The SQL that declares the functions, tables and views is in `sql/postgres`.

mod all_messages;
mod append_lock;
mod arrays;
mod batch;
mod call;
mod category_messages;
mod commit_pipelining;
mod consumer_positions;
mod create_namespace;
mod delete_namespace;
mod direct_insert;
mod direct_scan;
mod durability;
mod encoding;
mod expression_tree;
mod grants;
mod horizon;
mod import;
mod jsonb;
mod jsonb_text;
mod last_message;
mod listings;
mod lock;
mod lock_tag;
mod message_row;
mod names;
mod namespace;
mod namespace_listings;
mod notices;
mod notify;
mod position_hints;
mod postgres_error;
mod postgres_version;
mod registry;
mod report;
mod retention;
mod row_memory;
mod rows;
mod set_namespace_option;
mod setting_guard;
mod settings;
mod spi;
mod statements;
mod stats;
mod store_objects;
mod stream_heads;
mod stream_messages;
mod stream_version;
mod table_indexes;
mod table_layout;
mod text_buffer;
mod transaction_memory;
mod write;
mod write_messages;

pgrx::pg_module_magic!(name, version);

/// Postgres calls it when it loads the library.
#[unsafe(no_mangle)]
extern "C-unwind" fn _PG_init() {
    settings::define();
    message_store_core::error::decode_by(encoding::decoded);
}

pgrx::extension_sql_file!("../../sql/postgres/extension/adoption.sql", name = "adoption", bootstrap);
pgrx::extension_sql_file!("../../sql/postgres/extension/types.sql", name = "types");
pgrx::extension_sql_file!("../../sql/postgres/extension/name_functions.sql", name = "name_functions");
pgrx::extension_sql_file!(
    "../../sql/postgres/extension/message_functions.sql",
    name = "message_functions",
    requires = ["types", "name_functions"]
);
pgrx::extension_sql_file!("../../sql/postgres/extension/registry.sql", name = "registry");
pgrx::extension_sql_file!("../../sql/postgres/extension/namespace_functions.sql", name = "namespace_functions");
pgrx::extension_sql_file!("../../sql/postgres/extension/default_store.sql", name = "default_store", finalize);

#[cfg(any(test, feature = "pg_test"))]
mod tests;

#[cfg(test)]
pub mod pg_test;
