//! A node: hiqlite with Message Store's functions on each of its connections.

use crate::process::Result;
use hiqlite::{Client, Node, NodeConfig, Param};
use message_store_sqlite::rusqlite::auto_extension::{init_auto_extension, register_auto_extension};
use message_store_sqlite::rusqlite::ffi;
use serde_json::json;
use std::ffi::{c_char, c_int};
use std::io::BufRead;

/// Every SQLite connection that this process opens from now on has the functions: those of hiqlite too, the one that
/// applies the log among them.
fn register_everywhere() -> Result<()> {
    unsafe extern "C" fn register(
        db: *mut ffi::sqlite3,
        message: *mut *mut c_char,
        _: *const ffi::sqlite3_api_routines,
    ) -> c_int {
        // SAFETY: SQLite hands over an open connection; nothing is opened or closed here.
        unsafe { init_auto_extension(db, message, |connection| message_store_sqlite::register(&connection)) }
    }
    // SAFETY: the function is as SQLite wants it, and stays.
    unsafe { register_auto_extension(register)? };
    Ok(())
}

#[tokio::main]
pub async fn run(id: u64, folder: &str, addresses: &[String]) -> Result<()> {
    register_everywhere()?;
    std::fs::create_dir_all(folder)?;
    let nodes = (1..).zip(addresses.chunks(2)).map(|(id, pair)| Node {
        id,
        addr_raft: pair[0].clone(),
        addr_api: pair[1].clone(),
    });
    let client = hiqlite::start_node(NodeConfig {
        node_id: id,
        nodes: nodes.collect(),
        listen_addr_api: "127.0.0.1".into(),
        listen_addr_raft: "127.0.0.1".into(),
        data_dir: folder.to_owned().into(),
        secret_raft: "an example's secret".into(),
        secret_api: "an example's secret".into(),
        ..NodeConfig::default()
    })
    .await?;
    client.wait_until_healthy_db().await;
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["write", from, to] => println!("{}", write(&client, from.parse()?, to.parse()?).await?),
            ["write-late"] => println!("{}", append(&client, 0, Some(0)).await.err().unwrap_or_default()),
            ["messages"] => messages(&client).await?,
            _ => return Err(format!("what is {line}?").into()),
        }
    }
    client.shutdown().await?;
    Ok(())
}

async fn write(client: &Client, from: i64, to: i64) -> Result<String> {
    for n in from..to {
        append(client, n, None).await?;
    }
    Ok(format!("{} messages written", to - from))
}

/// Writes a message to one of ten streams.
///
/// Every node carries the statement out for itself, so nothing in it may be decided by a node: the id and the time are
/// in it, which else would be another one on each. The version is checked on each node, with the same result.
async fn append(client: &Client, n: i64, expected_version: Option<i64>) -> std::result::Result<(), String> {
    let id = format!("a0000000-0000-4000-8000-{n:012}");
    let time = format!("2026-01-31 12:{:02}:{:02}", n / 60 % 60, n % 60);
    let message = json!([{"id": id, "time": time, "type": "Deposited", "data": {"amount": n}}]);
    let version = expected_version.map_or(Param::Null, Param::from);
    let parameters = vec![Param::from(format!("account-{}", n % 10)), Param::from(message.to_string()), version];
    let sql = "SELECT write_messages($1, $2, $3) AS written";
    let mut row = client.execute_returning_one(sql, parameters).await.map_err(|error| error.to_string())?;
    row.try_get::<String>("written").map(drop).map_err(|error| error.to_string())
}

/// What this node has, from its own file.
async fn messages(client: &Client) -> Result<()> {
    let sql =
        "SELECT global_position || ' ' || stream_name || ' ' || position || ' ' || type || ' ' || data || ' ' || id
        || ' ' || time AS line FROM get_all_messages(1, -1)";
    let rows = client.query_raw(sql, vec![]).await?;
    println!("{}", rows.len());
    for mut row in rows {
        println!("{}", row.try_get::<String>("line")?);
    }
    Ok(())
}
