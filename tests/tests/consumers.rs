//! Consumers that keep their position in the store: exact however often they are killed, and told when to look.

use message_store_tests::{Session, Store, Target, dependencies};
use rand::Rng;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often consumers are killed: 20 times in the long form.
fn kills() -> usize {
    if std::env::var_os("MESSAGE_STORE_LONG").is_some() { 20 } else { 5 }
}

/// The programs that `docs/consumers.md` shows.
#[derive(Clone, Copy, Debug)]
enum Program {
    Python,
    Node,
}

impl Program {
    fn command(self) -> Command {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/consumers");
        match self {
            Program::Python => {
                let mut python = Command::new(dependencies().join("python/bin/python"));
                python.arg("-B").arg(format!("{folder}/projection.py"));
                python
            }
            Program::Node => {
                let mut node = Command::new("node");
                node.env("NODE_PATH", dependencies().join("node/node_modules")).arg(format!("{folder}/projection.js"));
                node
            }
        }
    }
}

fn consumer(program: Program, store: &Store, member: usize, size: usize, once: bool) -> Child {
    let mut command = program.command();
    command.arg(store.cluster.socket_folder()).arg(&store.database);
    command.args([format!("totals-{member}"), member.to_string(), size.to_string()]);
    command.args(once.then_some("once")).stdout(Stdio::piped());
    command.spawn().expect("a consumer; `make setup` installs what it needs")
}

/// Kills a consumer that has processed something since it was started.
fn kill(mut victim: Child) {
    let mut line = String::new();
    let mut output = BufReader::new(victim.stdout.take().expect("its output"));
    assert!(output.read_line(&mut line).expect("a line") > 0, "the consumer ended by itself");
    std::thread::sleep(Duration::from_micros(rand::rng().random_range(0..100_000)));
    assert!(victim.try_wait().expect("its state").is_none(), "the consumer ended by itself");
    victim.kill().expect("SIGKILL");
    victim.wait().expect("its end");
}

fn sums_are_exact(program: Program, size: usize, append_lock: &str) {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{append_lock}')"));
    session.ok("SELECT set_namespace_option('message_store', 'notify', 'on')");
    session.ok("CREATE TABLE public.sums (stream_name text PRIMARY KEY, amount bigint, messages bigint)");
    let (kills, ended) = (kills(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (mut session, ended) = (store.session(), &ended);
            scope.spawn(move || {
                for n in 0.. {
                    if ended.load(Ordering::Relaxed) {
                        break;
                    }
                    let stream = (n * 3 + writer) % 20;
                    session.ok(&format!("SELECT write_message(NULL, 'account-{stream}', 'T', '{{\"amount\": {n}}}')"));
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
        }
        let mut consumers: Vec<_> = (0..size).map(|member| consumer(program, &store, member, size, false)).collect();
        for _ in 0..kills {
            let member = rand::rng().random_range(0..size);
            let next = consumer(program, &store, member, size, false);
            kill(std::mem::replace(&mut consumers[member], next));
        }
        ended.store(true, Ordering::Relaxed);
        for mut consumer in consumers {
            consumer.kill().expect("SIGKILL");
            consumer.wait().expect("its end");
        }
    });
    for member in 0..size {
        assert!(consumer(program, &store, member, size, true).wait().expect("its end").success());
    }
    let expected = session
        .rows("SELECT stream_name, sum((data ->> 'amount')::bigint), count(*) FROM messages GROUP BY 1 ORDER BY 1");
    assert_eq!(session.rows("SELECT * FROM public.sums ORDER BY 1"), expected);
    let count = session.number("SELECT sum(messages) FROM public.sums");
    assert!(count > 100 && expected.len() == 20, "{count} messages");
    assert_eq!(session.number("SELECT count(*) FROM consumer_positions('account')"), size as i64);
    assert_eq!(session.number("SELECT min(lag) FROM consumer_positions('account')"), 0);
    println!("{program:?}, {append_lock}: {kills} kills of {size} consumers, {count} messages, each counted once");
}

#[test]
fn a_consumer_that_is_killed_counts_each_message_once() {
    sums_are_exact(Program::Python, 1, "category");
    sums_are_exact(Program::Node, 1, "category");
}

#[test]
fn so_does_a_group_of_four() {
    sums_are_exact(Program::Python, 4, "category");
    sums_are_exact(Program::Python, 4, "stream");
    sums_are_exact(Program::Node, 4, "stream");
}

/// They would look by themselves after five seconds.
#[test]
fn a_consumer_that_waits_is_woken() {
    for program in [Program::Python, Program::Node] {
        let store = Store::fresh(Target::Ours);
        let mut session = store.superuser();
        session.ok("SELECT set_namespace_option('message_store', 'notify', 'on')");
        session.ok("CREATE TABLE public.sums (stream_name text PRIMARY KEY, amount bigint, messages bigint)");
        let mut running = consumer(program, &store, 0, 1, false);
        let mut output = BufReader::new(running.stdout.take().expect("its output"));
        let waits = "SELECT count(*) FROM consumer_positions('account')";
        while session.number(waits) == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut took = Vec::new();
        for n in 1..=3 {
            std::thread::sleep(Duration::from_millis(300));
            let started = std::time::Instant::now();
            session.ok("SELECT write_message(NULL, 'account-1', 'T', '{\"amount\": 1}')");
            let mut line = String::new();
            output.read_line(&mut line).expect("a line");
            took.push(started.elapsed());
            assert_eq!(line.trim(), n.to_string(), "{program:?}");
        }
        running.kill().expect("SIGKILL");
        running.wait().expect("its end");
        took.sort();
        // One of three may have come when it looked by itself.
        assert!(took[1] < Duration::from_secs(2), "{program:?}: {took:?}");
        println!("{program:?}: woken after {took:?}");
    }
}

#[test]
fn positions_recorded_at_once_never_go_back() {
    let store = Store::fresh(Target::Ours);
    std::thread::scope(|scope| {
        for writer in 0..8_i64 {
            let mut session = store.session();
            scope.spawn(move || {
                let mut last = 0;
                for n in 0..200 {
                    let position = n * 8 + writer;
                    let record = format!("SELECT record_consumer_position('account', 'totals', {position})");
                    let stored = session.number(&record);
                    assert!(stored >= position && stored >= last, "{stored} after {last}, recording {position}");
                    last = stored;
                }
            });
        }
    });
    assert_eq!(store.session().number("SELECT position FROM consumer_positions()"), 1599);
}

/// The payloads that a session has been sent.
fn heard(session: &mut Session) -> Vec<String> {
    use postgres::fallible_iterator::FallibleIterator;
    let mut notifications = session.client().notifications();
    let mut payloads = Vec::new();
    let mut waiting = notifications.timeout_iter(Duration::from_millis(300));
    while let Some(notification) = waiting.next().expect("a notification") {
        payloads.push(format!("{} {}", notification.channel(), notification.payload()));
    }
    payloads
}

#[test]
fn who_listens_is_told_once_a_category_and_transaction() {
    let store = Store::fresh(Target::Ours);
    let (mut listener, mut writer) = (store.superuser(), store.superuser());
    writer.ok("SELECT create_namespace('tenant-a')");
    listener.ok("LISTEN message_store; LISTEN \"tenant-a\"");
    let write = "SELECT write_message(NULL, 'account-' || n, 'T', '{}') FROM generate_series(1, 50) AS n";
    writer.ok(write);
    assert_eq!(heard(&mut listener), [""; 0], "off by default");

    writer.ok("SELECT set_namespace_option('message_store', 'notify', 'on')");
    let batch = "SELECT write_messages('order-1', '[{\"type\": \"A\"}, {\"type\": \"B\"}]')";
    let import = "SELECT import_messages(jsonb_build_array(jsonb_build_object('id', gen_random_uuid(), 'stream_name',
        'payment-1', 'type', 'T', 'position', (SELECT count(*) FROM get_stream_messages('payment-1')), 'global_position',
        (SELECT last_value + 1 FROM messages_global_position_seq), 'time', '2026-01-01 00:00:00')))";
    for direct in ["on", "off"] {
        writer.ok(&format!("SET message_store.direct_access = {direct}"));
        for (sql, expected) in [
            (write, vec!["message_store account"]),
            (batch, vec!["message_store order"]),
            (import, vec!["message_store payment"]),
            ("SELECT write_messages('order-1', '[]')", vec![]),
            ("SELECT write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, 'tenant-a')", vec![]),
        ] {
            writer.ok(sql);
            assert_eq!(heard(&mut listener), expected, "{direct}: {sql}");
        }
        writer.ok(&format!("BEGIN; {write}; {batch}; {write}; COMMIT"));
        assert_eq!(heard(&mut listener), ["message_store account", "message_store order"]);
        writer.ok(&format!("BEGIN; {write}; ROLLBACK"));
        assert_eq!(heard(&mut listener), [""; 0]);
        // One that was rolled back to a savepoint is told when it is written again.
        writer.ok(&format!("BEGIN; SAVEPOINT s; {write}; ROLLBACK TO s; {write}; COMMIT"));
        assert_eq!(heard(&mut listener), ["message_store account"]);
    }
    let long = "x".repeat(8000);
    writer.ok(&format!("SELECT write_message(NULL, '{long}-1', 'T', '{{}}')"));
    assert_eq!(heard(&mut listener), ["message_store "], "a category too long for a payload");
    let failure = writer.error(&format!("BEGIN; {write}; PREPARE TRANSACTION 'p'"));
    assert_eq!(failure.sqlstate, "0A000");
    writer.ok("ROLLBACK");
    writer.ok("SELECT set_namespace_option('message_store', 'notify', 'off')");
    writer.ok(write);
    assert_eq!(heard(&mut listener), [""; 0], "off again");
}

#[test]
fn what_a_store_of_many_messages_holds_is_estimated_in_a_moment() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("INSERT INTO messages (stream_name, type, position, data)
         SELECT 'category' || s % 30 || '-' || s, 'T', p, '{\"a\": 1}'
         FROM generate_series(0, 19) AS p, generate_series(1, 10000) AS s");
    let started = std::time::Instant::now();
    let stats = session.rows("SELECT message_count, stream_count, category_count, last_global_position FROM stats()");
    let elapsed = started.elapsed();
    let numbers: Vec<i64> = stats[0].iter().flatten().map(|number| number.parse().expect("a number")).collect();
    for (number, exact) in numbers.iter().zip([200_000_i64, 10_000, 30, 200_000]) {
        assert!((number - exact).abs() <= exact / 10, "{numbers:?}");
    }
    assert_eq!(numbers[2..], [30, 200_000]);
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
}
