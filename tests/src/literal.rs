//! SQL literals.

/// `text` as a quoted literal.
pub fn text(text: &str) -> String {
    assert!(!text.contains('\0'), "Postgres has no NUL in text");
    format!("'{}'", text.replace('\'', "''"))
}

/// `text` as a literal of `kind`, or NULL of it.
pub fn typed(value: Option<&str>, kind: &str) -> String {
    format!("{}::{kind}", value.map_or_else(|| "NULL".into(), text))
}
