//! What the suites on adoption share: a genuine Message DB, and the statements of `docs/migration.md`.

use crate::{Session, Store, Target, catalog, page};
use std::thread::scope;

/// The page whose statements run.
pub const PAGE: &str = include_str!("../../docs/migration.md");

/// The relations whose files stay, and the functions that indexes and views use.
pub const IDENTITY: &str = "SELECT relname, oid, relfilenode FROM pg_class
    WHERE relnamespace = 'message_store'::regnamespace AND relname ~ '^messages|_summary$|^message$'
    UNION ALL SELECT proname, oid, 0 FROM pg_proc WHERE pronamespace = 'message_store'::regnamespace
      AND proname IN ('category', 'id', 'cardinal_id', 'is_category', 'hash_64', 'message_store_version')
    ORDER BY 1";

/// The statements of the page's block of that name.
pub fn statements(place: &str) -> Vec<&'static str> {
    let blocks: Vec<_> = page::blocks(PAGE, &format!("sql {place}")).collect();
    assert_eq!(blocks.len(), 1, "{place}");
    page::statements(blocks[0])
}

/// Runs them.
pub fn run(session: &mut Session, place: &str) {
    for statement in statements(place) {
        session.ok(statement);
    }
}

/// A database with Message DB and some messages, and its superuser's session.
pub fn genuine(messages: usize) -> (Store, Session) {
    let store = Store::fresh(Target::Genuine);
    let fill = |category: &str| {
        store.session().ok(&format!(
            "SELECT write_message(gen_random_uuid()::varchar, '{category}-' || n % 1000, 'Deposited',
               jsonb_build_object('n', n), '{{\"correlationStreamName\": \"order-1\"}}')
             FROM generate_series(1, {}) AS n",
            messages / 2
        ))
    };
    scope(|scope| {
        scope.spawn(|| fill("savings"));
        fill("loan");
    });
    let session = store.session_as("postgres");
    (store, session)
}

/// The objects of the default store's schema.
pub fn objects(session: &mut Session) -> Vec<Vec<Option<String>>> {
    catalog::objects(session, &["message_store"])
}
