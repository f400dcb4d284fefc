//! The programs of `examples`, each run as its page says, and what they leave in the store.

use message_store_tests::{Session, Store, Target, dependencies, sqlite_library};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join(path)
}

/// What an example prints.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; `make setup` fetches what it needs"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}:\n{errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// The block of the examples' page that shows an example's output: the text block after the one with its command.
fn shown(command: &str) -> String {
    let page = std::fs::read_to_string(example("README.md")).expect("the page");
    let after = page.split_once(command).unwrap_or_else(|| panic!("no {command} on the page")).1;
    let block = after.split_once("```text\n").expect("a block").1;
    block.split_once("```").expect("its end").0.to_owned()
}

/// A database as the page makes it: the examples' own tables are in `public`, the store is found behind it.
fn database() -> (Store, Session) {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok(&format!("ALTER DATABASE {} SET search_path = public, message_store", store.database));
    (store, session)
}

fn account_service_on_postgres(store: &Store) -> Command {
    let mut python = Command::new(dependencies().join("python/bin/python"));
    python.arg("-B").arg(example("account-service/main.py")).arg("postgres").arg(format!(
        "postgresql://postgres@/{}?host={}",
        store.database,
        store.cluster.socket_folder().display()
    ));
    python
}

fn account_service_on_sqlite(file: &Path) -> Command {
    let mut python = Command::new("/usr/bin/python3");
    python.arg("-B").arg(example("account-service/main.py")).arg("sqlite").arg(file).arg(sqlite_library());
    python
}

/// A statement on a file by a plain sqlite3, which does not know the extension: its rows, one a line.
fn sqlite3(file: &Path, sql: &str) -> String {
    printed(Command::new("sqlite3").arg("-readonly").arg(file).arg(sql))
}

/// The messages of the account service, in the words of both engines. In which order two transfers are moved on is open.
const ACCOUNT_MESSAGES: &str = "SELECT stream_name || ' ' || type FROM messages ORDER BY stream_name, type";

const ACCOUNT_MESSAGES_WANTED: [&str; 12] = [
    "account-ada Deposited",
    "account-ada Opened",
    "account-ada Withdrawn",
    "account-ada Withdrawn",
    "account-grace Deposited",
    "account-grace Opened",
    "account-grace WithdrawalRejected",
    "account-grace WithdrawalRejected",
    "transfer-1 Completed",
    "transfer-1 Started",
    "transfer-2 Cancelled",
    "transfer-2 Started",
];

/// The streams in which a position is missing.
const GAPS: &str =
    "SELECT count(*) FROM (SELECT 1 FROM messages GROUP BY stream_name HAVING max(position) + 1 <> count(*)) AS gaps";

/// Runs of the service at once, of which one is killed, and one at the end.
fn at_once(command: impl Fn() -> Command) {
    let start = || command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("python");
    let mut victim = start();
    let others = [start(), start(), start()];
    std::thread::sleep(Duration::from_millis(300));
    victim.kill().expect("SIGKILL");
    victim.wait().expect("its end");
    for other in others {
        let output = other.wait_with_output().expect("its end");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    printed(&mut command());
}

#[test]
fn the_account_service_on_postgres() {
    let (store, mut session) = database();
    let command = "main.py postgres";
    assert_eq!(printed(&mut account_service_on_postgres(&store)), shown(command));
    // What it does again has been done.
    let again = printed(&mut account_service_on_postgres(&store));
    assert!(again.ends_with("ada has 20\ngrace has 50\n"), "{again}");
    left_by_the_account_service(&mut session);
}

#[test]
fn the_account_service_on_postgres_four_times_at_once() {
    let (store, mut session) = database();
    // Two that create it at once get in each other's way, in any Postgres.
    session.ok("CREATE TABLE public.balances (account varchar PRIMARY KEY, balance bigint NOT NULL)");
    at_once(|| account_service_on_postgres(&store));
    left_by_the_account_service(&mut session);
}

fn left_by_the_account_service(session: &mut Session) {
    let text = |rows: Vec<Vec<Option<String>>>| -> Vec<String> {
        rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(text(session.rows(ACCOUNT_MESSAGES)), ACCOUNT_MESSAGES_WANTED);
    assert_eq!(text(session.rows("SELECT * FROM public.balances ORDER BY 1")), ["ada 20", "grace 50"]);
    assert_eq!(session.number(GAPS), 0);
    let sums = "SELECT sum(CASE type WHEN 'Deposited' THEN 1 WHEN 'Withdrawn' THEN -1 ELSE 0 END * (data ->> 'amount')::bigint)
                FROM messages WHERE category(stream_name) = 'account' GROUP BY stream_name ORDER BY stream_name";
    assert_eq!(text(session.rows(sums)), ["20", "50"]);
    let correlated = "SELECT stream_name, type FROM get_category_messages('account', correlation => 'transfer')
                      ORDER BY stream_name, type";
    let wanted = ["account-ada Withdrawn", "account-grace Deposited", "account-grace WithdrawalRejected"];
    assert_eq!(text(session.rows(correlated)), wanted);
    let behind =
        "SELECT count(*) FROM consumer_positions() WHERE lag > 0 AND (category, consumer) <> ('account', 'transfers')";
    assert_eq!(session.number(behind), 0);
    assert_eq!(session.number("SELECT count(*) FROM consumer_positions()"), 3);
}

#[test]
fn the_account_service_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bank.db");
    let on_sqlite = printed(&mut account_service_on_sqlite(&file));
    assert_eq!(on_sqlite, shown("main.py sqlite"));
    assert_eq!(on_sqlite, shown("main.py postgres"));
    printed(&mut account_service_on_sqlite(&file));
    left_in_the_file(&file);
}

#[test]
fn the_account_service_on_sqlite_four_times_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bank.db");
    at_once(|| account_service_on_sqlite(&file));
    left_in_the_file(&file);
}

fn left_in_the_file(file: &Path) {
    assert_eq!(sqlite3(file, ACCOUNT_MESSAGES).lines().collect::<Vec<_>>(), ACCOUNT_MESSAGES_WANTED);
    assert_eq!(sqlite3(file, GAPS), "0\n");
    assert_eq!(sqlite3(file, "SELECT * FROM balances ORDER BY 1"), "ada|20\ngrace|50\n");
    let positions = "SELECT category, consumer FROM message_store_consumer_positions ORDER BY 1, 2";
    assert_eq!(sqlite3(file, positions), "account|balances\naccount|transfers\ntransfer|transfers\n");
    assert_eq!(sqlite3(file, "PRAGMA integrity_check"), "ok\n");
}

#[test]
fn a_consumer_group_in_node_with_a_member_killed() {
    let (store, mut session) = database();
    let mut node = store.cluster.command("node");
    node.arg(example("consumer-group-node/group.js")).env("PGDATABASE", &store.database);
    node.env("NODE_PATH", dependencies().join("node/node_modules"));
    assert_eq!(printed(&mut node), shown("node group.js"));

    // Each account's messages in one total, of the member that the account belongs to, once each.
    let expected = session.rows(
        "SELECT stream_name, mod(@ hash_64(cardinal_id(stream_name)), 4), sum((data ->> 'amount')::bigint), count(*)
         FROM messages GROUP BY 1 ORDER BY 1",
    );
    let totals = "SELECT stream_name, member, amount, messages FROM public.totals ORDER BY 1";
    assert_eq!(session.rows(totals), expected);
    assert_eq!(expected.len(), 40);
    assert_eq!(session.number("SELECT sum(messages) FROM public.totals"), 800);
    assert_eq!(session.number("SELECT sum(amount) FROM public.totals"), 600 * 601 / 2 + 200 * 201 / 2);
    assert_eq!(session.number("SELECT count(*) FROM consumer_positions('account')"), 4);
}

/// Cargo, on an example that is a workspace of its own, in the target folder of these tests or one below it.
fn cargo_run(folder: &str, target: &str) -> Command {
    let program = std::env::current_exe().expect("a program");
    let built = program.ancestors().nth(3).expect("the target folder").join(target);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--locked", "--manifest-path"]).arg(example(folder).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(built).arg("--");
    cargo
}

#[test]
fn a_rust_program_with_the_crate_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("desk.db");
    let run = || printed(cargo_run("rust", "").arg(&file));
    assert_eq!(run(), shown("cargo run"));
    let orders = "SELECT id, total, shipped FROM orders";
    assert_eq!(sqlite3(&file, orders), "1|40|1\n2|80|1\n3|120|1\n");
    run();
    // Each order has its message, each message its order, and each was shipped once.
    assert_eq!(sqlite3(&file, "SELECT count(*), min(shipped), max(shipped) FROM orders"), "6|1|1\n");
    let agree = "SELECT count(*) FROM messages m JOIN orders o ON m.stream_name = 'order-' || o.id
                 WHERE (position, type) IN (VALUES (0, 'Placed'), (1, 'Shipped'))";
    assert_eq!(sqlite3(&file, agree), "12\n");
    assert_eq!(sqlite3(&file, "SELECT count(*) FROM messages"), "12\n");
}

/// Takes a build of 350 crates, so only the long tests do it.
#[test]
fn three_replicated_nodes_with_one_killed() {
    if std::env::var_os("MESSAGE_STORE_LONG").is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(printed(cargo_run("replicated-sqlite", "replicated").arg(folder.path())), shown("-- nodes"));
    let all = "SELECT global_position, stream_name, position, type, data, id, time FROM messages ORDER BY 1";
    let node = |id: u32| sqlite3(&folder.path().join(format!("node-{id}/state_machine/db/hiqlite.db")), all);
    let first = node(1);
    assert_eq!(first.lines().count(), 1000);
    assert!(
        first.ends_with(
            "|99|Deposited|{\"amount\": 999}|a0000000-0000-4000-8000-000000000999|2026-01-31 12:16:39.000000\n"
        ),
        "{first}"
    );
    assert!(first == node(2) && first == node(3), "the nodes' files differ");
}
