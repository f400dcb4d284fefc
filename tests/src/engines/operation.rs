//! Random operations in portable SQL.

use super::model::{Effect, Model};
use crate::differential::values::Values;
use crate::literal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// Something to run on both engines.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The statement.
    pub sql: String,
    /// What it does, if it succeeds.
    pub effect: Effect,
}

/// The namespace that NULL means.
pub const DEFAULT: &str = "message_store";

/// Those that are always there.
pub const TENANTS: [&str; 2] = ["tenant-a", "tenant-b"];

/// One that comes and goes.
const GUEST: &str = "tenant-c";

const WITHOUT_TIME: &str = "id, stream_name, type, position, global_position, data, metadata, \
    CASE WHEN type = 'Imported' THEN time END AS time";

/// Conditions that both engines understand alike; the last one fails.
const CONDITIONS: [&str; 6] =
    ["position > 1", "type = 'T'", "metadata IS NULL", "stream_name = 'account-1' OR true", "", "nonsense"];

const CONSUMERS: [&str; 8] = ["'totals'", "'totals'", "'totals'", "'totals-1'", "'totals-1'", "'日本'", "''", "NULL"];

/// Makes up operations that fit each other.
pub struct Generator {
    values: Values,
    number: u64,
    /// The last ids that were used.
    ids: Vec<String>,
    in_transaction: bool,
    savepoints: usize,
    failed: bool,
}

impl Generator {
    /// The same operations for the same seed and the same answers.
    pub fn new(seed: u64) -> Generator {
        let values = Values::new(StdRng::seed_from_u64(seed));
        Generator { values, number: 0, ids: Vec::new(), in_transaction: false, savepoints: 0, failed: false }
    }

    /// Tells how the last operation went.
    pub fn answered(&mut self, failed: bool) {
        self.failed = failed && self.in_transaction;
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// The next operation.
    pub fn next_operation(&mut self, model: &Model) -> Operation {
        self.number += 1;
        if self.failed {
            return self.recover();
        }
        match self.values.rng.random_range(0..100) {
            0..22 => self.write(model),
            22..29 => self.write_messages(model),
            29..33 => self.import(model),
            33..36 => self.delete_stream(),
            36..41 => self.truncate_stream(model),
            41..46 => self.redact(),
            46..53 => self.record(),
            53..79 => self.read(),
            79..83 => self.statistics(),
            83..87 if !self.in_transaction => self.manage(),
            83..88 => self.namespaces(),
            _ => self.transaction(),
        }
    }

    fn write(&mut self, model: &Model) -> Operation {
        let (literal, namespace) = self.namespace();
        let (stream, id, secret) = (self.stream(), self.id(), self.secret(0));
        let version = self.expected_version(model, &namespace, &stream);
        let v = &mut self.values;
        let kind = v.message_type();
        let data = if v.one_in(4) { v.data() } else { text(&json!({"a": 1, "text": secret})) };
        let metadata = match v.rng.random_range(0..3) {
            0 => text(&json!({"correlationStreamName": "corr-1", "text": secret})),
            _ => v.metadata(),
        };
        let name = self.or_null(&stream);
        let sql = format!("SELECT write_message({id}, {name}, {kind}, {data}, {metadata}, {version}, {literal})");
        let id = self.values.canonical(&id).unwrap_or(id);
        Operation { sql, effect: Effect::Write { namespace, stream, messages: vec![(id, secret)], counted: false } }
    }

    fn write_messages(&mut self, model: &Model) -> Operation {
        let (literal, namespace) = self.namespace();
        let stream = self.stream();
        let version = self.expected_version(model, &namespace, &stream);
        let mut messages = Vec::new();
        let mut elements = Vec::new();
        for index in 0..self.values.rng.random_range(0..4) {
            let (id, secret) = (self.id(), self.secret(index));
            let mut element = json!({"id": id.trim_matches('\''), "type": "T", "data": {"text": secret}});
            match self.values.rng.random_range(0..60) {
                0 => element["type"] = Value::Null,
                1 => element["colour"] = json!("red"),
                2 => element["time"] = json!("yesterday"),
                3 => element["id"] = json!(5),
                4..20 => element["metadata"] = json!({"correlationStreamName": "corr-2", "text": secret}),
                20..30 => element["time"] = json!("2026-01-31T12:00:00.5Z"),
                _ => {}
            }
            if self.values.one_in(60) {
                element = json!([]);
            }
            messages.push((self.values.canonical(&id).unwrap_or(id), secret));
            elements.push(element);
        }
        let mut array = text(&Value::Array(elements));
        if self.values.one_in(20) {
            // Any JSON. Of what there is only the empty array is a batch.
            array = self.values.data();
            messages.clear();
        }
        let name = self.or_null(&stream);
        let sql = format!("SELECT write_messages({name}, {array}, {version}, {literal})");
        Operation { sql, effect: Effect::Write { namespace, stream, messages, counted: false } }
    }

    fn import(&mut self, model: &Model) -> Operation {
        let (literal, namespace) = self.namespace();
        let stream = self.stream();
        let mut messages = Vec::new();
        let mut elements = Vec::new();
        let first = model.version(&namespace, &stream) + 1;
        // Above everything given out before: an operation gives out fewer than ten.
        let global = if self.values.one_in(10) { self.number } else { 10 * self.number };
        for index in 0..self.values.rng.random_range(0..4) {
            let (id, secret) = (self.id(), self.secret(index));
            let mut element = json!({
                "id": id.trim_matches('\''), "stream_name": stream, "type": "Imported", "position": first + index as i64,
                "global_position": global + index, "time": "2026-01-31 12:00:00.25", "data": {"text": secret},
                "metadata": {"correlationStreamName": "corr-3"},
            });
            match self.values.rng.random_range(0..30) {
                0 => element["position"] = json!(first + 5),
                1 => element["position"] = json!(-1),
                2 => element["global_position"] = json!(0),
                3 => element["global_position"] = json!("1"),
                4 => element["time"] = json!("2026-01-31 12:00:00+02"),
                5 => element["stream_name"] = Value::Null,
                _ => {}
            }
            messages.push((self.values.canonical(&id).unwrap_or(id), secret));
            elements.push(element);
        }
        let sql = format!("SELECT import_messages({}, {literal})", text(&Value::Array(elements)));
        Operation { sql, effect: Effect::Write { namespace, stream, messages, counted: true } }
    }

    fn delete_stream(&mut self) -> Operation {
        let (literal, namespace) = self.namespace();
        let stream = self.stream();
        let name = self.or_null(&stream);
        let sql = format!("SELECT delete_stream({name}, {literal})");
        // A stream may hold a message at the last position that there is: none of these does.
        Operation { sql, effect: Effect::Remove { namespace, stream, before: i64::MAX } }
    }

    fn truncate_stream(&mut self, model: &Model) -> Operation {
        let (literal, namespace) = self.namespace();
        let stream = self.stream();
        let near = model.version(&namespace, &stream).saturating_add(self.values.rng.random_range(-2..3)).to_string();
        let before = if self.values.one_in(2) { near } else { self.values.number() };
        let name = self.or_null(&stream);
        let sql = format!("SELECT truncate_stream({name}, {before}, {literal})");
        Operation { sql, effect: Effect::Remove { namespace, stream, before: before.parse().unwrap_or(i64::MIN) } }
    }

    fn redact(&mut self) -> Operation {
        let (literal, namespace) = self.namespace();
        let id = if self.ids.is_empty() || self.values.one_in(12) { self.id() } else { self.values.pick(&self.ids) };
        let id = if self.values.one_in(40) { "NULL".into() } else { id };
        let sql = format!("SELECT redact_message({id}, {literal})");
        let id = self.values.canonical(&id).unwrap_or(id);
        Operation { sql, effect: Effect::Redact { namespace, id } }
    }

    fn record(&mut self) -> Operation {
        let (literal, namespace) = self.namespace();
        let category = self.category();
        let v = &mut self.values;
        let consumer = v.pick(&CONSUMERS);
        let near = v.rng.random_range(0..=10 * self.number).to_string();
        let position = if v.one_in(6) { v.number() } else { near };
        let force = v.pick(&["NULL", "false", "false", "true"]);
        let sql = format!("SELECT record_consumer_position({category}, {consumer}, {position}, {force}, {literal})");
        let effect = Effect::Record {
            namespace,
            consumer: (category, consumer.into()),
            position: position.parse().unwrap_or(0),
            force: force == "true",
        };
        Operation { sql, effect }
    }

    fn read(&mut self) -> Operation {
        let literal = self.namespace().0;
        let (position, batch) = (self.position(), self.batch_size());
        let condition = match self.values.rng.random_range(0..12) {
            0 => literal::text(self.values.pick(&CONDITIONS)),
            _ => "NULL".into(),
        };
        let sql = match self.values.rng.random_range(0..26) {
            0..7 => {
                let (stream, position) = (self.stream_or_null(), self.values.number());
                format!("get_stream_messages({stream}, {position}, {batch}, {condition}, {literal})")
            }
            7..14 => {
                let category = self.category();
                let v = &mut self.values;
                let correlation = if v.one_in(3) { v.correlation() } else { "NULL".into() };
                let (member, size) = if v.one_in(6) { v.group() } else { ("NULL".into(), "NULL".into()) };
                format!(
                    "get_category_messages({category}, {position}, {batch}, {correlation}, {member}, {size}, \
                     {condition}, {literal})"
                )
            }
            14..20 => format!("get_all_messages({position}, {batch}, {literal})"),
            20..23 => {
                let stream = self.stream_or_null();
                let kind = self.values.message_type();
                format!("get_last_stream_message({stream}, {kind}, {literal})")
            }
            23 => {
                let view = ["stream", "type", "stream_type", "type_stream", "category_type", "type_category"];
                return query(format!("SELECT * FROM {}_summary", self.values.pick(&view)));
            }
            _ => {
                let stream = self.stream_or_null();
                return query(format!("SELECT stream_version({stream}, {literal})"));
            }
        };
        query(format!("SELECT {WITHOUT_TIME} FROM {sql}"))
    }

    fn statistics(&mut self) -> Operation {
        let literal = self.namespace().0;
        query(match self.values.rng.random_range(0..4) {
            0 => {
                let category = self.values.pick(&["NULL", "NULL", "'account'", "'account-1'", "''"]);
                let columns = "category, consumer, position, lag, time IS NOT NULL AS has_time";
                format!("SELECT {columns} FROM consumer_positions({category}, {literal})")
            }
            1 => {
                let counts = "message_count, stream_count, category_count, last_global_position";
                let rest = "last_time IS NOT NULL AS has_time, size_bytes > 0 AS has_size";
                format!("SELECT {counts}, {rest} FROM stats({literal})")
            }
            2 => {
                let (prefix, after) = (self.stream_or_null(), self.stream_or_null());
                let prefix =
                    self.values.pick(&["NULL", "NULL", "'acc'", "'account-'", "'%'", "''", &prefix]).to_owned();
                let after = if self.values.one_in(2) { "NULL".into() } else { after };
                format!("SELECT * FROM list_streams({prefix}, {after}, {}, {literal})", self.batch_size())
            }
            _ => format!("SELECT * FROM list_categories({literal})"),
        })
    }

    /// What changes namespaces, outside of transactions.
    fn manage(&mut self) -> Operation {
        let clear = |name: &str| Effect::Clear { namespace: name.into() };
        let any = self.values.pick(&[DEFAULT, TENANTS[0], TENANTS[1], GUEST, "nowhere", "No Name", ""]);
        match self.values.rng.random_range(0..10) {
            0 => Operation { sql: format!("SELECT clear_namespace({})", literal::text(any)), effect: clear(any) },
            1..4 => query(format!("SELECT create_namespace('{GUEST}', NULL, 'a guest', '{{\"b\": 1, \"a\": 2}}')")),
            4..6 => Operation { sql: format!("SELECT delete_namespace('{GUEST}')"), effect: clear(GUEST) },
            6 => query(format!("SELECT create_namespace({}, 'hash')", literal::text(self.values.pick(&TENANTS)))),
            7 => query(format!("SELECT register_namespace({})", literal::text(any))),
            8 => {
                let name = self.values.pick(&[DEFAULT, "nowhere", "No Name"]);
                query(format!("SELECT delete_namespace({}, true)", literal::text(name)))
            }
            _ => {
                let (option, value) = self.values.pick(&[
                    ("append_lock", "'stream'"),
                    ("append_lock", "'category'"),
                    ("append_lock", "'row'"),
                    ("append_lock", "NULL"),
                    ("notify", "'on'"),
                    ("notify", "'off'"),
                    ("notify", "'loud'"),
                    ("fsync", "'off'"),
                ]);
                query(format!("SELECT set_namespace_option({}, '{option}', {value})", literal::text(any)))
            }
        }
    }

    /// What the registry says, and what reads nothing.
    fn namespaces(&mut self) -> Operation {
        let (literal, stream) = (self.namespace().0, self.stream_or_null());
        query(match self.values.rng.random_range(0..4) {
            0 => "SELECT name, description, metadata FROM list_namespaces()".into(),
            1 => format!("SELECT name, token_hash, description, metadata FROM get_namespace({literal})"),
            2 => format!("SELECT acquire_lock({stream}, {literal})"),
            _ => {
                let function = self.values.pick(&["category", "id", "cardinal_id", "is_category", "hash_64"]);
                format!("SELECT {function}({stream})")
            }
        })
    }

    fn transaction(&mut self) -> Operation {
        if !self.in_transaction {
            (self.in_transaction, self.savepoints) = (true, 0);
            return Operation { sql: "BEGIN".into(), effect: Effect::Mark };
        }
        match self.values.rng.random_range(0..8) {
            0..3 => {
                self.savepoints += 1;
                Operation { sql: "SAVEPOINT s".into(), effect: Effect::Mark }
            }
            3 if self.savepoints > 0 => self.take_back(),
            4 if self.savepoints > 0 => {
                self.savepoints -= 1;
                Operation { sql: "RELEASE SAVEPOINT s".into(), effect: Effect::Release }
            }
            5 => self.roll_back(),
            _ => {
                self.in_transaction = false;
                Operation { sql: "COMMIT".into(), effect: Effect::Commit }
            }
        }
    }

    fn recover(&mut self) -> Operation {
        if self.savepoints > 0 && !self.values.one_in(4) { self.take_back() } else { self.roll_back() }
    }

    fn take_back(&mut self) -> Operation {
        Operation { sql: "ROLLBACK TO SAVEPOINT s".into(), effect: Effect::TakeBack }
    }

    fn roll_back(&mut self) -> Operation {
        self.in_transaction = false;
        Operation { sql: "ROLLBACK".into(), effect: Effect::Rollback }
    }

    /// As an argument, and the name that it stands for.
    fn namespace(&mut self) -> (String, String) {
        let v = &mut self.values;
        let name = match v.rng.random_range(0..40) {
            0..18 => return ("NULL".into(), DEFAULT.into()),
            18..20 => DEFAULT,
            20..39 => v.pick(&[TENANTS[0], TENANTS[0], TENANTS[0], TENANTS[0], TENANTS[1], TENANTS[1], GUEST]),
            _ => v.pick(&["nowhere", "No Name", ""]),
        };
        (literal::text(name), name.into())
    }

    fn stream(&mut self) -> String {
        let v = &mut self.values;
        if v.one_in(5) { v.stream_name() } else { v.pick(&["account-1", "account-2", "account-3", "order-1"]).into() }
    }

    fn or_null(&mut self, stream: &str) -> String {
        if self.values.one_in(60) { "NULL".into() } else { literal::text(stream) }
    }

    fn stream_or_null(&mut self) -> String {
        let stream = self.stream();
        self.or_null(&stream)
    }

    fn category(&mut self) -> String {
        if self.values.one_in(2) { "'account'".into() } else { self.values.category() }
    }

    fn id(&mut self) -> String {
        let id = self.values.id();
        if self.ids.len() == 30 {
            self.ids.remove(0);
        }
        self.ids.push(id.clone());
        id
    }

    fn secret(&self, index: u64) -> String {
        format!("secret-{}-", 10 * self.number + index)
    }

    fn expected_version(&mut self, model: &Model, namespace: &str, stream: &str) -> String {
        match self.values.rng.random_range(0..10) {
            0..5 => "NULL".into(),
            5..9 => model.version(namespace, stream).to_string(),
            _ if self.values.one_in(2) => "NULL".into(),
            _ => self.values.number(),
        }
    }

    fn batch_size(&mut self) -> String {
        if self.values.one_in(6) {
            self.values.number()
        } else {
            self.values.pick(&["NULL", "1", "2", "5", "-1"]).into()
        }
    }

    /// A global position, often one that was given out not long ago.
    fn position(&mut self) -> String {
        let v = &mut self.values;
        if v.one_in(6) { v.number() } else { v.rng.random_range(0..=10 * self.number).to_string() }
    }
}

fn query(sql: String) -> Operation {
    Operation { sql, effect: Effect::None }
}

fn text(value: &Value) -> String {
    literal::text(&value.to_string())
}
