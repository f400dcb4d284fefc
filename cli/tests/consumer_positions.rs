//! No consumer is moved past a message that it has not had.

mod common;

use std::io::{BufRead, BufReader};

use common::{Engine, command, fails, ok, url};
use message_store_tests::{Store, Target};

/// Where the consumer `totals` is.
fn position(store: &mut Engine) -> String {
    store.value("SELECT position FROM consumer_positions('account')")
}

#[test]
fn a_part_takes_a_consumer_no_further_than_it_goes() {
    for (mut source, mut target) in Engine::pairs() {
        for number in 0..10 {
            source.write(&format!("account-{number}"));
        }
        source.value("SELECT record_consumer_position('account', 'totals', 10)");
        let text = ok(&["export", &source.url(), "-", "--to", "4"]);
        assert!(text.contains("\"consumer\":\"totals\",\"position\":4,"), "{text}");
        ok(&["copy", &source.url(), &target.url(), "--to", "5"]);
        assert_eq!(position(&mut target), "5");
        ok(&["verify", &source.url(), &target.url(), "--to", "5"]);
        target.write("account-5");
        let next = "SELECT min(global_position) FROM get_category_messages('account', 6)";
        assert_eq!(target.value(next), "6");
    }
}

#[test]
fn a_consumer_that_is_further_in_the_target_stays_there() {
    for (mut source, mut target) in Engine::pairs() {
        for _ in 0..9 {
            source.write("account-1");
        }
        source.value("SELECT record_consumer_position('account', 'totals', 5)");
        ok(&["copy", &source.url(), &target.url()]);
        assert_eq!(position(&mut target), "5");
        target.value("SELECT record_consumer_position('account', 'totals', 7)");
        ok(&["copy", &source.url(), &target.url()]);
        assert_eq!(position(&mut target), "7");
        fails(1, "a consumer's position: 5 of totals in account", &["verify", &source.url(), &target.url()]);
    }
}

#[test]
fn a_consumer_that_goes_on_during_a_copy_is_not_taken_along() {
    let source = Store::fresh(Target::Ours);
    let (mut open, mut session) = (source.superuser(), source.superuser());
    open.ok("BEGIN; SELECT write_message(NULL, 'order-1', 'Placed', '{}')");
    for mut target in Engine::both() {
        let mut copy = command(&["copy", &url(&source, "message_store"), &target.url()]).spawn().expect("the program");
        let mut said = String::new();
        BufReader::new(copy.stderr.take().expect("a pipe")).read_line(&mut said).expect("a line");
        assert!(said.contains("waiting for"), "{said}");
        let next = session.number("SELECT last_value + 1 FROM messages_global_position_seq");
        session.ok("SELECT write_message(NULL, 'account-1', 'Opened', '{}')");
        session.ok("SELECT record_consumer_position('account', 'totals', max(global_position)) FROM messages");
        open.ok("COMMIT; BEGIN; SELECT write_message(NULL, 'order-1', 'Placed', '{}')");
        assert!(copy.wait().expect("a status").success());
        assert_eq!(position(&mut target), (next - 1).to_string());
    }
}
