//! A large batch can be cancelled, on either way to the table, and leaves nothing.

use message_store_tests::{Store, Target};

#[test]
fn a_large_batch_ends_with_the_statement_timeout() {
    for direct in ["on", "off"] {
        let store = Store::fresh(Target::Ours);
        let mut session = store.session();
        session.ok(&format!("SET message_store.direct_access = {direct}; SET statement_timeout = '400ms'"));
        let failure = session.error(
            "SELECT write_messages('account-1', (SELECT jsonb_agg('{\"type\": \"T\"}'::jsonb) FROM generate_series(1, 200000)))",
        );
        assert_eq!(failure.sqlstate, "57014", "direct access {direct}: {failure}");
        session.ok("RESET statement_timeout");
        assert_eq!(session.number("SELECT count(*) FROM messages"), 0);
        assert_eq!(session.number("SELECT write_message(NULL, 'account-1', 'T', '{}')"), 0);
    }
}
