//! `list_streams` and `list_categories`: what they list, in which order, and how fast.

use message_store_tests::{Session, Store, Target, literal, version};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Names in byte order, which is no language's order.
const NAMES: [&str; 22] = [
    "",
    "%-1",
    "-",
    "-1",
    "1-1",
    "A-1",
    "Account-1",
    "Z",
    "_-1",
    "a%-1",
    "a-1",
    "a_-1",
    "ab-1",
    "account",
    "account-1",
    "account-1+2",
    "account-10",
    "account-2",
    "account:command-1",
    "z-1",
    "\u{e9}-1",
    "\u{1f600}-1",
];

fn write_all(session: &mut Session, names: &[&str]) {
    // Not in their order; the n-th has n % 3 + 1 messages.
    for (n, name) in names.iter().enumerate().rev() {
        for _ in 0..=n % 3 {
            session.ok(&format!("SELECT write_message(NULL, {}, 'T', '{{}}')", literal::text(name)));
        }
    }
}

fn list(session: &mut Session, arguments: &str) -> Vec<String> {
    let rows = session.rows(&format!("SELECT stream_name FROM list_streams({arguments})"));
    rows.into_iter().map(|mut row| row[0].take().expect("a name")).collect()
}

fn expected(keep: impl Fn(&str) -> bool) -> Vec<String> {
    NAMES.iter().filter(|name| keep(name)).map(|name| (*name).to_owned()).collect()
}

/// Whatever the database's collation.
fn check_lists(session: &mut Session) {
    assert!(NAMES.is_sorted());
    assert_eq!(list(session, ""), Vec::<String>::new());
    assert_eq!(session.number("SELECT count(*) FROM list_categories()"), 0);
    write_all(session, &NAMES);

    assert_eq!(list(session, ""), expected(|_| true));
    assert_eq!(list(session, "batch_size => -1"), expected(|_| true));
    assert_eq!(list(session, "NULL, NULL, NULL"), expected(|_| true));
    assert_eq!(list(session, "batch_size => 0"), expected(|_| false));
    for prefix in
        ["", "a", "account", "account-", "account-1", "a%", "%", "_", "a_", "A", "\u{e9}", "nope", "z-1", "z-11", "-"]
    {
        for batch_size in ["1000", "-1"] {
            let argument = format!("{}, NULL, {batch_size}", literal::text(prefix));
            assert_eq!(list(session, &argument), expected(|name| name.starts_with(prefix)), "{argument}");
        }
        for after in
            ["", "-1", "a", "account", "account-1", "account-11", "b", "\u{e9}-1", "\u{10ffff}", "zzz", "%", "nope"]
        {
            for (batch_size, most) in [("1000", 1000), ("-1", 1000), ("2", 2), ("1", 1)] {
                let argument = format!("{}, {}, {batch_size}", literal::text(prefix), literal::text(after));
                let mut names = expected(|name| name.starts_with(prefix) && name > after);
                names.truncate(most);
                assert_eq!(list(session, &argument), names, "{argument}");
            }
        }
    }
    let failure = session.error("SELECT * FROM list_streams(NULL, NULL, -2)");
    assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("2201W", "LIMIT must not be negative"));

    // Pages of every size cover everything once.
    for size in [1, 2, 3, 7, 21, 22, 23] {
        let (mut pages, mut after) = (Vec::new(), "NULL".to_owned());
        loop {
            let page = list(session, &format!("NULL, {after}, {size}"));
            let Some(last) = page.last() else { break };
            assert!(page.len() <= size);
            after = literal::text(last);
            pages.extend(page);
        }
        assert_eq!(pages, NAMES, "pages of {size}");
    }
    for batch_size in ["1000", "-1"] {
        let rows = session.rows(&format!("SELECT * FROM list_streams(NULL, NULL, {batch_size})"));
        for (n, row) in rows.iter().enumerate() {
            let expected = [NAMES[n].to_owned(), (n % 3).to_string(), (n % 3 + 1).to_string()].map(Some);
            assert_eq!(*row, expected);
        }
    }

    let mut categories: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (n, name) in NAMES.iter().enumerate() {
        let counts = categories.entry(name.split('-').next().expect("a category")).or_default();
        *counts = (counts.0 + 1, counts.1 + n % 3 + 1);
    }
    let rows = session.rows("SELECT * FROM list_categories()");
    let texts = |(name, (streams, messages)): (&str, (usize, usize))| {
        [name.to_owned(), streams.to_string(), messages.to_string()].map(Some).to_vec()
    };
    assert_eq!(rows, categories.into_iter().map(texts).collect::<Vec<_>>());
}

#[test]
fn streams_and_categories_are_listed_in_byte_order() {
    check_lists(&mut Store::fresh(Target::Ours).superuser());
}

/// A database whose own order of text is a language's.
#[test]
fn the_order_is_that_of_the_bytes_whatever_the_database_s() {
    let store = Store::fresh(Target::Ours);
    let database = format!("{}_icu", store.database);
    let create = format!("CREATE DATABASE {database} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'");
    match store.superuser().run(&create).result {
        Err(failure) if version() < 15 || failure.message == "ICU is not supported in this build" => {
            eprintln!("SKIPPED: no database in this Postgres has a language's order by ICU: {failure}");
            return;
        }
        created => drop(created.unwrap_or_else(|failure| panic!("{failure}"))),
    }
    let store = Store { database, ..store };
    let mut session = store.session_as("postgres");
    session.ok("CREATE EXTENSION message_store; SET search_path = message_store, public");
    let order = "SELECT string_agg(n, ' ' ORDER BY n) FROM unnest(ARRAY['b', 'A', 'a', 'B']) AS n";
    assert_eq!(session.value(order).as_deref(), Some("a A b B"), "a language's order");
    check_lists(&mut session);
}

/// From Postgres 17 on it has locales of its own.
#[test]
fn they_are_in_a_database_without_the_system_s_locales() {
    if version() < 17 {
        eprintln!("SKIPPED: Postgres {} has no such locales", version());
        return;
    }
    let store = Store::fresh(Target::Ours);
    let database = format!("{}_builtin", store.database);
    store
        .superuser()
        .ok(&format!("CREATE DATABASE {database} TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"));
    let mut session = Store { database, ..store }.session_as("postgres");
    session.ok("CREATE EXTENSION message_store; SET search_path = message_store, public");
    check_lists(&mut session);
}

#[test]
fn a_page_is_made_of_what_is_visible() {
    let store = Store::fresh(Target::Ours);
    let (mut session, mut other) = (store.superuser(), store.superuser());
    session.ok("BEGIN; SELECT write_message(NULL, 'account-1', 'T', '{}')");
    assert_eq!(list(&mut session, ""), ["account-1"]);
    assert!(list(&mut other, "").is_empty());
    session.ok("ROLLBACK");
    assert!(list(&mut session, "").is_empty());
    // Deleted by hand, as a user may: what is left is listed.
    session.ok("SELECT write_message(NULL, 'account-' || n % 5, 'T', '{}') FROM generate_series(0, 24) AS n");
    session.ok("DELETE FROM messages WHERE stream_name = 'account-3' OR position < 2");
    let rows = session.rows("SELECT * FROM list_streams()");
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row[1..] == [Some("4".into()), Some("3".into())]), "{rows:?}");
}

const MILLION: &str = "INSERT INTO messages (stream_name, position, type, data)
    SELECT 'category' || s % 20 || '-' || s, p, 'T', '{\"amount\": 1}' FROM generate_series(0, 999) AS s, generate_series(0, 999) AS p";

/// The median of five runs, after one that does not count.
fn time(session: &mut Session, sql: &str) -> Duration {
    session.ok(sql);
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let started = Instant::now();
            session.ok(sql);
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[2]
}

#[test]
fn a_million_messages_in_a_thousand_streams() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok(MILLION);
    session.ok("VACUUM ANALYZE messages");
    assert_eq!(session.number("SELECT sum(message_count) FROM list_streams()"), 1_000_000);
    assert_eq!(
        session.rows("SELECT count(*), sum(stream_count) FROM list_categories()"),
        [[Some("20".into()), Some("1000".into())]]
    );

    let grouped = time(
        &mut session,
        "SELECT stream_name, max(position), count(*) FROM messages GROUP BY stream_name ORDER BY stream_name COLLATE \"C\"",
    );
    let streams = time(&mut session, "SELECT * FROM list_streams()");
    let page = time(&mut session, "SELECT * FROM list_streams(NULL, NULL, 100)");
    let prefixed = time(&mut session, "SELECT * FROM list_streams('category7-', NULL, 100)");
    let categories_grouped = time(
        &mut session,
        "SELECT category(stream_name), count(DISTINCT stream_name), count(*) FROM messages GROUP BY 1 ORDER BY 1",
    );
    let categories = time(&mut session, "SELECT * FROM list_categories()");
    eprintln!(
        "list_streams {streams:.1?} beside a plain GROUP BY {grouped:.1?}; its first 100 {page:.1?}, 50 of a prefix {prefixed:.1?}"
    );
    eprintln!("list_categories {categories:.1?} beside a plain GROUP BY {categories_grouped:.1?}");
    assert!(streams < grouped * 3 && categories < categories_grouped * 2);
    assert!(page < streams / 2, "a tenth of the streams costs a fraction of all");
}
