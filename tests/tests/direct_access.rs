//! The two ways to a store's table, past the executor and by SQL statements, give the same rows and the same errors,
//! whatever its owner has made of the table.

#[path = "direct_access/tables.rs"]
mod tables;

use message_store_tests::{Cluster, Session, Store, Target};
use rand::prelude::*;
use std::fmt::Write as _;
use tables::{TABLES, Table};

/// What a script says, statement by statement: rows, or the error's parts.
type Transcript = Vec<(String, String)>;

fn say(session: &mut Session, sql: &str) -> String {
    match session.run(sql).result {
        // A time is the clock's, unless it is far away.
        Ok(rows) => format!("{:?}", rows.rows),
        Err(failure) => failure.comparable().to_string(),
    }
}

/// An id for the n-th message.
fn id(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// Writes, good and bad, then reads of every kind.
fn script() -> Vec<String> {
    let mut script = Vec::new();
    let mut n = 0;
    let mut write = |stream: &str, kind: &str, data: &str, metadata: &str, version: &str| {
        n += 1;
        format!("SELECT write_message('{}', {stream}, {kind}, {data}, {metadata}, {version})", id(n))
    };
    let correlated = |value: &str| format!("'{{\"correlationStreamName\": {value}, \"n\": 1}}'");
    for kind in ["'T'", "'U'", "'T'", "'refused'", "'changed'", "'dropped'"] {
        script.push(write("'account-1'", kind, "'{\"n\": 1}'", "NULL", "NULL"));
    }
    script.push(write("'account-1'", "'T'", "'{}'", "NULL", "1000"));
    script.push(write("'account-2'", "'T'", "NULL", "NULL", "-1"));
    script.push(write("NULL", "'T'", "'{}'", "NULL", "NULL"));
    script.push(write("'account-2'", "NULL", "'{}'", "NULL", "NULL"));
    script.push(write("''", "''", "'{}'", "'{}'", "NULL"));
    script.push(format!("SELECT write_message('{}', 'account-3', 'T', '{{}}')", id(1)));
    script.push("SELECT write_message('none', 'account-3', 'T', '{}')".into());
    for value in
        ["\"order-1\"", "\"order\"", "12.50", "-3", "true", "null", "{\"a\": 1}", "[1, 2]", "\"\"", "\"a+b-1\""]
    {
        script.push(write("'account-4'", "'T'", "'{}'", &correlated(value), "NULL"));
    }
    for metadata in ["'1'", "'\"correlationStreamName\"'", "'[\"correlationStreamName\"]'", "'null'", "'{}'"] {
        script.push(write("'account-4'", "'T'", "'{}'", metadata, "NULL"));
    }
    // Compressible, and not.
    let noise =
        |bytes: u32| format!("(SELECT string_agg(md5(n::text), '') FROM generate_series(1, {}) AS n)", bytes / 32);
    script.push(write("'large-1'", "'T'", "jsonb_build_object('text', repeat('x', 300000))", "NULL", "NULL"));
    script.push(write("'large-1'", "'T'", &format!("jsonb_build_object('text', {})", noise(200_000)), "NULL", "NULL"));
    script.push(write("'large-1'", "'T'", "'{}'", &format!("jsonb_build_object('text', {})", noise(200_000)), "NULL"));
    script.push(write("'long-' || repeat('x', 7000)", "'T'", "'{}'", "NULL", "NULL"));
    script.push(write(&format!("'long-' || left({}, 2000)", noise(3000)), "'T'", "'{}'", "NULL", "NULL"));
    script.push(write(&format!("'long-' || {}", noise(3200)), "'T'", "'{}'", "NULL", "NULL"));
    script.push(write(&format!("'long-' || {}", noise(7008)), "'T'", "'{}'", "NULL", "NULL"));
    script.push(write("'long-2'", "repeat('t', 5000)", "'{}'", "NULL", "NULL"));
    script.push(format!(
        "SELECT write_messages('batch-1', '[{{\"id\": \"{}\", \"type\": \"T\", \"data\": {{\"n\": 1}}}}, {{\"id\": \"{}\", \"type\": \"U\", \"time\": \"2026-01-31 12:00:00\"}}]')",
        id(500),
        id(501)
    ));
    script.push(format!(
        "SELECT write_messages('batch-1', '[{{\"id\": \"{}\", \"type\": \"T\"}}, {{\"id\": \"{}\", \"type\": \"refused\"}}]')",
        id(502),
        id(1)
    ));
    script.push("SELECT write_messages('batch-1', '[]')".into());
    script.push(format!("BEGIN READ ONLY; {}", write("'account-1'", "'T'", "'{}'", "NULL", "NULL")));
    script.push("ROLLBACK".into());
    script.push(format!(
        "BEGIN; {}; SELECT stream_version('account-6'); ROLLBACK",
        write("'account-6'", "'T'", "'{}'", "NULL", "NULL")
    ));
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        script.push(format!("BEGIN ISOLATION LEVEL {level}"));
        script.push(write("'account-7'", "'T'", "'{}'", "NULL", "NULL"));
        script.push("SELECT id FROM get_stream_messages('account-7')".into());
        script.push("SELECT id FROM get_category_messages('account', 1, 5)".into());
        script.push("COMMIT".into());
    }
    // The next global position says how many were drawn.
    script.push(write("'account-8'", "'T'", "'{}'", "NULL", "NULL"));
    script.extend(reads());
    script
}

fn reads() -> Vec<String> {
    let columns = "id, stream_name, type, position, global_position, data, metadata";
    let mut reads = Vec::new();
    for call in [
        "get_stream_messages('account-1')",
        "get_stream_messages('account-1', 2, 2)",
        "get_stream_messages('account-1', 1, -1)",
        "get_stream_messages('nothing-1')",
        "get_stream_messages('large-1')",
        "get_stream_messages('long-' || repeat('x', 7000))",
        "get_stream_messages('')",
        "get_category_messages('account', 1, -1)",
        "get_category_messages('account', 5, 3)",
        "get_category_messages('')",
        "get_category_messages('long')",
        "get_category_messages('account', 1, -1, 'order')",
        "get_category_messages('account', 1, -1, '12.50')",
        "get_category_messages('account', 1, -1, 'true')",
        "get_category_messages('account', 1, -1, '{\"a\": 1}')",
        "get_category_messages('account', 1, -1, '[1, 2]')",
        "get_category_messages('account', 1, -1, 'a+b')",
        "get_category_messages('account', 1, -1, '')",
        "get_category_messages('account', 1, -1, NULL, 0, 2)",
        "get_category_messages('account', 1, 3, 'order', 1, 2)",
        "get_last_stream_message('account-1')",
        "get_last_stream_message('account-1', 'U')",
        "get_last_stream_message('account-1', 'none')",
        "get_all_messages(1, -1)",
        "get_all_messages(4, 3)",
    ] {
        reads.push(format!("SELECT {columns} FROM {call}"));
    }
    for call in ["stream_version('account-1')", "stream_version('none-1')", "list_streams()", "list_categories()"] {
        reads.push(format!("SELECT * FROM {call}"));
    }
    // The clock's times are near, and those of a table with another default are not.
    reads.push("SELECT time BETWEEN now() AT TIME ZONE 'utc' - interval '1 hour' AND now() AT TIME ZONE 'utc' FROM get_all_messages(1, -1)".into());
    reads
}

/// A store whose table its owner has changed, and the script's transcript there.
fn transcript(direct: &str, table: &Table) -> Transcript {
    let store = Store::fresh(Target::Ours);
    let mut owner = store.superuser();
    let own_role = format!("role_{}", store.database);
    // Some builds of Postgres know no language's order.
    let collation = "SELECT COALESCE((SELECT collname FROM pg_collation WHERE collname = 'en-x-icu'), 'C')";
    let collation = format!("\"{}\"", owner.value(collation).expect("a collation"));
    let setup = table.setup.replace("{role}", &own_role).replace("{collation}", &collation);
    let role = table.role.replace("{role}", &own_role);
    if let Err(failure) = owner.run(&setup).result {
        panic!("{}: {failure}", table.name);
    }
    let mut session = if role.is_empty() { store.session() } else { store.session_as(&role) };
    session.ok(&format!("SET message_store.direct_access = {direct}"));
    session.ok("SET search_path = message_store, public");
    let clean = |text: String| text.replace(&store.database, "DATABASE");
    let mut transcript: Transcript =
        script().into_iter().map(|sql| (sql.clone(), clean(say(&mut session, &sql)))).collect();
    owner.ok("SET row_security = off");
    for sql in [
        "SELECT global_position, position, stream_name, type, data::text, metadata::text, id FROM messages ORDER BY global_position",
        "SELECT last_value, is_called FROM messages_global_position_seq",
        "SELECT * FROM public.log ORDER BY 1, 2",
        "SELECT count(*) FROM messages WHERE to_jsonb(messages) ->> 'extra' IS NOT NULL",
    ] {
        transcript.push((sql.into(), clean(say(&mut owner, sql))));
    }
    transcript
}

#[test]
fn both_ways_give_the_same_rows_and_errors() {
    let (mut written, mut differences) = (0, Vec::new());
    for table in TABLES {
        let [direct, by_statement] = ["on", "off"].map(|direct| transcript(direct, table));
        assert_eq!(direct.len(), by_statement.len());
        for ((sql, direct), (_, by_statement)) in direct.iter().zip(&by_statement) {
            if direct != by_statement || direct.contains("XX000") {
                differences.push(format!(
                    "{}: {sql:.200}\n direct: {direct:.1000}\n by statement: {by_statement:.1000}",
                    table.name
                ));
            }
        }
        let read = direct.iter().find(|(sql, _)| sql.contains("FROM get_stream_messages('account-1')"));
        written += usize::from(read.is_some_and(|(_, messages)| messages.contains("account-1")));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(written > TABLES.len() / 2, "most of the tables take messages: {written}");
}

/// How many statements the functions have planned and kept in this connection, one each for what it was asked to do.
fn kept_plans(session: &mut Session) -> i64 {
    // The entries of a kept plan's own memory are named after the statement.
    session.number(
        "SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'CachedPlan%' AND ident LIKE '%\"message_store\".messages%'",
    )
}

#[test]
fn an_ordinary_table_is_reached_without_a_statement() {
    for (direct, planned) in [("on", false), ("off", true)] {
        let store = Store::fresh(Target::Ours);
        let mut superuser = store.superuser();
        superuser.ok(&format!("SET message_store.direct_access = {direct}"));
        for call in [
            "stream_version('account-1')",
            "write_message(NULL, 'account-1', 'T', '{}')",
            "write_messages('account-1', '[{\"type\": \"T\"}]')",
            "get_stream_messages('account-1')",
            "get_category_messages('account')",
            "get_category_messages('account', 1, 10, 'order', 0, 2)",
            "get_last_stream_message('account-1')",
            "get_last_stream_message('account-1', 'T')",
            "get_all_messages()",
        ] {
            let before = kept_plans(&mut superuser);
            superuser.ok(&format!("SELECT * FROM {call}"));
            assert_eq!(kept_plans(&mut superuser) > before, planned, "direct {direct}: {call}");
        }
    }
}

/// Each change is made by another connection, between two calls of one that has the table's description at hand.
#[test]
fn a_change_of_the_table_is_honoured_by_the_next_call() {
    for direct in ["on", "off"] {
        let store = Store::fresh(Target::Ours);
        let mut owner = store.superuser();
        owner.ok("CREATE TABLE public.log (entry text); GRANT ALL ON public.log TO message_store;
            CREATE FUNCTION log_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (NEW.type); RETURN NEW; END $$");
        let mut session = store.session();
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        let write = |session: &mut Session, kind: &str| {
            say(session, &format!("SELECT write_message(NULL, 'account-1', '{kind}', '{{}}')"))
        };
        let count = |session: &mut Session| session.rows("SELECT * FROM get_stream_messages('account-1', 0, -1)").len();
        (0..3).for_each(|_| drop(write(&mut session, "T")));
        assert_eq!(count(&mut session), 3);

        owner.ok("CREATE TRIGGER logging BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION log_it()");
        write(&mut session, "logged");
        owner.ok("DROP TRIGGER logging ON messages");
        write(&mut session, "not logged");
        assert_eq!(owner.rows("SELECT * FROM public.log"), [[Some("logged".to_owned())]]);
        assert_eq!(count(&mut session), 5);

        owner.ok("ALTER TABLE messages ADD CONSTRAINT checked CHECK (type <> 'bad')");
        assert!(write(&mut session, "bad").starts_with("23514"));
        owner.ok("ALTER TABLE messages DROP CONSTRAINT checked");
        assert!(!write(&mut session, "bad").starts_with("23514"));

        owner.ok("ALTER TABLE messages ADD COLUMN extra text NOT NULL DEFAULT 'added'");
        write(&mut session, "T");
        assert_eq!(owner.number("SELECT count(*) FROM messages WHERE extra = 'added'"), 7);
        owner.ok("ALTER TABLE messages DROP COLUMN extra");
        write(&mut session, "T");
        assert_eq!(count(&mut session), 8);

        owner.ok("CREATE POLICY p ON messages USING (type = 'T') WITH CHECK (type = 'T'); ALTER TABLE messages ENABLE ROW LEVEL SECURITY");
        assert_eq!(count(&mut session), 5);
        assert!(write(&mut session, "hidden").starts_with("42501"));
        owner.ok("ALTER TABLE messages DISABLE ROW LEVEL SECURITY");
        assert_eq!(count(&mut session), 8);

        owner.ok("CREATE UNIQUE INDEX CONCURRENTLY one_of_a_type ON messages (type) WHERE type = 'once'");
        write(&mut session, "once");
        assert!(write(&mut session, "once").starts_with("23505"));
        owner.ok("DROP INDEX CONCURRENTLY one_of_a_type");
        assert_eq!(write(&mut session, "once"), "[[Some(\"9\")]]");

        owner.ok("REINDEX INDEX CONCURRENTLY messages_stream");
        assert_eq!((write(&mut session, "T").as_str(), count(&mut session)), ("[[Some(\"10\")]]", 11));
        owner.ok("REINDEX TABLE CONCURRENTLY messages");
        assert_eq!((write(&mut session, "T").as_str(), count(&mut session)), ("[[Some(\"11\")]]", 12));
        owner.ok("VACUUM FULL messages");
        assert_eq!((write(&mut session, "T").as_str(), count(&mut session)), ("[[Some(\"12\")]]", 13));
        owner.ok("CLUSTER messages USING messages_id");
        assert_eq!((write(&mut session, "T").as_str(), count(&mut session)), ("[[Some(\"13\")]]", 14));

        owner.ok("DROP INDEX messages_category");
        assert_eq!(session.rows("SELECT * FROM get_category_messages('account')").len(), 14);
        write(&mut session, "T");
        owner.ok("CREATE INDEX messages_category ON messages (message_store.category(stream_name), global_position, message_store.category(metadata ->> 'correlationStreamName'))");
        write(&mut session, "T");
        assert_eq!(session.rows("SELECT * FROM get_category_messages('account')").len(), 16);
        owner.ok("DROP INDEX messages_stream");
        assert_eq!((write(&mut session, "T").as_str(), count(&mut session)), ("[[Some(\"16\")]]", 17));
        assert_eq!(session.number("SELECT stream_version('account-1')"), 16);
        owner.ok("CREATE UNIQUE INDEX messages_stream ON messages (stream_name, position)");
        assert_eq!((write(&mut session, "T").as_str(), count(&mut session)), ("[[Some(\"17\")]]", 18));

        owner.ok("CREATE SEQUENCE other START 1000; GRANT ALL ON SEQUENCE other TO message_store;
            ALTER TABLE messages ALTER global_position SET DEFAULT nextval('other')");
        assert!(write(&mut session, "T").contains("must be messages_global_position_seq"));
        owner.ok("ALTER TABLE messages ALTER global_position SET DEFAULT nextval('messages_global_position_seq')");
        owner.ok("ALTER TABLE messages ALTER time SET DEFAULT '2000-01-01'");
        write(&mut session, "T");
        assert_eq!(owner.number("SELECT count(*) FROM messages WHERE time = '2000-01-01'"), 1);

        owner.ok("REVOKE INSERT ON messages FROM message_store");
        assert!(write(&mut session, "T").starts_with("42501"));
        owner.ok("REVOKE SELECT ON messages FROM message_store");
        assert!(say(&mut session, "SELECT * FROM get_stream_messages('account-1')").starts_with("42501"));
        owner.ok("GRANT SELECT, INSERT ON messages TO message_store");
        assert_eq!((write(&mut session, "T").as_str(), count(&mut session)), ("[[Some(\"19\")]]", 20));
    }
}

/// JSON texts of every kind, and those that a seed makes.
fn documents(random: &mut StdRng) -> Vec<String> {
    let numbers = "0 -0 1 -1 9999 10000 10001 99990000 12345678 100000000 1234567890123456 12345678901234567 0.1 0.00001 0.0001 0.001 \
         0.1000 1.10 100.00 -0.50 1e400 -1e400 1e-400 12345678901234567890.5 1E+2 1e2 1.5e3 1E-5 0.0 0.00 -0.0 1.0 \
         0.12345678901234567 1234.5678 12345.678 10000.0001 99999999.99999999 0.9999 9223372036854775807 1e131071";
    let mut all: Vec<String> = numbers.split_whitespace().map(str::to_owned).collect();
    all.extend(all.clone().into_iter().map(|number| format!("{{\"a\": [\"x\", {number}, {{\"b\": {number}}}]}}")));
    for text in [
        r#""""#,
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "[[]]",
        "[{}]",
        r#"{"": ""}"#,
        r#"{"a": [], "b": {}, "c": ""}"#,
        r#""\"\\\/\b\f\n\r\t\u0001\u001f\u007f\u00e9\u2028\ud83d\ude00""#,
        r#"{"\"\n": "\u0008"}"#,
        r#"["é", "日本", "😀"]"#,
        r#"{"b": 1, "a": 2, "aa": 3, "a": 4}"#,
    ] {
        all.push(text.to_owned());
    }
    for depth in [10, 62, 63, 64, 65, 66, 67, 128, 2000] {
        all.push(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        all.push(format!("{}1.50{}", "{\"a\": [\"x\", ".repeat(depth / 2), "]}".repeat(depth / 2)));
        all.push(format!("[0, {}{}, 1]", "[".repeat(depth), "]".repeat(depth)));
    }
    all.push(format!("\"{}\"", "x".repeat(1_000_000)));
    all.push(format!("{{\"a\": \"{}\", \"b\": 1.5}}", "\\n\\u0001é".repeat(100_000)));
    all.push(format!("[{}]", (0..5000).map(|n| n.to_string()).collect::<Vec<_>>().join(",")));
    all.push(format!("{{{}}}", (0..2000).map(|n| format!("\"k{n}\": [{n}.0, null]")).collect::<Vec<_>>().join(",")));
    let count = if std::env::var_os("MESSAGE_STORE_LONG").is_some() { 100_000 } else { 6_000 };
    for _ in 0..count {
        let mut text = String::new();
        random_json(random, &mut text, 0);
        all.push(text);
    }
    all
}

fn random_json(random: &mut StdRng, text: &mut String, depth: u32) {
    let many = if random.random_ratio(1, 50) { 80 } else { 6 };
    match random.random_range(0..if depth < 5 { 9 } else { 6 }) {
        0 => text.push_str(["null", "true", "false"].choose(random).expect("one")),
        1..=3 => random_number(random, text),
        4 | 5 => random_string(random, text),
        6 => {
            text.push('[');
            for n in 0..random.random_range(0..many) {
                if n > 0 {
                    text.push(',');
                }
                random_json(random, text, depth + 1);
            }
            text.push(']');
        }
        _ => {
            text.push('{');
            for n in 0..random.random_range(0..many) {
                if n > 0 {
                    text.push(',');
                }
                random_string(random, text);
                text.push(':');
                random_json(random, text, depth + 1);
            }
            text.push('}');
        }
    }
}

fn random_number(random: &mut StdRng, text: &mut String) {
    let digits = |random: &mut StdRng| -> String {
        let most = if random.random_ratio(1, 8) { 40 } else { 10 };
        (0..random.random_range(1..most)).map(|_| *['0', '0', '9', '1', '5'].choose(random).expect("one")).collect()
    };
    if random.random_ratio(1, 3) {
        text.push('-');
    }
    let whole = digits(random);
    let whole = whole.trim_start_matches('0');
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if random.random_ratio(1, 2) {
        text.push('.');
        text.push_str(&digits(random));
    }
    if random.random_ratio(1, 5) {
        write!(text, "e{}", random.random_range(-30..30)).expect("text");
    }
}

fn random_string(random: &mut StdRng, text: &mut String) {
    const PARTS: [&str; 16] = [
        "a",
        "bc",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0001",
        "\\u001f",
        "\\t",
        "é",
        "日本",
        "😀",
        "\\ud83d\\ude00",
        " ",
        "\u{7f}",
        "'",
    ];
    text.push('"');
    let long = if random.random_ratio(1, 30) { 300 } else { 6 };
    (0..random.random_range(0..long)).for_each(|_| text.push_str(PARTS.choose(random).expect("one")));
    text.push('"');
}

/// `data` and `metadata` are what Postgres makes of the stored values, byte for byte.
#[test]
fn json_is_read_as_postgres_writes_it() {
    let seed =
        std::env::var("MESSAGE_STORE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a number"));
    eprintln!("MESSAGE_STORE_SEED={seed}");
    let store = Store::fresh(Target::Ours);
    let mut session = store.session();
    let documents = documents(&mut StdRng::seed_from_u64(seed));
    let client = session.client();
    let write = client
        .prepare("SELECT write_message(NULL, 'json-1', 'T', $1::text::jsonb, $2::text::jsonb)")
        .expect("prepared");
    let mut transaction = client.transaction().expect("begun");
    for (n, document) in documents.iter().enumerate() {
        let metadata = &documents[(n * 7 + 1) % documents.len()];
        let metadata = if metadata.len() > 10_000 { "{}" } else { metadata };
        transaction.execute(&write, &[document, &metadata]).unwrap_or_else(|e| panic!("{document:.200}: {e:?}"));
    }
    transaction.commit().expect("committed");
    session.ok("SET message_store.direct_access = on");
    for call in
        ["get_stream_messages('json-1', 0, -1)", "get_category_messages('json', 1, -1)", "get_all_messages(1, -1)"]
    {
        let different = session.rows(&format!(
            "SELECT position, left(m.data::text, 300), left(r.data, 300) FROM messages AS m FULL JOIN {call} AS r USING (position)
             WHERE m.data::text IS DISTINCT FROM r.data OR m.metadata::text IS DISTINCT FROM r.metadata LIMIT 3"
        ));
        assert!(different.is_empty(), "seed {seed}: {call}: {different:?}");
    }
    assert_eq!(session.number("SELECT stream_version('json-1')") + 1, documents.len() as i64);
}

/// What is written past the executor is decoded like anything else.
#[test]
fn logical_decoding_sees_every_message() {
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start(&["wal_level=logical", "fsync=off"])));
    let store = Store::fresh_in(cluster, Target::Ours);
    let mut superuser = store.superuser();
    superuser.ok("SELECT pg_create_logical_replication_slot('test', 'test_decoding')");
    let mut decoded = Vec::new();
    for direct in ["on", "off"] {
        let mut session = store.session();
        session.ok(&format!("SET message_store.direct_access = {direct}"));
        superuser.ok("TRUNCATE messages RESTART IDENTITY");
        superuser.ok("SELECT pg_logical_slot_get_changes('test', NULL, NULL)");
        session.ok(&format!("SELECT write_message('{}', 'account-1', 'T', '{{\"n\": 1}}', '{{\"a\": \"b\"}}')", id(1)));
        session.ok(&format!("SELECT write_message('{}', 'account-1', 'T', jsonb_build_object('text', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 4000) AS n)))", id(2)));
        session.ok(&format!("SELECT write_messages('account-2', '[{{\"type\": \"T\", \"id\": \"{}\"}}, {{\"type\": \"U\", \"id\": \"{}\"}}]')", id(3), id(4)));
        session.ok(&format!("BEGIN; SELECT write_message('{}', 'account-1', 'T', '{{}}'); ROLLBACK", id(5)));
        session.ok(&format!("BEGIN; SAVEPOINT s; SELECT write_message('{}', 'account-1', 'T', '{{}}'); ROLLBACK TO s; SELECT write_message('{}', 'account-1', 'T', '{{}}'); COMMIT", id(6), id(7)));
        let changes = superuser.rows(
            "SELECT regexp_replace(data, 'without time zone.:''[^'']*''', '')
             FROM pg_logical_slot_get_changes('test', NULL, NULL) WHERE data LIKE 'table message_store.messages: INSERT%'",
        );
        assert_eq!(changes.len(), 5, "{changes:?}");
        assert!(changes[1][0].as_ref().is_some_and(|text| text.len() > 100_000), "the whole of a large message");
        decoded.push(changes);
    }
    assert!(decoded[0] == decoded[1], "{decoded:.3000?}");
}
