//! What each role gets from each function.
//!
//! An entry has the arguments of the call, in which NS is the namespace it is about, SELF the role that calls,
//! MESSAGE the id of a message that is there and POSITION a global position that is still free, and the outcome for each of
//! [`ROLES`](super::ROLES), first in the default namespace, then in another one: `ok` or the SQLSTATE. The owner of the
//! default namespace is the superuser, who owns the registry as well.

/// A function, its arguments, and what comes of the call.
pub struct Entry {
    pub function: &'static str,
    pub arguments: &'static str,
    pub in_default: &'static str,
    pub in_other: &'static str,
}

const fn entry(
    function: &'static str,
    arguments: &'static str,
    in_default: &'static str,
    in_other: &'static str,
) -> Entry {
    Entry { function, arguments, in_default, in_other }
}

const IMPORTED: &str = r#"'[{"id": "00000000-0000-4000-8000-0000000000ff", "stream_name": "imported-1", "type": "T",
    "position": 0, "global_position": POSITION, "time": "2026-01-31 12:00:00"}]', 'NS'"#;

pub const TABLE: &[Entry] = &[
    //                                                      owner admin writer reader guest message_store
    entry("write_message", "NULL, 'account-1', 'T', '{}', NULL, NULL, 'NS'",
          "ok    ok    ok    42501 42501 ok   ", "ok    ok    ok    42501 42501 42501"),
    entry("write_messages", r#"'account-1', '[{"type": "T"}]', NULL, 'NS'"#,
          "ok    ok    ok    42501 42501 ok   ", "ok    ok    ok    42501 42501 42501"),
    entry("import_messages", IMPORTED,
          "ok    42501 42501 42501 42501 42501", "ok    42501 42501 42501 42501 42501"),
    entry("get_stream_messages", "'account-1', 0, 10, NULL, 'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    entry("get_category_messages", "'account', 1, 10, NULL, NULL, NULL, NULL, 'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    entry("get_category_messages", "'account', 1, 10, 'other', 0, 2, NULL, 'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    entry("get_last_stream_message", "'account-1', NULL, 'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    entry("get_all_messages", "1, 10, 'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    entry("stream_version", "'account-1', 'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    entry("list_streams", "NULL, NULL, 10, 'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    entry("list_categories", "'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    // For who administers the namespace, which neither reading nor writing includes.
    entry("delete_stream", "'account-1', 'NS'",
          "ok    ok    42501 42501 42501 42501", "ok    ok    42501 42501 42501 42501"),
    entry("truncate_stream", "'account-1', 1, 'NS'",
          "ok    ok    42501 42501 42501 42501", "ok    ok    42501 42501 42501 42501"),
    entry("redact_message", "'MESSAGE', 'NS'",
          "ok    ok    42501 42501 42501 42501", "ok    ok    42501 42501 42501 42501"),
    entry("redact_message", "'00000000-0000-4000-8000-00000000dead', 'NS'",
          "P0001 P0001 42501 42501 42501 42501", "P0001 P0001 42501 42501 42501 42501"),
    entry("record_consumer_position", "'account', 'totals', 1, false, 'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    entry("consumer_positions", "NULL, 'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    entry("stats", "'NS'",
          "ok    ok    ok    ok    42501 ok   ", "ok    ok    ok    ok    42501 42501"),
    // It takes the schema's privilege alone, as Message DB's does.
    entry("acquire_lock", "'account-1', 'NS'",
          "ok    ok    ok    ok    ok    ok   ", "ok    ok    ok    ok    42501 42501"),
    entry("create_namespace", "'made-by-SELF'",
          "ok    42501 42501 42501 42501 42501", "ok    42501 42501 42501 42501 42501"),
    entry("create_namespace", "'NS'",
          "P0001 P0001 P0001 P0001 P0001 P0001", "P0001 P0001 P0001 P0001 P0001 P0001"),
    entry("register_namespace", "'NS'",
          "P0001 P0001 P0001 P0001 P0001 P0001", "P0001 P0001 P0001 P0001 P0001 P0001"),
    entry("delete_namespace", "'NS'",
          "P0001 P0001 P0001 P0001 P0001 P0001", "ok    42501 42501 42501 42501 42501"),
    entry("delete_namespace", "'NS', true",
          "P0001 P0001 P0001 P0001 P0001 P0001", "ok    42501 42501 42501 42501 42501"),
    entry("clear_namespace", "'NS'",
          "ok    42501 42501 42501 42501 42501", "ok    42501 42501 42501 42501 42501"),
    // The registry's owner alone reads token hashes.
    entry("get_namespace", "'NS'",
          "ok    42501 42501 42501 42501 42501", "42501 42501 42501 42501 42501 42501"),
    entry("list_namespaces", "",
          "ok    ok    ok    ok    ok    ok   ", "ok    ok    ok    ok    ok    ok   "),
    entry("grant_namespace", "'NS', 'SELF', 'write'",
          "ok    42501 42501 42501 42501 42501", "ok    42501 42501 42501 42501 42501"),
    entry("revoke_namespace", "'NS', 'SELF'",
          "ok    42501 42501 42501 42501 42501", "ok    42501 42501 42501 42501 42501"),
    entry("set_namespace_option", "'NS', 'append_lock', 'stream'",
          "ok    42501 42501 42501 42501 42501", "ok    42501 42501 42501 42501 42501"),
    entry("category", "'account-1'", EVERYONE, EVERYONE),
    entry("id", "'account-1'", EVERYONE, EVERYONE),
    entry("cardinal_id", "'account-1'", EVERYONE, EVERYONE),
    entry("is_category", "'account-1'", EVERYONE, EVERYONE),
    entry("hash_64", "'account-1'", EVERYONE, EVERYONE),
    entry("message_store_version", "", EVERYONE, EVERYONE),
    entry("message_store_release", "", EVERYONE, EVERYONE),
    // A trigger's function, for nobody to call.
    entry("registry_changed", "", NOBODY, NOBODY),
];

/// The one message that there is, at position 0 of `account-1`.
pub const MESSAGE: &str = "00000000-0000-4000-8000-000000000001";

/// What a role that owns the default store, and not the registry, gets instead of the superuser's outcome.
pub const OWNER_WITHOUT_REGISTRY: &[(&str, &str)] = &[("get_namespace", "42501")];

const EVERYONE: &str = "ok    ok    ok    ok    ok    ok   ";
const NOBODY: &str = "39P01 39P01 39P01 39P01 39P01 39P01";
