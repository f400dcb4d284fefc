//! What a large store holds, estimated, when much of what it held was removed.

use message_store_tests::{Session, Store, Target};

/// A store with 50,000 messages in 2,500 streams of one length, those of a stream together or all first ones first.
fn store(order: &str) -> (Store, Session) {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok(&format!(
        "INSERT INTO messages (stream_name, type, position, data)
         SELECT 'category' || s % 30 || '-' || s, 'T', p, to_jsonb(repeat('a', 100))
         FROM generate_series(0, 19) AS p, generate_series(1, 2500) AS s ORDER BY {order}"
    ));
    assert!(session.number("SELECT pg_relation_size('messages') / 8192") > 1000, "a table that is not counted");
    (store, session)
}

/// Messages within 5 percent, streams within 20, as the reference says, and the categories to the last.
fn assert_estimates(session: &mut Session, what: &str) {
    let numbers = |session: &mut Session, sql: &str| -> Vec<i64> {
        session.rows(sql)[0].iter().flatten().map(|number| number.parse().expect("a number")).collect()
    };
    let found = numbers(session, "SELECT message_count, stream_count, category_count FROM stats()");
    let exact = "SELECT count(*), count(DISTINCT stream_name), count(DISTINCT category(stream_name)) FROM messages";
    let exact = numbers(session, exact);
    for ((found, exact), percent) in found.iter().zip(&exact).zip([5, 20, 0]) {
        assert!((found - exact).abs() * 100 <= exact * percent, "{what}: {found} for {exact}");
    }
}

/// The pages of the oldest messages are empty; a stream keeps its last one.
#[test]
fn pages_that_are_empty_count() {
    let (_store, mut session) = store("p, s");
    assert_estimates(&mut session, "all there");
    for kept in [10, 5, 1] {
        session.ok(&format!("DELETE FROM messages WHERE position < {}", 20 - kept));
        assert_estimates(&mut session, &format!("{kept} of 20 kept"));
        session.ok("VACUUM messages");
        assert_estimates(&mut session, &format!("{kept} of 20 kept, after VACUUM"));
    }
}

/// Every page has lost most of its messages.
#[test]
fn pages_that_are_nearly_empty_count_for_what_they_have() {
    let (_store, mut session) = store("s, p");
    for kept in [10, 1] {
        session.ok(&format!("DELETE FROM messages WHERE position < {}", 20 - kept));
        assert_estimates(&mut session, &format!("{kept} of 20 kept"));
    }
    session.ok("DELETE FROM messages WHERE hash_64(stream_name) % 10 <> 0");
    session.ok("VACUUM messages");
    assert_estimates(&mut session, "one stream in ten kept");
    session.ok("DELETE FROM messages");
    assert_estimates(&mut session, "nothing kept");
}

/// Whatever a caller thinks of ways to read a table, and whatever of it the caller may see.
#[test]
fn pages_are_read_one_by_one() {
    let (store, mut session) = store("p, s");
    session.ok("ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
        CREATE POLICY half ON messages TO message_store USING (global_position % 2 = 0)");
    let mut client = store.session();
    client.ok("SET enable_tidscan = off; SET statement_timeout = '1s'");
    let half = client.number("SELECT message_count FROM stats()");
    assert!((half - 25_000).abs() < 1250, "{half}");
}
