//! The corpus: scenarios in portable SQL that every engine answers alike.

use crate::positions::Positions;
use crate::{Failure, Rows, Session, Store};
use postgres::types::Type;
use serde_json::{Value, json};

/// The scenarios of every file of `tests/corpus`: file and name, and steps.
pub fn scenarios() -> Vec<(String, Vec<Value>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect(folder).map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let mut scenarios = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file");
        let content: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
        for scenario in content["scenarios"].as_array().expect("scenarios") {
            let name = format!("{stem}: {}", scenario["name"].as_str().expect("a name"));
            scenarios.push((name, scenario["steps"].as_array().expect("steps").clone()));
        }
    }
    scenarios
}

/// Plays a scenario on a store of its own and returns what was not as expected.
pub fn play(store: &Store, steps: &[Value]) -> Vec<String> {
    let mut session = store.superuser();
    let mut positions = Positions::default();
    let check = |step: &Value| check(&mut session, &mut positions, step).err();
    steps.iter().filter_map(check).collect()
}

fn check(session: &mut Session, positions: &mut Positions, step: &Value) -> Result<(), String> {
    let sql = step["sql"].as_str().expect("sql");
    match (run(session, sql), step.get("error"), step.get("rows")) {
        (Err(failure), Some(expected), _) => {
            failure.assert_clean();
            let got = json!({"sqlstate": failure.sqlstate, "message": failure.message});
            if got == *expected { Ok(()) } else { Err(format!("{sql}\n  expected {expected}\n  got      {got}")) }
        }
        (Err(failure), None, _) => Err(format!("{sql}\n  got error {failure}")),
        (Ok((_, rows)), Some(expected), _) => Err(format!("{sql}\n  expected error {expected}\n  got {}", json!(rows))),
        (Ok(_), None, None) => Ok(()),
        (Ok((columns, rows)), None, Some(expected)) => {
            let names = step["columns"].as_array().expect("columns");
            let expected = expected.as_array().expect("rows");
            let same = names.len() == columns.len()
                && names.iter().zip(&columns).all(|(name, column)| name == column)
                && rows.len() == expected.len()
                && rows.iter().zip(expected).all(|(row, expected)| {
                    let values = row.iter().zip(expected.as_array().expect("a row"));
                    columns.iter().zip(values).all(|(column, (got, want))| positions.same(column, got, want))
                });
            if same {
                return Ok(());
            }
            let (names, expected) = (&step["columns"], json!(expected));
            Err(format!("{sql}\n  expected {names} {expected}\n  got      {} {}", json!(columns), json!(rows)))
        }
    }
}

/// The columns' names, and the rows with their values as the corpus has them: truth is 0 or 1, a time has six digits
/// after the point.
pub(crate) type Answer = (Vec<String>, Vec<Vec<Value>>);

/// Runs one statement.
fn run(session: &mut Session, sql: &str) -> Result<Answer, Box<Failure>> {
    // What the statement returns is known once it is parsed; if that fails, running it fails in the same way.
    let types = types(session, sql);
    let rows = session.run(sql).result.map_err(Box::new)?;
    Ok(answer(rows, &types))
}

/// The types of the columns that a statement returns; none if it cannot be prepared.
pub(crate) fn types(session: &mut Session, sql: &str) -> Vec<Type> {
    match session.client().prepare(sql) {
        Ok(statement) => statement.columns().iter().map(|column| column.type_().clone()).collect(),
        Err(_) => Vec::new(),
    }
}

/// The rows of a statement whose columns have these types.
pub(crate) fn answer(rows: Rows, types: &[Type]) -> Answer {
    let value = |(value, kind): (Option<String>, &Type)| value.map_or(Value::Null, |value| typed(value, kind));
    let typed = |row: Vec<Option<String>>| row.into_iter().zip(types).map(value).collect();
    (rows.columns, rows.rows.into_iter().map(typed).collect())
}

fn typed(value: String, kind: &Type) -> Value {
    match *kind {
        Type::INT2 | Type::INT4 | Type::INT8 => value.parse::<i64>().expect("a number").into(),
        Type::NUMERIC | Type::FLOAT8 => value.parse::<f64>().expect("a number").into(),
        Type::BOOL => i64::from(value == "t").into(),
        Type::TIMESTAMP => {
            let (seconds, fraction) = value.split_once('.').unwrap_or((&value, ""));
            format!("{seconds}.{fraction:0<6}").into()
        }
        _ => value.into(),
    }
}
