//! What an operation on Postgres is on SQLite.

/// The operation in SQLite's terms.
#[derive(Clone, Debug)]
pub enum Portable {
    /// A statement that answers alike.
    Statement(String),
    /// A read in which `{position}` stands for that of the message at this global position.
    From(String, i64),
    /// Statements that are done wholly or not at all, as Postgres does those sent at once, or one that writes twice.
    Whole(Vec<String>),
    /// A statement without our functions, which fails in the engine's own words.
    OwnWords(String),
    /// A statement that only takes effect: what it returns is its own.
    Effect(String),
    /// There is no such thing, for this reason.
    Nothing(&'static str),
}

use Portable::Statement;

/// An operation on both.
pub type Call = (String, Portable);

/// A statement that is the same on both.
pub fn same(sql: String) -> Call {
    (sql.clone(), Statement(sql))
}

/// Conditions, and what they are in SQLite: none where they are about Postgres' own SQL.
pub const CONDITIONS: [(&str, Option<&str>); 26] = [
    ("position > 1", Some("position > 1")),
    ("position > 1", Some("position > 1")),
    ("messages.position = 0", Some("messages.position = 0")),
    ("messages.time <= now()", Some("messages.time <= '9999'")),
    ("messages.time > 'infinity'", Some("messages.time > 'infinity'")),
    ("type = 'T'", Some("type = 'T'")),
    ("type LIKE 'T%'", Some("type LIKE 'T%'")),
    ("'%s' = '%s'", Some("'%s' = '%s'")),
    // SQLite's ->> has numbers as numbers.
    ("data->>'a' = '1'", Some("data->'a' IN ('1', '\"1\"')")),
    ("metadata IS NULL", Some("metadata IS NULL")),
    ("id IS NOT NULL", Some("id IS NOT NULL")),
    ("stream_name = 'account-1' OR true", Some("stream_name = 'account-1' OR true")),
    (
        "EXISTS (SELECT FROM messages AS other WHERE other.position > messages.position)",
        Some("EXISTS (SELECT 1 FROM messages AS other WHERE other.position > messages.position)"),
    ),
    ("position = ANY (ARRAY[0, 2])", Some("position IN (0, 2)")),
    ("position >= $2", None),
    ("$3 IS NULL OR pg_typeof($3) = 'bigint'::regtype", None),
    ("$9 = 1", None),
    (ESCAPE, Some(ESCAPE)),
    ("", Some("")),
    ("nonsense", Some("nonsense")),
    // NULL in SQLite.
    ("1/0 = 1", None),
    ("true -- comment", Some("true -- comment")),
    ("true) -- comment", Some("true) -- comment")),
    ("/* comment */ true", Some("/* comment */ true")),
    // As good as true in SQLite.
    ("1", None),
    ("true; DROP TABLE messages", Some("true; DROP TABLE messages")),
];

/// The condition that leaves its parentheses, and lets other streams in.
pub const ESCAPE: &str = "1=0) OR (1=1";

/// Calls that fail, and whether they are about Postgres' types or roles.
pub const WRONG_CALLS: [(&str, Option<&str>); 9] = [
    ("SELECT get_stream_version('a-1')", None),
    ("SELECT get_last_message('a-1')", None),
    ("SELECT write_message(gen_random_uuid(), 'a-1', 'T', '{}')", Some(TYPES)),
    ("SELECT write_message('a', 'a-1', 'T', '{}'::json)", Some(TYPES)),
    ("SELECT get_stream_messages('a-1', 1.5)", Some(TYPES)),
    ("SELECT get_stream_messages('a-1', position => 1)", None),
    ("SELECT get_category_messages(category_name => 'a')", None),
    ("UPDATE messages SET type = 'x'", Some(ROLES)),
    ("TRUNCATE messages", Some(ROLES)),
];

const TYPES: &str = "a call that Postgres' types refuse";
const ROLES: &str = "a statement that the role may not run";
