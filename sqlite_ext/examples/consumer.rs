//! A consumer that adds amounts up by stream, in the file that it reads from, until it is killed or told to end.
//!
//! Usage: consumer FILE NAME MEMBER SIZE [once]. Position and sums are written in one transaction, so that neither is
//! ever without the other. With `once` it ends when nothing is left.

use message_store_sqlite::rusqlite::{Connection, OptionalExtension, Result, TransactionBehavior};
use std::time::Duration;

/// What this consumer is called, and which part of the category is its own.
struct Consumer {
    name: String,
    member: i64,
    size: i64,
}

impl Consumer {
    /// Processes the next messages, and returns the position of the last one.
    fn process_batch(&self, connection: &mut Connection) -> Result<Option<i64>> {
        // It locks the file before it reads, so that another one of the same name has to wait.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stored: Option<i64> = transaction
            .query_row("SELECT position FROM consumer_positions('account') WHERE consumer = ?1", [&self.name], |row| {
                row.get(0)
            })
            .optional()?;
        let mut last = None;
        {
            let mut select = transaction.prepare(
                "SELECT global_position, stream_name, data FROM get_category_messages('account', ?1, 10, NULL, ?2, ?3)",
            )?;
            let mut insert = transaction.prepare(
                "INSERT INTO sums VALUES (?1, json_extract(?2, '$.amount'), 1) ON CONFLICT (stream_name) DO UPDATE
                 SET amount = amount + excluded.amount, messages = messages + 1",
            )?;
            let mut rows = select.query((stored.unwrap_or(0) + 1, self.member, self.size))?;
            while let Some(row) = rows.next()? {
                insert.execute((row.get::<_, String>(1)?, row.get::<_, String>(2)?))?;
                last = Some(row.get(0)?);
            }
        }
        if let Some(last) = last {
            let record = "SELECT record_consumer_position('account', ?1, ?2)";
            transaction.query_row(record, (&self.name, last), |_| Ok(()))?;
        }
        transaction.commit()?;
        Ok(last)
    }
}

/// Changes whenever another connection has written to the file, and costs next to nothing.
fn data_version(connection: &Connection) -> Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, name, member, size, rest @ ..] = &arguments[..] else {
        return Err("usage: consumer FILE NAME MEMBER SIZE [once]".into());
    };
    let consumer = Consumer { name: name.clone(), member: member.parse()?, size: size.parse()? };
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(20))?;
    message_store_sqlite::register(&connection)?;
    loop {
        // Before the read: what is written from here on changes it.
        let seen = data_version(&connection)?;
        while let Some(last) = consumer.process_batch(&mut connection)? {
            println!("{last}");
        }
        if rest.iter().any(|argument| argument == "once") {
            return Ok(());
        }
        while data_version(&connection)? == seen {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
