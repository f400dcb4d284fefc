//! A global position that may have been seen in the target is not given out there again.

mod common;

use common::{Engine, fails, ok, run, seed, url};
use message_store_tests::{Store, Target};

#[test]
fn what_was_removed_in_the_target_stays_removed_and_its_positions_stay_taken() {
    for (mut source, mut target) in Engine::pairs() {
        for stream in ["a-1", "a-1", "b-1", "b-1"] {
            source.write(stream);
        }
        ok(&["copy", &source.url(), &target.url()]);
        target.value("SELECT record_consumer_position('b', 'totals', 4)");
        assert_eq!(target.value("SELECT delete_stream('b-1')"), "2");
        let report = ok(&["copy", &source.url(), &target.url(), "--json"]);
        assert!(report.contains("\"messages\":0,"), "{report}");
        assert_eq!(target.value("SELECT count(*) FROM get_all_messages()"), "2");
        target.write("a-2");
        assert_eq!(target.value("SELECT max(global_position) FROM messages"), "5");
    }
}

#[test]
fn what_comes_after_a_removal_in_the_target_is_imported() {
    for (mut source, mut target) in Engine::pairs() {
        for stream in ["a-1", "b-1", "b-1"] {
            source.write(stream);
        }
        ok(&["copy", &source.url(), &target.url()]);
        target.value("SELECT delete_stream('b-1')");
        source.write("b-1");
        let report = ok(&["copy", &source.url(), &target.url(), "--json"]);
        assert!(report.contains("\"messages\":1,"), "{report}");
        assert_eq!(target.value("SELECT max(global_position) FROM messages"), "4");
        assert_eq!(target.value("SELECT stream_version('b-1')"), "2");
    }
}

/// A target with half of the messages, whose sequence a lost batch has moved to the end.
fn torn() -> (Store, String, String) {
    let store = Store::fresh(Target::Ours);
    seed(&store, 200);
    store.superuser().ok("SELECT create_namespace('torn')");
    let (source, target) = (url(&store, "message_store"), url(&store, "torn"));
    ok(&["copy", &source, &target, "--to", "299"]);
    store.superuser().ok("SELECT setval('torn.messages_global_position_seq', 600)");
    (store, source, target)
}

#[test]
fn positions_that_a_consumer_has_recorded_are_not_reopened() {
    let (store, source, target) = torn();
    let mut session = store.superuser();
    session.ok("SELECT record_consumer_position('account', 'totals', 301, NULL, 'torn')");
    fails(
        4,
        "global positions after 296 were given out here before, and a consumer has recorded one of them",
        &["copy", &source, &target],
    );
    assert_eq!(session.number("SELECT last_value FROM torn.messages_global_position_seq"), 600);
}

#[test]
fn positions_that_a_removed_stream_may_have_had_are_not_reopened() {
    let (store, source, target) = torn();
    let mut session = store.superuser();
    session.ok("SELECT write_message(NULL, 'local-1', 'Written', '{}', NULL, NULL, 'torn')");
    session.ok("SELECT delete_stream('local-1', 'torn')");
    fails(4, "and streams were removed here, whose messages may have had them", &["copy", &source, &target]);
    assert_eq!(session.number("SELECT last_value FROM torn.messages_global_position_seq"), 601);
}

#[test]
fn an_import_that_fails_does_not_set_the_sequence_back() {
    let (store, source, target) = torn();
    let mut session = store.superuser();
    session.ok("UPDATE torn.messages SET id = (SELECT id FROM messages WHERE global_position > 500 LIMIT 1) WHERE global_position = 2");
    let ended = run(&["copy", &source, &target]);
    assert!(ended.code == Some(4) && ended.err.contains("duplicate key value"), "{ended:?}");
    assert_eq!(session.number("SELECT last_value FROM torn.messages_global_position_seq"), 600);
}

#[test]
fn a_next_position_after_nothing_but_rolled_back_messages_goes_along() {
    for target in Engine::both() {
        let source = Store::fresh(Target::Ours);
        let mut session = source.superuser();
        session.ok("BEGIN; SELECT write_message(NULL, 'a-1', 'Written', '{}'); ROLLBACK");
        ok(&["copy", &url(&source, "message_store"), &target.url()]);
        ok(&["verify", &url(&source, "message_store"), &target.url()]);
    }
}
