//! The load on Postgres: connections that do one thing each, and one that makes and deletes namespaces.
//!
//! A backend that sees tables come and go grows, whoever makes them: so those that do, do as much by plain SQL on a
//! connection beside it, and must not grow by more than that one and a fifth.

use crate::Plan;
use crate::sample::Course;
use message_store_tests::{Session, Store, Target};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A connection's work: its name, and a round of it.
type Work = (&'static str, fn(&mut Session, usize));

const WORK: [Work; 8] = [
    ("writer", write),
    ("writer 2", write),
    ("batches", batches),
    ("reader", read),
    ("group", group),
    ("statements", by_statements),
    ("errors", errors),
    ("rollbacks", rollbacks),
];

/// How many namespaces are there at once: the connection that deletes them follows that far behind.
const BEHIND: usize = 20;

/// Runs the load. Answers what was wrong.
pub fn run(plan: Plan) -> Vec<String> {
    let store = Store::fresh(Target::Ours);
    let mut admin = store.superuser();
    admin.ok("SELECT create_namespace('work'); SELECT create_namespace('lanes')");
    admin.ok("SELECT set_namespace_option('lanes', 'append_lock', 'stream')");
    let made = AtomicUsize::new(0);
    let (store, made) = (&store, &made);
    let mut wrong: Vec<String> = thread::scope(|scope| {
        let mut workers: Vec<_> =
            WORK.into_iter().map(|(what, round)| scope.spawn(move || worker(store, plan, what, round))).collect();
        workers.push(scope.spawn(|| namespaces(store, plan, made)));
        workers.push(scope.spawn(|| visitor(store, plan, made)));
        workers.push(scope.spawn(|| sweeper(store, plan)));
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    let left = "SELECT count(*) FROM pg_locks WHERE locktype IN ('advisory', 'userlock')";
    for (what, found, expected) in [
        ("locks", admin.number(left), 0),
        ("namespaces", admin.number("SELECT count(*) FROM list_namespaces()"), 3),
        ("schemas", admin.number("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'soak-%'"), 0),
        ("prepared transactions", admin.number("SELECT count(*) FROM pg_prepared_xacts"), 0),
    ] {
        if found != expected {
            wrong.push(format!("{what} at the end: {found}, not {expected}"));
        }
    }
    wrong
}

fn worker(store: &Store, plan: Plan, what: &'static str, round: fn(&mut Session, usize)) -> Vec<String> {
    let mut session = store.superuser();
    let mut course = Course::new(what, plan.time);
    while !course.is_over(&mut session) {
        round(&mut session, course.rounds);
        course.rounds += 1;
    }
    course.finish(&mut session)
}

/// The store of a round: the default one and two others in turn.
fn store_of(round: usize) -> &'static str {
    ["NULL", "'work'", "'lanes'"][round % 3]
}

fn write(session: &mut Session, round: usize) {
    let (stream, store) = (round % 50, store_of(round));
    session.ok(&format!(
        "SELECT write_message(NULL, 'account-{stream}', 'T', '{{\"amount\": {round}}}',
         '{{\"correlationStreamName\": \"order-{stream}\"}}', NULL, {store})"
    ));
}

fn batches(session: &mut Session, round: usize) {
    let element = r#"{"type": "T", "data": {"a": [1.50, null]}}"#;
    let elements = vec![element; 1 + round % 20].join(", ");
    session.ok(&format!("SELECT write_messages('order-{}', '[{elements}]', NULL, {})", round % 20, store_of(round)));
}

fn read(session: &mut Session, round: usize) {
    let store = store_of(round);
    let call = match round % 8 {
        0 => format!("get_stream_messages('account-{}', 0, 50, NULL, {store})", round % 50),
        1 => format!("get_last_stream_message('account-{}', NULL, {store})", round % 50),
        2 => format!("get_category_messages('account', 1, 50, NULL, NULL, NULL, NULL, {store})"),
        3 => format!("get_category_messages('account', 1, 20, 'order', NULL, NULL, NULL, {store})"),
        4 => format!("get_all_messages(1, 100, {store})"),
        5 => format!("list_streams('account', NULL, 20, {store})"),
        6 => format!("list_categories({store})"),
        _ => format!("stream_version('order-{}', {store})", round % 20),
    };
    session.ok(&format!("SELECT count(*) FROM {call}"));
}

fn group(session: &mut Session, round: usize) {
    session.ok(&format!(
        "SELECT count(*) FROM get_category_messages('account', 1, 50, NULL, {}, 4, NULL, {})",
        round % 4,
        store_of(round)
    ));
}

/// The same work without direct access.
fn by_statements(session: &mut Session, round: usize) {
    session.ok("SET message_store.direct_access = off; SET message_store.sql_condition = 'on'");
    write(session, round);
    read(session, round);
    let condition = format!("position >= {}", round % 7);
    session.ok(&format!(
        "SELECT count(*) FROM get_stream_messages('account-1', 0, 10, '{condition}', {})",
        store_of(round)
    ));
}

fn errors(session: &mut Session, round: usize) {
    let statements = [
        "SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, 999999999)",
        "SELECT write_message('xyz', 'account-1', 'T', '{}')",
        "SELECT write_message(NULL, NULL, 'T', '{}')",
        "SELECT write_messages('account-1', '[{\"type\": 1}]')",
        "SELECT * FROM get_stream_messages('account')",
        "SELECT * FROM get_category_messages('account', 1, -2)",
        "SELECT create_namespace('work')",
        "SELECT create_namespace('Bad Name')",
        "SELECT stream_version('a-1', 'nobody-made-this')",
        "SELECT import_messages('[{}]')",
    ];
    session.error(statements[round % statements.len()]);
}

fn rollbacks(session: &mut Session, round: usize) {
    session.ok("BEGIN");
    write(session, round);
    session.ok("SAVEPOINT s");
    batches(session, round);
    errors(session, round);
    session.ok("ROLLBACK TO SAVEPOINT s");
    write(session, round);
    session.ok(if round.is_multiple_of(2) { "ROLLBACK" } else { "COMMIT" });
    if round.is_multiple_of(16) {
        session.ok("BEGIN");
        write(session, round);
        session.ok("PREPARE TRANSACTION 'soak'");
        session.ok(if round.is_multiple_of(32) { "COMMIT PREPARED 'soak'" } else { "ROLLBACK PREPARED 'soak'" });
    }
}

/// What a connection does with a namespace that comes and goes.
fn uses(namespace: &str) -> [String; 6] {
    [
        format!("SELECT write_message(NULL, 'account-1', 'T', '{{}}', NULL, NULL, '{namespace}')"),
        format!("SELECT write_messages('account-2', '[{{\"type\": \"T\"}}]', NULL, '{namespace}')"),
        format!("SELECT * FROM get_stream_messages('account-1', 0, 10, NULL, '{namespace}')"),
        format!("SELECT * FROM get_all_messages(1, 10, '{namespace}')"),
        format!("SELECT * FROM list_streams(NULL, NULL, 10, '{namespace}')"),
        format!("SELECT * FROM get_category_messages('account', 1, 10, NULL, 0, 2, NULL, '{namespace}')"),
    ]
}

/// The same objects as a namespace's, made without the extension's functions.
fn plain_schema(number: usize) -> String {
    let schema = format!("\"plain-{number}\"");
    let tables = ["messages", "stream_heads", "consumer_positions"]
        .map(|table| format!("CREATE TABLE {schema}.{table} (LIKE message_store.{table} INCLUDING ALL);"))
        .concat();
    let views = ["stream_name", "type", "position", "time", "id", "metadata"]
        .map(|of| format!("CREATE VIEW {schema}.by_{of} AS SELECT {of}, count(*) FROM {schema}.messages GROUP BY 1;"))
        .concat();
    // Its own positions: those of the table it is made after start again whenever the sweeper has cleared it.
    let positions = format!(
        "CREATE SEQUENCE {schema}.positions;
         ALTER TABLE {schema}.messages ALTER global_position SET DEFAULT nextval('{schema}.positions');"
    );
    format!("CREATE SCHEMA {schema}; {tables} {positions} {views}")
}

/// What plain SQL does where [`uses`] calls functions.
fn plain_uses(number: usize) -> [String; 6] {
    let messages = format!("\"plain-{number}\".messages");
    // Nobody's positions meet.
    let insert = |stream: &str| {
        format!(
            "INSERT INTO {messages} (stream_name, position, type, data, id)
             SELECT '{stream}', (random() * 1e18)::bigint, 'T', '{{}}', gen_random_uuid()"
        )
    };
    [
        insert("account-1"),
        insert("account-2"),
        format!("SELECT * FROM {messages} WHERE stream_name = 'account-1' ORDER BY position LIMIT 10"),
        format!("SELECT * FROM {messages} ORDER BY global_position LIMIT 10"),
        format!("SELECT stream_name, max(position) FROM {messages} GROUP BY 1 LIMIT 10"),
        format!(
            "SELECT * FROM {messages} WHERE message_store.category(stream_name) = 'account'
             ORDER BY global_position LIMIT 10"
        ),
    ]
}

/// Creates, uses and deletes, each namespace under a name of its own; and as many schemas by plain SQL.
fn namespaces(store: &Store, plan: Plan, made: &AtomicUsize) -> Vec<String> {
    let [mut session, mut plain_session] = [(); 2].map(|()| store.superuser());
    plain_session.ok("SET client_min_messages = warning");
    let mut course = Course::new("namespaces", plan.time);
    let mut plain = Course::new("plain namespaces", plan.time);
    let delete = |session: &mut Session, plain_session: &mut Session, number: usize| {
        session.ok(&format!("SELECT delete_namespace('soak-{number}')"));
        plain_session.ok(&format!("DROP SCHEMA \"plain-{number}\" CASCADE"));
    };
    while !course.is_over(&mut session) || course.rounds < plan.namespaces {
        plain.is_over(&mut plain_session);
        let number = course.rounds;
        session.ok(&format!("SELECT create_namespace('soak-{number}', 'hash {number}')"));
        uses(&format!("soak-{number}")).iter().for_each(|call| session.ok(call));
        plain_session.ok(&plain_schema(number));
        plain_uses(number).iter().for_each(|statement| plain_session.ok(statement));
        made.store(number + 1, Ordering::SeqCst);
        if let Some(old) = number.checked_sub(BEHIND) {
            delete(&mut session, &mut plain_session, old);
        }
        course.rounds += 1;
        plain.rounds += 1;
    }
    for number in course.rounds.saturating_sub(BEHIND)..course.rounds {
        delete(&mut session, &mut plain_session, number);
    }
    course.finish_beside(&mut session, plain, &mut plain_session)
}

/// Uses what the other connection creates, and finds it deleted now and then; another one does so by plain SQL.
fn visitor(store: &Store, plan: Plan, made: &AtomicUsize) -> Vec<String> {
    let [mut session, mut plain_session] = [(); 2].map(|()| store.superuser());
    let mut course = Course::new("visitor", plan.time);
    let mut plain = Course::new("plain visitor", plan.time);
    let mut gone = 0;
    while !course.is_over(&mut session) {
        plain.is_over(&mut plain_session);
        let newest = made.load(Ordering::SeqCst);
        let number = newest.saturating_sub(course.rounds % (BEHIND + 3));
        let namespace = format!("soak-{number}");
        for call in uses(&namespace) {
            if let Err(failure) = session.run(&call).result {
                assert_eq!(failure.message, format!("Namespace does not exist: {namespace}"), "{call}");
                gone += 1;
            }
        }
        for statement in plain_uses(number) {
            if let Err(failure) = plain_session.run(&statement).result {
                // No table, no schema, or one that went between two looks at the catalog.
                assert!(["42P01", "3F000", "XX000"].contains(&failure.sqlstate.as_str()), "{statement}: {failure}");
            }
        }
        course.rounds += 1;
        plain.rounds += 1;
    }
    println!("visitor: {gone} calls found the namespace gone");
    course.finish_beside(&mut session, plain, &mut plain_session)
}

/// Clears the stores twenty times, so that they stay of one size.
fn sweeper(store: &Store, plan: Plan) -> Vec<String> {
    let mut session = store.superuser();
    let mut course = Course::new("sweeper", plan.time);
    let mut removed = 0;
    while !course.is_over(&mut session) {
        thread::sleep(plan.time / 20);
        for namespace in ["message_store", "work", "lanes"] {
            removed += session.number(&format!("SELECT clear_namespace('{namespace}')"));
        }
        course.rounds += 1;
    }
    println!("sweeper: {removed} messages removed");
    course.finish(&mut session)
}
