//! `tail`, `stats`, `namespaces` and `completion`.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use common::{command, fails, file_url, message_db_url, ok, python, seed, send, url};
use message_store_tests::{Store, Target};

struct Following {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Following {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).spawn().expect("the program");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        line
    }

    fn interrupt(mut self) -> Option<i32> {
        send(&self.child, 2);
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("the rest");
        assert_eq!(rest, "");
        self.child.wait().expect("a status").code()
    }
}

#[test]
fn everything_is_followed_in_global_order_until_an_interrupt() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("SELECT write_message(NULL, 'account-1', 'Opened', '{\"owner\": \"Ada\"}')");
    let source = url(&store, "message_store");
    let mut following = Following::start(&["tail", &source, "--from", "1"]);
    let line = following.line();
    assert!(line.starts_with("1  2") && line.ends_with("  account-1  0  Opened  {\"owner\": \"Ada\"}\n"), "{line}");
    session.ok("SELECT write_message(NULL, 'order-1', 'Placed', 'null')");
    assert!(following.line().ends_with("  order-1  0  Placed  null\n"));
    assert_eq!(following.interrupt(), Some(0));
}

#[test]
fn a_notification_wakes_it_long_before_the_interval_is_over() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let mut following = Following::start(&[
        "tail",
        &url(&store, "message_store"),
        "--json",
        "--interval",
        "600000",
        "--category",
        "account",
    ]);
    let listens = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'message-store' AND state = 'idle' \
                   AND datname = current_database() AND query NOT LIKE '%LISTEN%' AND query LIKE '%get_category%'";
    while session.number(listens) == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    // What the namespace's option does for every writer.
    session.ok("BEGIN; SELECT write_message(NULL, 'account-1', 'Opened', '{}'); SELECT pg_notify('message_store', 'account'); COMMIT");
    let line = following.line();
    assert!(line.starts_with("{\"id\":\"") && line.contains("\"stream_name\":\"account-1\""), "{line}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(following.interrupt(), Some(0));
}

#[test]
fn a_file_is_followed_across_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bank.db");
    let store = Store::fresh(Target::Ours);
    seed(&store, 3);
    ok(&["copy", &url(&store, "message_store"), &file_url(&file)]);
    let mut following =
        Following::start(&["tail", &file_url(&file), "--interval", "600000", "--stream", "it's-1", "--from", "0"]);
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    seed_one(&store);
    ok(&["copy", &url(&store, "message_store"), &file_url(&file)]);
    assert!(following.line().contains("  it's-1  0  "));
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert_eq!(following.interrupt(), Some(0));
}

fn seed_one(store: &Store) {
    store.superuser().ok("SELECT write_message(NULL, 'it''s-1', 'Opened', '{}')");
}

#[test]
fn message_db_is_followed_and_members_share_a_category() {
    let store = Store::fresh(Target::Genuine);
    seed(&store, 200);
    let source = message_db_url(&store);
    let count = |arguments: &[&str]| {
        ok(&[&["tail", &source, "--from", "0", "--no-follow"], arguments].concat()).lines().count()
    };
    assert_eq!(count(&[]), 200);
    assert_eq!(count(&["--limit", "7"]), 7);
    assert_eq!(ok(&["tail", &source, "--from", "-1", "--no-follow"]).lines().count(), 200);
    assert_eq!(count(&["--stream", "account-10"]), 4);
    // Of the category's 47 streams one has no id, and so no member.
    let all = count(&["--category", "account"]);
    let member = |number| count(&["--category", "account", "--member", number, "--size", "2"]);
    assert_eq!(all, 47 * 4);
    assert_eq!(member("0") + member("1"), 46 * 4);
    fails(3, "Must be a stream name: account", &["tail", &source, "--stream", "account"]);
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 2000);
    let mut child = command(&["tail", &url(&store, "message_store"), "--from", "1"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    drop(out);
    assert_eq!(child.wait().expect("a status").code(), Some(0));
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!(said, "");
}

#[test]
fn stats_are_what_prometheus_reads() {
    let store = Store::fresh(Target::Genuine);
    seed(&store, 100);
    let source = message_db_url(&store);
    let text = ok(&["stats", &source, "--prometheus"]);
    let parse = "import sys\nfrom prometheus_client.parser import text_string_to_metric_families as parse\n\
                 for family in parse(sys.stdin.read()):\n  for s in family.samples:\n    print(family.type, s.name, sorted(s.labels.items()), s.value)";
    let mut python = std::process::Command::new(python())
        .args(["-c", parse])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python");
    std::io::Write::write_all(&mut python.stdin.take().expect("a pipe"), text.as_bytes()).expect("written");
    let parsed = String::from_utf8(python.wait_with_output().expect("python").stdout).expect("UTF-8");
    for line in [
        "gauge message_store_messages [('namespace', 'message_store')] 100",
        "gauge message_store_streams [('namespace', 'message_store')] 50",
        "gauge message_store_categories [('namespace', 'message_store')] 4",
        "gauge message_store_last_global_position [('namespace', 'message_store')] 300",
        "gauge message_store_last_message_timestamp_seconds [('namespace', 'message_store')] 1769860900.0003",
    ] {
        assert!(parsed.lines().any(|found| found == line), "{line} is not in\n{parsed}");
    }
    assert!(ok(&["stats", &source]).contains("messages              100\n"));
    assert!(ok(&["stats", &source, "--json"]).contains("\"message_count\":100,"));
}

#[test]
fn a_store_without_stats_is_too_old() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("DO $$ BEGIN ALTER EXTENSION message_store DROP FUNCTION stats; DROP FUNCTION stats; EXCEPTION WHEN undefined_function THEN END $$");
    fails(3, "of Message Store is too old for stats", &["stats", &url(&store, "message_store")]);
}

#[test]
fn namespaces_and_completion() {
    let store = Store::fresh(Target::Ours);
    store.superuser().ok("SELECT create_namespace('tenant-a', NULL, 'The first', '{\"plan\": 1}')");
    assert_eq!(ok(&["namespaces", &url(&store, "message_store")]), "message_store\ntenant-a\tThe first\n");
    let json = ok(&["namespaces", &url(&store, "message_store"), "--json"]);
    assert!(
        json.contains("\"description\":\"The first\",\"metadata\":\"{\\\"plan\\\": 1}\",\"name\":\"tenant-a\""),
        "{json}"
    );
    for shell in ["bash", "zsh", "fish"] {
        let script = ok(&["completion", shell]);
        assert!(script.contains("message-store") && script.contains("verify"), "{shell}");
    }
    fails(3, "Message DB has no namespaces", &["namespaces", &message_db_url(&Store::fresh(Target::Genuine))]);
}

#[test]
fn what_was_begun_before_and_is_committed_after_the_start_is_printed() {
    for target in Target::BOTH {
        let store = Store::fresh(target);
        let mut session = store.superuser();
        let write =
            |stream: &str| format!("SELECT write_message(gen_random_uuid()::varchar, '{stream}', 'Opened', '{{}}')");
        for stream in ["account-1", "order-1"] {
            session.ok(&write(stream));
        }
        let source = if target == Target::Ours { url(&store, "message_store") } else { message_db_url(&store) };
        let mut open = store.superuser();
        open.ok("BEGIN");
        open.ok(&write("account-2"));
        session.ok(&write("order-2"));
        let mut followings = [&[][..], &["--category", "account"], &["--stream", "account-2"]]
            .map(|what| Following::start(&[&["tail", &source, "--interval", "100"], what].concat()));
        let begun = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'message-store' AND state = 'idle' \
                     AND datname = current_database() AND query ~ 'get_(all|category|stream)_messages|messages WHERE|pg_locks'";
        while session.number(begun) < 3 {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(500));
        session.ok(&write("order-3"));
        open.ok("COMMIT");
        for (following, is_all) in followings.iter_mut().zip([true, false, false]) {
            assert!(following.line().starts_with("3  "), "{target}");
            if is_all {
                let mut line = following.line();
                // What was committed after the open transaction had begun, and before the start, may come along.
                if target == Target::Ours {
                    assert!(line.contains("  order-2  "), "{line}");
                    line = following.line();
                }
                assert!(line.contains("  order-3  "), "{target}: {line}");
            }
        }
        for following in followings {
            assert_eq!(following.interrupt(), Some(0));
        }
    }
}

#[test]
fn message_db_s_messages_are_printed_in_order_and_none_is_passed_over() {
    let store = Store::fresh(Target::Genuine);
    let (mut session, mut open) = (store.superuser(), store.superuser());
    let write =
        |stream: &str| format!("SELECT write_message(gen_random_uuid()::varchar, '{stream}', 'Opened', '{{}}')");
    let mut following = Following::start(&["tail", &message_db_url(&store), "--from", "1", "--interval", "50"]);
    session.ok(&write("account-1"));
    assert!(following.line().starts_with("1  "));
    open.ok("BEGIN");
    open.ok(&write("order-1"));
    session.ok(&write("account-2"));
    std::thread::sleep(Duration::from_millis(500));
    open.ok("COMMIT");
    assert!(following.line().starts_with("2  "));
    assert!(following.line().starts_with("3  "));
    assert_eq!(following.interrupt(), Some(0));
}
