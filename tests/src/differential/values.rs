//! Odd values for the arguments of a store's functions, as SQL.

use super::portable::{CONDITIONS, Call, Portable};
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
        if self.one_in(40) { "NULL".into() } else { literal::text(&self.stream_name()) }
    }

    /// What is usually a category, as a literal, sometimes NULL or a stream name.
    pub fn category(&mut self) -> String {
        match self.rng.random_range(0..40) {
            0 => "NULL".into(),
            1..4 => literal::text(&self.stream_name()),
            _ => literal::text(self.pick(&CATEGORIES)),
        }
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

    /// An id's literal in canonical form, if it is one.
    pub fn canonical(&self, literal: &str) -> Option<String> {
        let hex: String = literal.chars().filter(char::is_ascii_hexdigit).collect();
        let id = u128::from_str_radix(&hex, 16).ok()?;
        self.ids.contains(&id).then(|| literal::text(&spell(id, CANONICAL)))
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

    /// A condition: sensible, failing, or one that leaves its parentheses. The same in SQLite.
    pub fn condition(&mut self) -> (&'static str, Option<&'static str>) {
        self.pick(&CONDITIONS)
    }

    /// A statement that changes one of Message DB's settings.
    pub fn setting(&mut self) -> Call {
        let (scope, name) = (self.pick(&["", "LOCAL "]), self.pick(&SETTINGS));
        let (sql, value, is_local) = match self.rng.random_range(0..6) {
            0 => (format!("RESET message_store.{name}"), "", false),
            _ => {
                let value = self.pick(&SETTING_VALUES);
                (format!("SET {scope}message_store.{name} = '{value}'"), value, scope == "LOCAL ")
            }
        };
        (sql, Portable::Effect(format!("SELECT set_config('message_store.{name}', '{value}', {is_local})")))
    }
}

const CANONICAL: u32 = 5;

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
