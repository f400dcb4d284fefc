//! The programs of `examples`, each run as its page says, and what they leave in the store.

use message_store_tests::{Cluster, Session, Store, Target, dependencies, page, sqlite_library};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const PAGE: &str = include_str!("../../examples/README.md");

/// The repository's folder, in which the page's commands are given.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
}

/// What an example prints.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; `make setup` fetches what it needs"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command:?}:\n{errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// The block of the page with a command in it, and the output that the page shows.
fn on_the_page(command: &str) -> (&'static str, Option<&'static str>) {
    let mut examples = page::examples(PAGE, "sh example");
    examples.find(|(block, _)| block.contains(command)).unwrap_or_else(|| panic!("no {command} on the page"))
}

/// The output that the page shows below a command.
fn shown(command: &str) -> &'static str {
    on_the_page(command).1.unwrap_or_else(|| panic!("no output of {command} on the page"))
}

/// A command of the page, for a shell. Each of `places` is what stands on the page, and what it is here.
fn as_on_the_page(mut shell: Command, command: &str, places: &[(&str, &Path)]) -> Command {
    let mut block = on_the_page(command).0.to_owned();
    for (there, here) in places {
        assert!(block.contains(there), "no {there} in {block}");
        block = block.replace(there, &here.display().to_string());
    }
    // In the shell's place, so that who kills it kills the program.
    let block = if block.lines().count() == 1 { format!("exec env {block}") } else { block };
    shell.args(["-ec", &block]).current_dir(repository()).env("PYTHONDONTWRITEBYTECODE", "1");
    shell
}

/// A database as the page makes the one of that name.
fn database(name: &str) -> (Store, Session) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let cluster = Cluster::shared();
    let database = format!("{name}_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    printed(&mut as_on_the_page(cluster.command("sh"), &format!("createdb {name}"), &[(name, Path::new(&database))]));
    let store = Store { target: Target::Ours, database, cluster };
    let session = store.superuser();
    (store, session)
}

fn account_service_on_postgres(store: &Store) -> Command {
    let python = dependencies().join("python/bin/python");
    let places = [("bank", Path::new(&store.database)), ("venv/bin/python", &python)];
    as_on_the_page(store.cluster.command("sh"), "main.py postgres", &places)
}

fn account_service_on_sqlite(file: &Path) -> Command {
    let library = sqlite_library();
    let places = [
        ("bank.db", file),
        ("target/release/libmessage_store_sqlite", &library),
        ("python3", Path::new("/usr/bin/python3")),
    ];
    as_on_the_page(Command::new("sh"), "main.py sqlite", &places)
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
    let (store, mut session) = database("bank");
    assert_eq!(printed(&mut account_service_on_postgres(&store)), shown("main.py postgres"));
    // What it does again has been done.
    let again = printed(&mut account_service_on_postgres(&store));
    assert!(again.ends_with("ada has 20\ngrace has 50\n"), "{again}");
    left_by_the_account_service(&mut session);
}

#[test]
fn the_account_service_on_postgres_four_times_at_once() {
    let (store, mut session) = database("bank");
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
    let (store, mut session) = database("accounts");
    let mut node = as_on_the_page(store.cluster.command("sh"), "group.js", &[("accounts", Path::new(&store.database))]);
    node.env("NODE_PATH", dependencies().join("node/node_modules"));
    assert_eq!(printed(&mut node), shown("group.js"));

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
fn cargo_run(command: &str, target: &str, places: &[(&str, &Path)]) -> Command {
    let program = std::env::current_exe().expect("a program");
    let built = program.ancestors().nth(3).expect("the target folder").join(target);
    let mut cargo = as_on_the_page(Command::new("sh"), command, places);
    cargo.env("CARGO_TARGET_DIR", built);
    cargo
}

#[test]
fn a_rust_program_with_the_crate_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("desk.db");
    let run = || printed(&mut cargo_run("examples/rust", "", &[("desk.db", &file)]));
    assert_eq!(run(), shown("examples/rust"));
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
    let command = "examples/replicated-sqlite";
    assert_eq!(printed(&mut cargo_run(command, "replicated", &[("nodes", folder.path())])), shown(command));
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
