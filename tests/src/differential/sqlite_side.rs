//! The SQLite side of a run: given what Postgres was given, it must answer as Postgres did.

use super::Side;
use super::operation::{Actor, Operation};
use super::portable::Portable;
use crate::corpus::{self, Answer};
use crate::literal;
use crate::positions::Positions;
use crate::sqlite::{SqliteError, SqliteStore};
use crate::{Failure, Outcome, Session, Store};
use serde_json::json;
use std::collections::BTreeMap;

const CONDITIONS_SETTING: &str = "SELECT current_setting('message_store.sql_condition', true)";
const MESSAGES: &str = "SELECT position, stream_name, type, data, metadata, id FROM messages";

/// A store in SQLite, and how it stands to the one in Postgres.
pub struct SqliteSide {
    store: SqliteStore,
    /// Tells the types of what a statement returns, outside of every transaction.
    describer: Session,
    positions: Positions,
    in_transaction: bool,
    /// The transaction has seen what SQLite cannot do within one; it is copied when it has ended.
    is_behind: bool,
    /// Something was taken back, settings too: SQLite's are no part of a transaction.
    was_taken_back: bool,
    /// Operations that were compared.
    pub compared: usize,
    /// Operations that were not, by the reason.
    pub skipped: BTreeMap<&'static str, usize>,
}

impl SqliteSide {
    /// An empty store beside an empty one in Postgres.
    pub fn beside(store: &Store) -> SqliteSide {
        SqliteSide {
            store: SqliteStore::fresh(),
            describer: store.session(),
            positions: Positions::default(),
            in_transaction: false,
            is_behind: false,
            was_taken_back: false,
            compared: 0,
            skipped: BTreeMap::new(),
        }
    }

    /// Does what `postgres` has done with this outcome, and says what differs.
    pub fn follow(&mut self, operation: &Operation, outcome: &Outcome, postgres: &mut Side) -> Result<(), String> {
        let control = match &operation.portable {
            Portable::Statement(sql) if operation.actor == Actor::Main => sql.as_str(),
            _ => "",
        };
        if matches!(control, "COMMIT" | "ROLLBACK") {
            self.end(control == "COMMIT" && outcome.result.is_ok(), &mut postgres.main);
            return Ok(());
        }
        if let Some(reason) = self.reason_to_skip(operation, outcome) {
            *self.skipped.entry(reason).or_default() += 1;
            if operation.writes && outcome.result.is_ok() {
                self.is_behind |= operation.actor == Actor::Other;
                if !self.is_behind {
                    self.copy(&mut postgres.main);
                }
            }
            return Ok(());
        }
        self.compared += 1;
        let result = self.compare(operation, outcome, postgres);
        match control {
            "BEGIN" => self.in_transaction = true,
            "ROLLBACK TO SAVEPOINT s" if outcome.result.is_ok() => self.take_back(&mut postgres.main),
            _ => {}
        }
        result
    }

    fn reason_to_skip(&self, operation: &Operation, outcome: &Outcome) -> Option<&'static str> {
        let sqlstate = outcome.result.as_ref().map_or_else(|failure| failure.sqlstate.as_str(), |_| "");
        match (&operation.portable, sqlstate) {
            _ if self.is_behind => Some("in a transaction during which another session has written"),
            _ if self.in_transaction && operation.writes && operation.actor == Actor::Other => {
                Some("a write during another session's transaction")
            }
            (_, "25P02") => Some("in a failed transaction"),
            (_, "25006") => Some("a write in a read-only transaction"),
            (Portable::Nothing(reason), _) => Some(reason),
            _ => None,
        }
    }

    fn compare(&mut self, operation: &Operation, outcome: &Outcome, postgres: &mut Side) -> Result<(), String> {
        let expected = outcome.result.as_ref().err();
        let session = match operation.actor {
            Actor::Main => "main",
            Actor::Other => "other",
        };
        let own_words = matches!(operation.portable, Portable::OwnWords(_));
        let statements = match &operation.portable {
            Portable::From(sql, position) => {
                let position = match expected {
                    None => self.position(*position, session, postgres.session(operation.actor)),
                    Some(_) => *position,
                };
                vec![sql.replace("{position}", &position.to_string())]
            }
            Portable::Whole(statements) => statements.clone(),
            Portable::Statement(sql) | Portable::OwnWords(sql) | Portable::Effect(sql) => vec![sql.clone()],
            Portable::Nothing(_) => return Ok(()),
        };
        let whole = matches!(operation.portable, Portable::Whole(_));
        if whole {
            self.store.ok(session, "SAVEPOINT whole");
        }
        let got = self.run(session, &statements, expected, own_words);
        if whole {
            if got.is_err() {
                self.store.ok(session, "ROLLBACK TO whole");
            }
            self.store.ok(session, "RELEASE whole");
        }
        let shown = || statements.join("; ");
        match (got, &outcome.result) {
            (Err(error), Err(_)) if error.is_expected => Ok(()),
            (Err(error), _) => Err(format!("{}: {}", shown(), error.text)),
            (Ok(_), Ok(_)) if matches!(operation.portable, Portable::Effect(_)) => Ok(()),
            (Ok(got), Ok(rows)) => {
                let types = statements.last().map(|sql| corpus::types(&mut self.describer, sql));
                let want = corpus::answer(rows.clone(), &types.unwrap_or_default());
                self.same(got, want, operation.ordered).map_err(|difference| format!("{}: {difference}", shown()))
            }
            (Ok((_, rows)), Err(_)) => Err(format!("{}: {}", shown(), json!(rows))),
        }
    }

    /// The answer of the last of the statements, or the first error.
    fn run(
        &mut self,
        session: &str,
        statements: &[String],
        expected: Option<&Failure>,
        own_words: bool,
    ) -> Result<Answer, SqliteError> {
        let expected = expected.map(|failure| (failure.sqlstate.as_str(), failure.message.as_str()));
        let mut last = Default::default();
        for sql in statements {
            last = self.store.run(session, sql, expected, own_words)?;
        }
        Ok(last)
    }

    fn same(&mut self, got: Answer, want: Answer, ordered: bool) -> Result<(), String> {
        let ((columns, mut got), (names, mut want)) = (got, want);
        if !ordered {
            // They begin with the message's id.
            got.sort_by_key(|row| row[0].to_string());
            want.sort_by_key(|row| row[0].to_string());
        }
        // A column without a name has its expression for one in SQLite.
        let named = |(name, column): (&String, &String)| name == "?column?" || column.split('(').next() == Some(name);
        let same = columns.len() == names.len()
            && names.iter().zip(&columns).all(named)
            && got.len() == want.len()
            && got.iter().zip(&want).all(|(got, want)| {
                let mut values = names.iter().zip(got.iter().zip(want));
                got.len() == want.len() && values.all(|(name, (got, want))| self.positions.same(name, got, want))
            });
        if same { Ok(()) } else { Err(format!("{columns:?} {}", json!(got))) }
    }

    /// Where the first message at `position` or after it is in SQLite.
    fn position(&mut self, position: i64, session: &str, postgres: &mut Session) -> i64 {
        let sql =
            format!("SELECT id FROM messages WHERE global_position >= {position} ORDER BY global_position LIMIT 1");
        let Some(id) = postgres.rows(&sql).pop().and_then(|mut row| row.remove(0)) else { return position };
        let sql = format!("SELECT global_position FROM messages WHERE id = '{id}'");
        let rows = self.store.ok(session, &sql);
        rows.first().and_then(|row| row[0].as_i64()).unwrap_or(position)
    }

    fn end(&mut self, commit: bool, postgres: &mut Session) {
        if self.in_transaction {
            let commit = commit && !self.is_behind;
            self.store.ok("main", if commit { "COMMIT" } else { "ROLLBACK" });
            self.in_transaction = false;
            self.end_local_settings();
            if self.is_behind {
                self.copy(postgres);
            }
            if !commit || self.was_taken_back {
                self.take_back(postgres);
            }
        }
        (self.is_behind, self.was_taken_back) = (false, false);
    }

    /// A local setting ends with the transaction, but in SQLite only the next use of a setting outside of one finds that
    /// out: without it the setting would last into a transaction that begins at once.
    fn end_local_settings(&mut self) {
        self.store.ok("main", CONDITIONS_SETTING);
    }

    /// After something was taken back: global positions are given out once more, and settings are as in Postgres.
    fn take_back(&mut self, postgres: &mut Session) {
        self.positions = Positions::default();
        self.was_taken_back = true;
        let setting = postgres.value(CONDITIONS_SETTING);
        if self.store.ok("main", CONDITIONS_SETTING)[0][0].as_str() == setting.as_deref() {
            return;
        }
        match setting {
            Some(value) => {
                let value = literal::text(&value);
                self.store.ok("main", &format!("SELECT set_config('message_store.sql_condition', {value}, false)"));
            }
            // What is set cannot be made unset.
            None if self.in_transaction => self.is_behind = true,
            None => self.store.close("main"),
        }
    }

    /// Copies the messages that Postgres has and SQLite has not, the last ones.
    fn copy(&mut self, postgres: &mut Session) {
        let last = self.store.ok("main", "SELECT id FROM messages ORDER BY global_position DESC LIMIT 1");
        let after = match last.first().and_then(|row| row[0].as_str()) {
            Some(id) => format!("(SELECT global_position FROM messages WHERE id = '{id}')"),
            None => "0".into(),
        };
        for row in postgres.rows(&format!("{MESSAGES} WHERE global_position > {after} ORDER BY global_position")) {
            let values: Vec<String> =
                row.iter().map(|value| value.as_deref().map_or_else(|| "NULL".into(), literal::text)).collect();
            let columns = "position, stream_name, type, data, metadata, id";
            self.store.ok("main", &format!("INSERT INTO messages ({columns}) VALUES ({})", values.join(", ")));
        }
    }

    /// Compares all messages, outside of every transaction.
    pub fn compare_content(&mut self, postgres: &mut Session) -> Result<(), String> {
        self.end(false, postgres);
        let sql = format!("{MESSAGES} ORDER BY global_position");
        let want = corpus::answer(
            postgres.run(&sql).result.map_err(|failure| failure.to_string())?,
            &corpus::types(&mut self.describer, &sql),
        );
        let got = self.run("main", &[sql], None, false).map_err(|error| error.text)?;
        for (got, want) in got.1.iter().zip(&want.1) {
            if got != want {
                return Err(format!("SQLite has {} where Postgres has {}", json!(got), json!(want)));
            }
        }
        if got.1.len() == want.1.len() {
            Ok(())
        } else {
            Err(format!("{} messages, not {}", got.1.len(), want.1.len()))
        }
    }
}
