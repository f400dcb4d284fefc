//! The golden data: what genuine Message DB answered, and how a scenario is played.

use crate::{Failure, Outcome, Session, Store, literal};
use postgres::types::Type;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The parsed content of a file of `tests/golden`.
pub fn file(name: &str) -> Value {
    let path = format!("{}/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The scenarios, in the file's order.
pub fn scenarios() -> Vec<Value> {
    file("scenarios.json")["scenarios"].as_array().expect("scenarios").clone()
}

/// How a step of a scenario ends differently from the file.
pub enum Deviation {
    /// The step does not apply.
    Skip,
    /// The step returns this instead.
    Returns(Value),
}

/// Plays `scenario` on an emptied `store` and returns what was not as expected, step by step. `deviation` may replace
/// the expectation of a step, given its number from 0.
pub fn play(store: &Store, scenario: &Value, deviation: impl Fn(usize) -> Option<Deviation>) -> Vec<String> {
    store.superuser().ok("TRUNCATE message_store.messages RESTART IDENTITY");
    let mut sessions = HashMap::new();
    let mut differences = Vec::new();
    let steps = scenario["steps"].as_array().expect("steps");
    for (number, step) in steps.iter().enumerate() {
        let mut step = step.clone();
        match deviation(number) {
            Some(Deviation::Skip) => continue,
            Some(Deviation::Returns(value)) => {
                let step = step.as_object_mut().expect("a step");
                step.remove("error");
                step.insert("result".into(), value);
            }
            None => {}
        }
        let name = step["session"].as_str().unwrap_or("a").to_owned();
        let session = sessions.entry(name).or_insert_with(|| store.session());
        if let Err(difference) = check(&step, session) {
            differences.push(format!("{} / step {number}: {difference}", scenario["name"]));
        }
    }
    differences
}

/// Runs one step and compares.
fn check(step: &Value, session: &mut Session) -> Result<(), String> {
    let sql = statement(step);
    let (outcome, answer) = run(session, &sql);
    let notices: Vec<Value> = outcome.notices.iter().map(|(severity, text)| json!([severity, text])).collect();
    let expected_notices = step.get("notices").cloned().unwrap_or_else(|| json!([]));
    if Value::Array(notices.clone()) != expected_notices {
        return Err(format!("{sql}\n  expected notices {expected_notices}\n  got {}", Value::Array(notices)));
    }
    match (&outcome.result, step.get("error")) {
        (Err(failure), Some(expected)) => {
            failure.assert_clean();
            let got = error_value(failure);
            if &got == expected { Ok(()) } else { Err(format!("{sql}\n  expected error {expected}\n  got {got}")) }
        }
        (Ok(_), None) => {
            let expected = step.get("result").expect("a result or an error");
            let got = shape(step, answer, expected)?;
            if matches(&got, expected) { Ok(()) } else { Err(format!("{sql}\n  expected {expected}\n  got {got}")) }
        }
        (Err(failure), None) => Err(format!("{sql}\n  expected {}\n  got error {failure}", step["result"])),
        (Ok(_), Some(expected)) => Err(format!("{sql}\n  expected error {expected}\n  got {answer}")),
    }
}

/// The step's SQL: its own, or the call with named, explicitly cast arguments.
pub fn statement(step: &Value) -> String {
    let Some(function) = step["fn"].as_str() else {
        return step["sql"].as_str().expect("fn or sql").to_owned();
    };
    let arguments = step["args"].as_object().expect("args");
    let arguments: Vec<String> = arguments.iter().map(|(name, value)| argument(name, value)).collect();
    let call = format!("{function}({})", arguments.join(", "));
    if function.starts_with("get_") { format!("SELECT * FROM {call}") } else { format!("SELECT {call}") }
}

fn argument(name: &str, value: &Value) -> String {
    let kind = match name {
        "data" | "metadata" => "jsonb",
        "position" | "batch_size" | "expected_version" | "consumer_group_member" | "consumer_group_size" => "bigint",
        _ => "varchar",
    };
    let value = match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    format!("\"{name}\" => {}", literal::typed(value.as_deref(), kind))
}

/// Runs `sql` and gives its rows as `{columns, rows}` with numbers, booleans and JSON as such.
fn run(session: &mut Session, sql: &str) -> (Outcome, Value) {
    // What the statement returns is known once it is parsed; if that fails, running it fails in the same way.
    let types: Vec<Type> = match session.client().prepare(sql) {
        Ok(statement) => statement.columns().iter().map(|c| c.type_().clone()).collect(),
        Err(_) => Vec::new(),
    };
    let outcome = session.run(sql);
    let Ok(rows) = &outcome.result else { return (outcome, Value::Null) };
    let typed = |row: &Vec<Option<String>>| -> Value {
        row.iter().zip(&types).map(|(value, kind)| value.as_deref().map_or(Value::Null, |v| typed(v, kind))).collect()
    };
    let answer = json!({"columns": rows.columns, "rows": rows.rows.iter().map(typed).collect::<Vec<_>>()});
    (outcome, answer)
}

fn typed(value: &str, kind: &Type) -> Value {
    match *kind {
        Type::INT2 | Type::INT4 | Type::INT8 => value.parse::<i64>().expect("a number").into(),
        Type::OID => value.parse::<u32>().expect("a number").into(),
        Type::BOOL => (value == "t").into(),
        Type::JSON | Type::JSONB => serde_json::from_str(value).expect("JSON"),
        _ => value.into(),
    }
}

/// The answer in the form that the file gives it for this kind of step.
fn shape(step: &Value, answer: Value, expected: &Value) -> Result<Value, String> {
    let Some(function) = step["fn"].as_str() else {
        let status = expected.get("status").and_then(Value::as_str);
        return match status {
            // The driver hides a command's tag; it is the statement's first word unless the transaction had failed.
            Some(_) => Ok(json!({"status": step["sql"].as_str().and_then(|sql| sql.split(' ').next())})),
            None => Ok(answer),
        };
    };
    let columns: Vec<&str> = answer["columns"].as_array().expect("columns").iter().filter_map(Value::as_str).collect();
    let rows = answer["rows"].as_array().expect("rows");
    if function.starts_with("get_") {
        return rows.iter().map(|row| message(&columns, row)).collect();
    }
    if columns != [function] || rows.len() != 1 {
        return Err(format!("not one value of the function's name: {answer}"));
    }
    match (function, &rows[0][0]) {
        ("hash_64" | "acquire_lock", Value::Number(hash)) => Ok(hash.to_string().into()),
        (_, value) => Ok(value.clone()),
    }
}

/// A row of the type `message` as an object without its time, which must be there.
fn message(columns: &[&str], row: &Value) -> Result<Value, String> {
    if columns != ["id", "stream_name", "type", "position", "global_position", "data", "metadata", "time"] {
        return Err(format!("the columns of a message are {columns:?}"));
    }
    let row = row.as_array().expect("a row");
    let time = row[7].as_str().unwrap_or_default();
    if time.len() < "2026-01-01 00:00:00".len() || time.contains('+') {
        return Err(format!("not a time without zone: {}", row[7]));
    }
    Ok(columns.iter().zip(row).take(7).map(|(c, v)| ((*c).to_owned(), v.clone())).collect::<Map<_, _>>().into())
}

/// The error as the file writes it. The detail of a not-null violation contains the time and is left out there.
fn error_value(failure: &Failure) -> Value {
    let mut error = json!({"sqlstate": failure.sqlstate, "message": failure.message});
    let detail = failure.detail.as_ref().filter(|_| failure.sqlstate != "23502");
    for (name, part) in
        [("detail", detail), ("hint", failure.hint.as_ref()), ("constraint", failure.constraint.as_ref())]
    {
        if let Some(part) = part {
            error[name] = part.as_str().into();
        }
    }
    error
}

/// A generated id, in an expected result.
pub const ANY_VERSION_7: &str = "any version 7 id";

/// Equality, but [`ANY_VERSION_7`] stands for every canonical UUID of version 7.
fn matches(got: &Value, expected: &Value) -> bool {
    match (got, expected) {
        (Value::Array(got), Value::Array(expected)) => {
            got.len() == expected.len() && got.iter().zip(expected).all(|(g, e)| matches(g, e))
        }
        (Value::Object(got), Value::Object(expected)) => {
            let same = |(key, value): (&String, &Value)| got.get(key).is_some_and(|got| matches(got, value));
            got.len() == expected.len() && expected.iter().all(same)
        }
        (Value::String(got), Value::String(expected)) if expected == ANY_VERSION_7 => is_version_7(got),
        _ => got == expected,
    }
}

/// Whether `id` is a canonical UUID of version 7 and the RFC's variant.
pub fn is_version_7(id: &str) -> bool {
    let hyphens = |(i, c): (usize, char)| match i {
        8 | 13 | 18 | 23 => c == '-',
        14 => c == '7',
        19 => matches!(c, '8' | '9' | 'a' | 'b'),
        _ => c.is_ascii_digit() || matches!(c, 'a'..='f'),
    };
    id.len() == 36 && id.char_indices().all(hyphens)
}
