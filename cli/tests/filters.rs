//! A part of a store is what lies between two places of its global order, and fits wherever its rest is or nothing is.

mod common;

use common::{Engine, fails, ok};

/// Messages whose times do not ascend: stream, position and second of each.
const MESSAGES: [(&str, u32, u32); 6] =
    [("a-1", 0, 10), ("c-1", 0, 12), ("a-1", 1, 30), ("a-1", 2, 15), ("b-1", 0, 25), ("a-1", 3, 40)];

fn fill(store: &mut Engine, first_id: u32) {
    let messages: Vec<String> = (1..)
        .zip(MESSAGES)
        .map(|(number, (stream, position, second))| {
            format!(
                "{{\"id\":\"00000000-0000-4000-8000-0000000000{:02}\",\"stream_name\":\"{stream}\",\"type\":\"Written\",\
                 \"position\":{position},\"global_position\":{number},\"time\":\"2026-01-31 12:00:{second}\"}}",
                first_id + number
            )
        })
        .collect();
    store.value(&format!("SELECT import_messages('[{}]')", messages.join(",")));
}

/// The global positions of a store's messages.
fn positions(store: &mut Engine) -> Vec<i64> {
    let last: i64 = store.value("SELECT coalesce(max(global_position), 0) FROM messages").parse().expect("a number");
    let has = |position: &i64| {
        store.value(&format!("SELECT count(*) FROM messages WHERE global_position = {position}")) == "1"
    };
    (1..=last).filter(has).collect()
}

#[test]
fn times_that_do_not_ascend_make_no_gap() {
    const SINCE: [&str; 2] = ["--since", "2026-01-31 12:00:20"];
    const UNTIL: [&str; 2] = ["--until", "2026-01-31 12:00:20"];
    for (mut source, mut target) in Engine::pairs() {
        fill(&mut source, 10);
        let copy = |source: &Engine, target: &Engine, filter: &[&str]| {
            ok(&[&["copy", &source.url(), &target.url()], filter].concat())
        };
        // From the first message on that is not before the time, and again.
        copy(&source, &target, &SINCE);
        assert_eq!(positions(&mut target), [3, 4, 5, 6]);
        assert!(copy(&source, &target, &SINCE).starts_with("0 messages"));
        ok(&[&["verify", &source.url(), &target.url()][..], &SINCE].concat());
        assert_eq!(target.value("SELECT stream_version('c-1')"), "0");
        // Up to the first one that is not before it, and then the rest.
        let mut target = Engine::sqlite();
        copy(&source, &target, &UNTIL);
        assert_eq!(positions(&mut target), [1, 2]);
        copy(&source, &target, &[]);
        assert_eq!(target.digest(), source.digest());
        // By a file, and again.
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("part.jsonl").display().to_string();
        ok(&[&["export", &source.url(), &file][..], &SINCE, &["--until", "2026-01-31 12:00:40"]].concat());
        let mut target = Engine::sqlite();
        for expected in ["3 messages imported, up", "0 messages imported after those that were there, up"] {
            assert!(ok(&["import", &file, &target.url()]).starts_with(expected));
        }
        assert_eq!(positions(&mut target), [3, 4, 5]);
        copy(&source, &target, &SINCE);
        assert_eq!(positions(&mut target), [3, 4, 5, 6]);
        // In a category, and after everything.
        let text = ok(&[&["export", &source.url(), "-", "--category", "a"][..], &SINCE].concat());
        assert_eq!(text.matches("{\"id\":").count(), 3, "{text}");
        let text = ok(&["export", &source.url(), "-", "--since", "2027-01-01"]);
        assert_eq!(text.matches("{\"id\":").count(), 0, "{text}");
        let text = ok(&["export", &source.url(), "-", "--from", "-1"]);
        assert_eq!(text.matches("{\"id\":").count(), 6, "{text}");
    }
}

#[test]
fn a_part_that_begins_after_the_target_s_end_is_not_mixed_with_a_stranger_s() {
    for (mut source, target) in Engine::pairs() {
        fill(&mut source, 10);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("part.jsonl").display().to_string();
        ok(&["export", &source.url(), &file, "--from", "5"]);
        let mut stranger = Engine::sqlite();
        stranger.write("d-1");
        stranger.write("d-1");
        let before = stranger.digest();
        fails(4, "the target holds other messages: ", &["copy", &source.url(), &stranger.url(), "--from", "5"]);
        fails(
            4,
            "the target holds other messages: ",
            &["copy", &source.url(), &stranger.url(), "--since", "2026-01-31"],
        );
        fails(4, "the target holds other messages: ", &["import", &file, &stranger.url()]);
        assert_eq!(stranger.digest(), before);
        assert_eq!(stranger.value("SELECT coalesce(stream_version('a-1'), -1)"), "-1");
        // Where the first part is, the second one fits.
        for second in [&["copy", &source.url(), &target.url(), "--from", "5"][..], &["import", &file, &target.url()]] {
            ok(&["copy", &source.url(), &target.url(), "--to", "4"]);
            ok(second);
            assert_eq!(target.digest(), source.digest());
        }
        let mut by_file = Engine::sqlite();
        ok(&["copy", &source.url(), &by_file.url(), "--to", "4"]);
        ok(&["import", &file, &by_file.url()]);
        assert_eq!(by_file.digest(), source.digest());
        assert_eq!(by_file.write("a-1"), "4");
    }
}

#[test]
fn another_category_does_not_come_after_one() {
    for (mut source, target) in Engine::pairs() {
        for stream in ["a-1", "b-1", "a-1", "b-1"] {
            source.write(stream);
        }
        ok(&["copy", &source.url(), &target.url(), "--category", "b"]);
        let passed = "it has passed global position 1, where the source has position 0 of a-1";
        fails(4, passed, &["copy", &source.url(), &target.url(), "--category", "a"]);
        source.write("b-1");
        ok(&["copy", &source.url(), &target.url(), "--category", "b"]);
        ok(&["verify", &source.url(), &target.url(), "--category", "b"]);
    }
}

#[test]
fn a_stream_whose_messages_are_all_left_out_keeps_its_version() {
    for (mut source, mut target) in Engine::pairs() {
        for stream in ["old-1", "old-1", "new-1"] {
            source.write(stream);
        }
        ok(&["copy", &source.url(), &target.url(), "--from", "3"]);
        ok(&["verify", &source.url(), &target.url(), "--from", "3"]);
        assert_eq!(target.write("old-1"), "2");
    }
}
