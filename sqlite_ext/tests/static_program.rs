//! A Rust program that links SQLite and the crate: the functions registered with one call.

use message_store_sqlite::rusqlite::{Connection, Error, Result, ffi};

fn open() -> Connection {
    let connection = Connection::open_in_memory().expect("opened");
    message_store_sqlite::register(&connection).expect("registered");
    connection
}

fn write(connection: &Connection, stream: &str, expected: Option<i64>) -> Result<i64> {
    connection.query_row("SELECT write_message(NULL, ?1, 'T', '{}', NULL, ?2)", (stream, expected), |row| row.get(0))
}

#[test]
fn positions_and_versions() {
    let connection = open();
    assert_eq!(write(&connection, "account-1", Some(-1)), Ok(0));
    assert_eq!(write(&connection, "account-1", Some(0)), Ok(1));
    let error = write(&connection, "account-1", Some(0)).expect_err("refused");
    assert_eq!(error.to_string(), "Wrong expected version: 0 (Stream: account-1, Stream Version: 1)");
}

#[test]
fn a_duplicate_id_has_its_own_code() {
    let connection = open();
    let sql = "SELECT write_message('00000000-0000-4000-8000-000000000001', 'account-1', 'T', '{}')";
    connection.query_row(sql, [], |_| Ok(())).expect("written");
    match connection.query_row(sql, [], |_| Ok(())) {
        Err(Error::SqliteFailure(code, Some(message))) => {
            assert_eq!(code.extended_code, ffi::SQLITE_CONSTRAINT_UNIQUE);
            assert_eq!(message, "duplicate key value violates unique constraint \"messages_id\"");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_deleted_stream_goes_on_counting() {
    let connection = open();
    assert_eq!(write(&connection, "account-1", Some(-1)), Ok(0));
    let removed = connection.query_row("SELECT delete_stream('account-1')", [], |row| row.get::<_, i64>(0));
    assert_eq!(removed, Ok(1));
    assert_eq!(write(&connection, "account-1", Some(0)), Ok(1));
    let sql = "SELECT message_count, stream_count FROM stats()";
    assert_eq!(connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))), Ok((1_i64, 1_i64)));
}

#[test]
fn rows_come_through_a_statement_that_is_used_again() {
    let connection = open();
    for _ in 0..5 {
        write(&connection, "account-1", None).expect("written");
    }
    let mut statement = connection.prepare("SELECT position FROM get_stream_messages(?1, ?2, 2)").expect("prepared");
    for from in 0..4 {
        let rows = statement.query_map(("account-1", from), |row| row.get::<_, i64>(0)).expect("started");
        assert_eq!(rows.collect::<Result<Vec<_>>>(), Ok(vec![from, from + 1]));
    }
}

#[test]
fn a_connection_closes_although_statements_are_kept() {
    let connection = open();
    write(&connection, "account-1", None).expect("written");
    connection.close().map_err(|(_, error)| error).expect("closed");
}

#[test]
fn a_close_that_fails_is_no_end() {
    let connection = open();
    write(&connection, "account-1", None).expect("written");
    // SAFETY: the statement is finalized below; a close that fails leaves the connection as it was.
    unsafe {
        let mut statement = std::ptr::null_mut();
        let sql = c"SELECT position FROM get_stream_messages('account-1')";
        ffi::sqlite3_prepare_v2(connection.handle(), sql.as_ptr(), -1, &raw mut statement, std::ptr::null_mut());
        assert_eq!(ffi::sqlite3_step(statement), ffi::SQLITE_ROW);
        assert_eq!(ffi::sqlite3_close(connection.handle()), ffi::SQLITE_BUSY);
        ffi::sqlite3_finalize(statement);
    }
    assert_eq!(write(&connection, "account-1", Some(0)), Ok(1));
    connection.close().map_err(|(_, error)| error).expect("closed");
}

#[test]
fn registering_twice_is_harmless() {
    let connection = open();
    write(&connection, "account-1", None).expect("written");
    message_store_sqlite::register(&connection).expect("registered again");
    assert_eq!(write(&connection, "account-1", Some(0)), Ok(1));
    connection.close().map_err(|(_, error)| error).expect("closed");
}

#[test]
fn connections_of_several_threads() {
    let path = std::env::temp_dir().join(format!("message-store-threads-{}.db", std::process::id()));
    let start = || {
        let connection = Connection::open(&path).expect("opened");
        message_store_sqlite::register(&connection).expect("registered");
        connection
    };
    start().pragma_update(None, "journal_mode", "wal").expect("wal");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let connection = start();
                for _ in 0..50 {
                    write(&connection, "shared-1", None).expect("written");
                }
            });
        }
    });
    let count: i64 = start().query_row("SELECT stream_version('shared-1')", [], |row| row.get(0)).expect("read");
    assert_eq!(count, 199);
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", path.display())));
    }
}

#[test]
fn texts_are_read_whole_in_every_encoding() {
    for encoding in ["UTF-8", "UTF-16"] {
        let connection = Connection::open_in_memory().expect("opened");
        connection.pragma_update(None, "encoding", encoding).expect("set");
        message_store_sqlite::register(&connection).expect("registered");
        write(&connection, "straße-é日", None).expect("written");
        connection.execute("UPDATE messages SET type = 'a' || char(0) || 'b🙂', data = ''", []).expect("updated");
        let sql = "SELECT type, data, metadata FROM get_stream_messages('straße-é日')";
        let row = connection.query_row(sql, [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
        });
        assert_eq!(row, Ok(("a\0b🙂".to_owned(), String::new(), None)));
    }
}
