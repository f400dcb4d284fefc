//! What can be tested inside one transaction that is rolled back. Locks, commits and visibility between connections
//! are tested from outside, in the crate `message-store-tests`.

#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    fn text(sql: &str) -> Option<String> {
        Spi::get_one(sql).expect("a result")
    }

    fn number(sql: &str) -> Option<i64> {
        Spi::get_one(sql).expect("a result")
    }

    #[pg_test]
    fn a_message_is_written_and_read_back() {
        Spi::run("SELECT message_store.write_message(NULL, 'account-1', 'Opened', '{\"b\": 1, \"a\": 2}')")
            .expect("written");
        assert_eq!(
            text("SELECT data FROM message_store.get_stream_messages('account-1')").as_deref(),
            Some("{\"a\": 2, \"b\": 1}")
        );
        assert_eq!(number("SELECT message_store.stream_version('account-1')"), Some(0));
    }

    #[pg_test]
    fn a_write_sees_the_writes_of_its_own_statement() {
        assert_eq!(
            number(
                "SELECT max(message_store.write_message(NULL, 'account-1', 'T', '{}')) FROM generate_series(1, 100)"
            ),
            Some(99)
        );
    }

    #[pg_test(error = "Wrong expected version: 3 (Stream: account-1, Stream Version: -1)")]
    fn a_wrong_version_is_refused() {
        Spi::run("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}', NULL, 3)").expect("refused");
    }

    #[pg_test(error = "Namespace does not exist: nowhere")]
    fn an_unknown_namespace_is_refused() {
        Spi::run("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, 'nowhere')")
            .expect("refused");
    }

    #[pg_test]
    fn a_namespace_keeps_its_messages_to_itself() {
        Spi::run("SELECT message_store.create_namespace('tenant-a')").expect("created");
        Spi::run("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, 'tenant-a')")
            .expect("written");
        assert_eq!(number("SELECT count(*) FROM message_store.get_stream_messages('account-1')"), Some(0));
        Spi::run("SET LOCAL search_path = \"tenant-a\", message_store").expect("set");
        assert_eq!(number("SELECT count(*) FROM get_all_messages()"), Some(1));
    }

    #[pg_test]
    fn a_batch_answers_with_what_it_wrote() {
        assert_eq!(
            text(
                "SELECT message_store.write_messages('account-1', \
                 '[{\"id\": \"00000000-0000-4000-8000-000000000001\", \"type\": \"T\"}, \
                   {\"id\": \"00000000-0000-4000-8000-000000000002\", \"type\": \"T\"}]', -1)\
                 #>> '{1,id}'"
            )
            .as_deref(),
            Some("00000000-0000-4000-8000-000000000002")
        );
        assert_eq!(number("SELECT message_store.stream_version('account-1')"), Some(1));
    }
}
