//! pg_dump and pg_restore of a store that its owner has added to.

use message_store_tests::{Session, Store, Target, catalog, for_both};
use std::process::{Command, Stdio};

for_both!(
    a_plain_dump_restores_everything,
    a_custom_dump_restores_everything,
    a_custom_dump_restores_in_parallel,
    an_empty_store_restores_to_an_empty_store,
);

/// A column, an index, a trigger, a constraint, a view and a grant of the user's.
const USER_OBJECTS: &str = include_str!("dump_restore/user_objects.sql");

const WRITE: &str = "SELECT write_message(gen_random_uuid()::varchar, 'account-' || n % 7, 'Deposited',
    jsonb_build_object('amount', n), '{\"correlationStreamName\": \"order-1\"}') FROM generate_series(1, 100) AS n";

/// Messages, a gap in the global positions at the end, and the objects.
fn fill(store: &Store) {
    let mut superuser = store.superuser();
    superuser.ok(USER_OBJECTS);
    let mut session = store.session();
    session.ok(WRITE);
    session.ok("BEGIN; SELECT write_message(gen_random_uuid()::varchar, 'account-1', 'T', '{}'); ROLLBACK");
}

/// Everything that must be the same after a restore, as text to compare.
fn state(session: &mut Session) -> Vec<(&'static str, Vec<Vec<Option<String>>>)> {
    const STATE: [(&str, &str); 9] = [
        ("messages", "SELECT * FROM message_store.messages ORDER BY global_position"),
        ("sequence", "SELECT last_value, is_called FROM message_store.messages_global_position_seq"),
        ("read", "SELECT * FROM message_store.get_category_messages('account')"),
        ("group", "SELECT * FROM message_store.get_category_messages('account', 1, 1000, 'order', 0, 3)"),
        ("summary", "SELECT * FROM message_store.category_type_summary"),
        ("audit", "SELECT * FROM public.audit ORDER BY global_position"),
        ("view", "SELECT * FROM public.large_deposits ORDER BY 1"),
        ("schema grants", "SELECT nspacl FROM pg_namespace WHERE nspname = 'message_store'"),
        (
            "triggers and constraints",
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'message_store.messages'::regclass
             UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'message_store.messages'::regclass
             ORDER BY 1",
        ),
    ];
    session.ok("SET search_path = message_store, public");
    STATE.map(|(name, sql)| (name, session.rows(sql))).into()
}

/// A database to restore into. The roles are the cluster's.
fn empty_database(store: &Store) -> Store {
    let database = format!("{}_restored", store.database);
    store.superuser().ok(&format!("CREATE DATABASE {database} TEMPLATE template0"));
    Store { database, ..*store }
}

/// Runs what must succeed and say nothing.
fn silently(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("a program");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.is_empty(), "{command:?}: {}\n{printed}", output.status);
}

/// Dumps with `dump` and restores with `restore`, both given a file's path, and compares.
fn check(store: &Store, format: &str, restore: impl Fn(&Store, &str)) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dump");
    let file = file.to_str().expect("a path");
    silently(store.cluster.command("pg_dump").args(["--format", format, "--file", file, &store.database]));
    let restored = empty_database(store);
    restore(&restored, file);

    assert_eq!(catalog::read(&restored), catalog::read(store));
    let (before, after) = (state(&mut store.superuser()), state(&mut restored.superuser()));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after, before);
    }
    goes_on(store, &restored);
}

/// The next write of an ordinary client gets the same positions in both, and fires the trigger in both.
fn goes_on(store: &Store, restored: &Store) {
    let next = |store: &Store| {
        let mut session = store.session();
        session.ok("SELECT write_message('00000000-0000-4000-8000-000000000009', 'account-1', 'Next', '{}')");
        let position = "SELECT position, global_position FROM get_last_stream_message('account-1')";
        (session.rows(position), store.superuser().rows("SELECT count(*), max(global_position) FROM public.audit"))
    };
    assert_eq!(next(restored), next(store));
}

fn restore_plain(restored: &Store, file: &str) {
    let mut psql = restored.cluster.command("psql");
    silently(psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", file, &restored.database]));
}

fn restore_custom(restored: &Store, file: &str) {
    silently(restored.cluster.command("pg_restore").args(["--exit-on-error", "-d", &restored.database, file]));
}

fn a_plain_dump_restores_everything(store: &Store) {
    fill(store);
    check(store, "plain", restore_plain);
}

fn a_custom_dump_restores_everything(store: &Store) {
    fill(store);
    check(store, "custom", restore_custom);
}

fn a_custom_dump_restores_in_parallel(store: &Store) {
    fill(store);
    check(store, "custom", |restored, file| {
        let mut command = restored.cluster.command("pg_restore");
        silently(command.args(["--exit-on-error", "--jobs=2", "-d", &restored.database, file]));
    });
}

fn an_empty_store_restores_to_an_empty_store(store: &Store) {
    store.superuser().ok(USER_OBJECTS);
    check(store, "custom", restore_custom);
    assert_eq!(store.session().number("SELECT global_position FROM messages"), 1);
}

/// What psql's user sees: the extension is there, and the table is the user's, no member of it.
#[test]
fn a_restored_store_of_ours_is_the_extension_s_with_a_table_of_its_own() {
    let store = Store::fresh(Target::Ours);
    fill(&store);
    check(&store, "custom", restore_custom);
    let restored = Store { database: format!("{}_restored", store.database), ..store };
    for store in [&store, &restored] {
        let mut session = store.session_as("postgres");
        assert_eq!(session.number("SELECT count(*) FROM pg_extension WHERE extname = 'message_store'"), 1);
        let members =
            "SELECT count(*) FROM pg_depend WHERE deptype = 'e' AND classid = 'pg_class'::regclass AND objid IN
            ('message_store.messages'::regclass, 'message_store.messages_global_position_seq'::regclass)";
        assert_eq!(session.number(members), 0);
    }
}
