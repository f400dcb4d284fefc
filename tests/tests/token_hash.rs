//! Nobody but who was given it reads a token hash, by whatever way.

use message_store_tests::namespaces::{may_create, role};
use message_store_tests::{Outcome, Session, Store, Target};

const SECRET: &str = "7f83b1657ff1fc53b92dc18148a1d65d";

/// Everything that a statement told its client.
fn told(outcome: &Outcome) -> String {
    format!("{outcome:?}")
}

struct Registry {
    store: Store,
    /// The tenant whose namespace has the hash, who may create and delete namespaces but owns no registry.
    operator: String,
    /// Who may use the functions.
    guest: String,
}

fn registry() -> Registry {
    let store = Store::fresh(Target::Ours);
    let [operator, guest] = ["operator", "guest"].map(|name| role(&store, name));
    may_create(&store, &operator);
    let mut superuser = store.superuser();
    superuser.ok(&format!("GRANT USAGE ON SCHEMA message_store TO {guest}"));
    superuser.ok(&format!("SELECT create_namespace('bank', '{SECRET}', 'The bank', '{{}}')"));
    superuser.ok(&format!("SELECT grant_namespace('bank', '{operator}', 'write')"));
    superuser
        .ok("SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, 'bank'); ANALYZE message_store.namespaces");
    Registry { store, operator, guest }
}

/// Statements that would show it, or act on it, if they were let.
const ATTEMPTS: [&str; 28] = [
    "SELECT token_hash FROM message_store.namespaces",
    "SELECT * FROM message_store.namespaces",
    "TABLE message_store.namespaces",
    "SELECT n FROM message_store.namespaces AS n",
    "SELECT n::text FROM message_store.namespaces AS n",
    "SELECT row_to_json(n) FROM message_store.namespaces AS n",
    "SELECT (n).token_hash FROM message_store.namespaces AS n",
    "SELECT count(token_hash) FROM message_store.namespaces",
    "SELECT name FROM message_store.namespaces WHERE token_hash LIKE '7%'",
    "SELECT name FROM message_store.namespaces ORDER BY token_hash",
    "SELECT name FROM message_store.namespaces GROUP BY name, token_hash",
    "SELECT a.name FROM message_store.namespaces AS a JOIN message_store.namespaces AS b USING (token_hash)",
    "SELECT a.name FROM message_store.namespaces AS a NATURAL JOIN message_store.namespaces AS b",
    "COPY message_store.namespaces TO STDOUT",
    "COPY message_store.namespaces (token_hash) TO STDOUT",
    "UPDATE message_store.namespaces SET description = token_hash",
    "UPDATE message_store.namespaces SET token_hash = 'mine' WHERE name = 'bank'",
    "DELETE FROM message_store.namespaces WHERE token_hash LIKE '7%'",
    "DELETE FROM message_store.namespaces RETURNING token_hash",
    "DELETE FROM message_store.namespaces RETURNING *",
    "INSERT INTO message_store.namespaces (name, owner, token_hash) VALUES ('x', 'postgres', 'y') RETURNING token_hash",
    "INSERT INTO message_store.namespaces (name, owner) VALUES ('bank', 'postgres')
     ON CONFLICT (name) DO UPDATE SET description = namespaces.token_hash",
    "SELECT * FROM message_store.get_namespace('bank')",
    "SELECT token_hash FROM message_store.get_namespace('bank')",
    "CREATE TRIGGER t AFTER DELETE ON message_store.namespaces EXECUTE FUNCTION message_store.registry_changed()",
    "CREATE POLICY p ON message_store.namespaces USING (true)",
    "ALTER TABLE message_store.namespaces ADD CHECK (token_hash IS NULL)",
    "CREATE INDEX ON message_store.namespaces (token_hash)",
];

/// Statements that are allowed, or fail for another reason, and must not tell it.
const SILENT: [&str; 12] = [
    // A warning, that nothing was granted.
    "GRANT SELECT ON message_store.namespaces TO PUBLIC; TABLE message_store.namespaces",
    "SELECT name, owner, description, metadata, created_at FROM message_store.namespaces",
    "SELECT * FROM message_store.list_namespaces()",
    "SELECT * FROM pg_stats WHERE tablename = 'namespaces'",
    "SELECT * FROM pg_stats_ext_exprs",
    "SELECT query FROM pg_stat_activity",
    "SELECT message_store.create_namespace('bank', 'SECRET')",
    "SELECT message_store.create_namespace('other', 'SECRE')",
    "SELECT message_store.register_namespace('bank', 'x')",
    "SELECT message_store.delete_namespace('bank')",
    "EXPLAIN (ANALYZE, VERBOSE) SELECT name FROM message_store.namespaces",
    "SELECT * FROM pg_locks",
];

fn refuses(session: &mut Session, attempt: &str) {
    session.ok("BEGIN");
    let outcome = session.run(attempt);
    session.ok("ROLLBACK");
    let failure = outcome.result.as_ref().expect_err(attempt);
    assert_eq!(failure.sqlstate, "42501", "{attempt}: {failure}");
    assert!(!told(&outcome).contains(&SECRET[..8]), "{attempt}: {outcome:?}");
}

#[test]
fn no_statement_shows_it() {
    let Registry { store, operator, guest } = registry();
    for role in [operator.as_str(), &guest, "message_store"] {
        let mut session = store.session_as(role);
        session.ok("SET message_store.sql_condition = 'on'");
        for attempt in ATTEMPTS {
            refuses(&mut session, attempt);
        }
        for statement in SILENT {
            session.ok("BEGIN");
            let outcome = session.run(statement);
            session.ok("ROLLBACK");
            assert!(!told(&outcome).contains(SECRET), "{statement} as {role}: {outcome:?}");
        }
    }
}

/// The caller's SQL in a condition has the caller's rights on the registry, too.
#[test]
fn no_condition_shows_it() {
    let Registry { store, operator, .. } = registry();
    let mut session = store.session_as(&operator);
    session.ok("SET message_store.sql_condition = 'on'");
    for direct in ["on", "off"] {
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        for condition in [
            "EXISTS (SELECT FROM message_store.namespaces WHERE token_hash LIKE ''7%'')",
            "(SELECT token_hash FROM message_store.namespaces)::int = 1",
            "(SELECT n::text FROM message_store.namespaces AS n)::int = 1",
        ] {
            refuses(
                &mut session,
                &format!("SELECT FROM message_store.get_stream_messages('account-1', 0, 10, '{condition}', 'bank')"),
            );
        }
    }
}

/// That a hash is in use is all that is told, and to nobody but who may add namespaces and knows it.
#[test]
fn an_error_does_not_repeat_it() {
    let Registry { store, operator, .. } = registry();
    let mut session = store.session_as(&operator);
    let failure = session.error(&format!("SELECT message_store.create_namespace('other', '{SECRET}')"));
    assert_eq!(failure.message, "Token hash is already in use");
    assert!(!format!("{failure:?}").contains(SECRET));

    let insert = "INSERT INTO message_store.namespaces (name, owner, token_hash) VALUES";
    let failure = session.error(&format!("{insert} ('other', '{operator}', '{SECRET}')"));
    assert_eq!((failure.sqlstate.as_str(), &failure.detail), ("23505", &None), "{failure}");
    let failure = session.error(&format!("{insert} (NULL, '{operator}', '{SECRET}')"));
    assert_eq!(failure.sqlstate, "23502");
    assert_eq!(session.number("SELECT count(*) FROM message_store.namespaces"), 1);
}

/// Who was given the column reads it, by the function, too.
#[test]
fn who_was_given_the_column_reads_it() {
    let Registry { store, guest, .. } = registry();
    store.superuser().ok(&format!("GRANT SELECT (token_hash) ON message_store.namespaces TO {guest}"));
    let mut session = store.session_as(&guest);
    let read = "SELECT token_hash FROM message_store.get_namespace('bank')";
    assert_eq!(session.value(read).as_deref(), Some(SECRET));
}
