//! The progress: a bar on a terminal, nothing of it elsewhere.

mod common;

use std::process::Command;

use common::{command, ended, file_url, seed, url};
use message_store_tests::{Store, Target};

/// Runs the program in a pseudo-terminal: its exit code, and everything that it shows.
fn in_a_terminal(arguments: &[&str]) -> common::Ended {
    let script = "import os, pty, sys\nsys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", script, env!("CARGO_BIN_EXE_message-store")]).args(arguments).env("TERM", "xterm");
    ended(python)
}

#[test]
fn a_terminal_has_a_bar_with_rate_and_time_left_and_nothing_else_has() {
    let store = Store::fresh(Target::Ours);
    seed(&store, 12_000);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| file_url(&folder.path().join(name));
    let source = url(&store, "message_store");
    let shown = in_a_terminal(&["copy", &source, &file("a.db")]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for part in ["%", " messages, ", " a second", " left", "12000 messages imported, up to global position 36000"] {
        assert!(shown.out.contains(part), "\"{part}\" is not in {shown:?}");
    }
    // It is taken away before the result is printed.
    let end = shown.out.rsplit("left").next().expect("an end");
    assert!(end.contains("\x1b[2K") && end.trim_end().ends_with("36000"), "{end:?}");
    let quiet = in_a_terminal(&["copy", &source, &file("b.db"), "-q"]);
    assert_eq!(quiet.out, "12000 messages imported, up to global position 36000\r\n");
    let elsewhere = ended(command(&["copy", &source, &file("c.db")]));
    assert!(!elsewhere.err.contains(['\r', '\x1b', '%']), "{elsewhere:?}");
}
