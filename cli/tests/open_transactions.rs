//! A store whose writers have not ended is not taken for whole: they are waited for, or named.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::time::Duration;

use common::{command, fails, file_digest, file_url, message_db_url, ok, schema_digest, url};
use message_store_tests::{Session, Store, Target};

const WRITE: &str = "SELECT write_message(gen_random_uuid()::varchar, 'account-1', 'Opened', '{}')";
const WRITE_MANY: &str =
    "SELECT write_message(gen_random_uuid()::varchar, 'order-1', 'Placed', '{}') FROM generate_series(1, 1000)";

/// A store with a thousand messages, before which one was drawn that is not committed.
fn held_back(target: Target) -> (Store, String, Session) {
    let store = Store::fresh(target);
    let source = if target == Target::Ours { url(&store, "message_store") } else { message_db_url(&store) };
    let mut open = store.superuser();
    open.ok("BEGIN");
    open.ok(WRITE);
    store.superuser().ok(WRITE_MANY);
    (store, source, open)
}

#[test]
fn a_copy_waits_for_the_writers_that_it_finds() {
    for target in Target::BOTH {
        let (store, source, mut open) = held_back(target);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("copy.db");
        let mut copy = command(&["copy", &source, &file_url(&file)]).spawn().expect("the program");
        let mut said = String::new();
        let mut stderr = BufReader::new(copy.stderr.take().expect("a pipe"));
        stderr.read_line(&mut said).expect("a line");
        assert!(said.starts_with("message-store: waiting for session ") && said.contains("of role postgres"), "{said}");
        open.ok("COMMIT");
        assert!(copy.wait().expect("a status").success());
        assert_eq!(file_digest(&file), schema_digest(&store, "message_store"), "{target}");
        assert!(file_digest(&file).starts_with("1001 "));
    }
}

#[test]
fn a_forgotten_prepared_transaction_is_named_and_nothing_is_called_whole() {
    for target in Target::BOTH {
        let (store, source, mut open) = held_back(target);
        open.ok("PREPARE TRANSACTION 'forgotten'");
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (export, copy, empty) = (path("e.jsonl"), path("copy.db"), path("empty.db"));
        let fresh = Store::fresh(Target::Ours);
        ok(&["copy", &url(&fresh, "message_store"), &file_url(&empty)]);
        let said =
            "global position 1002 is committed or rolled back yet: waited 0 s for prepared transaction 'forgotten'";
        fails(3, said, &["copy", &source, &file_url(&copy), "--wait", "0"]);
        fails(3, said, &["export", &source, &export.display().to_string(), "--wait", "0"]);
        fails(3, said, &["verify", &source, &file_url(&empty), "--wait", "0"]);
        fails(3, said, &["verify", &file_url(&empty), &source, "--wait", "0"]);
        assert!(!copy.exists() && !export.exists());
        open.ok("ROLLBACK PREPARED 'forgotten'");
        ok(&["export", &source, &export.display().to_string(), "--wait", "0"]);
        ok(&["import", &export.display().to_string(), &file_url(&copy)]);
        assert_eq!(file_digest(&copy), schema_digest(&store, "message_store"), "{target}");
        assert!(fs::read_to_string(&export).expect("the file").contains("\"next_global_position\":1002"));
    }
}

#[test]
fn an_interrupt_ends_the_wait() {
    let (_store, source, _open) = held_back(Target::Ours);
    let folder = tempfile::tempdir().expect("a folder");
    let copy =
        command(&["copy", &source, &file_url(&folder.path().join("copy.db")), "-q"]).spawn().expect("the program");
    std::thread::sleep(Duration::from_millis(700));
    common::send(&copy, 2);
    let ended = copy.wait_with_output().expect("the program");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(5), "{said}");
    assert!(said.starts_with("message-store: interrupted: not everything below global position 1002"), "{said}");
}

#[test]
fn who_writes_after_the_beginning_is_not_waited_for() {
    let (store, source, mut open) = held_back(Target::Ours);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copy.db");
    let mut copy = command(&["copy", &source, &file_url(&file)]).spawn().expect("the program");
    let mut said = String::new();
    BufReader::new(copy.stderr.take().expect("a pipe")).read_line(&mut said).expect("a line");
    let mut later = store.superuser();
    later.ok("BEGIN");
    later.ok("SELECT write_message(NULL, 'later-1', 'Placed', '{}')");
    open.ok("COMMIT");
    assert!(copy.wait().expect("a status").success());
    assert!(file_digest(&file).starts_with("1001 "));
    later.ok("COMMIT");
    ok(&["copy", &source, &file_url(&file)]);
    assert_eq!(file_digest(&file), schema_digest(&store, "message_store"));
}
