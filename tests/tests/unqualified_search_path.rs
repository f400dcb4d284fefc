//! Calls that name the schema where search_path does not: Message DB fails there, native functions do their work.

use message_store_tests::{Store, Target};

#[test]
fn qualified_calls_use_the_default_store_whatever_the_search_path() {
    let store = Store::fresh(Target::Ours);
    for search_path in ["public", "\"$user\", public", "pg_catalog", "''", "nowhere"] {
        let mut session = store.session_as("postgres");
        session.ok("TRUNCATE message_store.messages RESTART IDENTITY");
        session.ok(&format!("SET search_path = {search_path}"));
        let id = "00000000-0000-4000-8000-000000000001";
        assert_eq!(session.number(&format!("SELECT message_store.write_message('{id}', 'p-1+2', 'T', '{{}}')")), 0);
        assert_eq!(session.number("SELECT message_store.stream_version('p-1+2')"), 0);
        for read in ["get_stream_messages('p-1+2')", "get_category_messages('p')", "get_last_stream_message('p-1+2')"] {
            let rows = session.rows(&format!("SELECT id, stream_name, global_position FROM message_store.{read}"));
            assert_eq!(rows, [[id, "p-1+2", "1"].map(|v| Some(v.to_owned()))], "{read} with {search_path}");
        }
        assert_eq!(session.value("SELECT message_store.cardinal_id('p-1+2')").as_deref(), Some("1"));
        let group = "message_store.get_category_messages('p', 1, 1000, NULL, 0, 1)";
        assert_eq!(session.number(&format!("SELECT count(*) FROM {group}")), 1);
        let key = session.number("SELECT message_store.acquire_lock('p-1')");
        assert_eq!(key, session.number("SELECT message_store.hash_64('p')"));
    }
}

/// A table of the name in a schema that is no store is somebody else's.
#[test]
fn a_table_named_messages_elsewhere_is_not_taken_for_the_store() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.session_as("postgres");
    session.ok("CREATE TABLE public.messages (LIKE message_store.messages)");
    session.ok("SET search_path = public, message_store");
    session.ok("SELECT write_message(gen_random_uuid()::varchar, 'p-1', 'T', '{}')");
    assert_eq!(session.number("SELECT count(*) FROM public.messages"), 0);
    assert_eq!(session.number("SELECT count(*) FROM message_store.messages"), 1);
    assert_eq!(session.number("SELECT count(*) FROM get_category_messages('p')"), 1);
}
