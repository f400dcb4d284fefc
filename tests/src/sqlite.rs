//! A store in an SQLite file, through the host that plays the corpus: `tests/sqlite/host.py`.

use crate::corpus::Answer;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// A file with an empty store, and the process that has its sessions.
pub struct SqliteStore {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    _folder: TempDir,
}

/// An error of SQLite's.
#[derive(Debug)]
pub struct SqliteError {
    /// Its code's name and its message.
    pub text: String,
    /// Whether it is what the expected error of Postgres is in SQLite.
    pub is_expected: bool,
}

impl SqliteStore {
    /// A new file.
    pub fn fresh() -> SqliteStore {
        let folder = tempfile::tempdir().expect("a folder");
        let mut process = Command::new(std::env::var("PYTHON").unwrap_or_else(|_| "/usr/bin/python3".into()))
            .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/serve.py")])
            .arg(folder.path().join("store.db"))
            .env("MESSAGE_STORE_LIBRARY", sqlite_library())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("its output"));
        let mut store = SqliteStore { process, input, output, _folder: folder };
        store.ok("main", "PRAGMA journal_mode = wal");
        store.ok("main", "SELECT message_store_init()");
        store
    }

    /// Runs one statement on the session of that name. `expected` is SQLSTATE and message of the error that it must
    /// fail with; for a statement without our functions SQLite has its `own_words`.
    pub fn run(
        &mut self,
        session: &str,
        sql: &str,
        expected: Option<(&str, &str)>,
        own_words: bool,
    ) -> Result<Answer, SqliteError> {
        let expected = expected.map(|(sqlstate, message)| json!({"sqlstate": sqlstate, "message": message}));
        let request = json!({"session": session, "sql": sql, "expected": expected, "own_words": own_words});
        let mut answer = self.ask(&request);
        if let Some(text) = answer["error"].as_str() {
            return Err(SqliteError { text: text.into(), is_expected: answer["expected"] == true });
        }
        let columns = serde_json::from_value(answer["columns"].take()).expect("columns");
        Ok((columns, serde_json::from_value(answer["rows"].take()).expect("rows")))
    }

    /// Runs what must not fail, and returns its rows.
    pub fn ok(&mut self, session: &str, sql: &str) -> Vec<Vec<Value>> {
        self.run(session, sql, None, false).unwrap_or_else(|e| panic!("{sql}: {}", e.text)).1
    }

    /// Closes a session; the next statement opens one anew.
    pub fn close(&mut self, session: &str) {
        self.ask(&json!({"session": session, "sql": null, "expected": null}));
    }

    fn ask(&mut self, request: &Value) -> Value {
        let mut answer = String::new();
        writeln!(self.input.as_mut().expect("its input"), "{request}").expect("a request");
        self.output.read_line(&mut answer).expect("an answer");
        serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{request}: {e}: {answer}"))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.input = None;
        drop(self.process.wait());
    }
}

/// The loadable library, built from this source where none is given. It cannot be a dependency: Cargo would give both
/// kinds of it the same features.
pub fn sqlite_library() -> PathBuf {
    if let Some(given) = std::env::var_os("MESSAGE_STORE_LIBRARY") {
        return given.into();
    }
    // target/debug/deps/a-test, or target/debug/a-program
    let program = std::env::current_exe().expect("a program");
    let folder = program.parent().expect("a folder");
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    let target = profile.and_then(Path::parent).expect("a target folder");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "-p", "message-store-sqlite-loadable", "--target-dir"])
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository"))
        .status()
        .expect("cargo");
    assert!(built.success(), "the SQLite library cannot be built");
    target.join("debug/libmessage_store_sqlite.so")
}
