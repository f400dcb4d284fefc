//! Which names a namespace may have, the same on both engines.

use crate::error::{Error, Result, text};

/// The default namespace, which always exists.
pub const DEFAULT: &str = "message_store";

/// The most bytes a name may have: what a Postgres identifier holds.
const MAX_BYTES: usize = 63;

/// Names that mean something else to one of the engines.
const RESERVED: [&str; 4] = ["public", "information_schema", "main", "temp"];

/// Checks a name: 1 to 63 bytes of `[a-z0-9][a-z0-9_-]*`, not reserved. NULL is no name.
///
/// The name becomes a schema or a file name as it is, so no two names ever share a store.
pub fn check(name: Option<&[u8]>) -> Result<&str> {
    name.and_then(|name| std::str::from_utf8(name).ok())
        .filter(|name| is_valid(name))
        .ok_or_else(|| Error::InvalidNamespaceName(name.map(text)))
}

fn is_valid(name: &str) -> bool {
    let ordinary = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=MAX_BYTES).contains(&name.len())
        && name.bytes().next().is_some_and(ordinary)
        && name.bytes().all(|b| ordinary(b) || b == b'_' || b == b'-')
        && !name.starts_with("pg_")
        && !RESERVED.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in ["a", "0", "tenant-a", "tenant_a", "message_store", "a-_", &"x".repeat(63)] {
            assert_eq!(check(Some(name.as_bytes())), Ok(name));
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_rule() {
        let long = "x".repeat(64);
        for name in [
            "",
            "-a",
            "_a",
            "Tenant A",
            "../x",
            "a.b",
            "a\"b",
            "a'b",
            "a\0",
            "é",
            "public",
            "pg_x",
            "main",
            "temp",
            "information_schema",
            &long,
        ] {
            let error = check(Some(name.as_bytes())).expect_err(name);
            assert_eq!(
                error.to_string(),
                format!(
                    "Invalid namespace name: {name} (1 to 63 bytes of a-z, 0-9, _ and -, starting with a letter or \
                     digit, not reserved)"
                )
            );
            assert_eq!(error.sqlstate(), "P0001");
        }
    }

    #[test]
    fn null_is_not_a_name() {
        let error = check(None).expect_err("refused");
        assert!(error.to_string().starts_with("Invalid namespace name: <NULL> ("));
    }
}
