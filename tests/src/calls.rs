//! A call of every function that touches messages.

/// Two messages that each call writes anew: the functions that remove and redact are about them, and leave none.
const IMPORTED: &str = r#"[{"id": "00000000-0000-4000-8000-0000000000fe", "stream_name": "imported-1", "type": "T",
    "position": 0, "global_position": 1000000, "time": "2026-01-31 12:00:00"},
    {"id": "00000000-0000-4000-8000-0000000000ff", "stream_name": "imported-1", "type": "T",
    "position": 1, "global_position": 1000001, "time": "2026-01-31 12:00:00"}]"#;

/// Each function's name and arguments but the last, the namespace.
fn functions() -> [(&'static str, Vec<String>); 17] {
    let arguments = |list: &[&str]| list.iter().map(|&argument| argument.to_owned()).collect();
    [
        ("write_message", arguments(&["NULL", "'account-1'", "'T'", "'{}'", "NULL", "NULL"])),
        ("write_messages", arguments(&["'account-1'", r#"'[{"type": "T"}, {"type": "T"}]'"#, "NULL"])),
        ("import_messages", vec![format!("'{IMPORTED}'")]),
        ("get_stream_messages", arguments(&["'account-1'", "0", "10", "NULL"])),
        ("get_category_messages", arguments(&["'account'", "1", "10", "NULL", "NULL", "NULL", "NULL"])),
        ("get_last_stream_message", arguments(&["'account-1'", "NULL"])),
        ("get_all_messages", arguments(&["1", "10"])),
        ("stream_version", arguments(&["'account-1'"])),
        ("list_streams", arguments(&["NULL", "NULL", "10"])),
        ("list_categories", vec![]),
        ("acquire_lock", arguments(&["'account-1'"])),
        ("record_consumer_position", arguments(&["'account'", "'totals'", "1", "NULL"])),
        ("consumer_positions", arguments(&["NULL"])),
        ("stats", vec![]),
        ("redact_message", arguments(&["'00000000-0000-4000-8000-0000000000ff'"])),
        ("truncate_stream", arguments(&["'imported-1'", "1"])),
        ("delete_stream", arguments(&["'imported-1'"])),
    ]
}

/// The functions' names.
pub fn names() -> Vec<&'static str> {
    functions().into_iter().map(|(name, _)| name).collect()
}

/// Whether a call is one of these functions.
fn is_of(call: &str, names: &[&str]) -> bool {
    names.iter().any(|name| call.contains(&format!("{name}(")))
}

/// Whether a call takes more than the mode `write` of `grant_namespace` gives: moving the sequence, removing, redacting.
pub fn takes_more_than_write(call: &str) -> bool {
    is_of(call, &["import_messages", "redact_message", "truncate_stream", "delete_stream"])
}

/// Whether a call works once only: the messages are imported, and there to be redacted.
pub fn works_once(call: &str) -> bool {
    is_of(call, &["import_messages", "redact_message"])
}

/// The calls with the namespace as their argument.
pub fn by_argument(namespace: &str) -> Vec<String> {
    let call = |(name, mut arguments): (&str, Vec<String>)| {
        arguments.push(format!("'{namespace}'"));
        format!("SELECT * FROM message_store.{name}({})", arguments.join(", "))
    };
    functions().into_iter().map(call).collect()
}

/// The calls without a namespace: as they are, and with the functions' schema before their names.
pub fn by_search_path() -> Vec<String> {
    let call = |(name, arguments): (&str, Vec<String>)| {
        ["", "message_store."].map(|schema| format!("SELECT * FROM {schema}{name}({})", arguments.join(", ")))
    };
    functions().into_iter().flat_map(call).collect()
}
