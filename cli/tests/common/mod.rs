//! What the tests of the program share: running it, stores to run it on, and another way to compare them.

#![allow(dead_code)] // no suite uses all of it

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use message_store_sqlite::rusqlite::Connection;
use message_store_tests::{Session, Store, Target, dependencies, program};
use tempfile::TempDir;

/// How the program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The program, with an environment that says nothing of a server.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_message-store"));
    for name in ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSERVICE", "PGPASSWORD", "PGPASSFILE", "PGOPTIONS"] {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub fn run(arguments: &[&str]) -> Ended {
    ended(command(arguments))
}

/// Runs the command to its end.
pub fn ended(mut command: Command) -> Ended {
    let output = command.output().expect("the program");
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Runs what must succeed, and returns its standard output.
pub fn ok(arguments: &[&str]) -> String {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.out
}

/// Runs what must fail with this exit code, saying this.
pub fn fails(code: i32, said: &str, arguments: &[&str]) {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
    assert!(ended.err.contains(said), "{arguments:?}: \"{said}\" is not in {}", ended.err);
    assert!(!ended.err.contains(".rs:") && !ended.err.contains("panicked"), "{}", ended.err);
}

/// Starts the program and kills it after a while, unless it has ended by then: whether it was killed.
pub fn kill_after(arguments: &[&str], pause: Duration, signal: i32) -> (bool, Option<i32>) {
    let mut child = command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program");
    std::thread::sleep(pause);
    let was_running = child.try_wait().expect("a status").is_none();
    send(&child, signal);
    (was_running, child.wait().expect("a status").code())
}

/// Sends a signal.
pub fn send(child: &Child, signal: i32) {
    let status =
        Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()).stderr(Stdio::null()).status();
    status.expect("kill");
}

/// The URL of a database of the tests' cluster.
pub fn url(store: &Store, namespace: &str) -> String {
    let folder = store.cluster.socket_folder().display();
    format!("postgres://postgres@/{}?host={folder}&namespace={namespace}", store.database)
}

/// The same for genuine Message DB.
pub fn message_db_url(store: &Store) -> String {
    format!("message-db://postgres@/{}?host={}", store.database, store.cluster.socket_folder().display())
}

/// The URL of a file.
pub fn file_url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// Puts messages into the default store of a Postgres database, genuine or ours: streams of odd names, every kind of
/// JSON and none, gaps in the global positions and after the last one.
pub fn seed(store: &Store, count: u32) {
    let mut session = store.superuser();
    session.ok(&format!(
        r#"INSERT INTO message_store.messages (global_position, position, time, stream_name, type, data, metadata, id)
        SELECT g * 3 - g % 2, (g - 1) / 50, timestamp '2026-01-31 12:00:00' + g * interval '1.000003 s',
            CASE (g - 1) % 50 WHEN 0 THEN 'account' WHEN 1 THEN E'odd "\n\t\\ name-1' WHEN 2 THEN 'straße-日本語'
                WHEN 3 THEN 'it''s-1' ELSE 'account-' || (g - 1) % 50 END,
            CASE g % 7 WHEN 0 THEN '' ELSE 'Type' || g % 7 END,
            CASE g % 9 WHEN 0 THEN NULL WHEN 1 THEN 'null' WHEN 2 THEN '1.50' WHEN 3 THEN '"a\nb\u00e9\\\" 🙂"'
                WHEN 4 THEN '123456789012345678901234567890.123456789' WHEN 5 THEN '[]'
                ELSE jsonb_build_object('number', g, 'bb', repeat('x', g % 40), 'a', jsonb_build_array(true, null, 0.10)) END,
            CASE g % 3 WHEN 0 THEN NULL WHEN 1 THEN 'null' ELSE jsonb_build_object('correlationStreamName', 'c-' || g) END,
            md5('{count}' || g)::uuid
        FROM generate_series(1, {count}) g"#
    ));
    session.ok("SELECT setval('message_store.messages_global_position_seq', (SELECT max(global_position) + 17 FROM message_store.messages))");
}

/// A digest of all messages and the next global position, by other means than the program's own: psql, or Python's
/// sqlite3.
pub fn digest(arguments: &[&str], store: Option<&Store>) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/digest.py");
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-B", script]).args(arguments);
    if let Some(store) = store {
        command
            .env("PGHOST", store.cluster.socket_folder())
            .env("PGUSER", "postgres")
            .env("PGDATABASE", &store.database);
        command.env("PSQL", program("psql"));
    }
    let ended = ended(command);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out
}

/// The digest of a schema.
pub fn schema_digest(store: &Store, schema: &str) -> String {
    digest(&["postgres", schema], Some(store))
}

/// The digest of a file, which is a namespace's where it is one of its own.
pub fn file_digest(path: &Path) -> String {
    digest(&["sqlite", &path.display().to_string()], None)
}

/// The Python that has the packages of `tests/setup.sh`.
pub fn python() -> std::path::PathBuf {
    dependencies().join("python/bin/python")
}

/// A connection of one's own to a file, with the functions of the store.
pub fn sqlite(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a file");
    message_store_sqlite::register(&connection).expect("registered");
    connection
}

/// The one value of a query of a file, as text.
pub fn sqlite_value(connection: &Connection, sql: &str) -> String {
    let value = connection.query_row(sql, [], |row| row.get::<_, message_store_sqlite::rusqlite::types::Value>(0));
    match value.unwrap_or_else(|error| panic!("{sql}: {error}")) {
        message_store_sqlite::rusqlite::types::Value::Integer(number) => number.to_string(),
        message_store_sqlite::rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}"),
    }
}

/// A store in either engine that a test works on by its functions.
pub enum Engine {
    /// The default store of a database.
    Postgres(Store, Box<Session>),
    /// A file.
    Sqlite(TempDir, Connection),
}

impl Engine {
    /// An empty database.
    pub fn postgres() -> Self {
        let store = Store::fresh(Target::Ours);
        let session = Box::new(store.superuser());
        Self::Postgres(store, session)
    }

    /// An empty file.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = sqlite(&folder.path().join("store.db"));
        sqlite_value(&connection, "SELECT message_store_init()");
        Self::Sqlite(folder, connection)
    }

    /// An empty one of each.
    pub fn both() -> [Self; 2] {
        [Self::postgres(), Self::sqlite()]
    }

    /// A source and a target, and the other way round.
    pub fn pairs() -> [(Self, Self); 2] {
        [(Self::postgres(), Self::sqlite()), (Self::sqlite(), Self::postgres())]
    }

    /// Its URL.
    pub fn url(&self) -> String {
        match self {
            Self::Postgres(store, _) => url(store, "message_store"),
            Self::Sqlite(folder, _) => file_url(&folder.path().join("store.db")),
        }
    }

    /// The one value of a query, as text.
    pub fn value(&mut self, sql: &str) -> String {
        match self {
            Self::Postgres(_, session) => session.value(sql).unwrap_or_default(),
            Self::Sqlite(_, connection) => sqlite_value(connection, sql),
        }
    }

    /// Writes a message to a stream: its position there.
    pub fn write(&mut self, stream: &str) -> String {
        self.value(&format!("SELECT write_message(NULL, '{stream}', 'Written', '{{\"of\": \"{stream}\"}}')"))
    }

    /// The digest of the store by other means than the program's own.
    pub fn digest(&self) -> String {
        match self {
            Self::Postgres(store, _) => schema_digest(store, "message_store"),
            Self::Sqlite(folder, _) => file_digest(&folder.path().join("store.db")),
        }
    }
}
