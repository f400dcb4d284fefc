//! Random writes.

use super::operation::Generator;
use super::portable::{Call, Portable, same};
use rand::Rng;

/// Data that is stored as it is written.
const IS_CANONICAL: [&str; 4] = ["NULL", "'{\"a\": 0}'", "'{\"a\": 1}'", "'{\"a\": 2}'"];

impl Generator {
    /// One `write_message`, called in one of many ways.
    pub fn write(&mut self) -> Call {
        let v = &mut self.values;
        let (id, stream, kind) = (v.id(), v.stream(), v.message_type());
        let (data, metadata) = (v.data(), v.metadata());
        let version = match v.rng.random_range(0..10) {
            0..5 => "NULL".to_owned(),
            5..9 => format!("coalesce(stream_version({stream}), -1)"),
            _ => v.number(),
        };
        let positional = format!("SELECT write_message({id}, {stream}, {kind}, {data}, {metadata}, {version})");
        let (sql, portable) = match v.rng.random_range(0..5) {
            0 => return same(format!("SELECT write_message({id}, {stream}, {kind}, {data})")),
            1 => (
                format!("SELECT * FROM write_message({id}, {stream}, {kind}, {data}, {metadata}, {version})"),
                positional,
            ),
            2 => (
                format!(
                    "SELECT write_message(expected_version => {version}, data => {data}, \"type\" => {kind}, id => {id}, \
                     stream_name => {stream})"
                ),
                format!("SELECT write_message({id}, {stream}, {kind}, {data}, NULL, {version})"),
            ),
            3 => (
                format!(
                    "PREPARE w{0} AS SELECT write_message($1, $2, $3, $4, $5, $6); \
                     EXECUTE w{0}({id}, {stream}, {kind}, {data}, {metadata}, {version})",
                    self.number
                ),
                positional,
            ),
            _ => return same(positional),
        };
        (sql, Portable::Statement(portable))
    }

    /// Several writes, of which Postgres keeps all or none.
    pub fn writes_in_one_statement(&mut self) -> Call {
        let (number, v) = (self.number, &mut self.values);
        let (stream, other) = (v.stream(), v.stream());
        let ids = format!("{number:08x}-0000-4000-8000-00000000000");
        let whole = |sql: String| (sql.clone(), Portable::Whole(vec![sql]));
        match v.rng.random_range(0..4) {
            0 => {
                let write = format!("SELECT write_message('{ids}' || i, {stream}, 'Many', '{{}}') FROM");
                let five = "SELECT 1 AS i UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5";
                let portable = Portable::Whole(vec![format!("{write} ({five}) AS five")]);
                (format!("{write} generate_series(1, 5) AS i"), portable)
            }
            1 => whole(format!(
                "SELECT write_message('{ids}1', {stream}, 'One', '{{}}'), write_message('{ids}2', {other}, 'Two', '{{}}'), \
                 stream_version({stream}), (SELECT count(*) FROM get_stream_messages({stream})) AS count"
            )),
            2 => whole(format!(
                "WITH written AS MATERIALIZED (SELECT write_message('{ids}1', {stream}, 'With', '{{}}') AS position) \
                 SELECT position, stream_version({stream}) FROM written"
            )),
            // The second fails, so the first must be gone.
            _ => {
                let first = format!("SELECT write_message('{ids}1', {stream}, 'One', '{{}}')");
                let second = format!("SELECT write_message('{ids}2', {stream}, 'Two', '{{}}', NULL, -2)");
                (format!("{first}; {second}"), Portable::Whole(vec![first, second]))
            }
        }
    }

    /// A plain INSERT.
    pub fn insert(&mut self) -> Call {
        let v = &mut self.values;
        let (id, stream, kind, data) = (v.id(), v.stream(), v.message_type(), v.data());
        // The stream at the end of the numbers: what is written to it next is out of range.
        let (stream, position) = match v.rng.random_range(0..8) {
            0 => ("'overflow-1'".to_owned(), i64::MAX),
            1 => (format!("'overflow-{}'", v.rng.random_range(1..3)), 0),
            _ => (stream, v.rng.random_range(-1..12)),
        };
        if v.one_in(8) {
            return same(format!("SELECT write_message({id}, 'overflow-1', 'T', {data})"));
        }
        let insert = |id: &str| {
            format!(
                "INSERT INTO messages (id, stream_name, position, type, data) \
                 VALUES ({id}, {stream}, {position}, {kind}, {data}) RETURNING position, global_position"
            )
        };
        let portable = match v.canonical(&id) {
            Some(id) if IS_CANONICAL.contains(&data.as_str()) => Portable::OwnWords(insert(&id)),
            _ => Portable::Nothing("a plain INSERT of what only Postgres' types check"),
        };
        (insert(&id), portable)
    }
}
