//! Odd values for the arguments of a store's functions, as SQL.

use crate::{golden, literal};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

const CATEGORIES: [&str; 16] = [
    "account",
    "account",
    "account",
    "Account",
    "",
    " ",
    "日本語",
    "acc+ount",
    "account:command",
    "o'brien",
    "q\"uote",
    "back\\slash",
    "100%s %",
    "en–dash",
    "tab\tnewline\n",
    "$1",
];

const IDS: [&str; 16] =
    ["1", "1", "2", "3", "123", "", "+", "1+2", "1+3", "-", "-1", "é🙂", "'; SELECT 1; --", "+1", " 1", "a-b+c-d"];

const CORRELATIONS: [&str; 8] = ["corr", "corr", "", "Corr", "corr-1", "-", "5", "true"];

const METADATA: [&str; 14] = [
    r#"{"correlationStreamName": "corr-1"}"#,
    r#"{"correlationStreamName": "corr"}"#,
    r#"{"correlationStreamName": "corr-1", "z": 1, "a": {"b": [1.50, null]}}"#,
    r#"{"correlationStreamName": ""}"#,
    r#"{"correlationStreamName": "-x"}"#,
    r#"{"correlationStreamName": 5}"#,
    r#"{"correlationStreamName": true}"#,
    r#"{"correlationStreamName": null}"#,
    r#"{"correlationStreamName": {"a": 1}}"#,
    "{}",
    "[1, 2]",
    r#""correlationStreamName""#,
    "null",
    "5",
];

const CONDITIONS: [&str; 26] = [
    "position > 1",
    "position > 1",
    "messages.position = 0",
    "messages.time <= now()",
    "messages.time > 'infinity'",
    "type = 'T'",
    "type LIKE 'T%'",
    "'%s' = '%s'",
    "data->>'a' = '1'",
    "metadata IS NULL",
    "id IS NOT NULL",
    "stream_name = 'account-1' OR true",
    "EXISTS (SELECT FROM messages AS other WHERE other.position > messages.position)",
    "position = ANY (ARRAY[0, 2])",
    "position >= $2",
    "$3 IS NULL OR pg_typeof($3) = 'bigint'::regtype",
    "$9 = 1",
    "1=0) OR (1=1",
    "",
    "nonsense",
    "1/0 = 1",
    "true -- comment",
    "true) -- comment",
    "/* comment */ true",
    "1",
    "true; DROP TABLE messages",
];

const SIZES: [i64; 16] = [0, 0, 1, 1, 2, 3, 5, 10, 1000, -1, -1, -2, -3, i64::MAX, i64::MIN, 32768];

const GROUPS: [(Option<i64>, Option<i64>); 20] = [
    (Some(0), Some(1)),
    (Some(0), Some(2)),
    (Some(1), Some(2)),
    (Some(0), Some(3)),
    (Some(1), Some(3)),
    (Some(2), Some(3)),
    (Some(12), Some(16)),
    (Some(0), Some(32767)),
    (Some(0), Some(32768)),
    (Some(0), Some(i64::MAX)),
    (Some(2), Some(2)),
    (Some(3), Some(2)),
    (Some(-1), Some(2)),
    (Some(i64::MIN), Some(2)),
    (Some(0), Some(0)),
    (Some(0), Some(-1)),
    (Some(-1), Some(-1)),
    (Some(1), None),
    (None, Some(2)),
    (None, None),
];

const SETTINGS: [&str; 4] = ["sql_condition", "debug", "debug_get", "debug_write"];
const SETTING_VALUES: [&str; 8] = ["on", "on", "off", "off", "OFF", "ON", "", "false"];

/// The source of every random choice of a run.
pub struct Values {
    /// The generator; equal seeds give equal runs.
    pub rng: StdRng,
    json: Vec<String>,
    ids: Vec<u128>,
}

impl Values {
    /// With the JSON texts of the golden vectors, valid and invalid.
    pub fn new(rng: StdRng) -> Values {
        let vectors = golden::file("utility.json");
        let vectors = vectors["jsonb_text"].as_array().expect("vectors");
        let json = vectors.iter().filter_map(|v| v["in"].as_str().map(str::to_owned)).collect();
        Values { rng, json, ids: Vec::new() }
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.rng.random_ratio(1, n)
    }

    /// One of `values`.
    pub fn pick<T: Clone>(&mut self, values: &[T]) -> T {
        values.choose(&mut self.rng).expect("not empty").clone()
    }

    /// A stream name, with an id or without.
    pub fn stream_name(&mut self) -> String {
        let category = self.pick(&CATEGORIES);
        if self.one_in(200) {
            return format!("{category}-{}", "long".repeat(5000));
        }
        if self.one_in(10) { category.into() } else { format!("{category}-{}", self.pick(&IDS)) }
    }

    /// What is usually a stream name, as a literal, sometimes NULL.
    pub fn stream(&mut self) -> String {
        let name = if self.one_in(40) { None } else { Some(self.stream_name()) };
        literal::typed(name.as_deref(), "varchar")
    }

    /// What is usually a category, as a literal, sometimes NULL or a stream name.
    pub fn category(&mut self) -> String {
        let name = match self.rng.random_range(0..40) {
            0 => None,
            1..4 => Some(self.stream_name()),
            _ => Some(self.pick(&CATEGORIES).to_owned()),
        };
        literal::typed(name.as_deref(), "varchar")
    }

    /// A message type.
    pub fn message_type(&mut self) -> String {
        self.pick(&["'T'", "'T'", "'T'", "'T'", "'T'", "'Type 2'", "'Type 2'", "''", "'日本'", "NULL"]).into()
    }

    /// A message id: new, used before, or no id at all. Never NULL, which means something else to ours.
    pub fn id(&mut self) -> String {
        if self.one_in(25) {
            let broken =
                ["xyz", "", "a5eb2a97-84d9-4ccf-8a56-7160338b11e", "urn:uuid:a5eb2a97-84d9-4ccf-8a56-7160338b11e2"];
            return literal::text(self.pick(&broken));
        }
        let id = if !self.ids.is_empty() && self.one_in(20) { self.pick(&self.ids.clone()) } else { self.rng.random() };
        self.ids.push(id);
        let spelling = self.rng.random_range(0..6);
        literal::text(&spell(id, spelling))
    }

    /// JSON text, valid or not, as a literal.
    pub fn data(&mut self) -> String {
        match self.rng.random_range(0..20) {
            0 => "NULL".into(),
            1..4 => literal::text(&self.pick(&self.json.clone())),
            _ => format!("'{{\"a\": {}}}'", self.rng.random_range(0..3)),
        }
    }

    /// Metadata, often with a correlation stream.
    pub fn metadata(&mut self) -> String {
        if self.one_in(3) { "NULL".into() } else { literal::text(self.pick(&METADATA)) }
    }

    /// The category of a correlation stream, rarely a stream name.
    pub fn correlation(&mut self) -> String {
        literal::text(self.pick(&CORRELATIONS))
    }

    /// A position, a batch size or a wrong version.
    pub fn number(&mut self) -> String {
        if self.one_in(12) { "NULL".into() } else { self.pick(&SIZES).to_string() }
    }

    /// Member and size of a consumer group, allowed or not.
    pub fn group(&mut self) -> (String, String) {
        let (member, size) = self.pick(&GROUPS);
        let number = |n: Option<i64>| n.map_or_else(|| "NULL".into(), |n| n.to_string());
        (number(member), number(size))
    }

    /// A condition: sensible, failing, or one that leaves its parentheses.
    pub fn condition(&mut self) -> &'static str {
        self.pick(&CONDITIONS)
    }

    /// A statement that changes one of Message DB's settings.
    pub fn setting(&mut self) -> String {
        let (scope, name) = (self.pick(&["", "LOCAL "]), self.pick(&SETTINGS));
        match self.rng.random_range(0..6) {
            0 => format!("RESET message_store.{name}"),
            _ => format!("SET {scope}message_store.{name} = '{}'", self.pick(&SETTING_VALUES)),
        }
    }
}

/// The id in one of the spellings that Postgres reads.
fn spell(id: u128, spelling: u32) -> String {
    let hex = format!("{id:032x}");
    let groups = |at: &[usize]| {
        let parts: Vec<&str> = at.windows(2).map(|w| &hex[w[0]..w[1]]).collect();
        parts.join("-")
    };
    let canonical = groups(&[0, 8, 12, 16, 20, 32]);
    match spelling {
        0 => canonical.to_uppercase(),
        1 => format!("{{{canonical}}}"),
        2 => hex,
        3 => groups(&[0, 4, 8, 12, 16, 20, 24, 28, 32]),
        _ => canonical,
    }
}
