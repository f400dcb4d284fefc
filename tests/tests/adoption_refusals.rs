//! What is no Message DB 1.3.0, or only a part of one, is not adopted: it is refused, left as it is, and told how to be mended.

use message_store_tests::adoption::{IDENTITY, genuine, objects, run};
use message_store_tests::dependencies;

/// How a Message DB differs, what is said, and a statement that mends it.
const SURPRISES: [(&str, &str, &str); 28] = [
    (
        "CREATE ROLE adoption_other; ALTER TABLE message_store.messages OWNER TO adoption_other",
        "table message_store.messages belongs to adoption_other, and CREATE EXTENSION is run by postgres|Give it over before: ALTER TABLE message_store.messages OWNER TO postgres",
        "HINT; DROP ROLE adoption_other",
    ),
    (
        "CREATE ROLE adoption_mallory; ALTER FUNCTION message_store.category OWNER TO adoption_mallory",
        "function message_store.category(character varying) belongs to adoption_mallory, and CREATE EXTENSION is run by postgres|Give it over before: ALTER FUNCTION message_store.category(character varying) OWNER TO postgres",
        "HINT; DROP ROLE adoption_mallory",
    ),
    (
        "CREATE ROLE adoption_owner; ALTER SCHEMA message_store OWNER TO adoption_owner",
        "schema message_store belongs to adoption_owner, and CREATE EXTENSION is run by postgres|Give it over before: ALTER SCHEMA message_store OWNER TO postgres",
        "HINT; DROP ROLE adoption_owner",
    ),
    (
        "CREATE ROLE adoption_typist; ALTER TYPE message_store.message OWNER TO adoption_typist",
        "type message_store.message belongs to adoption_typist, and CREATE EXTENSION is run by postgres|Give it over before: ALTER TYPE message_store.message OWNER TO postgres",
        "HINT; DROP ROLE adoption_typist",
    ),
    (
        "CREATE OR REPLACE FUNCTION message_store.message_store_version() RETURNS varchar LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN '1.2.6';\nEND;\n$$",
        "its version is 1.2.6, not 1.3.0|Update it first, with the scripts in Message DB's folder database/update.",
        "\\i functions/message-store-version.sql",
    ),
    (
        "DROP FUNCTION message_store.message_store_version()",
        "its version is not to be found, not 1.3.0|Update it first, with the scripts in Message DB's folder database/update.",
        "\\i functions/message-store-version.sql",
    ),
    (
        "CREATE OR REPLACE FUNCTION message_store.hash_64(value varchar) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 1::bigint'",
        "function message_store.hash_64 is not Message DB's own|Install it again",
        "\\i functions/hash-64.sql",
    ),
    (
        "ALTER FUNCTION message_store.write_message SECURITY DEFINER SET search_path = message_store",
        "function message_store.write_message is not Message DB's own|Install it again",
        "ALTER FUNCTION message_store.write_message SECURITY INVOKER RESET search_path",
    ),
    (
        "CREATE FUNCTION message_store.write_message(id uuid, stream_name varchar) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
        "there is more than one function message_store.write_message|Drop the others, or give them another name.",
        "DROP FUNCTION message_store.write_message(uuid, varchar)",
    ),
    (
        "DROP FUNCTION message_store.acquire_lock",
        "function message_store.acquire_lock is missing|Install it again",
        "\\i functions/acquire-lock.sql",
    ),
    (
        "CREATE FUNCTION message_store.stats() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "schema message_store has functions of your own with names of Message Store: stats|Give them other names",
        "ALTER FUNCTION message_store.stats RENAME TO my_stats",
    ),
    (
        "CREATE TABLE message_store.stream_heads (a int)",
        "schema message_store has relations or types of your own with names of Message Store: stream_heads|Give them other names",
        "ALTER TABLE message_store.stream_heads RENAME TO my_heads",
    ),
    (
        "CREATE TABLE message_store.namespaces (name text); CREATE TYPE message_store.consumer_positions AS ENUM ('a')",
        "schema message_store has relations or types of your own with names of Message Store: consumer_positions, namespaces|Give them other names",
        "ALTER TABLE message_store.namespaces SET SCHEMA public; DROP TYPE message_store.consumer_positions",
    ),
    (
        // What looks the same but lets a consumer have two positions, and an index in the way of ours.
        "CREATE TABLE message_store.consumer_positions (category text, consumer text, position bigint, time timestamp);
         CREATE INDEX namespaces_pkey ON message_store.consumer_positions (category)",
        "schema message_store has relations or types of your own with names of Message Store: consumer_positions, namespaces_pkey|Give them other names",
        "DROP TABLE message_store.consumer_positions",
    ),
    (
        "CREATE VIEW message_store.stream_heads AS SELECT 'a'::text AS stream_name, 1::bigint AS position",
        "schema message_store has relations or types of your own with names of Message Store: stream_heads|Give them other names",
        "ALTER VIEW message_store.stream_heads RENAME TO my_view",
    ),
    (
        // As an earlier adoption leaves it, and then given away.
        "CREATE ROLE adoption_heir; CREATE TABLE message_store.stream_heads (
           stream_name text COLLATE \"C\" NOT NULL, position bigint NOT NULL,
           CONSTRAINT stream_heads_pkey PRIMARY KEY (stream_name)); ALTER TABLE message_store.stream_heads OWNER TO adoption_heir",
        "table message_store.stream_heads belongs to adoption_heir, and CREATE EXTENSION is run by postgres|Give it over before: ALTER TABLE message_store.stream_heads OWNER TO postgres",
        "HINT; DROP ROLE adoption_heir",
    ),
    (
        "CREATE AGGREGATE message_store.stream_version(bigint) (SFUNC = int8pl, STYPE = bigint)",
        "there is more than one function message_store.stream_version|Drop the others, or give them another name.",
        "DROP AGGREGATE message_store.stream_version(bigint)",
    ),
    (
        "ALTER TABLE message_store.messages ALTER COLUMN data DROP NOT NULL, ALTER COLUMN type DROP NOT NULL",
        "column 5 of message_store.messages is type text, not type text NOT NULL|Change it back, with ALTER TABLE",
        "ALTER TABLE message_store.messages ALTER COLUMN type SET NOT NULL",
    ),
    (
        // That of pgcrypto, as in a database that began before Postgres 13.
        "ALTER TABLE message_store.messages ALTER COLUMN id SET DEFAULT public.gen_random_uuid()",
        "column 8 of message_store.messages is id uuid NOT NULL DEFAULT public.gen_random_uuid(), not id uuid NOT NULL DEFAULT gen_random_uuid()|Change it back",
        "ALTER TABLE message_store.messages ALTER COLUMN id SET DEFAULT gen_random_uuid()",
    ),
    (
        "ALTER TABLE message_store.messages RENAME COLUMN metadata TO meta",
        "column 7 of message_store.messages is meta jsonb, not metadata jsonb|Change it back",
        "ALTER TABLE message_store.messages RENAME COLUMN meta TO metadata",
    ),
    (
        "DROP INDEX message_store.messages_stream",
        "index messages_stream is missing, not valid or deferrable|What it should be: CREATE UNIQUE INDEX messages_stream ON message_store.messages USING btree (stream_name, \"position\")",
        "HINT",
    ),
    (
        "DROP INDEX message_store.messages_id; CREATE INDEX messages_id ON message_store.messages (id)",
        "index messages_id is CREATE INDEX messages_id ON message_store.messages USING btree (id)|What it should be: CREATE UNIQUE INDEX messages_id",
        "DROP INDEX message_store.messages_id; HINT",
    ),
    (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'message_store.messages_category'::regclass",
        "index messages_category is missing, not valid or deferrable|What it should be: CREATE INDEX messages_category",
        "REINDEX INDEX message_store.messages_category",
    ),
    (
        "ALTER SEQUENCE message_store.messages_global_position_seq CACHE 20",
        "message_store.messages_global_position_seq does not count by 1, without a cache and without a cycle, or is not the column's own|ALTER SEQUENCE",
        "HINT",
    ),
    (
        "CREATE OR REPLACE VIEW message_store.type_summary AS
           SELECT type, 1::bigint AS message_count, 100.00 AS percent FROM message_store.messages",
        "view message_store.type_summary is missing or not Message DB's own|Install it again",
        "\\i views/type-summary.sql",
    ),
    (
        "DROP VIEW message_store.stream_summary",
        "view message_store.stream_summary is missing or not Message DB's own|Install it again",
        "\\i views/stream-summary.sql",
    ),
    (
        "ALTER TYPE message_store.message ADD ATTRIBUTE more int",
        "type message_store.message is (id character varying, stream_name character varying, type character varying, position bigint, global_position bigint, data character varying, metadata character varying, time timestamp without time zone, more integer)|Install it again",
        "\\i types/message.sql functions/get-stream-messages.sql functions/get-category-messages.sql functions/get-last-stream-message.sql",
    ),
    (
        "CREATE SCHEMA message_db_1_3_0",
        "there is a schema message_db_1_3_0 already|If it is left from an earlier adoption: DROP SCHEMA message_db_1_3_0 CASCADE",
        "DROP SCHEMA message_db_1_3_0 CASCADE",
    ),
];

#[test]
fn what_is_not_message_db_1_3_0_is_refused_and_left_as_it_is() {
    let (store, mut session) = genuine(10);
    for (surprise, expected, mend) in SURPRISES {
        session.ok(surprise);
        let before = (objects(&mut session), session.rows(IDENTITY));
        let failure = session.error("CREATE EXTENSION message_store");
        let hint = failure.hint.clone().unwrap_or_default();
        let (message, start_of_hint) = expected.split_once('|').expect("a message and a hint");
        assert_eq!(failure.message, format!("Message DB cannot be adopted: {message}"), "{surprise}");
        assert!(hint.starts_with(start_of_hint), "{surprise}: {hint}");
        assert_eq!(failure.sqlstate, "55000", "{surprise}");
        assert!(before == (objects(&mut session), session.rows(IDENTITY)), "{surprise}");
        assert_eq!(session.number("SELECT count(*) FROM pg_extension WHERE extname = 'message_store'"), 0);
        // What the hint says does help.
        let statement = hint.split_once(": ").map_or(hint.as_str(), |(_, statement)| statement);
        if let Some(files) = mend.strip_prefix("\\i ") {
            for file in files.split(' ') {
                let file = dependencies().join("message-db/database").join(file);
                session.ok(&std::fs::read_to_string(file).expect("a file of Message DB"));
            }
        } else {
            session.ok(&mend.replace("HINT", statement));
        }
    }
    run(&mut session, "adopt");
    assert_eq!(store.session().number("SELECT count(*) FROM get_all_messages()"), 10);
}

#[test]
fn what_is_half_of_a_message_db_is_refused() {
    for (left, message) in [
        (
            "DROP SCHEMA message_store CASCADE; CREATE SCHEMA message_store; CREATE TYPE message_store.message AS (id varchar)",
            "its version is not to be found, not 1.3.0",
        ),
        ("DROP TABLE message_store.messages CASCADE", "there is no table message_store.messages"),
    ] {
        let (_store, mut session) = genuine(2);
        session.ok(left);
        let failure = session.error("CREATE EXTENSION message_store");
        assert_eq!(failure.message, format!("Message DB cannot be adopted: {message}"), "{left}");
    }
}
