//! Statements are kept prepared, however often the functions are called: also with the newest SQLite that the crate can
//! bring, which prepares a statement anew where its parameters may ask for another plan.

use std::ptr;

use message_store_sqlite::rusqlite::{Connection, Result, ffi};

const CALLS: i64 = 200;

fn main() -> Result<()> {
    let connection = Connection::open_in_memory()?;
    message_store_sqlite::register(&connection)?;
    connection.query_row("SELECT create_namespace('tenant-a')", [], |_| Ok(()))?;
    for number in 0..CALLS {
        for call in [
            "SELECT write_message(NULL, 'account-' || (?1 % 10), 'T', '{}')",
            "SELECT write_messages('account-' || (?1 % 10), '[{\"type\": \"T\"}]')",
            "SELECT write_message(NULL, 'account-' || (?1 % 10), 'T', '{}', NULL, NULL, 'tenant-a')",
            "SELECT stream_version('account-' || (?1 % 10))",
            "SELECT record_consumer_position('account', 'consumer', ?1)",
            "SELECT count(*) FROM get_stream_messages('account-' || (?1 % 10), 0, 10)",
            "SELECT count(*) FROM get_category_messages('account', ?1, 10)",
            "SELECT count(*) FROM get_category_messages('account', ?1, 10, NULL, ?1 % 2, 2)",
            "SELECT count(*) FROM get_all_messages(?1, 10)",
            "SELECT count(*) FROM get_last_stream_message('account-' || (?1 % 10), CASE ?1 % 2 WHEN 0 THEN 'T' END)",
        ] {
            connection.query_row(call, [number], |_| Ok(()))?;
        }
    }
    let anew = prepared_anew(&connection);
    // A few are, since the first calls create tables.
    println!("{}", if anew < 10 { "kept".to_owned() } else { format!("{anew} prepared anew in {CALLS} rounds") });
    Ok(())
}

/// How often statements of the connection, which are all Message Store's by now, were prepared once more.
fn prepared_anew(connection: &Connection) -> i32 {
    let mut times = 0;
    // SAFETY: the connection is open, and nothing goes on while its statements are looked at.
    unsafe {
        let mut statement = ptr::null_mut();
        loop {
            statement = ffi::sqlite3_next_stmt(connection.handle(), statement);
            if statement.is_null() {
                return times;
            }
            times += ffi::sqlite3_stmt_status(statement, ffi::SQLITE_STMTSTATUS_REPREPARE, 0);
        }
    }
}
