//! Namespaces that are made, used and deleted.
//!
//! A backend that sees tables come and go grows, whoever makes them: so those that do, do as much by plain SQL on a
//! connection beside it, and must not grow by more than that one and a fifth.

use crate::Plan;
use crate::sample::Course;
use message_store_tests::{Session, Store};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many namespaces are there at once: the connection that deletes them follows that far behind.
const BEHIND: usize = 20;

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
pub fn namespaces(store: &Store, plan: Plan, made: &AtomicUsize) -> Vec<String> {
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
pub fn visitor(store: &Store, plan: Plan, made: &AtomicUsize) -> Vec<String> {
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
