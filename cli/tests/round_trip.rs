//! From store to store and through files, every message arrives as it was.

mod common;

use std::fs;
use std::time::Duration;

use common::{
    digest, fails, file_digest, file_url, kill_after, message_db_url, ok, python, run, schema_digest, seed, url,
};
use message_store_tests::{Store, Target};
use rand::Rng;

/// Copies, and is killed once while it does.
fn copy_killed(arguments: &[&str]) -> bool {
    let pause = Duration::from_millis(rand::rng().random_range(300..2500));
    let (was_killed, _) = kill_after(&[&["copy"], arguments].concat(), pause, 9);
    ok(&[&["copy"], arguments].concat());
    was_killed
}

#[test]
fn message_db_to_sqlite_to_postgres_and_back_by_copies_that_are_killed_and_go_on() {
    let (genuine, ours) = (Store::fresh(Target::Genuine), Store::fresh(Target::Ours));
    seed(&genuine, 100_000);
    let folder = tempfile::tempdir().expect("a folder");
    let (there, back) = (folder.path().join("there.db"), folder.path().join("back.db"));
    let back_url = format!("{}?namespace=tenant-b", file_url(&back));
    let killed = [
        copy_killed(&[&message_db_url(&genuine), &file_url(&there)]),
        copy_killed(&[&file_url(&there), &url(&ours, "tenant-a"), "--create-namespace"]),
        copy_killed(&[&url(&ours, "tenant-a"), &back_url, "--create-namespace"]),
    ];
    assert_ne!(killed, [false; 3], "none was killed");
    let wanted = schema_digest(&genuine, "message_store");
    assert!(wanted.starts_with("100000 "), "{wanted}");
    assert_eq!(file_digest(&there), wanted);
    assert_eq!(schema_digest(&ours, "tenant-a"), wanted);
    assert_eq!(file_digest(&folder.path().join("back.db-namespaces/tenant-b.db")), wanted);
    assert_eq!(ok(&["verify", &message_db_url(&genuine), &back_url]), "100000 messages, all equal\n");

    // And into another Message DB, where the sequence must be moved by hand.
    let other = Store::fresh(Target::Genuine);
    ok(&["copy", &back_url, &message_db_url(&other)]);
    assert_eq!(schema_digest(&other, "message_store"), wanted);
}

#[test]
fn files_of_every_compression_give_the_store_back() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 1500);
    let wanted = schema_digest(&store, "message_store");
    let folder = tempfile::tempdir().expect("a folder");
    for (ending, magic) in [("jsonl", b"{\"k".as_slice()), ("jsonl.gz", b"\x1f\x8b"), ("jsonl.zst", b"\x28\xb5")] {
        let file = folder.path().join(format!("export.{ending}"));
        let name = file.display().to_string();
        ok(&["export", &url(&store, "message_store"), &name]);
        assert!(fs::read(&file).expect("the file").starts_with(magic), "{ending}");
        let target = folder.path().join(format!("{ending}.db"));
        ok(&["import", &name, &file_url(&target)]);
        assert_eq!(file_digest(&target), wanted, "{ending}");
        fails(2, "holds a whole export already", &["export", &url(&store, "message_store"), &name]);
    }
}

#[test]
fn a_pipe_will_do() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 300);
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("piped.db");
    let program = env!("CARGO_BIN_EXE_message-store");
    let script = r#""$1" export "$2" --compress zstd | "$1" import - "$3""#;
    let arguments = ["-c", script, "sh", program, &url(&store, "message_store"), &file_url(&target)];
    let status = std::process::Command::new("sh").args(arguments).output().expect("sh");
    assert!(status.status.success(), "{status:?}");
    assert_eq!(file_digest(&target), schema_digest(&store, "message_store"));
}

#[test]
fn an_export_is_taken_by_import_messages_line_by_line() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 200);
    let text = ok(&["export", &url(&store, "message_store")]);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("{\"kind\":")).collect();
    assert_eq!(lines.len(), 200);
    let mut session = store.superuser();
    session.ok("SELECT create_namespace('by-hand')");
    let array = format!("[{}]", lines.join(","));
    let row =
        session.client().query_one("SELECT import_messages($1::text::jsonb, 'by-hand')", &[&array]).expect("imported");
    assert_eq!(row.get::<_, i64>(0), 200);
    let cut = |digest: String| digest.rsplit_once(' ').expect("three words").0.to_owned();
    assert_eq!(cut(schema_digest(&store, "by-hand")), cut(schema_digest(&store, "message_store")));
}

#[test]
fn removed_streams_and_consumers_go_along() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 500);
    let mut session = store.superuser();
    session.ok("CREATE TABLE IF NOT EXISTS stream_heads (stream_name text PRIMARY KEY, position bigint NOT NULL)");
    session.ok(
        "CREATE TABLE IF NOT EXISTS consumer_positions \
         (category text, consumer text, position bigint NOT NULL, time timestamp NOT NULL, PRIMARY KEY (category, consumer))",
    );
    session.ok("INSERT INTO stream_heads VALUES ('gone-1', 7), ('account-5', 2)");
    session.ok("INSERT INTO consumer_positions VALUES ('account', 'totals', 42, '2026-02-01 00:00:00.000001')");
    let text = ok(&["export", &url(&store, "message_store")]);
    assert!(text.contains("{\"kind\":\"head\",\"stream_name\":\"gone-1\",\"position\":7}\n"), "{text}");
    assert!(!text.contains("\"account-5\",\"position\":2}"), "a stream that has messages has no head");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("heads.db");
    let create = r#"import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE IF NOT EXISTS message_store_stream_heads (stream_name TEXT PRIMARY KEY NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID")
db.execute("CREATE TABLE IF NOT EXISTS message_store_consumer_positions (category TEXT NOT NULL, consumer TEXT NOT NULL, position INTEGER NOT NULL, time TEXT NOT NULL, PRIMARY KEY (category, consumer)) WITHOUT ROWID")
db.commit()"#;
    // The tables of a newer store, and none in an older one.
    let empty = folder.path().join("empty.jsonl");
    let fresh = Store::fresh(Target::Ours);
    ok(&["export", &url(&fresh, "message_store"), &empty.display().to_string()]);
    ok(&["import", &empty.display().to_string(), &file_url(&file)]);
    let status = std::process::Command::new(python()).args(["-c", create]).arg(&file).status().expect("python");
    assert!(status.success());
    let report = ok(&["copy", &url(&store, "message_store"), &file_url(&file), "--json"]);
    assert!(report.contains("\"heads\":1,") && report.contains("\"consumer_positions\":1,"), "{report}");
    ok(&["verify", &url(&store, "message_store"), &file_url(&file)]);
    session.ok("UPDATE consumer_positions SET position = 43");
    fails(
        1,
        "a consumer's position: 43 of totals in account",
        &["verify", &url(&store, "message_store"), &file_url(&file)],
    );
    session.ok("UPDATE consumer_positions SET position = 42");
    session.ok("UPDATE stream_heads SET position = 8 WHERE stream_name = 'gone-1'");
    fails(
        1,
        "the version of a removed stream: 8 of gone-1 and 7 of gone-1",
        &["verify", &url(&store, "message_store"), &file_url(&file)],
    );
}

#[test]
fn verify_names_the_first_difference() {
    let genuine = Store::fresh(Target::Genuine);
    seed(&genuine, 100);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("other.db");
    let (a, b) = (message_db_url(&genuine), file_url(&file));
    ok(&["copy", &a, &b]);
    let mut session = genuine.superuser();
    for (change, undo, said) in [
        (
            "UPDATE messages SET type = 'X' WHERE global_position = 30",
            "UPDATE messages SET type = 'Type3' WHERE global_position = 30",
            "global position 30, type: X and Type3",
        ),
        (
            "UPDATE messages SET time = time + interval '1 us' WHERE global_position = 60",
            "UPDATE messages SET time = time - interval '1 us' WHERE global_position = 60",
            "global position 60, time: 2026-01-31 12:00:20.000061 and 2026-01-31 12:00:20.000060",
        ),
        (
            "UPDATE messages SET data = NULL WHERE global_position = 2",
            "UPDATE messages SET data = 'null' WHERE global_position = 2",
            "global position 2, data: NULL and null",
        ),
        (
            "SELECT nextval('messages_global_position_seq')",
            "SELECT setval('messages_global_position_seq', 317)",
            "the next global position: 319 and 318",
        ),
        (
            "DELETE FROM messages WHERE global_position = 300",
            "",
            "global position 300 (account-49, position 1) is only in sqlite:",
        ),
    ] {
        session.ok(change);
        fails(1, said, &["verify", &a, &b]);
        if !undo.is_empty() {
            session.ok(undo);
        }
    }
    let ended = run(&["verify", &a, &b, "--to", "299", "--json"]);
    assert!(ended.out.starts_with("{\"equal\":true,\"messages\":99,"), "{ended:?}");
    assert_eq!(digest(&["sqlite", &file.display().to_string()], None).split(' ').next(), Some("100"));
}

#[test]
fn filters_pick_what_is_moved() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 500);
    let source = url(&store, "message_store");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("part.db");
    let target = file_url(&file);
    ok(&["copy", &source, &target, "--category", "straße"]);
    ok(&["verify", &source, &target, "--category", "straße"]);
    assert!(file_digest(&file).starts_with("10 "), "{}", file_digest(&file));
    // By global position, in two goes.
    let half = folder.path().join("half.db");
    ok(&["copy", &source, &file_url(&half), "--to", "700"]);
    ok(&["copy", &source, &file_url(&half), "--from", "701"]);
    assert_eq!(file_digest(&half), schema_digest(&store, "message_store"));
    // By time.
    let text = ok(&["export", &source, "-", "--since", "2026-01-31 12:00:10", "--until", "2026-01-31 12:00:20"]);
    assert_eq!(text.lines().filter(|line| line.starts_with("{\"id\":")).count(), 10);
}
