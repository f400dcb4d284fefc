//! An order desk with its orders and its messages in one SQLite file: an order and the message of it are written in one
//! transaction, and a consumer of the messages ships each order once.
//!
//! Usage: order-desk FILE. A second run goes on in the same file.

use message_store_sqlite::rusqlite::{Connection, Result, Transaction, TransactionBehavior, params};

/// What one transaction of the consumer reads at most.
const BATCH: i64 = 10;

fn main() -> Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: order-desk FILE");
        std::process::exit(2);
    };
    let mut desk = open(&path)?;

    for total in [40, 80, 120] {
        println!("order {} placed", place(&mut desk, total)?);
    }
    // The table refuses the order, and with it goes the message, which was written before.
    if let Err(error) = place(&mut desk, 0) {
        println!("an order of 0: {error}");
    }
    // An order that does not exist has no message, so this is no version that its stream has.
    if let Err(error) = write(&desk, 1000, "Cancelled", "{}", 0) {
        println!("order 1000 cancelled: {error}");
    }

    println!("shipped: {}", ship(&mut desk)?);
    println!("shipped: {}", ship(&mut desk)?);
    let mut kinds = desk.prepare("SELECT type, message_count FROM type_summary ORDER BY type")?;
    let mut rows = kinds.query([])?;
    while let Some(row) = rows.next()? {
        println!("{} {}", row.get::<_, String>(0)?, row.get::<_, i64>(1)?);
    }
    Ok(())
}

fn open(path: &str) -> Result<Connection> {
    let desk = Connection::open(path)?;
    message_store_sqlite::register(&desk)?;
    desk.pragma_update(None, "journal_mode", "wal")?;
    desk.execute_batch(
        "CREATE TABLE IF NOT EXISTS orders (
            id INTEGER PRIMARY KEY, total INTEGER NOT NULL CHECK (total > 0), shipped INTEGER NOT NULL DEFAULT 0)",
    )?;
    Ok(desk)
}

/// Begins as a writer, so that what is read is still so when something is written.
fn begin(desk: &mut Connection) -> Result<Transaction<'_>> {
    desk.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Writes to an order's stream, behind `expected_version`, and returns the message's position.
fn write(desk: &Connection, id: i64, kind: &str, data: &str, expected_version: i64) -> Result<i64> {
    let call = "SELECT write_message(NULL, 'order-' || ?1, ?2, ?3, NULL, ?4)";
    desk.query_row(call, params![id, kind, data, expected_version], |row| row.get(0))
}

/// Places an order and returns its number. Its message is there exactly if the order is.
fn place(desk: &mut Connection, total: i64) -> Result<i64> {
    let transaction = begin(desk)?;
    let id = transaction.query_row("SELECT coalesce(max(id), 0) + 1 FROM orders", [], |row| row.get(0))?;
    write(&transaction, id, "Placed", &format!("{{\"total\": {total}}}"), -1)?;
    transaction.execute("INSERT INTO orders (id, total) VALUES (?1, ?2)", [id, total])?;
    transaction.commit()?;
    Ok(id)
}

/// Ships what has been placed, and returns how many orders that were. Shipping and the consumer's position are
/// committed together: whatever happens in between, no order is shipped twice.
fn ship(desk: &mut Connection) -> Result<usize> {
    let transaction = begin(desk)?;
    let position: i64 =
        transaction.query_row("SELECT record_consumer_position('order', 'shipping', 0)", [], |row| row.get(0))?;
    let placed = new_messages(&transaction, position + 1)?;
    let mut shipped = 0;
    for (position, stream, kind) in &placed {
        if kind == "Placed" {
            let id = stream.trim_start_matches("order-").parse::<i64>().unwrap_or_default();
            shipped += transaction.execute("UPDATE orders SET shipped = shipped + 1 WHERE id = ?1", [id])?;
            write(&transaction, id, "Shipped", "{}", 0)?;
        }
        transaction.query_row("SELECT record_consumer_position('order', 'shipping', ?1)", [position], |_| Ok(()))?;
    }
    transaction.commit()?;
    Ok(shipped)
}

/// Global position, stream and type of the next messages.
fn new_messages(desk: &Connection, position: i64) -> Result<Vec<(i64, String, String)>> {
    let read = "SELECT global_position, stream_name, type FROM get_category_messages('order', ?1, ?2)";
    desk.prepare(read)?.query_map([position, BATCH], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
}
