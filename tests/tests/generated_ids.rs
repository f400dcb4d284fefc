//! `write_message` with id NULL, the one call that Message DB refuses and ours takes.

use message_store_tests::{Store, Target, golden};
use std::collections::HashSet;

#[test]
fn a_message_without_an_id_gets_one_of_version_7() {
    let mut session = Store::fresh(Target::Ours).session();
    session.ok("SELECT write_message(NULL, 'account-1', 'T', '{}') FROM generate_series(1, 100)");
    let rows = session.rows("SELECT id FROM get_stream_messages('account-1')");
    let ids: Vec<&str> = rows.iter().filter_map(|row| row[0].as_deref()).collect();
    assert_eq!(ids.len(), 100);
    assert!(ids.iter().all(|id| golden::is_version_7(id)), "{ids:?}");
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 100);
    // The first 48 bits are the time in milliseconds, so that ids written later sort later.
    assert!(ids.iter().map(|id| &id[..13]).is_sorted(), "{ids:?}");
}

#[test]
fn a_wrong_version_is_reported_before_an_id_is_generated() {
    let mut session = Store::fresh(Target::Ours).session();
    let failure = session.error("SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, 3)");
    assert_eq!(failure.message, "Wrong expected version: 3 (Stream: account-1, Stream Version: -1)");
    session.ok("SELECT write_message(NULL, 'account-1', 'T', '{}')");
    assert_eq!(session.number("SELECT global_position FROM get_last_stream_message('account-1')"), 1);
}
