//! `import_messages`: whole messages of another store, at the positions that they had there.

use message_store_tests::consumer::{Consumer, Polling, SetAtEnd, all};
use message_store_tests::namespaces::wait_until_blocked;
use message_store_tests::{Failure, Session, Store, Target, literal};
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

fn id(n: i64) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

fn message(stream: &str, position: i64, global_position: i64) -> Value {
    json!({"id": id(global_position), "stream_name": stream, "type": "Imported", "position": position,
           "global_position": global_position, "time": "2001-02-03 04:05:06.789"})
}

/// The call, into the store that the session means.
fn call(messages: &Value) -> String {
    format!("SELECT message_store.import_messages({})", literal::text(&messages.to_string()))
}

fn import(session: &mut Session, messages: &Value) -> i64 {
    session.number(&call(messages))
}

fn refused(session: &mut Session, messages: &Value, message: &str) {
    let failure = session.error(&call(messages));
    failure.assert_clean();
    assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("P0001", message));
    assert_eq!((&failure.detail, &failure.hint), (&None, &None));
}

const WRITE: &str = "SELECT message_store.write_message(NULL, 'account-1', 'T', '{}')";

#[test]
fn messages_keep_all_they_had() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let mut first = message("account-1", 0, 5);
    first["data"] = json!({"b": 1, "a": [1.50, null]});
    first["metadata"] = json!({"correlationStreamName": "order-1"});
    let mut second = message("order-1", 0, 6);
    second["data"] = json!(null);
    second["time"] = json!("2001-02-03T04:05:06Z");
    let third = message("account-1", 1, 1000);
    assert_eq!(import(&mut session, &json!([first, second, third])), 3);
    let rows = session.rows("SELECT * FROM get_all_messages()");
    let expected = [
        [
            id(5),
            "account-1".into(),
            "Imported".into(),
            "0".into(),
            "5".into(),
            r#"{"a": [1.5, null], "b": 1}"#.into(),
            r#"{"correlationStreamName": "order-1"}"#.into(),
            "2001-02-03 04:05:06.789".into(),
        ]
        .map(Some),
        [
            Some(id(6)),
            Some("order-1".into()),
            Some("Imported".into()),
            Some("0".into()),
            Some("6".into()),
            Some("null".into()),
            None,
            Some("2001-02-03 04:05:06".into()),
        ],
        [
            Some(id(1000)),
            Some("account-1".into()),
            Some("Imported".into()),
            Some("1".into()),
            Some("1000".into()),
            None,
            None,
            Some("2001-02-03 04:05:06.789".into()),
        ],
    ];
    assert_eq!(rows, expected);
    // And writing goes on where the import ended.
    assert_eq!(session.number("SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, 1)"), 2);
    assert_eq!(session.number("SELECT global_position FROM get_last_stream_message('account-1')"), 1001);
    assert_eq!(session.number("SELECT count(*) FROM get_category_messages('account', 1, 10, 'order')"), 1);
    // And importing too, with a gap or without.
    assert_eq!(import(&mut session, &json!([message("account-1", 3, 1002), message("new-1", 0, 5000)])), 2);
    assert_eq!(session.number("SELECT last_value FROM messages_global_position_seq"), 5000);
    assert_eq!(session.number("SELECT write_message(NULL, 'account-1', 'T', '{}')"), 4);
    assert_eq!(session.number("SELECT max(global_position) FROM get_all_messages(1, -1)"), 5001);
}

#[test]
fn an_empty_array_changes_nothing() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    assert_eq!(import(&mut session, &json!([])), 0);
    assert_eq!(session.value("SELECT is_called FROM messages_global_position_seq").as_deref(), Some("f"));
    session.ok(WRITE);
    assert_eq!(session.number("SELECT global_position FROM get_all_messages()"), 1);
}

#[test]
fn positions_must_fit_their_streams() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    refused(
        &mut session,
        &json!([message("account-1", 1, 5)]),
        "Position does not fit: 1 (Stream: account-1, Stream Version: -1)",
    );
    import(&mut session, &json!([message("account-1", 0, 5), message("account-1", 1, 6)]));
    for position in [0, 1, 3, -1, i64::MAX, i64::MIN] {
        let text = format!("Position does not fit: {position} (Stream: account-1, Stream Version: 1)");
        refused(&mut session, &json!([message("account-1", position, 7)]), &text);
        refused(&mut session, &json!([message("order-1", 0, 7), message("account-1", position, 8)]), &text);
    }
    // Also within one import.
    let twice = json!([message("account-1", 2, 7), message("account-1", 2, 8)]);
    refused(&mut session, &twice, "Position does not fit: 2 (Stream: account-1, Stream Version: 2)");
    assert_eq!(session.number("SELECT count(*) FROM messages"), 2);
    assert_eq!(session.number("SELECT last_value FROM messages_global_position_seq"), 6, "and the sequence stays");
}

#[test]
fn global_positions_that_consumers_have_passed_are_taken() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    import(&mut session, &json!([message("account-1", 0, 5)]));
    for position in [1, 4, 5] {
        refused(
            &mut session,
            &json!([message("order-1", 0, position)]),
            &format!("Global position is taken: {position}"),
        );
    }
    // One that was drawn and rolled back is passed as well.
    session.ok(&format!("BEGIN; {WRITE}; {WRITE}; ROLLBACK"));
    refused(&mut session, &json!([message("order-1", 0, 7)]), "Global position is taken: 7");
    import(&mut session, &json!([message("order-1", 0, 8)]));
    for (messages, reason) in [
        (json!([message("a-1", 0, 10), message("a-2", 0, 10)]), "global positions must ascend, 10 comes after 10"),
        (json!([message("a-1", 0, 11), message("a-2", 0, 10)]), "global positions must ascend, 10 comes after 11"),
    ] {
        refused(&mut session, &messages, &format!("Messages must be a JSON array of objects (Element 1: {reason})"));
    }
    for position in [0, -1] {
        let text = format!(
            "Messages must be a JSON array of objects (Element 0: global_position must be at least 1, not {position})"
        );
        refused(&mut session, &json!([message("a-1", 0, position)]), &text);
    }
    // A namespace without messages has no consumer that has passed anything, whatever was drawn.
    session.ok("SELECT create_namespace('empty')");
    session.ok("BEGIN; SELECT write_message(NULL, 'a-1', 'T', '{}', NULL, NULL, 'empty') FROM generate_series(1, 50); ROLLBACK");
    session.ok("SET search_path = empty, message_store");
    import(&mut session, &json!([message("a-1", 0, 3)]));
    assert_eq!(session.number("SELECT write_message(NULL, 'a-1', 'T', '{}')"), 1);
    assert_eq!(session.number("SELECT max(global_position) FROM get_all_messages()"), 51);
}

/// The sequence says then that nothing was drawn, of positions that are taken or passed.
#[test]
fn a_sequence_that_was_moved_forward_has_passed_what_lies_before() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let sequence = "message_store.messages_global_position_seq";
    let next = format!("SELECT last_value + is_called::int FROM {sequence}");
    let readable = "SELECT count(*) FROM get_all_messages()";
    assert_eq!((session.number(readable), session.number(&next)), (0, 1));
    for (round, forward) in [
        format!("SELECT setval('{sequence}', max(global_position) + 1, false) FROM messages"),
        format!("ALTER SEQUENCE {sequence} RESTART WITH 1000"),
    ]
    .iter()
    .enumerate()
    {
        session.ok(WRITE);
        let written = session.number("SELECT max(global_position) FROM messages");
        session.ok(forward);
        let all = session.number("SELECT count(*) FROM messages");
        assert_eq!(session.number(readable), all, "{forward}");
        let goes_on_with = session.number(&next);
        for passed in [written, goes_on_with - 1] {
            let taken = format!("Global position is taken: {passed}");
            refused(&mut session, &json!([message("other-1", 0, passed)]), &taken);
        }
        assert_eq!(import(&mut session, &json!([message(&format!("other-{round}"), 0, goes_on_with)])), 1);
        assert_eq!(session.number(&next), goes_on_with + 1, "{forward}");
    }
    assert_eq!(session.number(&next), 1001);
    // An import into an empty store does not set it back, either.
    session.ok(&format!("TRUNCATE messages; ALTER SEQUENCE {sequence} RESTART WITH 5000"));
    assert_eq!(import(&mut session, &json!([message("other-1", 0, 7)])), 1);
    assert_eq!(session.number(&next), 5000);
}

#[test]
fn ids_are_unique() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok(&format!("SELECT write_message('{}', 'account-1', 'T', '{{}}')", id(9)));
    let failure = session.error(&call(&json!([message("order-1", 0, 8), message("order-1", 1, 9)])));
    assert_eq!((failure.sqlstate.as_str(), failure.constraint.as_deref()), ("23505", Some("messages_id")));
    assert_eq!(session.number("SELECT count(*) FROM messages"), 1);
    let mut bad = message("order-1", 0, 8);
    bad["id"] = json!("x");
    assert_eq!(session.error(&call(&json!([bad]))).sqlstate, "22P02");
}

#[test]
fn an_element_is_a_whole_message() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let error = |reason: &str| format!("Messages must be a JSON array of objects (Element 1: {reason})");
    let mut refuse = |element: Value, reason: &str| {
        refused(&mut session, &json!([message("account-1", 0, 1), element]), &error(reason));
    };
    for key in ["id", "stream_name", "type", "position", "global_position", "time"] {
        let mut element = message("account-1", 1, 2);
        element[key] = json!(null);
        refuse(element.clone(), &format!("{key} is missing"));
        element.as_object_mut().expect("an object").remove(key);
        refuse(element, &format!("{key} is missing"));
    }
    for (key, value, reason) in [
        ("position", json!("1"), "position must be an integer, not a string"),
        ("position", json!(1.5), "position must be an integer, not 1.5"),
        ("global_position", json!(1e30), "global_position must be an integer, not 1000000000000000000000000000000"),
        ("global_position", json!(null), "global_position is missing"),
        ("type", json!([]), "type must be a string, not an array"),
        ("other", json!(1), "unknown key \"other\""),
        (
            "time",
            json!("2001-02-03 04:05:06+00"),
            "time must be YYYY-MM-DD HH:MM:SS.ffffff in UTC, not \"2001-02-03 04:05:06+00\"",
        ),
        ("time", json!("infinity"), "time must be YYYY-MM-DD HH:MM:SS.ffffff in UTC, not \"infinity\""),
    ] {
        let mut element = message("account-1", 1, 2);
        element[key] = value;
        refuse(element, reason);
    }
    refuse(json!("x"), "a string is not an object");
    let failure = session.error("SELECT import_messages(NULL)");
    assert_eq!(
        failure.message,
        "Messages must be a JSON array of objects (Element 0: the value is NULL, not an array)"
    );
    assert_eq!(session.number("SELECT count(*) FROM messages"), 0);
}

#[test]
fn at_most_ten_thousand_at_once() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let messages = |from: i64, count: i64| -> Value {
        (from..from + count).map(|n| message(&format!("account-{}", n % 10), n / 10, n + 1)).collect()
    };
    let reason =
        "Messages must be a JSON array of objects (Element 10000: at most 10000 messages are imported at once)";
    refused(&mut session, &messages(0, 10_001), reason);
    assert_eq!(import(&mut session, &messages(0, 10_000)), 10_000);
    assert_eq!(import(&mut session, &messages(10_000, 10_000)), 10_000);
    assert_eq!(session.number("SELECT count(*) FROM get_all_messages(1, -1)"), 20_000);
    assert_eq!(session.number("SELECT stream_version('account-7')"), 1999);
}

/// A store is exported by its own reads and imported elsewhere: everything equal.
#[test]
fn what_was_read_can_be_imported() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok(
        "SELECT write_message(NULL, 'account-' || n % 7, 'T', jsonb_build_object('n', n), CASE n % 2 WHEN 0 THEN '{\"a\": null}' ELSE NULL END::jsonb)
         FROM generate_series(1, 500) AS n",
    );
    session.ok(&format!("BEGIN; {WRITE}; ROLLBACK; {WRITE}"));
    session.ok("SELECT create_namespace('copy')");
    let imported = session.number(
        "SELECT import_messages((SELECT jsonb_agg(jsonb_build_object('id', id, 'stream_name', stream_name, 'type', type,
             'position', position, 'global_position', global_position, 'time', time) ||
             CASE WHEN data IS NULL THEN '{}' ELSE jsonb_build_object('data', data::jsonb) END ||
             CASE WHEN metadata IS NULL THEN '{}' ELSE jsonb_build_object('metadata', metadata::jsonb) END ORDER BY global_position)
         FROM get_all_messages(1, -1)), 'copy')",
    );
    assert_eq!(imported, 501);
    let everything = |session: &mut Session, namespace: &str| {
        session.rows(&format!("SELECT * FROM get_all_messages(1, -1, '{namespace}')"))
    };
    assert_eq!(everything(&mut session, "copy"), everything(&mut session, "message_store"));
}

/// Runs `sql` on a connection of its own, which waits for `holder`; then `holder` runs `end`.
fn meanwhile(store: &Store, sql: &str, holder: &mut Session, end: &str) -> Result<i64, Box<Failure>> {
    let (mut waiter, mut watcher) = (store.superuser(), store.superuser());
    let backend = waiter.number("SELECT pg_backend_pid()");
    thread::scope(|scope| {
        let waiting = scope.spawn(move || waiter.run(sql));
        wait_until_blocked(&mut watcher, backend);
        holder.ok(end);
        let result = waiting.join().expect("the waiter").result;
        result.map(|rows| rows.rows[0][0].as_ref().expect("a value").parse().expect("a number")).map_err(Box::new)
    })
}

#[test]
fn an_import_and_writers_wait_for_each_other() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let at = |position: i64, global_position: i64| call(&json!([message("imported-1", position, global_position)]));
    session.ok(&format!("BEGIN; {}", at(0, 100)));
    assert_eq!(meanwhile(&store, WRITE, &mut session, "COMMIT").expect("written"), 0);
    assert_eq!(store.superuser().number("SELECT global_position FROM get_last_stream_message('account-1')"), 101);
    session.ok(&format!("BEGIN; {}", at(1, 200)));
    assert_eq!(meanwhile(&store, &at(1, 201), &mut session, "ROLLBACK").expect("imported"), 1);
    session.ok(&format!("BEGIN; {WRITE}"));
    assert_eq!(meanwhile(&store, &at(2, 300), &mut session, "COMMIT").expect("imported"), 1);
    // The writer was first, and drew a position above the import's.
    session.ok("SELECT setval('messages_global_position_seq', 399)");
    session.ok(&format!("BEGIN; {WRITE}"));
    let failure = meanwhile(&store, &at(3, 400), &mut session, "COMMIT").expect_err("passed");
    assert_eq!(failure.message, "Global position is taken: 400");
    // Readers do not wait.
    session.ok(&format!("BEGIN; {}", at(3, 500)));
    let mut reader = store.superuser();
    reader.ok("SET lock_timeout = '5s'");
    assert_eq!(reader.number("SELECT count(*) FROM get_all_messages(1, -1)"), 6);
    session.ok("ROLLBACK");
}

/// A snapshot from before the messages does not make them unseen by those who have read them since.
#[test]
fn an_old_snapshot_does_not_let_a_passed_position_in() {
    let store = Store::fresh(Target::Ours);
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let namespace = level.replace(' ', "_").to_lowercase();
        let (mut old, mut other) = (store.superuser(), store.superuser());
        other.ok(&format!("SELECT create_namespace('{namespace}')"));
        for session in [&mut old, &mut other] {
            session.ok(&format!("SET search_path = {namespace}, message_store"));
        }
        old.ok(&format!("BEGIN ISOLATION LEVEL {level}; SELECT 1"));
        other.ok(&format!("BEGIN; {WRITE}; {WRITE}; {WRITE}; ROLLBACK; {WRITE}"));
        assert_eq!(other.number("SELECT global_position FROM get_all_messages()"), 4, "the consumer goes on at 5");
        let outcome = old.run(&call(&json!([message("imported-1", 0, 2)])));
        let failure = outcome.result.expect_err("a position below 4 must not come any more");
        let known = failure.sqlstate == "40001" || failure.message == "Global position is taken: 2";
        assert!(known, "{failure}");
    }
}

/// Imports, some rolled back, between the transactions of writers.
#[test]
fn consumers_skip_nothing_while_messages_are_imported() {
    const IMPORTS: i64 = 40;
    const SIZE: i64 = 50;
    let store = Store::fresh(Target::Ours);
    let done = AtomicBool::new(false);
    let polling = [Polling::EachByItself, Polling::Several("REPEATABLE READ"), Polling::AllInOne("REPEATABLE READ")];
    let seen: Vec<_> = thread::scope(|scope| {
        let consumers: Vec<_> = polling
            .iter()
            .map(|polling| Consumer::new(store.session(), *polling, "NULL"))
            .map(|consumer| scope.spawn(|| consumer.follow(&done)))
            .collect();
        let end = SetAtEnd(&done);
        let writers: Vec<_> = (0..4)
            .map(|n| (n, store.superuser()))
            .map(|(n, mut session)| {
                scope.spawn(move || {
                    for round in 0..100 {
                        let write = format!("SELECT write_message(NULL, 'account{n}-1', 'T', '{{}}')");
                        session.ok(&format!("BEGIN; {write}"));
                        thread::sleep(Duration::from_millis(round % 5));
                        session.ok(&format!("{write}; {}", if round % 7 == 0 { "ROLLBACK" } else { "COMMIT" }));
                    }
                })
            })
            .collect();
        let mut session = store.superuser();
        let mut imported = 0;
        for round in 0..IMPORTS {
            // Where nobody has drawn yet, as far as can be known before the lock; a writer may have been quicker.
            let from = session.number("SELECT last_value + 500 FROM messages_global_position_seq");
            let messages: Value = (0..SIZE).map(|n| message("imported-1", imported + n, from + 2 * n)).collect();
            session.ok(&format!("BEGIN; {}", call(&messages)));
            thread::sleep(Duration::from_millis(5));
            let keep = round % 5 != 0;
            session.ok(if keep { "COMMIT" } else { "ROLLBACK" });
            imported += if keep { SIZE } else { 0 };
        }
        writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
        drop(end);
        consumers.into_iter().map(|consumer| consumer.join().expect("a consumer")).collect()
    });
    let written = all(&mut store.superuser(), "message_store.messages");
    assert_eq!(written.len() as i64, IMPORTS * SIZE * 4 / 5 + 4 * 2 * 85);
    for (seen, polling) in seen.iter().zip(polling) {
        assert!(*seen == written, "{polling:?} saw {} of {}", seen.len(), written.len());
    }
}

/// A role that may write needs, to import, what moves the sequence besides.
#[test]
fn importing_takes_the_right_to_move_the_sequence() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    let messages = json!([message("imported-1", 0, 5)]);
    let failure = session.error(&call(&messages));
    failure.assert_clean();
    assert_eq!(failure.sqlstate, "42501");
    assert_eq!(session.number("SELECT count(*) FROM messages"), 0);
    store.superuser().ok("GRANT UPDATE ON SEQUENCE messages_global_position_seq TO message_store");
    assert_eq!(import(&mut session, &messages), 1);
}
