//! The quick start, embedded: a store in a file, an account, a conflict, a category, a consumer group, a namespace.

use message_store_sqlite::rusqlite::types::ValueRef;
use message_store_sqlite::rusqlite::{Connection, Result};

const STATEMENTS: [(&str, &[&str]); 6] = [
    (
        "An account's messages. The last argument is the version that the stream must have.",
        &[
            "SELECT write_message(NULL, 'account-1', 'Opened', '{\"owner\": \"Ada\"}', NULL, -1)",
            "SELECT write_message(NULL, 'account-1', 'Deposited', '{\"amount\": 100}', NULL, 0)",
        ],
    ),
    (
        "Somebody else was faster: the version is no longer 0, and nothing is written.",
        &["SELECT write_message(NULL, 'account-1', 'Withdrawn', '{\"amount\": 70}', NULL, 0)"],
    ),
    (
        "The stream, and the category with a second account in it.",
        &[
            "SELECT position, type, data FROM get_stream_messages('account-1')",
            "SELECT write_messages('account-2', '[{\"type\": \"Opened\"}, {\"type\": \"Deposited\", \"data\": {\"amount\": 5}}]') <> ''",
            "SELECT global_position, stream_name, type FROM get_category_messages('account')",
        ],
    ),
    (
        "Two consumers share the category: every stream is read by one of them.",
        &[
            "SELECT DISTINCT stream_name FROM get_category_messages('account', NULL, NULL, NULL, 0, 2)",
            "SELECT DISTINCT stream_name FROM get_category_messages('account', NULL, NULL, NULL, 1, 2)",
        ],
    ),
    (
        "A namespace is a store of its own, in a file of its own.",
        &[
            "SELECT create_namespace('tenant-a')",
            "SELECT write_message(NULL, 'account-1', 'Opened', '{\"owner\": \"Grace\"}', NULL, -1, 'tenant-a')",
            "SELECT data FROM get_stream_messages('account-1', NULL, NULL, NULL, 'tenant-a')",
            "SELECT name FROM list_namespaces()",
        ],
    ),
    ("How much is there.", &["SELECT * FROM category_type_summary"]),
];

fn main() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("message-store-quickstart-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory for the store");
    let path = directory.join("bank.db");

    let connection = Connection::open(&path)?;
    message_store_sqlite::register(&connection)?;
    connection.pragma_update(None, "journal_mode", "wal")?;

    println!("-- {}", path.display());
    for (comment, statements) in STATEMENTS {
        println!("\n-- {comment}");
        for sql in statements {
            println!("{sql};");
            if let Err(error) = print_rows(&connection, sql) {
                println!("   error: {error}");
            }
        }
    }
    drop(connection);
    std::fs::remove_dir_all(&directory).expect("the directory is removed");
    Ok(())
}

fn print_rows(connection: &Connection, sql: &str) -> Result<()> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| row.get_ref(column).map(text)).collect::<Result<Vec<_>>>()?;
        println!("   {}", values.join(" | "));
    }
    Ok(())
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
    }
}
