//! Random operations run on ours in Postgres and on ours in SQLite, with all that Message DB has not: both must answer
//! alike, and as a model of what must hold.

mod model;
mod operation;

use crate::corpus::{self, Answer};
use crate::sqlite::SqliteStore;
use crate::{Failure, Session, Store, literal};
use model::{Effect, Model};
use operation::{DEFAULT, Generator, Operation, TENANTS};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a run has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Operations that returned, and rows that they returned.
    pub succeeded: usize,
    /// See [`Seen::succeeded`].
    pub rows: usize,
    /// Successful operations by function or statement.
    pub by_name: BTreeMap<String, usize>,
    /// Operations that failed, by SQLSTATE.
    pub failed: BTreeMap<String, usize>,
    /// Positions that were given out, each once.
    pub given: usize,
    /// Texts that were redacted or removed, and found nowhere.
    pub gone: usize,
    /// Positions of consumers that were recorded.
    pub recorded: usize,
}

/// Differences after which a run is given up.
const MANY: usize = 10;

/// Runs `count` operations, made up from `seed`, on both engines, and fails if an answer differed. `direct_access` is the
/// setting of that name.
pub fn run(store: &Store, direct_access: &str, seed: u64, count: usize) -> Seen {
    let mut engines = Engines::beside(store);
    engines.postgres.ok(&format!("SET message_store.direct_access = {direct_access}"));
    let mut generator = Generator::new(seed);
    let mut model = Model::default();
    let mut seen = Seen::default();
    let mut differences = Vec::new();
    for number in 0..count {
        let alone = !generator.in_transaction();
        let operation = generator.next_operation(&model);
        let (result, difference) = engines.run(&operation, alone);
        generator.answered(result.is_err());
        let checked = match &result {
            Ok(answer) => {
                seen.count(&operation, answer);
                check(&mut model, &operation.effect, answer)
            }
            Err(failure) => {
                *seen.failed.entry(failure.sqlstate.clone()).or_default() += 1;
                Ok(())
            }
        };
        for what in difference.err().into_iter().chain(checked.err()) {
            differences.push(format!("operation {number}: {}\n  Postgres: {result:?}\n  {what}", operation.sql));
        }
        if differences.len() >= MANY {
            break;
        }
    }
    assert!(differences.is_empty(), "seed {seed}, {} differences:\n{}", differences.len(), differences.join("\n"));
    if generator.in_transaction() {
        let rollback = Operation { sql: "ROLLBACK".into(), effect: Effect::Rollback };
        assert!(engines.run(&rollback, false).1.is_ok(), "ROLLBACK");
        assert_eq!(model.succeeded(&rollback.effect, &Value::Null), Ok(()), "ROLLBACK");
    }
    engines.check_content(&model).unwrap_or_else(|difference| panic!("seed {seed}, at the end: {difference}"));
    (seen.given, seen.gone, seen.recorded) = (model.given, model.gone, model.recorded);
    seen
}

/// What an operation that succeeded shows and does.
fn check(model: &mut Model, effect: &Effect, answer: &Answer) -> Result<(), String> {
    if let Some(secret) = model.gone_in(&json!(answer.1).to_string()) {
        return Err(format!("shows {secret}, which is gone"));
    }
    let value = answer.1.first().and_then(|row| row.first()).cloned().unwrap_or_default();
    model.succeeded(effect, &value)
}

impl Seen {
    fn count(&mut self, operation: &Operation, answer: &Answer) {
        self.succeeded += 1;
        self.rows += answer.1.len();
        let call = operation.sql.split('(').next().unwrap_or_default();
        *self.by_name.entry(call.rsplit(' ').next().unwrap_or_default().into()).or_default() += 1;
    }
}

struct Engines {
    postgres: Session,
    /// Tells the types of what a statement returns, outside of every transaction.
    describer: Session,
    sqlite: SqliteStore,
    /// The sequences at the start of the transaction or the statement, and at each savepoint.
    sequences: Vec<Vec<Vec<Option<String>>>>,
}

const SEQUENCES: &str = "SELECT schemaname, coalesce(last_value, 1), last_value IS NOT NULL FROM pg_sequences \
    WHERE sequencename = 'messages_global_position_seq'";

impl Engines {
    fn beside(store: &Store) -> Engines {
        let (postgres, describer, sqlite) = (store.superuser(), store.superuser(), SqliteStore::fresh());
        let mut engines = Engines { postgres, describer, sqlite, sequences: Vec::new() };
        let names = TENANTS.map(|name| format!("SELECT create_namespace('{name}', 'hash of {name}')"));
        for sql in
            names.iter().map(String::as_str).chain(["SELECT set_config('message_store.sql_condition', 'on', false)"])
        {
            engines.postgres.ok(sql);
            engines.sqlite.ok("main", sql);
        }
        engines
    }

    /// What Postgres answers, and whether SQLite does the same.
    fn run(&mut self, operation: &Operation, alone: bool) -> (Result<Answer, Failure>, Result<(), String>) {
        if alone {
            self.sequences.clear();
        }
        if matches!(operation.effect, Effect::Mark) || alone && !matches!(operation.effect, Effect::None) {
            let now = self.postgres.rows(SEQUENCES);
            self.sequences.push(now);
        }
        let result = self.postgres.run(&operation.sql).result.map(|rows| {
            let types = if rows.rows.is_empty() { vec![] } else { corpus::types(&mut self.describer, &operation.sql) };
            corpus::answer(rows, &types)
        });
        match (&operation.effect, &result) {
            (Effect::Release, Ok(_)) => drop(self.sequences.pop()),
            (Effect::TakeBack, Ok(_)) => self.set_sequences(self.sequences.len() - 1),
            (Effect::Rollback, _) => self.set_sequences(0),
            (effect, Err(_)) if alone && !matches!(effect, Effect::None) => self.set_sequences(0),
            _ => {}
        }
        let expected = result.as_ref().err().map(|failure| (failure.sqlstate.as_str(), failure.message.as_str()));
        let difference = match (self.sqlite.run("main", &operation.sql, expected, false), &result) {
            (Ok(got), Ok(want)) => same(&got, want),
            (Err(error), Err(_)) if error.is_expected => Ok(()),
            (Err(error), _) => Err(format!("SQLite: {}", error.text)),
            (Ok((_, rows)), Err(_)) => Err(format!("SQLite: {}", json!(rows))),
        };
        (result, difference)
    }

    /// Global positions that were taken back are given out once more in SQLite. Here, where nobody else writes, in
    /// Postgres as well, so that they can be compared.
    fn set_sequences(&mut self, mark: usize) {
        let set = |row: &Vec<Option<String>>| match row.as_slice() {
            [Some(schema), Some(last), Some(called)] => {
                format!("setval('\"{schema}\".messages_global_position_seq', {last}, '{called}')")
            }
            _ => panic!("not a sequence: {row:?}"),
        };
        let calls: Vec<String> = self.sequences[mark].iter().map(set).collect();
        self.postgres.ok(&format!("SELECT {}", calls.join(", ")));
    }

    fn check_content(&mut self, model: &Model) -> Result<(), String> {
        for name in [DEFAULT].into_iter().chain(TENANTS) {
            for sql in [
                format!(
                    "SELECT id, stream_name, type, position, global_position, data, metadata \
                     FROM get_all_messages(1, -1, '{name}')"
                ),
                format!("SELECT * FROM list_streams(NULL, NULL, -1, '{name}')"),
                format!("SELECT category, consumer, position, lag FROM consumer_positions(NULL, '{name}')"),
            ] {
                let answer = self.both(&sql)?;
                if let Some(secret) = model.gone_in(&json!(answer.1).to_string()) {
                    return Err(format!("{sql} shows {secret}, which is gone"));
                }
            }
        }
        for (namespace, stream, version) in model.versions() {
            let sql = format!("SELECT stream_version({}, '{namespace}')", literal::text(stream));
            let (_, rows) = self.both(&sql)?;
            if rows != [[json!(version)]] {
                return Err(format!("{sql}: {}, not {version}", json!(rows)));
            }
        }
        for text in self.texts() {
            if let Some(secret) = model.gone_in(&text) {
                return Err(format!("a table has {secret}, which is gone: {text}"));
            }
        }
        Ok(())
    }

    /// The answer of both.
    fn both(&mut self, sql: &str) -> Result<Answer, String> {
        let operation = Operation { sql: sql.into(), effect: Effect::None };
        let (result, difference) = self.run(&operation, true);
        difference.map_err(|difference| format!("{sql}: {difference}"))?;
        result.map_err(|failure| format!("{sql}: {failure}"))
    }

    /// Every row of every table and view, as text.
    fn texts(&mut self) -> Vec<String> {
        let relations = "SELECT format('SELECT r::text FROM %I.%I AS r', nspname, relname) FROM pg_class AS c \
            JOIN pg_namespace AS n ON n.oid = relnamespace WHERE relkind IN ('r', 'v', 'm', 'p') \
            AND (nspname = 'message_store' OR nspname LIKE 'tenant-%')";
        let mut texts = Vec::new();
        for relation in self.postgres.rows(relations) {
            let sql = relation.into_iter().flatten().collect::<String>();
            texts.extend(self.postgres.rows(&sql).into_iter().flatten().flatten());
        }
        // A namespace is attached by its first use; in a transaction it stays.
        self.sqlite.ok("main", "BEGIN");
        for name in TENANTS {
            self.sqlite.ok("main", &format!("SELECT * FROM stats('{name}')"));
        }
        let databases = self.sqlite.ok("main", "SELECT name FROM pragma_database_list");
        assert!(databases.len() > TENANTS.len(), "{databases:?}");
        for database in databases.iter().filter_map(|row| row[0].as_str()) {
            let relations = format!(
                "SELECT name FROM \"{database}\".sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
            );
            for relation in self.sqlite.ok("main", &relations) {
                let sql = format!("SELECT * FROM \"{database}\".\"{}\"", relation[0].as_str().unwrap_or_default());
                texts.extend(self.sqlite.ok("main", &sql).iter().map(|row| json!(row).to_string()));
            }
        }
        self.sqlite.ok("main", "ROLLBACK");
        texts
    }
}

fn same(got: &Answer, want: &Answer) -> Result<(), String> {
    // A column without a name has its expression for one in SQLite.
    let named = |(column, name): (&String, &String)| column.split('(').next() == Some(name);
    let number = |value: &Value| value.as_f64().map(|number| format!("{number:.2}"));
    let equal = |(name, (got, want)): (&String, (&Value, &Value))| {
        got == want || name == "percent" && number(got) == number(want)
    };
    let same = got.0.len() == want.0.len()
        && got.0.iter().zip(&want.0).all(named)
        && got.1.len() == want.1.len()
        && got.1.iter().zip(&want.1).all(|(got, want_row)| want.0.iter().zip(got.iter().zip(want_row)).all(equal));
    if same { Ok(()) } else { Err(format!("SQLite: {:?} {}", got.0, json!(got.1))) }
}
