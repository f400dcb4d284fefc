//! Speed beside plain SQL on the same tables, with the SQLite that the crate compiles in.
//!
//! Every pair is run in turn, round by round, and the medians are compared. Usage: `bench [rounds]`.

use std::path::Path;
use std::time::{Duration, Instant};

use message_store_sqlite::rusqlite::{Connection, Result, Row, Statement, params};

const DATA: &str = r#"{"amount": 10, "name": "Ada"}"#;
const METADATA: &str = r#"{"correlationStreamName": "order-1"}"#;
const PLAIN_INSERT: &str = "INSERT INTO messages (position, time, stream_name, type, data, metadata, id) \
                            VALUES (?1, '2026-01-31 12:00:00.000000', ?2, 'Deposited', ?3, ?4, ?5)";
const WRITE: &str = "SELECT write_message(?1, ?2, 'Deposited', ?3, ?4)";
const STREAMS: usize = 100;

fn main() -> Result<()> {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(5);
    let directory = std::env::temp_dir().join(format!("message-store-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory for the files");
    println!("SQLite {}, {rounds} rounds, medians", message_store_sqlite::rusqlite::version());
    let compared = compare(&directory, rounds);
    let latencies = compared.and_then(|()| latencies(&directory));
    std::fs::remove_dir_all(&directory).expect("the directory is removed");
    latencies
}

fn compare(directory: &Path, rounds: usize) -> Result<()> {
    let pair = |name: &str, wanted: f64, ours: &dyn Fn() -> Result<f64>, plain: &dyn Fn() -> Result<f64>| {
        let mut found = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            found.0.push(ours()?);
            found.1.push(plain()?);
        }
        let (ours, plain) = (median(&mut found.0), median(&mut found.1));
        let ratio = ours / plain;
        let verdict = if ratio >= wanted { "" } else { "  BELOW" };
        println!("{name:<44} {ours:>9.0}/s  plain {plain:>9.0}/s  {ratio:.2} (wanted {wanted}){verdict}");
        Ok(())
    };
    let fresh = || open(&directory.join("fresh.db"));
    pair("write, autocommit", 0.85, &|| one_by_one(&fresh()?, WRITE, 4000, false), &|| {
        one_by_one(&fresh()?, PLAIN_INSERT, 4000, false)
    })?;
    pair("write, 1,000 a transaction", 0.85, &|| one_by_one(&fresh()?, WRITE, 50_000, true), &|| {
        one_by_one(&fresh()?, PLAIN_INSERT, 50_000, true)
    })?;
    pair("write_messages of 100", 0.8, &|| batches(&fresh()?, 100, true), &|| batches_of_inserts(&fresh()?, 100))?;
    pair("write_messages of 100, ids generated", 0.8, &|| batches(&fresh()?, 100, false), &|| {
        batches_of_inserts(&fresh()?, 100)
    })?;

    let filled = open(&directory.join("filled.db"))?;
    one_by_one(&filled, WRITE, 20_000, true)?;
    let columns = "id, stream_name, type, position, global_position, data, metadata, time";
    let stream = format!("SELECT {columns} FROM get_stream_messages(?1, ?2, 10)");
    let plain_stream =
        format!("SELECT {columns} FROM messages WHERE stream_name = ?1 AND position >= ?2 ORDER BY position LIMIT 10");
    for (name, take) in
        [("get_stream_messages of 10", as_values as Take), ("the same, texts looked at in place", in_place)]
    {
        pair(name, 0.75, &|| reads(&filled, &stream, 10_000, 10, take), &|| {
            reads(&filled, &plain_stream, 10_000, 10, take)
        })?;
    }
    let group = format!("SELECT {columns} FROM get_category_messages('account', ?2, 100, NULL, 1, 4) WHERE ?1 <> ''");
    let category = format!("SELECT {columns} FROM get_category_messages('account', ?2, 400) WHERE ?1 <> ''");
    let pass = reads_of_rows(&filled, &group)?;
    println!("  (a group read of 100 passes over {pass} rows)");
    pair("consumer group read of 100 of 4", 0.6, &|| reads(&filled, &group, 500, 100, as_values), &|| {
        reads(&filled, &category, 500, 400, as_values)
    })
}

fn open(path: &Path) -> Result<Connection> {
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", path.display())));
    }
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = wal; PRAGMA synchronous = normal")?;
    message_store_sqlite::register(&connection)?;
    connection.query_row("SELECT message_store_init()", [], |_| Ok(()))?;
    Ok(connection)
}

/// Messages a second, one statement each.
fn one_by_one(connection: &Connection, sql: &str, count: usize, in_transactions: bool) -> Result<f64> {
    let ids: Vec<String> = (0..count).map(id).collect();
    let streams: Vec<String> = (0..STREAMS).map(|number| format!("account-{number}")).collect();
    let mut statement = connection.prepare(sql)?;
    let started = Instant::now();
    for (number, id) in ids.iter().enumerate() {
        if in_transactions && number % 1000 == 0 {
            connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        write(&mut statement, sql == WRITE, id, &streams[number % STREAMS], number / STREAMS)?;
        if in_transactions && number % 1000 == 999 {
            connection.execute_batch("COMMIT")?;
        }
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

fn write(statement: &mut Statement<'_>, ours: bool, id: &str, stream: &str, position: usize) -> Result<()> {
    let position = position as i64;
    if ours {
        let found: i64 = statement.query_row(params![id, stream, DATA, METADATA], |row| row.get(0))?;
        assert_eq!(found, position);
        return Ok(());
    }
    statement.execute(params![position, stream, DATA, METADATA, id]).map(drop)
}

/// A random-looking id: a version 4 one, as clients make them.
fn id(number: usize) -> String {
    let mut bits = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    bits ^= bits >> 61;
    let hex = format!("{bits:032x}");
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// Messages a second, 100 a call, with random ids or without.
fn batches(connection: &Connection, count: usize, with_ids: bool) -> Result<f64> {
    let batches: Vec<(String, String)> = (0..count)
        .map(|batch| {
            let elements: Vec<String> = (0..100)
                .map(|number| {
                    let id =
                        if with_ids { format!(r#""id": "{}", "#, id(batch * 100 + number)) } else { String::new() };
                    format!(r#"{{{id}"type": "Deposited", "data": {DATA}, "metadata": {METADATA}}}"#)
                })
                .collect();
            (format!("account-{}", batch % STREAMS), format!("[{}]", elements.join(",")))
        })
        .collect();
    let mut statement = connection.prepare("SELECT write_messages(?1, ?2)")?;
    let started = Instant::now();
    for (stream, messages) in &batches {
        statement.query_row(params![stream, messages], |_| Ok(()))?;
    }
    Ok(count as f64 * 100.0 / started.elapsed().as_secs_f64())
}

/// The same messages, 100 plain INSERTs a transaction.
fn batches_of_inserts(connection: &Connection, count: usize) -> Result<f64> {
    let ids: Vec<String> = (0..count * 100).map(id).collect();
    let mut statement = connection.prepare(PLAIN_INSERT)?;
    let started = Instant::now();
    for (batch, ids) in ids.chunks(100).enumerate() {
        let stream = format!("account-{}", batch % STREAMS);
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for (position, id) in ids.iter().enumerate() {
            write(&mut statement, false, id, &stream, batch / STREAMS * 100 + position)?;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(count as f64 * 100.0 / started.elapsed().as_secs_f64())
}

/// Takes a message out of a row, and gives the length of its texts.
type Take = fn(&Row<'_>) -> Result<usize>;

/// As values of the program's own, which is how most programs and all other languages read.
fn as_values(row: &Row<'_>) -> Result<usize> {
    let mut length = 0;
    for column in [0, 1, 2, 5, 6, 7] {
        length += row.get::<_, Option<String>>(column)?.map_or(0, |text| text.len());
    }
    let positions = (row.get::<_, i64>(3)?, row.get::<_, i64>(4)?);
    Ok(if positions < (0, 0) { 0 } else { length })
}

/// The texts only, which are not copied.
fn in_place(row: &Row<'_>) -> Result<usize> {
    let mut length = 0;
    for column in [0, 1, 2, 5, 6, 7] {
        length += row.get_ref(column)?.as_str().map_or(0, str::len);
    }
    Ok(length)
}

/// Reads a second, each of `rows` rows.
fn reads(connection: &Connection, sql: &str, count: usize, rows: usize, take: Take) -> Result<f64> {
    let streams: Vec<String> = (0..STREAMS).map(|number| format!("account-{number}")).collect();
    let mut statement = connection.prepare(sql)?;
    let started = Instant::now();
    let mut bytes = 0;
    for number in 0..count {
        let mut found = 0;
        let mut cursor = statement.query(params![streams[number % STREAMS], (number % 100) as i64])?;
        while let Some(row) = cursor.next()? {
            bytes += take(row)?;
            found += 1;
        }
        assert_eq!(found, rows);
    }
    assert!(bytes > 0);
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// How many rows of the category a consumer group read passes over.
fn reads_of_rows(connection: &Connection, sql: &str) -> Result<i64> {
    connection.query_row(&format!("SELECT max(global_position) FROM ({sql})"), params!["x", 0], |row| row.get(0))
}

fn latencies(directory: &Path) -> Result<()> {
    let memory = Connection::open_in_memory()?;
    message_store_sqlite::register(&memory)?;
    calls("in memory", &memory, [1.0, 2.0, 10.0, 20.0, 50.0])?;
    calls("on file", &open(&directory.join("calls.db"))?, [5.0, 8.0, 30.0, 50.0, 100.0])
}

/// Median milliseconds of the calls that an application makes.
fn calls(place: &str, connection: &Connection, wanted: [f64; 5]) -> Result<()> {
    let write = "SELECT write_message(NULL, 'account-' || (?1 % 100), 'Deposited', '{\"amount\": 10}')";
    let calls = [
        ("write", 2000_i64, write),
        ("stream read of 10", 1000, "SELECT count(data) FROM get_stream_messages('account-' || (?1 % 100), 0, 10)"),
        ("category read of 100", 1000, "SELECT count(data) FROM get_category_messages('account', ?1, 100)"),
        ("namespace created", 100, "SELECT create_namespace('tenant-' || ?1)"),
        ("namespace deleted", 100, "SELECT delete_namespace('tenant-' || ?1)"),
    ];
    for ((name, count, sql), wanted) in calls.into_iter().zip(wanted) {
        let mut times = Vec::new();
        for number in 0..count {
            let started = Instant::now();
            connection.query_row(sql, [number], |_| Ok(()))?;
            times.push(milliseconds(started.elapsed()));
        }
        let found = median(&mut times);
        let verdict = if found < wanted { "" } else { "  ABOVE" };
        println!("{place}, {name:<24} {found:>8.3} ms (wanted under {wanted}){verdict}");
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
