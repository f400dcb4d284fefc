//! What is killed, torn or interrupted is gone on with, and ends as if nothing had happened.

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{command, ended, fails, file_digest, file_url, kill_after, ok, run, schema_digest, seed, send, url};
use message_store_tests::{Store, Target};
use rand::Rng;

const KILL: i32 = 9;
const INTERRUPT: i32 = 2;

/// The lines of a file, whatever its compression, without the header, which has the time of the export.
fn lines(folder: &Path, file: &Path) -> Vec<String> {
    let bytes = fs::read(file).expect("the file");
    let program = match bytes.get(..2) {
        Some([0x1f, 0x8b]) => vec!["gzip", "-dc"],
        _ => vec!["cat"],
    };
    let output = std::process::Command::new(program[0]).args(&program[1..]).arg(file).current_dir(folder).output();
    let text = String::from_utf8(output.expect(program[0]).stdout).expect("UTF-8");
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn a_torn_export_is_continued_wherever_it_was_torn() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 8000);
    let source = url(&store, "message_store");
    let folder = tempfile::tempdir().expect("a folder");
    for ending in ["jsonl", "jsonl.gz", "jsonl.zst"] {
        let whole = folder.path().join(format!("whole.{ending}"));
        let torn = folder.path().join(format!("torn.{ending}"));
        let (whole_name, torn_name) = (whole.display().to_string(), torn.display().to_string());
        ok(&["export", &source, &whole_name]);
        let bytes = fs::read(&whole).expect("the file");
        let mut cuts: Vec<usize> = (0..3).map(|_| rand::rng().random_range(0..bytes.len())).collect();
        cuts.extend([5, bytes.len() - 1, bytes.len() - 200]);
        for cut in cuts {
            fs::write(&torn, &bytes[..cut]).expect("written");
            ok(&["export", &source, &torn_name]);
            if ending != "jsonl.zst" {
                // Without the footer, whose checksum covers the header.
                let [torn, whole] = [&torn, &whole].map(|file| lines(folder.path(), file));
                assert!(torn.len() == whole.len() && torn[..8000] == whole[..8000], "{ending} cut at {cut}");
            }
            let target = folder.path().join("torn.db");
            if ending == "jsonl.zst" || cut == bytes.len() - 200 {
                ok(&["import", &torn_name, &file_url(&target)]);
                assert_eq!(file_digest(&target), schema_digest(&store, "message_store"), "{ending} cut at {cut}");
                fs::remove_file(&target).expect("removed");
            }
        }
    }
}

#[test]
fn a_torn_file_of_another_store_is_left_alone() {
    let (store, other) = (Store::fresh(Target::Ours), Store::fresh(Target::Ours));
    seed(&store, 100);
    seed(&other, 101);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("e.jsonl");
    let name = file.display().to_string();
    ok(&["export", &url(&store, "message_store"), &name]);
    let bytes = fs::read(&file).expect("the file");
    fs::write(&file, &bytes[..bytes.len() - 500]).expect("written");
    fails(4, "is not in the store", &["export", &url(&other, "message_store"), &name]);
    fails(2, "the beginning of another export", &["export", &url(&store, "message_store"), &name, "--to", "9"]);
    assert_eq!(fs::read(&file).expect("the file").len(), bytes.len() - 500);
    fs::write(&file, "my diary\n").expect("written");
    fails(2, "no export", &["export", &url(&store, "message_store"), &name]);
    ok(&["export", &url(&store, "message_store"), &name, "--force"]);
}

#[test]
fn a_killed_copy_goes_on_to_the_same_end() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 25_000);
    let wanted = schema_digest(&store, "message_store");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copy.db");
    let (source, target) = (url(&store, "message_store"), file_url(&file));
    let mut killed = 0;
    for signal in [KILL, KILL, INTERRUPT] {
        let pause = Duration::from_millis(rand::rng().random_range(20..700));
        let (was_running, code) = kill_after(&["copy", &source, &target, "-q"], pause, signal);
        killed += u32::from(was_running && code != Some(0));
        assert!(code.is_none_or(|code| code == 0 || code == 5), "{code:?}");
    }
    ok(&["copy", &source, &target]);
    assert_eq!(file_digest(&file), wanted, "killed {killed} times");
    // And back into Postgres, where a batch that was rolled back has moved the sequence.
    let back = url(&store, "back");
    let mut session = store.superuser();
    session.ok("SELECT create_namespace('back')");
    for _ in 0..4 {
        let pause = Duration::from_millis(rand::rng().random_range(20..1500));
        kill_after(&["copy", &target, &back, "-q"], pause, KILL);
    }
    let report = run(&["copy", &target, &back, "--json"]);
    assert_eq!(report.code, Some(0), "{report:?}");
    assert_eq!(schema_digest(&store, "back"), wanted);
    // Once more changes nothing.
    let report = ok(&["copy", &target, &back, "--json"]);
    assert!(report.contains("\"messages\":0,"), "{report}");
    assert_eq!(schema_digest(&store, "back"), wanted);
}

#[test]
fn positions_that_a_lost_batch_had_drawn_are_used_all_the_same() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 200);
    let mut session = store.superuser();
    session.ok("SELECT create_namespace('torn')");
    ok(&["copy", &url(&store, "message_store"), &url(&store, "torn"), "--to", "299"]);
    // What a batch leaves behind that is rolled back after it has moved the sequence.
    session.ok("SELECT setval('torn.messages_global_position_seq', 600)");
    ok(&["copy", &url(&store, "message_store"), &url(&store, "torn")]);
    assert_eq!(schema_digest(&store, "torn"), schema_digest(&store, "message_store"));
}

#[test]
fn a_killed_import_goes_on_to_the_same_end() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 12_000);
    let folder = tempfile::tempdir().expect("a folder");
    let (file, target) = (folder.path().join("e.jsonl.gz").display().to_string(), folder.path().join("i.db"));
    ok(&["export", &url(&store, "message_store"), &file]);
    for _ in 0..3 {
        let pause = Duration::from_millis(rand::rng().random_range(20..500));
        kill_after(&["import", &file, &file_url(&target), "-q"], pause, KILL);
    }
    ok(&["import", &file, &file_url(&target)]);
    assert_eq!(file_digest(&target), schema_digest(&store, "message_store"));
}

#[test]
fn a_lost_connection_is_said_and_gone_on_after() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 20_000);
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("lost.db");
    let source = url(&store, "message_store");
    let child = command(&["copy", &source, &file_url(&target), "-q"]).spawn().expect("the program");
    for _ in 0..2000 {
        if target.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut session = store.superuser();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE application_name = 'message-store' AND datname = current_database() AND query LIKE '%get_all_messages%'";
    let mut ended_some = false;
    for _ in 0..1000 {
        if session.number(end) > 0 {
            ended_some = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().expect("the program");
    assert!(ended_some, "never seen at work");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("the target has "), "{said}");
    ok(&["copy", &source, &file_url(&target)]);
    assert_eq!(file_digest(&target), schema_digest(&store, "message_store"));
}

#[test]
fn an_interrupt_ends_it_after_the_batch() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 25_000);
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("interrupted.db");
    let source = url(&store, "message_store");
    let child = command(&["copy", &source, &file_url(&target), "-q", "--json"]).spawn().expect("the program");
    // As soon as it has begun to write.
    for _ in 0..2000 {
        if target.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    send(&child, INTERRUPT);
    let output = child.wait_with_output().expect("the program");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said} {}", String::from_utf8_lossy(&output.stderr));
    assert!(
        said.contains("\"error\":\"interrupted\"") && said.contains("the same command goes on from there"),
        "{said}"
    );
    let count: u32 = file_digest(&target).split(' ').next().and_then(|count| count.parse().ok()).expect("a count");
    assert!(count > 0 && count < 25_000, "{count}");
    let again = ended(command(&["copy", &source, &file_url(&target)]));
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(file_digest(&target), schema_digest(&store, "message_store"));
}

#[test]
fn a_torn_export_goes_on_as_it_is_compressed() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 8000);
    let source = url(&store, "message_store");
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole.jsonl");
    ok(&["export", &source, &whole.display().to_string()]);
    let torn = folder.path().join("torn");
    let name = torn.display().to_string();
    for compression in ["gzip", "zstd"] {
        ok(&["export", &source, &name, "--compress", compression, "--force"]);
        let bytes = fs::read(&torn).expect("the file");
        fs::write(&torn, &bytes[..bytes.len() - 300]).expect("written");
        fails(2, "compressed in another way", &["export", &source, &name, "--compress", "none"]);
        ok(&["export", &source, &name]);
        let target = folder.path().join(format!("{compression}.db"));
        ok(&["import", &name, &file_url(&target)]);
        assert_eq!(file_digest(&target), schema_digest(&store, "message_store"), "{compression}");
        if compression == "gzip" {
            let [torn, whole] = [&torn, &whole].map(|file| lines(folder.path(), file));
            assert!(torn.len() == whole.len() && torn[..8000] == whole[..8000]);
        }
    }
}

#[test]
fn a_full_disk_is_said_and_gone_on_after() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 20_000);
    let source = url(&store, "message_store");
    let folder = tempfile::tempdir().expect("a folder");
    for ending in ["jsonl", "jsonl.gz"] {
        let name = folder.path().join(format!("e.{ending}")).display().to_string();
        // No file may be longer than so many blocks of 512 bytes.
        let blocks = if ending == "jsonl" { "6000" } else { "800" };
        let script = r#"trap '' XFSZ; ulimit -f "$1"; shift; exec "$@""#;
        let program = env!("CARGO_BIN_EXE_message-store");
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", script, "sh", blocks, program, "export", &source, &name, "-q"]);
        let ended = ended(limited);
        assert_eq!(ended.code, Some(4), "{ended:?}");
        let said =
            format!("message-store: {name}: File too large (os error 27); it has everything up to global position ");
        assert!(ended.err.starts_with(&said), "{ended:?}");
        assert!(ended.err.ends_with(", and the same command goes on from there\n"), "{ended:?}");
        let said = ok(&["export", &source, &name, "--json"]);
        assert!(!said.contains("\"resumed_after\":null"), "{said}");
        let target = folder.path().join(format!("{ending}.db"));
        ok(&["import", &name, &file_url(&target)]);
        assert_eq!(file_digest(&target), schema_digest(&store, "message_store"), "{ending}");
    }
}
