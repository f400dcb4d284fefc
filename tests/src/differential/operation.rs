//! Random operations on a store.

use super::values::Values;
use crate::literal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Who runs an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The session that writes, in and out of transactions.
    Main,
    /// Another connection, which never waits for long.
    Other,
}

/// Something to run on both stores.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The session.
    pub actor: Actor,
    /// The statements.
    pub sql: String,
    /// Whether the rows' order is defined.
    pub ordered: bool,
}

/// Makes up operations that fit each other.
pub struct Generator {
    values: Values,
    number: u32,
    in_transaction: bool,
    savepoint: bool,
    failed: bool,
}

const NO_TIME: &str = "id, stream_name, type, position, global_position, data, metadata, time IS NOT NULL";

impl Generator {
    /// The same operations for the same seed and the same answers.
    pub fn new(seed: u64) -> Generator {
        let values = Values::new(StdRng::seed_from_u64(seed));
        Generator { values, number: 0, in_transaction: false, savepoint: false, failed: false }
    }

    /// Tells the generator how the main session's last operation went.
    pub fn answered(&mut self, failed: bool) {
        self.failed = failed && self.in_transaction;
    }

    /// The next operation.
    pub fn next_operation(&mut self) -> Operation {
        self.number += 1;
        let mut ordered = true;
        if !self.failed && self.values.one_in(8) {
            let sql = if self.values.one_in(6) {
                format!("SET lock_timeout = '20ms'; {}", self.write())
            } else {
                self.read(&mut ordered)
            };
            return Operation { actor: Actor::Other, sql, ordered };
        }
        let sql = if self.failed && !self.values.one_in(4) { self.recover() } else { self.anything(&mut ordered) };
        Operation { actor: Actor::Main, sql, ordered }
    }

    fn anything(&mut self, ordered: &mut bool) -> String {
        match self.values.rng.random_range(0..100) {
            0..34 => self.write(),
            34..38 => self.writes_in_one_statement(),
            38..42 => self.insert(),
            42..80 => self.read(ordered),
            80..84 => self.pure(),
            84..88 => self.values.setting(),
            88..90 => self.wrong_call(),
            _ => self.transaction(),
        }
    }

    fn recover(&mut self) -> String {
        self.failed = false;
        if self.savepoint && self.values.one_in(2) {
            return "ROLLBACK TO SAVEPOINT s".into();
        }
        self.end(&["ROLLBACK", "COMMIT"])
    }

    fn transaction(&mut self) -> String {
        if !self.in_transaction {
            self.in_transaction = true;
            let modes = ["", "", "", " ISOLATION LEVEL REPEATABLE READ", " ISOLATION LEVEL SERIALIZABLE", " READ ONLY"];
            return format!("BEGIN{}", self.values.pick(&modes));
        }
        match self.values.rng.random_range(0..6) {
            0 | 1 => {
                self.savepoint = true;
                "SAVEPOINT s".into()
            }
            2 if self.savepoint => "ROLLBACK TO SAVEPOINT s".into(),
            3 if self.savepoint => {
                self.savepoint = false;
                "RELEASE SAVEPOINT s".into()
            }
            _ => self.end(&["COMMIT", "COMMIT", "ROLLBACK"]),
        }
    }

    fn end(&mut self, ways: &[&str]) -> String {
        self.in_transaction = false;
        self.savepoint = false;
        self.values.pick(ways).into()
    }

    fn write(&mut self) -> String {
        let v = &mut self.values;
        let (id, stream, kind) = (v.id(), v.stream(), v.message_type());
        let (data, metadata) = (v.data(), v.metadata());
        let version = match v.rng.random_range(0..10) {
            0..5 => "NULL".to_owned(),
            5..9 => format!("coalesce(stream_version({stream}), -1)"),
            _ => v.number(),
        };
        match v.rng.random_range(0..5) {
            0 => format!("SELECT write_message({id}, {stream}, {kind}, {data})"),
            1 => format!("SELECT * FROM write_message({id}, {stream}, {kind}, {data}, {metadata}, {version})"),
            2 => format!(
                "SELECT write_message(expected_version => {version}, data => {data}, \"type\" => {kind}, id => {id}, \
                 stream_name => {stream})"
            ),
            3 => format!(
                "PREPARE w{0} AS SELECT write_message($1, $2, $3, $4, $5, $6); \
                 EXECUTE w{0}({id}, {stream}, {kind}, {data}, {metadata}, {version})",
                self.number
            ),
            _ => format!("SELECT write_message({id}, {stream}, {kind}, {data}, {metadata}, {version})"),
        }
    }

    fn writes_in_one_statement(&mut self) -> String {
        let (seed, v) = (self.number, &mut self.values);
        let (stream, other) = (v.stream(), v.stream());
        let id = |i: &str| format!("md5('{seed}-' || {i})::uuid::varchar");
        match v.rng.random_range(0..4) {
            0 => {
                format!("SELECT write_message({}, {stream}, 'Many', '{{}}') FROM generate_series(1, 5) AS i", id("i"))
            }
            1 => format!(
                "SELECT write_message({}, {stream}, 'One', '{{}}'), write_message({}, {other}, 'Two', '{{}}'), \
                 stream_version({stream}), (SELECT count(*) FROM get_stream_messages({stream}))",
                id("1"),
                id("2")
            ),
            2 => format!(
                "WITH written AS MATERIALIZED (SELECT write_message({}, {stream}, 'With', '{{}}') AS position) \
                 SELECT position, stream_version({stream}) FROM written",
                id("1")
            ),
            // The second fails, so the first must be gone.
            _ => format!(
                "SELECT write_message({}, {stream}, 'One', '{{}}'); SELECT write_message({}, {stream}, 'Two', '{{}}', NULL, -2)",
                id("1"),
                id("2")
            ),
        }
    }

    fn insert(&mut self) -> String {
        let v = &mut self.values;
        let (id, stream, kind, data) = (v.id(), v.stream(), v.message_type(), v.data());
        // The stream at the end of the numbers: what is written to it next is out of range.
        let (stream, position) = match v.rng.random_range(0..8) {
            0 => ("'overflow-1'".to_owned(), i64::MAX),
            1 => (format!("'overflow-{}'", v.rng.random_range(1..3)), 0),
            _ => (stream, v.rng.random_range(-1..12)),
        };
        if v.one_in(8) {
            return format!("SELECT write_message({id}, 'overflow-1', 'T', {data})");
        }
        format!(
            "INSERT INTO messages (id, stream_name, position, type, data) VALUES ({id}, {stream}, {position}, {kind}, {data}) \
             RETURNING position, global_position"
        )
    }

    fn read(&mut self, ordered: &mut bool) -> String {
        match self.values.rng.random_range(0..20) {
            0..7 => self.read_stream(ordered),
            7..15 => self.read_category(),
            15 | 16 => {
                let (stream, kind) = (self.values.stream(), self.values.message_type());
                let arguments = if self.values.one_in(2) { stream } else { format!("{stream}, {kind}") };
                format!("SELECT {NO_TIME} FROM get_last_stream_message({arguments})")
            }
            17 | 18 => format!("SELECT * FROM stream_version({})", self.values.stream()),
            _ => {
                let view = ["stream", "type", "stream_type", "type_stream", "category_type", "type_category"];
                format!("SELECT * FROM {}_summary", self.values.pick(&view))
            }
        }
    }

    fn read_stream(&mut self, ordered: &mut bool) -> String {
        let v = &mut self.values;
        let stream = if v.one_in(10) { v.category() } else { v.stream() };
        let mut arguments = vec![stream];
        if v.one_in(2) {
            arguments.push(format!("\"position\" => {}", v.number()));
        }
        let condition = v.one_in(4).then(|| v.condition());
        // A condition that lets other streams in makes positions equal, so the limit would cut at random.
        *ordered = condition != Some("1=0) OR (1=1");
        if !*ordered {
            arguments.push("batch_size => -1".into());
        } else if v.one_in(2) {
            arguments.push(format!("batch_size => {}", v.number()));
        }
        arguments.extend(condition.map(|c| format!("condition => {}", literal::text(c))));
        format!("SELECT {NO_TIME} FROM get_stream_messages({})", arguments.join(", "))
    }

    fn read_category(&mut self) -> String {
        let v = &mut self.values;
        let mut arguments = vec![v.category()];
        if v.one_in(2) {
            arguments.push(format!("\"position\" => {}", v.number()));
        }
        if v.one_in(2) {
            arguments.push(format!("batch_size => {}", v.number()));
        }
        if v.one_in(3) {
            arguments.push(format!("correlation => {}", v.correlation()));
        }
        if v.one_in(2) {
            let (member, size) = v.group();
            arguments.push(format!("consumer_group_member => {member}, consumer_group_size => {size}"));
        }
        if v.one_in(4) {
            arguments.push(format!("condition => {}", literal::text(v.condition())));
        }
        format!("SELECT {NO_TIME} FROM get_category_messages({})", arguments.join(", "))
    }

    fn pure(&mut self) -> String {
        let stream = self.values.stream();
        let functions = ["category", "id", "cardinal_id", "is_category", "hash_64", "acquire_lock"];
        match self.values.rng.random_range(0..8) {
            0 => "SELECT message_store_version(), current_setting('message_store.sql_condition', true)".into(),
            _ => format!("SELECT {}({stream})", self.values.pick(&functions)),
        }
    }

    fn wrong_call(&mut self) -> String {
        self.values
            .pick(&[
                "SELECT get_stream_version('a-1')",
                "SELECT get_last_message('a-1')",
                "SELECT write_message(gen_random_uuid(), 'a-1', 'T', '{}')",
                "SELECT write_message('a', 'a-1', 'T', '{}'::json)",
                "SELECT get_stream_messages('a-1', 1.5)",
                "SELECT get_stream_messages('a-1', position => 1)",
                "SELECT get_category_messages(category_name => 'a')",
                "UPDATE messages SET type = 'x'",
                "TRUNCATE messages",
            ])
            .into()
    }
}
