//! Genuine Message DB becomes ours where it stands, and becomes genuine again: `docs/migration.md`, whose statements run
//! here.

use message_store_tests::adoption::{IDENTITY, PAGE, genuine, objects, run, statements};
use message_store_tests::{Session, Store, Target, dependencies, page, program};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Relations of ours that the way back leaves.
const LEFT: [&str; 2] = ["stream_heads", "consumer_positions"];

/// The block for psql, with its lines that include Message DB's files.
fn back(store: &Store) {
    let block = page::blocks(PAGE, "sql back").next().expect("a block");
    let mut psql = store.cluster.command(program("psql"));
    psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &store.database]);
    psql.current_dir(dependencies().join("message-db/database")).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut psql = psql.spawn().expect("psql");
    psql.stdin.take().expect("a pipe").write_all(block.as_bytes()).expect("psql's input");
    let output = psql.wait_with_output().expect("psql's end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn messages(session: &mut Session) -> Option<String> {
    session.value("SELECT md5(string_agg(m::text, E'\\n' ORDER BY global_position)) FROM message_store.messages AS m")
}

fn assert_same(found: &[Vec<Option<String>>], expected: &[Vec<Option<String>>]) {
    for (one, other) in found.iter().zip(expected) {
        assert_eq!(one, other);
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn what_was_adopted_is_a_fresh_installation_with_its_messages() {
    let (store, mut session) = genuine(1000);
    let (before, identity) = (messages(&mut session), session.rows(IDENTITY));
    assert_eq!(identity.len(), 19);
    let mut client = store.session();
    run(&mut session, "adopt");
    assert_eq!(messages(&mut session), before);
    assert_eq!(session.rows(IDENTITY), identity);
    // What was set aside works on.
    session.ok("SET search_path = message_store");
    let old = "SELECT message_db_1_3_0.write_message(gen_random_uuid()::varchar, 'loan-1', 'T', '{}', NULL, 5)";
    assert_eq!(session.error(old).message, "Wrong expected version: 5 (Stream: loan-1, Stream Version: 0)");
    session.ok("RESET search_path");
    run(&mut session, "tidy");
    let mut fresh = Store::fresh(Target::Ours).session_as("postgres");
    assert_same(&objects(&mut session), &objects(&mut fresh));
    assert_eq!(session.number("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'message%'"), 1);

    // And it is ours.
    assert_eq!(client.number("SELECT write_message(NULL, 'loan-1', 'T', '{}', NULL, 0)"), 1);
    assert_eq!(client.number("SELECT count(*) FROM get_all_messages(1, -1)"), 1001);
    assert_eq!(client.number("SELECT count(*) FROM get_category_messages('loan', 1, -1, 'order')"), 500);
    assert_eq!(session.number("SELECT message_store.delete_stream('loan-1')"), 2);
    assert_eq!(client.number("SELECT stream_version('loan-1')"), 1);
}

/// The statement that adopts knows by name what would collide with objects of one's own.
#[test]
fn every_new_object_is_known_to_adoption() {
    let script = include_str!("../../sql/postgres/extension/adoption.sql");
    let names = "SELECT proname::text FROM pg_proc WHERE pronamespace = 'message_store'::regnamespace
        UNION SELECT relname::text FROM pg_class WHERE relnamespace = 'message_store'::regnamespace
          AND relname NOT LIKE 'messages%'";
    let names = Store::fresh(Target::Ours).session_as("postgres").rows(names);
    assert!(names.len() > 45, "{}", names.len());
    for name in names.into_iter().flatten().flatten() {
        assert!(script.contains(&format!("'{name}'")) || script.contains(&format!("\"{name}\":")), "{name}");
    }
}

/// What people put beside a Message DB, and what they take away.
const OWN: &str = "
    CREATE ROLE adoption_reporter; CREATE ROLE adoption_auditor;
    GRANT USAGE ON SCHEMA message_store TO adoption_reporter;
    GRANT SELECT ON message_store.messages, message_store.type_summary TO adoption_reporter;
    REVOKE INSERT ON message_store.messages FROM message_store;
    REVOKE EXECUTE ON FUNCTION message_store.write_message FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION message_store.write_message TO adoption_auditor WITH GRANT OPTION;
    REVOKE EXECUTE ON FUNCTION message_store.category FROM PUBLIC;
    CREATE VIEW public.versions AS SELECT s, message_store.stream_version(s) AS version FROM unnest(ARRAY['loan-1']) AS s;
    CREATE VIEW public.\"Last\" WITH (security_barrier) AS
      SELECT 'loan-1' AS stream, m.type AS get_last_stream_message FROM message_store.get_last_stream_message('loan-1') AS m;
    CREATE VIEW message_store.categories AS SELECT DISTINCT message_store.category(stream_name) FROM message_store.messages;
    CREATE VIEW public.types AS SELECT * FROM message_store.type_summary;
    CREATE FUNCTION message_store.own() RETURNS int LANGUAGE sql AS 'SELECT 1';
    REVOKE EXECUTE ON FUNCTION message_store.own FROM PUBLIC;
    CREATE FUNCTION public.last(s varchar) RETURNS SETOF message_store.message
      LANGUAGE sql AS 'SELECT * FROM message_store.get_last_stream_message(s)';
    CREATE INDEX own_index ON message_store.messages (type);
    CREATE TABLE public.notes (message uuid REFERENCES message_store.messages (id), note text);
    CREATE FUNCTION public.watch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER own_trigger BEFORE INSERT ON message_store.messages FOR EACH ROW EXECUTE FUNCTION public.watch()";

#[test]
fn objects_and_privileges_of_ones_own_stay() {
    let (store, mut session) = genuine(1000);
    session.ok(OWN);
    // Privileges by role, whichever functions they are on.
    let privileges = "SELECT oid::regproc::text, item.grantee::regrole::text, privilege_type, is_grantable
        FROM pg_proc, aclexplode(COALESCE(proacl, acldefault('f', proowner))) AS item
        WHERE pronamespace = 'message_store'::regnamespace AND proname IN (
          'acquire_lock', 'stream_version', 'write_message', 'get_stream_messages', 'get_category_messages',
          'get_last_stream_message', 'category', 'id', 'cardinal_id', 'is_category', 'hash_64', 'own')
        UNION ALL
        SELECT oid::regclass::text, item.grantee::regrole::text, privilege_type, is_grantable
        FROM pg_class, aclexplode(COALESCE(relacl, acldefault('r', relowner))) AS item
        WHERE relnamespace = 'message_store'::regnamespace AND relkind IN ('r', 'v', 'S')
          AND relname NOT IN ('stream_heads', 'consumer_positions', 'namespaces')
        UNION ALL
        SELECT nspname, item.grantee::regrole::text, privilege_type, is_grantable
        FROM pg_namespace, aclexplode(nspacl) AS item WHERE nspname = 'message_store'
        ORDER BY 1, 2, 3";
    let before = session.rows(privileges);
    assert!(before.len() > 90, "{}", before.len());
    let own = "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname = 'own_trigger'),
        (SELECT indexrelid::regclass FROM pg_index WHERE indexrelid = 'message_store.own_index'::regclass),
        (SELECT version FROM public.versions), (SELECT count(*) FROM message_store.categories),
        (SELECT sum(message_count) FROM public.types), (SELECT get_last_stream_message FROM public.\"Last\"), message_store.own(), (SELECT count(*) FROM public.last('loan-1')),
        (SELECT count(*) FROM pg_constraint WHERE conrelid = 'public.notes'::regclass)";
    // Message DB's own functions need its schema in search_path.
    session.ok("SET search_path = message_store, public");
    let found = session.rows(own);
    session.ok("RESET search_path");
    run(&mut session, "adopt");
    assert_eq!(session.rows(privileges), before);
    session.ok("SET search_path = message_store, public");
    assert_eq!(session.rows(own), found);
    session.ok("RESET search_path");
    assert_eq!(store.session().error("SELECT own()").sqlstate, "42501");
    assert_eq!(store.session().error("SELECT write_message(NULL, 'loan-1', 'T', '{}')").sqlstate, "42501");

    // Tidying names what is bound to a function that was set aside.
    let failure = session.error(statements("tidy")[0]);
    assert_eq!(failure.sqlstate, "2BP01");
    let detail = failure.detail.expect("a detail");
    assert!(detail.contains("view versions depends on function message_db_1_3_0.stream_version"), "{detail}");
    session.ok("CREATE OR REPLACE VIEW public.versions AS
        SELECT s, message_store.stream_version(s) AS version FROM unnest(ARRAY['loan-1']) AS s;
        CREATE OR REPLACE VIEW public.\"Last\" WITH (security_barrier) AS
        SELECT 'loan-1' AS stream, m.type AS get_last_stream_message FROM message_store.get_last_stream_message('loan-1') AS m");
    run(&mut session, "tidy");

    // And on the way back.
    back(&store);
    assert_eq!(session.rows(privileges), before);
    session.ok("CREATE VIEW public.streams AS SELECT * FROM message_store.list_streams()");
    let failure = session.error(statements("leave")[0]);
    assert_eq!(failure.sqlstate, "2BP01");
    let bound = "view streams depends on function message_store.list_streams(character varying,character varying,bigint,character varying)";
    assert_eq!(failure.detail.as_deref(), Some(bound));
    session.ok("DROP VIEW public.streams");
    run(&mut session, "leave");
    assert_eq!(session.rows(privileges), before);
    session.ok("SET search_path = message_store, public");
    assert_eq!(session.rows(own), found);
    session.ok("RESET search_path");
    let barrier = "SELECT reloptions FROM pg_class WHERE oid = 'public.\"Last\"'::regclass";
    assert_eq!(session.value(barrier).as_deref(), Some("{security_barrier=true}"));
    assert_eq!(store.session().error("SELECT write_message(NULL, 'loan-1', 'T', '{}')").sqlstate, "42501");
    session.ok("DROP OWNED BY adoption_reporter, adoption_auditor; DROP ROLE adoption_reporter, adoption_auditor");
}

#[test]
fn a_writer_that_stays_is_waited_for_only_so_long() {
    let (store, mut session) = genuine(10);
    let mut writer = store.session();
    writer.ok("BEGIN; SELECT write_message(gen_random_uuid()::varchar, 'loan-77', 'T', '{}')");
    session.ok("SET lock_timeout = '300ms'");
    assert_eq!(session.error("CREATE EXTENSION message_store").sqlstate, "55P03");
    writer.ok("SELECT write_message(gen_random_uuid()::varchar, 'loan-77', 'T', '{}', NULL, 0); COMMIT");
    run(&mut session, "adopt");
    assert_eq!(store.session().number("SELECT stream_version('loan-77')"), 1);
}

#[test]
fn the_way_back_leads_to_message_db_and_forth_again() {
    let (store, mut session) = genuine(1000);
    let (catalog, identity, content) = (objects(&mut session), session.rows(IDENTITY), messages(&mut session));
    let uncommented = "UPDATE pg_description SET description = '' WHERE false; DELETE FROM pg_description
        WHERE objoid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'message_store'::regnamespace)";
    for _ in 0..2 {
        run(&mut session, "adopt");
        run(&mut session, "tidy");
        back(&store);
        run(&mut session, "leave");
        session.ok(uncommented);
        let mut found = objects(&mut session);
        found.retain(|row| !row.iter().flatten().any(|text| LEFT.iter().any(|name| text.contains(name))));
        assert_same(&found, &catalog);
        assert_eq!(session.rows(IDENTITY), identity);
        assert_eq!(messages(&mut session), content);
    }
    let write = "SELECT write_message(gen_random_uuid()::varchar, 'loan-1', 'T', '{}', NULL, 0)";
    assert_eq!(store.session().number(write), 1);
    let language =
        "SELECT lanname FROM pg_proc JOIN pg_language ON pg_language.oid = prolang WHERE proname = 'category'";
    assert_eq!(session.value(language).as_deref(), Some("plpgsql"));
}

/// Clients at work.
struct Client {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Client {
    fn start(store: &Store, task: &str, number: usize) -> Client {
        let mut python = Command::new(dependencies().join("python/bin/python"));
        python.arg("-B").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/adoption/client.py"));
        python.arg(store.cluster.socket_folder()).args([&store.database, task, &number.to_string()]);
        let mut process = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python; `make setup`");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        Client { process, output }
    }

    /// What it has to say at its end.
    fn end(mut self) -> serde_json::Value {
        drop(self.process.stdin.take());
        let mut report = String::new();
        self.output.read_to_string(&mut report).expect("a report");
        assert!(self.process.wait().expect("its end").success());
        serde_json::from_str(&report).expect("JSON")
    }
}

/// 100,000 messages, and clients that write, expect versions, and follow a category while the store changes hands.
#[test]
fn clients_see_no_error_but_a_pause() {
    let (store, mut session) = genuine(100_000);
    let old = messages(&mut session);
    let tasks = ["write", "versions", "versions", "write", "follow", "follow"];
    let clients: Vec<Client> = tasks.iter().zip(1..).map(|(task, n)| Client::start(&store, task, n)).collect();
    let rounds = if std::env::var_os("MESSAGE_STORE_LONG").is_some() { 50 } else { 5 };
    let mut durations = Vec::new();
    for _ in 0..rounds {
        for forth in [true, false] {
            let began = Instant::now();
            if forth {
                run(&mut session, "adopt")
            } else {
                back(&store)
            }
            durations.push(began.elapsed());
            // What has begun ends.
            sleep(Duration::from_millis(500));
            run(&mut session, if forth { "tidy" } else { "leave" });
            sleep(Duration::from_millis(200));
        }
    }
    run(&mut session, "adopt");
    sleep(Duration::from_millis(500));
    let mut reports: Vec<_> = clients.into_iter().map(Client::end).collect();
    let longest = reports.iter().map(|report| report["longest_ms"].as_f64().expect("a number")).fold(0.0, f64::max);
    let calls: u64 = reports.iter().map(|report| report["calls"].as_u64().expect("a number")).sum();
    for (report, task) in reports.iter().zip(tasks) {
        assert_eq!(report["errors"], serde_json::json!([]), "{task}");
    }
    let slowest = durations.iter().max().expect("a duration");
    println!("{rounds} times there and back, {slowest:?} at most; {calls} calls, the longest {longest:.0} ms");
    assert!(calls > 500 && longest < 5000.0, "{calls} calls, the longest {longest} ms");

    assert_eq!(
        session.value(
            "SELECT md5(string_agg(m::text, E'\\n' ORDER BY global_position)) FROM message_store.messages AS m
            WHERE global_position <= 100000"
        ),
        old
    );
    // Every message that a writer was told of is there, every stream whole, and who followed has seen each once, in order.
    let written: usize = (0..4).map(|writer| reports[writer]["seen"].as_array().expect("positions").len()).sum();
    let in_store =
        session.number("SELECT count(*) FROM message_store.messages WHERE stream_name ~ '^(account|order)-'");
    assert_eq!(in_store, i64::try_from(written).expect("a count"));
    let gaps = "SELECT count(*) FROM (SELECT FROM message_store.messages GROUP BY stream_name
        HAVING min(position) <> 0 OR max(position) <> count(*) - 1) AS torn";
    assert_eq!(session.number(gaps), 0);
    let account = session.value(
        "SELECT jsonb_agg(id ORDER BY global_position) FROM message_store.messages
        WHERE message_store.category(stream_name) = 'account'",
    );
    let account: serde_json::Value = serde_json::from_str(&account.expect("messages")).expect("JSON");
    for follower in &mut reports[4..] {
        assert!(follower["seen"] == account, "a follower has seen something else");
    }
}
