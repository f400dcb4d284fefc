//! Categories on two servers behind PL/Proxy: `docs/scaling.md`, whose statements run here.

use message_store_tests::{Cluster, Session};
use std::collections::BTreeMap;
use std::thread::scope;

const PAGE: &str = include_str!("../../docs/scaling.md");
const CATEGORIES: usize = 16;

/// The statements that the page says run at one place.
fn statements(place: &str) -> &'static str {
    let block = PAGE.split("```sql ").find_map(|block| block.strip_prefix(place)).expect("a block");
    block.split("```").next().expect("a block")
}

fn session(cluster: &Cluster, database: &str, role: &str) -> Session {
    let mut session = Session::open(cluster.config(database, role));
    session.ok("SET search_path = message_store, public");
    session
}

/// Two servers, and the clients' database on the first of them.
struct Stores {
    nodes: [Cluster; 2],
}

impl Stores {
    fn start() -> Stores {
        let nodes = [0, 1].map(|_| Cluster::start(&["fsync=off", "shared_buffers=16MB"]));
        for node in &nodes {
            Session::open(node.config("postgres", "postgres")).ok("CREATE DATABASE bank");
            Session::open(node.config("bank", "postgres")).ok(statements("node"));
        }
        Session::open(nodes[0].config("postgres", "postgres")).ok("CREATE DATABASE clients");
        let mut proxy = statements("proxy").to_owned();
        for (number, node) in nodes.iter().enumerate() {
            let folder = node.socket_folder().display().to_string();
            proxy = proxy.replace(&format!("host=node{number}"), &format!("host={folder}"));
        }
        Session::open(nodes[0].config("clients", "postgres")).ok(&proxy);
        Stores { nodes }
    }

    fn client(&self) -> Session {
        session(&self.nodes[0], "clients", "app")
    }

    /// How many messages each category has on a server.
    fn on_node(&self, number: usize) -> BTreeMap<String, i64> {
        let rows = session(&self.nodes[number], "bank", "postgres")
            .rows("SELECT category, message_count FROM list_categories()");
        let pair = |row: &Vec<Option<String>>| {
            let [Some(category), Some(count)] = &row[..] else { panic!("{row:?}") };
            (category.clone(), count.parse().expect("a number"))
        };
        rows.iter().map(pair).collect()
    }
}

/// Whether the server has PL/Proxy. `make setup` installs it for Debian's Postgres.
fn has_plproxy() -> bool {
    let mut session = Session::open(Cluster::shared().config("postgres", "postgres"));
    if session.number("SELECT count(*) FROM pg_available_extensions WHERE name = 'plproxy'") == 1 {
        return true;
    }
    let version = session.number("SELECT current_setting('server_version_num')::int / 10000");
    assert_ne!(version, 15, "no plproxy: `make setup` installs it");
    eprintln!("not run: there is no PL/Proxy for this Postgres {version}");
    false
}

/// What is written through the clients' database: each category on one server, each version given once, nothing missed.
#[test]
fn categories_are_divided_among_servers_and_keep_their_promises() {
    if !has_plproxy() {
        return;
    }
    let stores = Stores::start();
    let mut client = stores.client();
    for category in 0..CATEGORIES {
        for n in 0..3 {
            let write = format!("SELECT write_message(NULL, 'c{category}-1', 'T', '{{\"n\": {n}}}', NULL, {})", n - 1);
            assert_eq!(client.number(&write), n);
        }
        let batch = format!(
            "SELECT jsonb_array_length(write_messages('c{category}-2', '[{{\"type\": \"A\"}}, {{\"type\": \"B\"}}]', -1))"
        );
        assert_eq!(client.number(&batch), 2);
        let read =
            format!("SELECT string_agg(stream_name || ':' || position, ' ') FROM get_category_messages('c{category}')");
        let expected =
            [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)].map(|(id, n)| format!("c{category}-{id}:{n}")).join(" ");
        assert_eq!(client.value(&read).as_deref(), Some(expected.as_str()));
        assert_eq!(client.number(&format!("SELECT stream_version('c{category}-1')")), 2);
        let last = format!("SELECT type FROM get_last_stream_message('c{category}-2')");
        assert_eq!(client.value(&last).as_deref(), Some("B"));
        assert_eq!(client.number(&format!("SELECT count(*) FROM get_stream_messages('c{category}-1', 1)")), 2);
    }
    let [first, second] = [0, 1].map(|number| stores.on_node(number));
    assert!(!first.is_empty() && !second.is_empty(), "{first:?} {second:?}");
    assert!(first.keys().all(|category| !second.contains_key(category)), "{first:?} {second:?}");
    assert_eq!(first.len() + second.len(), CATEGORIES);
    assert!(first.values().chain(second.values()).all(|count| *count == 5), "{first:?} {second:?}");
    assert_eq!(client.number("SELECT count(*) FROM list_categories()"), CATEGORIES as i64);

    let failure = client.error("SELECT write_message(NULL, 'c1-1', 'T', '{}', NULL, 0)");
    assert_eq!(failure.sqlstate, "P0001");
    let text = "message_store.write_message(7): [bank] REMOTE ERROR: Wrong expected version: 0 (Stream: c1-1, Stream Version: 2)";
    assert_eq!(failure.message, text);
    // As the page warns: the client's transaction is not the server's.
    client.ok("BEGIN; SELECT write_message(NULL, 'kept-1', 'T', '{}'); ROLLBACK");
    assert_eq!(client.number("SELECT stream_version('kept-1')"), 0);
    println!("{} categories on one server, {} on the other", first.len(), second.len());
}

/// Several clients write the same streams, each of them with the version that it has read, while a consumer polls.
#[test]
fn writers_exclude_each_other_and_a_consumer_misses_nothing() {
    if !has_plproxy() {
        return;
    }
    let stores = Stores::start();
    let (writers, rounds) = (4, 100);
    let mut consumed = vec![Vec::new(); 4];
    scope(|scope| {
        let running: Vec<_> = (0..writers)
            .map(|writer| {
                let mut client = stores.client();
                scope.spawn(move || {
                    for n in 0..rounds {
                        let stream = format!("c{}-{}", (n + writer) % 4, n % 3);
                        loop {
                            let version = format!("SELECT coalesce(stream_version('{stream}'), -1)");
                            let version = client.number(&version);
                            let write = format!("SELECT write_message(NULL, '{stream}', 'T', '{{}}', NULL, {version})");
                            match client.run(&write).result {
                                Ok(_) => break,
                                Err(error) => assert!(error.message.contains("Wrong expected version"), "{error}"),
                            }
                        }
                    }
                })
            })
            .collect();
        let mut client = stores.client();
        let mut positions = [1_i64; 4];
        let mut is_last = false;
        loop {
            let is_over = running.iter().all(|writer| writer.is_finished());
            for (category, position) in positions.iter_mut().enumerate() {
                let poll = format!("SELECT global_position FROM get_category_messages('c{category}', {position}, 7)");
                for row in client.rows(&poll) {
                    let found: i64 = row[0].as_ref().and_then(|found| found.parse().ok()).expect("a position");
                    consumed[category].push(found);
                    *position = found + 1;
                    is_last = false;
                }
            }
            if is_over && is_last {
                break;
            }
            is_last = is_over;
        }
        running.into_iter().for_each(|writer| writer.join().expect("a writer"));
    });
    let mut client = stores.client();
    for (category, consumed) in consumed.iter().enumerate() {
        let all = client.rows(&format!("SELECT global_position FROM get_category_messages('c{category}', 1, -1)"));
        let all: Vec<i64> = all.iter().map(|row| row[0].as_ref().expect("one").parse().expect("a number")).collect();
        assert_eq!(*consumed, all);
    }
    let versions = client.number("SELECT sum(message_count) FROM list_categories()");
    assert_eq!(versions, writers * rounds);
    for node in &stores.nodes {
        let gaps = "SELECT count(*) FROM (SELECT stream_name FROM messages GROUP BY 1 HAVING max(position) + 1 <> count(*)) AS g";
        assert_eq!(session(node, "bank", "postgres").number(gaps), 0);
    }
    println!("{versions} messages through the proxy, each version once, none missed");
}
