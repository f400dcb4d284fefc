//! Several writes and reads in one statement.

use message_store_tests::{Store, for_both};

for_both!(
    a_hundred_writes_in_one_statement_are_a_gapless_stream,
    a_read_after_a_write_in_the_same_statement_sees_it,
    a_common_table_expression_writes_once,
    one_failing_write_undoes_its_statement,
    writes_of_several_streams_interleave,
    a_version_expected_within_the_statement_counts_its_own_writes,
    a_prepared_statement_writes_and_reads_again_and_again,
);

const ID: &str = "gen_random_uuid()::varchar";

fn a_hundred_writes_in_one_statement_are_a_gapless_stream(store: &Store) {
    let mut session = store.session();
    let written = session.rows(&format!(
        "SELECT write_message({ID}, 'account-1', 'Deposited', jsonb_build_object('n', n)) FROM generate_series(1, 100) AS n"
    ));
    let expected: Vec<_> = (0..100).map(|position: i64| [Some(position.to_string())]).collect();
    assert_eq!(written, expected);

    let read = session.rows("SELECT position, global_position, data FROM get_stream_messages('account-1')");
    let message = |n: i64| [(n - 1).to_string(), n.to_string(), format!("{{\"n\": {n}}}")].map(Some);
    assert_eq!(read, (1..=100).map(message).collect::<Vec<_>>());
}

fn a_read_after_a_write_in_the_same_statement_sees_it(store: &Store) {
    let mut session = store.session();
    let sql = format!(
        "SELECT write_message({ID}, 'account-1', 'Opened', '{{}}'), stream_version('account-1'), \
         (SELECT count(*) FROM get_stream_messages('account-1')), (SELECT count(*) FROM get_category_messages('account')), \
         (SELECT type FROM get_last_stream_message('account-1')) FROM generate_series(1, 2)"
    );
    let rows = session.rows(&sql);
    let first = rows[0].iter().map(|v| v.as_deref()).collect::<Vec<_>>();
    // Subqueries that do not depend on the row run once, when the first row is built.
    assert_eq!(first, [Some("0"), Some("0"), Some("1"), Some("1"), Some("Opened")]);
    let second = rows[1].iter().map(|v| v.as_deref()).take(2).collect::<Vec<_>>();
    assert_eq!(second, [Some("1"), Some("1")]);
}

fn a_common_table_expression_writes_once(store: &Store) {
    let mut session = store.session();
    let sql = format!(
        "WITH written AS (SELECT write_message({ID}, 'account-1', 'Opened', '{{}}') AS position) \
         SELECT a.position, b.position, stream_version('account-1') FROM written AS a, written AS b"
    );
    assert_eq!(session.rows(&sql), [["0", "0", "0"].map(|v| Some(v.to_owned()))]);
    assert_eq!(session.number("SELECT count(*) FROM messages"), 1);
}

fn one_failing_write_undoes_its_statement(store: &Store) {
    let mut session = store.session();
    let failure = session.error(&format!(
        "SELECT write_message({ID}, 'account-1', 'T', '{{}}', NULL, CASE n WHEN 50 THEN 7 END) FROM generate_series(1, 100) AS n"
    ));
    assert_eq!(failure.message, "Wrong expected version: 7 (Stream: account-1, Stream Version: 48)");
    assert_eq!(session.value("SELECT stream_version('account-1')"), None);
    assert_eq!(session.number("SELECT count(*) FROM messages"), 0);
}

fn writes_of_several_streams_interleave(store: &Store) {
    let mut session = store.session();
    let positions = session.rows(&format!(
        "SELECT write_message({ID}, 'account-' || n % 3, 'T', '{{}}') FROM generate_series(0, 11) AS n"
    ));
    let expected: Vec<_> = (0..12_i64).map(|n| [Some((n / 3).to_string())]).collect();
    assert_eq!(positions, expected);
}

fn a_version_expected_within_the_statement_counts_its_own_writes(store: &Store) {
    let mut session = store.session();
    let count = session.number(&format!(
        "SELECT count(write_message({ID}, 'account-1', 'T', '{{}}', NULL, n - 1)) FROM generate_series(0, 99) AS n"
    ));
    assert_eq!(count, 100);
    assert_eq!(session.number("SELECT stream_version('account-1')"), 99);
}

/// More than five times, so that kept plans have become generic ones.
fn a_prepared_statement_writes_and_reads_again_and_again(store: &Store) {
    let mut session = store.session();
    let client = session.client();
    let write =
        client.prepare("SELECT write_message(gen_random_uuid()::varchar, $1, $2, '{}', NULL, $3)").expect("write");
    let read = client.prepare("SELECT position FROM get_stream_messages($1, $2, $3)").expect("read");
    for version in 0_i64..20 {
        let row = client.query_one(&write, &[&"account-1", &"T", &(version - 1)]).expect("a row");
        assert_eq!(row.get::<_, i64>("write_message"), version);
        let rows = client.query(&read, &[&"account-1", &(version - 1), &10_i64]).expect("rows");
        let positions: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(positions, ((version - 1).max(0)..=version).collect::<Vec<_>>());
    }
}
