use message_store_sqlite::rusqlite::{Connection, Result};

fn main() -> Result<()> {
    let connection = Connection::open("bank.db")?;
    message_store_sqlite::register(&connection)?;
    let write = "SELECT write_message(NULL, 'account-1', 'Opened', '{\"owner\": \"Ada\"}')";
    let _: i64 = connection.query_row(write, [], |row| row.get(0))?;
    let read = "SELECT position, type, data FROM get_stream_messages('account-1')";
    let (position, kind, data): (i64, String, String) =
        connection.query_row(read, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    println!("{position} {kind} {data}");
    Ok(())
}
