//! What is removed or redacted in a source that is copied again and again.

mod common;

use std::fs;

use common::{Engine, fails, ok};

/// A source in either engine with two messages of each stream, and its copy in the other one.
fn copied(streams: &[&str]) -> [(Engine, Engine); 2] {
    Engine::pairs().map(|(mut source, target)| {
        for stream in streams {
            source.write(stream);
            source.write(stream);
        }
        ok(&["copy", &source.url(), &target.url()]);
        (source, target)
    })
}

/// The number of this name in the report of a command.
fn reported(arguments: &[&str], name: &str) -> i64 {
    let report: serde_json::Value = serde_json::from_str(&ok(&[arguments, &["--json"]].concat())).expect("JSON");
    report[name].as_i64().expect("a number")
}

#[test]
fn a_copy_goes_on_where_its_last_messages_were_removed_in_the_source() {
    for (mut source, mut target) in copied(&["a-1", "b-1"]) {
        source.value("SELECT delete_stream('b-1')");
        source.write("c-1");
        let copy = ["copy", &source.url(), &target.url()];
        assert_eq!(reported(&copy, "messages"), 1);
        // What was removed is still in the copy, and verify says so.
        assert_eq!(target.value("SELECT count(*) FROM get_stream_messages('b-1')"), "2");
        fails(1, "global position 3 (b-1, position 0) is only in ", &["verify", &source.url(), &target.url()]);
        assert_eq!(reported(&[&copy[..], &["--delete"]].concat(), "removed"), 2);
        assert_eq!(target.value("SELECT count(*) FROM messages WHERE stream_name = 'b-1'"), "0");
        assert_eq!(target.digest(), source.digest());
        ok(&["verify", &source.url(), &target.url()]);
        assert_eq!(target.write("b-1"), "2");
    }
}

#[test]
fn a_stream_that_was_removed_before_all_of_it_was_copied_goes_on_with_delete() {
    for (mut source, mut target) in copied(&["a-1", "b-1"]) {
        source.write("b-1");
        source.value("SELECT delete_stream('b-1')");
        source.write("b-1");
        let copy = ["copy", &source.url(), &target.url()];
        fails(4, "Position does not fit: 3 (Stream: b-1, Stream Version: 1)", &copy);
        fails(4, "if the source removed messages before they were copied, --delete helps", &copy);
        assert_eq!(target.value("SELECT count(*) FROM get_all_messages()"), "4");
        let with_delete = [&copy[..], &["--delete"]].concat();
        assert_eq!(reported(&with_delete, "removed"), 2);
        assert_eq!(target.digest(), source.digest());
        ok(&["verify", &source.url(), &target.url()]);
        assert_eq!(reported(&with_delete, "removed"), 0);
    }
}

#[test]
fn the_beginning_of_a_stream_is_removed_with_delete_and_what_comes_after_it_stays() {
    for (mut source, target) in copied(&["a-1", "a-1", "b-1"]) {
        source.value("SELECT truncate_stream('a-1', 3)");
        source.write("a-1");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("e.jsonl").display().to_string();
        ok(&["export", &source.url(), &file]);
        assert_eq!(reported(&["import", &file, &target.url()], "removed"), 0);
        assert_eq!(reported(&["import", &file, &target.url(), "--delete"], "removed"), 3);
        assert_eq!(target.digest(), source.digest());
        ok(&["verify", &source.url(), &target.url()]);
        // A part of a store does not say what was removed from it.
        fails(2, "--delete", &["copy", &source.url(), &target.url(), "--delete", "--from", "3"]);
        let part = folder.path().join("part.jsonl").display().to_string();
        ok(&["export", &source.url(), &part, "--from", "5"]);
        fails(2, "--delete", &["import", &part, &target.url(), "--delete"]);
    }
}

#[test]
fn a_copy_keeps_what_is_redacted_later_and_verify_notices() {
    for (mut source, mut target) in copied(&["a-1", "b-1"]) {
        let id = source.value("SELECT id FROM get_last_stream_message('b-1')");
        source.value(&format!("SELECT redact_message('{id}')"));
        let copy = ["copy", &source.url(), &target.url()];
        assert_eq!(reported(&copy, "messages"), 0);
        let data = "SELECT data FROM get_last_stream_message('b-1')";
        assert_eq!(target.value(data), "{\"of\": \"b-1\"}");
        fails(
            1,
            "global position 4, data: {\"redacted\": true} and {\"of\": \"b-1\"}",
            &["verify", &source.url(), &target.url()],
        );
        target.value(&format!("SELECT redact_message('{id}')"));
        ok(&["verify", &source.url(), &target.url()]);
    }
}

#[test]
fn an_export_has_nothing_of_what_was_removed_or_redacted() {
    for mut source in Engine::both() {
        for stream in ["gone-1", "short-1", "short-1", "dark-1"] {
            source.write(stream);
        }
        source.value("SELECT delete_stream('gone-1')");
        source.value("SELECT truncate_stream('short-1', 1)");
        let id = source.value("SELECT id FROM get_last_stream_message('dark-1')");
        source.value(&format!("SELECT redact_message('{id}')"));
        let text = ok(&["export", &source.url()]);
        assert_eq!(text.lines().filter(|line| line.starts_with("{\"id\"")).count(), 2, "{text}");
        assert!(!text.contains("{\"of\": \"gone-1\"}") && !text.contains("{\"of\": \"dark-1\"}"), "{text}");
        assert!(text.contains("{\"kind\":\"head\",\"stream_name\":\"gone-1\",\"position\":0}"), "{text}");
        assert!(text.contains("{\"kind\":\"head\",\"stream_name\":\"short-1\",\"position\":0}"), "{text}");
        for mut target in Engine::both() {
            ok(&["copy", &source.url(), &target.url()]);
            ok(&["verify", &source.url(), &target.url()]);
            assert_eq!(target.write("gone-1"), "1");
        }
    }
}

#[test]
fn a_source_that_has_nothing_left_of_what_was_copied_is_taken_only_on_request() {
    for (mut source, mut target) in copied(&["a-1", "b-1"]) {
        source.value("SELECT delete_stream('a-1')");
        source.value("SELECT delete_stream('b-1')");
        source.write("c-1");
        let copy = ["copy", &source.url(), &target.url()];
        fails(4, "the target holds other messages: its last one, ", &copy);
        fails(4, "--append goes on after it all the same", &copy);
        assert_eq!(target.value("SELECT count(*) FROM get_all_messages()"), "4");
        assert_eq!(reported(&[&copy[..], &["--append"]].concat(), "messages"), 1);
        assert_eq!(reported(&copy, "messages"), 0);
    }
}

#[test]
fn a_target_with_messages_of_its_own_is_refused_and_not_touched() {
    for (mut source, mut target) in copied(&["a-1"]) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("e.jsonl").display().to_string();
        target.write("b-1");
        fails(4, "is not in the source, which ends before", &["copy", &source.url(), &target.url()]);
        for stream in ["b-1", "c-1", "d-1"] {
            source.write(stream);
        }
        source.value("SELECT delete_stream('d-1')");
        fails(4, "where global position 3 is another one's", &["copy", &source.url(), &target.url()]);
        ok(&["export", &source.url(), &file]);
        fails(4, "the target holds other messages: ", &["import", &file, &target.url()]);
        // Where the positions are not the same: the target has passed that of c-1, which it has not.
        target.value("SELECT delete_stream('b-1')");
        target.write("e-1");
        target.write("f-1");
        source.value("SELECT delete_stream('b-1')");
        assert_eq!(target.value("SELECT max(global_position) FROM messages"), "5");
        fails(4, "the target holds other messages: ", &["copy", &source.url(), &target.url()]);
        fs::remove_file(&file).expect("removed");
        ok(&["export", &source.url(), &file]);
        fails(4, "the target holds other messages: ", &["import", &file, &target.url()]);
        // Nor is the version of a stream taken over.
        assert_eq!(target.value("SELECT coalesce(stream_version('d-1'), -1)"), "-1");
    }
}
