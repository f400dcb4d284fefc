//! `write_messages`: all or nothing, at consecutive positions, under one expected version.

use message_store_tests::{Failure, Session, Store, Target, golden, literal};
use serde_json::{Value, json};
use std::thread;
use std::time::Instant;

fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

fn call(stream: &str, messages: &Value, version: &str) -> String {
    format!("write_messages('{stream}', {}, {version})", literal::text(&messages.to_string()))
}

fn write(session: &mut Session, stream: &str, messages: &Value, version: &str) -> Value {
    let answer = session.value(&format!("SELECT {}", call(stream, messages, version))).expect("an answer");
    serde_json::from_str(&answer).expect("JSON")
}

fn refused(session: &mut Session, stream: &str, messages: &Value, version: &str) -> Failure {
    let failure = session.error(&format!("SELECT {}", call(stream, messages, version)));
    failure.assert_clean();
    failure
}

fn numbers(session: &mut Session, sql: &str) -> Vec<i64> {
    session.rows(sql).iter().map(|row| row[0].as_ref().expect("a value").parse().expect("a number")).collect()
}

fn total(store: &Store) -> i64 {
    store.session().number("SELECT count(*) FROM messages")
}

#[test]
fn the_answer_tells_id_position_and_global_position_in_the_order_given() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    session.ok("SELECT write_message(NULL, 'account-1', 'T', '{}')");
    let messages =
        json!([{"id": id(3), "type": "C"}, {"id": id(1), "type": "A"}, {"type": "B"}, {"id": null, "type": ""}]);
    let answer = write(&mut session, "account-1", &messages, "0");
    for (n, written) in answer.as_array().expect("an array").iter().enumerate() {
        let keys: Vec<&str> = written.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["global_position", "id", "position"]);
        assert_eq!(
            (written["position"].as_u64(), written["global_position"].as_u64()),
            (Some(n as u64 + 1), Some(n as u64 + 2))
        );
        let given = messages[n]["id"].as_str();
        let got = written["id"].as_str().expect("an id");
        assert!(given.map_or_else(|| golden::is_version_7(got), |given| given == got), "{got}");
        let row = session
            .rows(&format!("SELECT id, type, global_position FROM get_stream_messages('account-1', {}, 1)", n + 1));
        assert_eq!(row[0][0].as_deref(), Some(got));
        assert_eq!(row[0][1].as_deref(), messages[n]["type"].as_str());
    }
    assert_eq!(session.value("SELECT pg_typeof(write_messages('account-1', '[]'))").as_deref(), Some("jsonb"));
    assert_eq!(total(&store), 5);
}

#[test]
fn one_expected_version_guards_the_batch() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    let two = json!([{"type": "T"}, {"type": "T"}]);
    write(&mut session, "account-1", &two, "-1");
    write(&mut session, "account-1", &two, "1");
    write(&mut session, "account-1", &two, "NULL");
    for version in ["-1", "0", "4", "6", "-2", "9223372036854775807"] {
        for messages in [&two, &json!([])] {
            let failure = refused(&mut session, "account-1", messages, version);
            let message = format!("Wrong expected version: {version} (Stream: account-1, Stream Version: 5)");
            assert_eq!((failure.sqlstate.as_str(), failure.message), ("P0001", message));
        }
    }
    assert_eq!(write(&mut session, "account-1", &json!([]), "5"), json!([]));
    assert_eq!(write(&mut session, "account-2", &json!([]), "-1"), json!([]));
    assert_eq!(numbers(&mut session, "SELECT position FROM get_stream_messages('account-1')"), [0, 1, 2, 3, 4, 5]);
    assert_eq!(total(&store), 6);
}

#[test]
fn a_failure_anywhere_writes_nothing() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    write(&mut session, "account-1", &json!([{"id": id(1), "type": "T"}]), "NULL");
    let mut batch: Vec<Value> = (10..20).map(|n| json!({"id": id(n), "type": "T"})).collect();
    for place in [0, 5, 9] {
        let neighbour = id(10 + (place + 1) % 10);
        let taken = "duplicate key value violates unique constraint \"messages_id\"";
        // An id that is there, one that comes twice, in whatever spelling, and one that is none.
        for (bad, sqlstate, message) in [
            (id(1), "23505", taken),
            (neighbour.clone(), "23505", taken),
            (format!("{{{}}}", neighbour.replace('-', "")), "23505", taken),
            ("not an id".into(), "22P02", "invalid input syntax for type uuid: \"not an id\""),
        ] {
            let good = std::mem::replace(&mut batch[place], json!({"id": bad, "type": "T"}));
            let failure = refused(&mut session, "account-1", &json!(batch), "0");
            assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), (sqlstate, message), "{bad}");
            assert_eq!(failure.constraint.as_deref(), (sqlstate == "23505").then_some("messages_id"));
            batch[place] = good;
            assert_eq!(total(&store), 1, "{bad} at {place}");
        }
    }
    assert_eq!(write(&mut session, "account-1", &json!(batch), "0")[9]["position"], 10);
    // An id of another stream is taken too.
    assert_eq!(
        refused(&mut session, "order-1", &json!([{"type": "T"}, {"id": id(1), "type": "T"}]), "NULL").sqlstate,
        "23505"
    );
    assert_eq!(total(&store), 11);
}

#[test]
fn what_is_wrong_with_an_element_is_said() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    let good = json!({"type": "T"});
    for (element, reason) in [
        (json!(null), "null is not an object"),
        (json!(1), "a number is not an object"),
        (json!("x"), "a string is not an object"),
        (json!([]), "an array is not an object"),
        (json!(true), "a boolean is not an object"),
        (json!({}), "type is missing"),
        (json!({"type": null}), "type is missing"),
        (json!({"type": 1}), "type must be a string, not a number"),
        (json!({"type": "T", "id": 1}), "id must be a string, not a number"),
        (json!({"type": "T", "id": {}}), "id must be a string, not an object"),
        (json!({"type": "T", "position": 1}), "unknown key \"position\""),
        (json!({"type": "T", "Type": "T"}), "unknown key \"Type\""),
        (json!({"type": "T", "stream_name": "a-1"}), "unknown key \"stream_name\""),
        (json!({"type": "T", "": 1}), "unknown key \"\""),
        (json!({"type": "T", "time": 1}), "time must be a string, not a number"),
        (json!({"type": "T", "time": "now"}), "time must be YYYY-MM-DD HH:MM:SS.ffffff in UTC, not \"now\""),
        (
            json!({"type": "T", "time": "2026-01-31 12:00:00+01"}),
            "time must be YYYY-MM-DD HH:MM:SS.ffffff in UTC, not \"2026-01-31 12:00:00+01\"",
        ),
        (
            json!({"type": "T", "time": "2026-02-30 12:00:00"}),
            "time must be YYYY-MM-DD HH:MM:SS.ffffff in UTC, not \"2026-02-30 12:00:00\"",
        ),
    ] {
        for n in [0, 2] {
            let mut messages = vec![good.clone(); 3];
            messages[n] = element.clone();
            let failure = refused(&mut session, "account-1", &json!(messages), "NULL");
            let message = format!("Messages must be a JSON array of objects (Element {n}: {reason})");
            assert_eq!((failure.sqlstate.as_str(), failure.message), ("P0001", message));
        }
    }
    for (whole, reason) in [
        ("'{}'", "the value is an object, not an array"),
        ("'null'", "the value is null, not an array"),
        ("'1'", "the value is a number, not an array"),
        ("'\"[]\"'", "the value is a string, not an array"),
        ("NULL", "the value is NULL, not an array"),
    ] {
        let failure = session.error(&format!("SELECT write_messages('account-1', {whole})"));
        assert_eq!(failure.message, format!("Messages must be a JSON array of objects (Element 0: {reason})"));
    }
    let failure = session.error("SELECT write_messages(NULL, '[{\"type\": \"T\"}]')");
    failure.assert_clean();
    assert_eq!(failure.sqlstate, "23502");
    assert_eq!(
        failure.message,
        "null value in column \"stream_name\" of relation \"messages\" violates not-null constraint"
    );
    let long = "x".repeat(4000);
    let failure =
        session.error(&format!("SELECT write_messages('{}', '[{{\"type\": \"T\"}}]')", random_text(long.len())));
    assert_eq!(failure.sqlstate, "54000", "a name that no index takes");
    assert_eq!(total(&store), 0);
}

/// Text that does not compress.
fn random_text(length: usize) -> String {
    (0..length).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect()
}

#[test]
fn json_null_is_not_absent() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    let messages = json!([
        {"type": "absent"},
        {"type": "null", "data": null, "metadata": null},
        {"type": "empty", "data": {}, "metadata": {}},
        {"type": "other", "data": [1, 2.50, "x"], "metadata": "text"},
    ]);
    write(&mut session, "account-1", &messages, "NULL");
    let rows = session.rows("SELECT data, metadata FROM get_stream_messages('account-1')");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(rows[0], [None, None]);
    assert_eq!(rows[1], [text("null"), text("null")]);
    assert_eq!(rows[2], [text("{}"), text("{}")]);
    assert_eq!(rows[3][1], text("\"text\""));
    // The batch keeps what jsonb keeps: a number's digits, a key's last value, no order of keys.
    session.ok(r#"SELECT write_messages('account-2', '[{"type": "T", "data": {"bb": 1.50, "a": 1e3, "bb": 2.500, "c": {"x": [{}]}}}]')"#);
    session
        .ok(r#"SELECT write_message(NULL, 'account-2', 'T', '{"bb": 1.50, "a": 1e3, "bb": 2.500, "c": {"x": [{}]}}')"#);
    let rows = session.rows("SELECT data FROM get_stream_messages('account-2')");
    assert_eq!(rows[0][0].as_deref(), Some(r#"{"a": 1000, "c": {"x": [{}]}, "bb": 2.500}"#));
    assert_eq!(rows[0], rows[1]);
    // Values far too large for a page.
    let large = random_text(1_000_000);
    write(
        &mut session,
        "account-3",
        &json!([{"type": "T", "data": {"text": large}}, {"type": "T", "metadata": [large]}]),
        "NULL",
    );
    assert_eq!(session.number("SELECT length(data) FROM get_stream_messages('account-3', 0, 1)"), 1_000_012);
}

/// As to a single message: whatever the owner of the table has made of it.
#[test]
fn without_a_time_the_column_s_default_gives_it() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    store.superuser().ok("ALTER TABLE messages ALTER time SET DEFAULT '2000-01-01'");
    session.ok("SELECT write_message(NULL, 'account-1', 'T', '{}')");
    let (untimed, timed) =
        (json!([{"type": "T"}, {"type": "T"}]), json!([{"type": "T", "time": "2001-02-03 04:05:06"}]));
    for batch in [&untimed, &timed] {
        write(&mut session, "account-1", batch, "NULL");
    }
    let times = session.value("SELECT string_agg(time::date::text, ' ') FROM get_stream_messages('account-1')");
    assert_eq!(times.as_deref(), Some("2000-01-01 2000-01-01 2000-01-01 2001-02-03"));
}

#[test]
fn a_time_can_be_given() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    let messages = json!([
        {"type": "T", "time": "2001-02-03 04:05:06.123456"},
        {"type": "T", "time": "2001-02-03T04:05:06Z"},
        {"type": "T", "time": null},
        {"type": "T"},
    ]);
    session.ok("SET timezone = 'Asia/Tokyo'");
    session.ok(&format!("BEGIN; SELECT {}", call("account-1", &messages, "NULL")));
    let times = session.rows("SELECT time, time = timezone('utc', now()) FROM get_stream_messages('account-1')");
    assert_eq!(times[0][0].as_deref(), Some("2001-02-03 04:05:06.123456"));
    assert_eq!(times[1][0].as_deref(), Some("2001-02-03 04:05:06"));
    assert!(times[2..].iter().all(|row| row[1].as_deref() == Some("t")), "{times:?}");
    session.ok("COMMIT");
    assert_eq!(total(&store), 4);
}

#[test]
fn ten_thousand_messages_at_once() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    let messages: Vec<Value> = (0..10_000)
        .map(|n| json!({"id": id(n), "type": "Deposited", "data": {"amount": n}, "metadata": {"n": n}}))
        .collect();
    let started = Instant::now();
    let answer = write(&mut session, "account-1", &json!(messages), "-1");
    eprintln!("10,000 messages in {:.0?}", started.elapsed());
    let answer = answer.as_array().expect("an array");
    assert_eq!(answer.len(), 10_000);
    for (n, written) in answer.iter().enumerate() {
        assert_eq!(*written, json!({"id": id(n), "position": n, "global_position": n + 1}));
    }
    let wrong = "SELECT count(*) FROM get_stream_messages('account-1', 0, -1) WHERE (data::jsonb ->> 'amount')::bigint <> position
        OR global_position <> position + 1 OR metadata <> '{\"n\": ' || position || '}'";
    assert_eq!(session.number(wrong), 0);
    assert_eq!(session.number("SELECT stream_version('account-1')"), 9999);
    let failure = refused(&mut session, "account-2", &json!(messages), "NULL");
    assert_eq!(failure.sqlstate, "23505");
    assert_eq!(total(&store), 10_000);
}

#[test]
fn a_statement_reads_what_it_wrote() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    let two = literal::text(&json!([{"type": "T"}, {"type": "T"}]).to_string());
    let rows = session.rows(&format!(
        "SELECT write_messages('account-1', {two}, -1)::text, stream_version('account-1'),
                (SELECT count(*) FROM get_stream_messages('account-1')), (SELECT count(*) FROM get_all_messages()),
                write_message(NULL, 'account-1', 'T', '{{}}', NULL, 1), write_messages('account-1', {two}, 2)::text,
                stream_version('account-1')"
    ));
    let row: Vec<&str> = rows[0].iter().map(|value| value.as_deref().expect("a value")).collect();
    assert_eq!((row[1], row[4], row[6]), ("1", "2", "4"));
    assert_eq!(
        session.number(&format!(
            "SELECT jsonb_array_length(write_messages('n-' || n, {two}, -1)) FROM generate_series(1, 1) AS n"
        )),
        2
    );
    session.ok(&format!("SELECT write_messages('many-' || n % 3, {two}) FROM generate_series(0, 29) AS n"));
    for n in 0..3 {
        let positions = numbers(&mut session, &format!("SELECT position FROM get_stream_messages('many-{n}')"));
        assert_eq!(positions, (0..20).collect::<Vec<_>>());
    }
    // The whole statement is undone with its last batch.
    let failure =
        session.error(&format!("SELECT write_messages('undone-1', {two}), write_messages('undone-1', {two}, 7)"));
    assert_eq!(failure.message, "Wrong expected version: 7 (Stream: undone-1, Stream Version: 1)");
    assert_eq!(session.value("SELECT stream_version('undone-1')"), None);
    session.ok(&format!("BEGIN; SAVEPOINT s; SELECT write_messages('undone-1', {two}); ROLLBACK TO s; SELECT write_messages('undone-1', {two}, -1); COMMIT"));
    assert_eq!(session.number("SELECT stream_version('undone-1')"), 1);
}

/// Batches and single messages of eight writers on one stream, half of them with an expected version.
#[test]
fn batches_and_single_writes_share_a_stream() {
    let store = Store::fresh(Target::Ours);
    let batches: Vec<Vec<(i64, usize)>> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| (writer, store.session()))
            .map(|(writer, mut session)| {
                scope.spawn(move || (0..50).filter_map(|n| one(&mut session, writer, n)).collect())
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("a writer")).collect()
    });
    let mut session = store.session();
    let rows = session.rows("SELECT position, type, global_position FROM get_stream_messages('account-1', 0, -1)");
    let kinds: Vec<&str> = rows.iter().map(|row| row[1].as_deref().expect("a type")).collect();
    for (n, row) in rows.iter().enumerate() {
        assert_eq!(row[0].as_deref(), Some(n.to_string().as_str()));
    }
    let positions: Vec<i64> =
        rows.iter().map(|row| row[2].as_ref().expect("a value").parse().expect("a number")).collect();
    assert!(positions.is_sorted(), "global order is the stream's order");
    let mut written = 0;
    for (writer, batches) in batches.iter().enumerate() {
        for (first, size) in batches {
            let place = usize::try_from(*first).expect("a position");
            assert!(
                kinds[place..place + size].iter().all(|kind| *kind == format!("W{writer}")),
                "a batch is in one piece"
            );
            written += size;
        }
    }
    eprintln!("{written} messages in {} batches and single writes", batches.iter().map(Vec::len).sum::<usize>());
    assert_eq!(written, rows.len());
}

/// One write; its first position and size, `None` when the version had moved on.
fn one(session: &mut Session, writer: usize, n: usize) -> Option<(i64, usize)> {
    let size = if writer.is_multiple_of(2) { 1 + n % 5 } else { 1 };
    let version = if n % 4 < 2 { "NULL" } else { "stream_version('account-1')" };
    let sql = if writer.is_multiple_of(2) {
        let messages = json!(vec![json!({"type": format!("W{writer}")}); size]);
        format!("SELECT {} -> 0 -> 'position'", call("account-1", &messages, version))
    } else {
        format!("SELECT write_message(NULL, 'account-1', 'W{writer}', '{{}}', NULL, {version})")
    };
    match session.run(&sql).result {
        Ok(rows) => Some((rows.rows[0][0].as_ref()?.parse().expect("a number"), size)),
        Err(failure) => {
            assert!(failure.message.starts_with("Wrong expected version: "), "{failure}");
            None
        }
    }
}
