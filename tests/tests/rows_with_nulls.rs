//! Rows that no function writes: the owner of a table has let a column be NULL that never is.

use message_store_tests::{Session, Store, Target, version};

const READS: [&str; 6] = [
    "SELECT * FROM get_stream_messages('account-1')",
    "SELECT * FROM get_category_messages('account')",
    "SELECT * FROM get_category_messages('account', 1, 10, NULL, 0, 1)",
    "SELECT * FROM get_all_messages()",
    "SELECT * FROM get_last_stream_message('account-1')",
    "SELECT * FROM get_last_stream_message('account-1', 'T')",
];

fn answers(session: &mut Session) -> Vec<String> {
    let reads = READS.iter().chain(&["SELECT stream_version('account-1')"]);
    reads
        .map(|read| match session.run(read).result {
            Ok(rows) => format!("{:?}", rows.rows),
            Err(failure) => failure.comparable().to_string(),
        })
        .collect()
}

#[test]
fn both_ways_to_the_table_read_them_alike() {
    for column in ["id", "time", "type", "position", "global_position", "stream_name"] {
        let [direct, by_statement] = ["on", "off"].map(|direct| {
            let store = Store::fresh(Target::Ours);
            let (mut owner, mut session) = (store.superuser(), store.session());
            session.ok(&format!("SET message_store.direct_access = {direct}"));
            session.ok("SELECT write_message('00000000-0000-4000-8000-000000000001', 'account-1', 'T', '{}')");
            // The session has the table as it was.
            assert_eq!(answers(&mut session).len(), 7);
            if column == "global_position" {
                owner.ok("ALTER TABLE messages DROP CONSTRAINT messages_pkey");
            }
            owner.ok(&format!(
                "ALTER TABLE messages ALTER {column} DROP NOT NULL;
                 UPDATE messages SET time = '2026-01-31 12:00:00'; UPDATE messages SET {column} = NULL"
            ));
            answers(&mut session)
        });
        assert_eq!(direct, by_statement, "{column}");
    }
}

/// What the owner's changes make of a message, on both ways to the table.
fn check_alike(changes: &str) {
    let [direct, by_statement] = ["on", "off"].map(|direct| {
        let store = Store::fresh(Target::Ours);
        let (mut owner, mut session) = (store.superuser(), store.session());
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        session.ok("SELECT write_message('00000000-0000-4000-8000-000000000001', 'account-1', 'T', '{}')");
        owner.ok("UPDATE messages SET time = '2026-01-31 12:00:00'");
        owner.ok(changes);
        answers(&mut session)
    });
    assert_eq!(direct, by_statement, "{changes}");
}

/// From Postgres 18 on a column can be NOT NULL for new rows only.
#[test]
fn a_constraint_that_earlier_rows_do_not_keep_is_none() {
    if version() < 18 {
        eprintln!("SKIPPED: Postgres {} has no such constraint", version());
        return;
    }
    for column in ["id", "time", "type", "position", "stream_name"] {
        check_alike(&format!(
            "ALTER TABLE messages ALTER {column} DROP NOT NULL; UPDATE messages SET {column} = NULL;
             ALTER TABLE messages ADD CONSTRAINT later NOT NULL {column} NOT VALID"
        ));
    }
}

/// A generated column among a message's; from Postgres 18 on it may be stored nowhere.
#[test]
fn a_column_that_is_computed_is_read_alike() {
    let computed = |stored: &str| {
        format!(
            "CREATE TABLE made (
               global_position bigint PRIMARY KEY, position bigint NOT NULL, time timestamp NOT NULL, stream_name text NOT NULL,
               type text GENERATED ALWAYS AS ('of ' || stream_name) {stored} NOT NULL, data jsonb, metadata jsonb, id uuid NOT NULL
             );
             INSERT INTO made (global_position, position, time, stream_name, data, metadata, id)
               SELECT global_position, position, time, stream_name, data, metadata, id FROM messages;
             DROP TABLE messages CASCADE; ALTER TABLE made RENAME TO messages; GRANT SELECT ON messages TO message_store;
             CREATE UNIQUE INDEX messages_stream ON messages (stream_name, position);
             CREATE SEQUENCE messages_global_position_seq; GRANT SELECT ON SEQUENCE messages_global_position_seq TO message_store;
             SELECT setval('messages_global_position_seq', 1)"
        )
    };
    check_alike(&computed("STORED"));
    if version() >= 18 {
        check_alike(&computed("VIRTUAL"));
    }
}

#[test]
fn a_message_without_a_type_is_stored_where_the_table_takes_it() {
    for direct in ["on", "off"] {
        let store = Store::fresh(Target::Ours);
        store.superuser().ok("ALTER TABLE messages ALTER type DROP NOT NULL");
        let mut session = store.session();
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        assert_eq!(session.number("SELECT write_message(NULL, 'account-1', NULL, '{}')"), 0);
        assert_eq!(session.number("SELECT count(*) FROM get_stream_messages('account-1') WHERE type IS NULL"), 1);
    }
}
