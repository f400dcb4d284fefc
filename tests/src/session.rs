//! A connection that reports everything a statement does: rows as text, the error, the notices.

use crate::Failure;
use postgres::{Client, NoTls, SimpleQueryMessage};
use std::sync::{Arc, Mutex};

/// The rows of a statement, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The values.
    pub rows: Vec<Vec<Option<String>>>,
}

/// Everything a statement did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its rows, none for a statement that returns nothing, or its error.
    pub result: Result<Rows, Failure>,
    /// Severity and text of its notices, in order.
    pub notices: Vec<(String, String)>,
}

impl Outcome {
    /// The one value of the one row of a statement that did not fail.
    pub fn value(self) -> Option<String> {
        let mut rows = self.result.unwrap_or_else(|e| panic!("{e}")).rows;
        assert!(rows.len() == 1 && rows[0].len() == 1, "not one value but {rows:?}");
        rows.remove(0).remove(0)
    }
}

/// A connection.
pub struct Session {
    client: Client,
    notices: Arc<Mutex<Vec<(String, String)>>>,
}

impl Session {
    /// Connects.
    pub fn open(mut config: postgres::Config) -> Session {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let collected = Arc::clone(&notices);
        config.notice_callback(move |notice| {
            let notice = (notice.severity().to_owned(), notice.message().to_owned());
            collected.lock().expect("notices").push(notice);
        });
        let client = config.connect(NoTls).unwrap_or_else(|e| panic!("no connection: {e:?}"));
        Session { client, notices }
    }

    /// Runs one statement, or several in one implicit transaction.
    pub fn run(&mut self, sql: &str) -> Outcome {
        self.notices.lock().expect("notices").clear();
        let result = match self.client.simple_query(sql) {
            Ok(messages) => Ok(rows(messages)),
            Err(error) => Err(Failure::from_driver(&error)),
        };
        let notices = std::mem::take(&mut *self.notices.lock().expect("notices"));
        Outcome { result, notices }
    }

    /// The rows of a statement that must not fail.
    pub fn rows(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.run(sql).result.unwrap_or_else(|e| panic!("{sql}: {e}")).rows
    }

    /// Runs what must not fail.
    pub fn ok(&mut self, sql: &str) {
        self.rows(sql);
    }

    /// The one value of the one row of a statement that must not fail.
    pub fn value(&mut self, sql: &str) -> Option<String> {
        let mut rows = self.rows(sql);
        assert!(rows.len() == 1 && rows[0].len() == 1, "{sql}: not one value but {rows:?}");
        rows.remove(0).remove(0)
    }

    /// Like [`Session::value`], for a number that is not NULL.
    pub fn number(&mut self, sql: &str) -> i64 {
        let value = self.value(sql).unwrap_or_else(|| panic!("{sql}: NULL"));
        value.parse().unwrap_or_else(|e| panic!("{sql}: {value}: {e}"))
    }

    /// The error of a statement that must fail.
    pub fn error(&mut self, sql: &str) -> Failure {
        match self.run(sql).result {
            Ok(rows) => panic!("{sql}: no error but {rows:?}"),
            Err(failure) => failure,
        }
    }

    /// The driver's own connection, for typed parameters and results.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}

fn rows(messages: Vec<SimpleQueryMessage>) -> Rows {
    let mut rows = Rows::default();
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                rows.columns = columns.iter().map(|c| c.name().to_owned()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                rows.rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
            }
            _ => {}
        }
    }
    rows
}
