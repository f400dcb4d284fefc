//! pg_dump and pg_restore of namespaces: of a whole database, and of one schema into another database.

use message_store_tests::namespaces::{granted, may_create, role};
use message_store_tests::{Session, Store, Target, calls};
use std::process::{Command, Stdio};

const NAMESPACES: [&str; 4] = ["message_store", "tenant-a", "tenant-b", "tenant_c"];

/// A database of three namespaces: one of an owner of its own, two of the superuser's, all with objects of the user's.
struct Filled {
    store: Store,
    owner: String,
    guest: String,
}

fn filled() -> Filled {
    let store = Store::fresh(Target::Ours);
    let [owner, guest] = ["owner", "guest"].map(|name| role(&store, name));
    may_create(&store, &owner);
    store
        .session_as(&owner)
        .ok("SELECT message_store.create_namespace('tenant-a', 'hash of a', 'The first', '{\"plan\": \"large\"}')");
    granted(&store, "tenant-b", &guest);
    granted(&store, "tenant_c", &guest);
    let mut superuser = store.superuser();
    superuser.ok(include_str!("namespace_dump/user_objects.sql"));
    superuser.ok("GRANT SELECT (token_hash) ON namespaces TO message_store");
    for (n, namespace) in NAMESPACES.iter().enumerate() {
        superuser.ok(&format!(
            "SELECT write_message(gen_random_uuid()::varchar, 'account-' || n % 7, 'Deposited', jsonb_build_object('amount', n),
                 '{{\"correlationStreamName\": \"order-1\"}}', NULL, '{namespace}') FROM generate_series(1, {}) AS n",
            20 + 10 * n
        ));
        // A gap at the end of the global positions.
        superuser.ok(&format!(
            "BEGIN; SELECT write_message(NULL, 'account-1', 'T', '{{}}', NULL, NULL, '{namespace}'); ROLLBACK"
        ));
    }
    Filled { store, owner, guest }
}

fn empty_database(store: &Store, suffix: &str) -> Store {
    let database = format!("{}_{suffix}", store.database);
    store.superuser().ok(&format!("CREATE DATABASE {database} TEMPLATE template0"));
    Store { database, ..*store }
}

/// Runs what must succeed and say nothing.
fn silently(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("a program");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.is_empty(), "{command:?}: {}\n{printed}", output.status);
}

type Rows = Vec<Vec<Option<String>>>;

/// Everything in a namespace's schema, with the owners and privileges.
fn namespace_state(session: &mut Session, namespace: &str) -> Vec<(String, Rows)> {
    let schema = format!("'\"{namespace}\"'::regnamespace");
    let table = format!("'\"{namespace}\".messages'::regclass");
    let queries = [
        ("messages", format!("SELECT * FROM \"{namespace}\".messages ORDER BY global_position")),
        ("sequence", format!("SELECT last_value, is_called FROM \"{namespace}\".messages_global_position_seq")),
        ("read", format!("SELECT * FROM message_store.get_category_messages('account', 1, 1000, 'order', 0, 3, NULL, '{namespace}')")),
        ("streams", format!("SELECT * FROM message_store.list_streams(NULL, NULL, 100, '{namespace}')")),
        ("summary", format!("SELECT * FROM \"{namespace}\".category_type_summary")),
        ("schema", format!("SELECT nspowner::regrole, nspacl FROM pg_namespace WHERE oid = {schema}")),
        (
            "relations",
            format!(
                "SELECT relname, relkind, relowner::regrole, relacl, relrowsecurity, pg_get_indexdef(i.indexrelid), obj_description(c.oid)
                 FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid WHERE relnamespace = {schema} ORDER BY relname"
            ),
        ),
        (
            "columns",
            format!(
                "SELECT attname, atttypid::regtype, attnotnull, pg_get_expr(adbin, adrelid) FROM pg_attribute
                 LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = {table} AND attnum > 0 ORDER BY attnum"
            ),
        ),
        (
            "rules",
            format!(
                "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = {table}
                 UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {table}
                 UNION ALL SELECT concat_ws(' ', polname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
                     FROM pg_policy WHERE polrelid = {table} ORDER BY 1"
            ),
        ),
    ];
    queries.map(|(name, sql)| (format!("{namespace}: {name}"), session.rows(&sql))).into()
}

fn state(store: &Store) -> Vec<(String, Rows)> {
    let mut session = store.session_as("postgres");
    let mut state: Vec<_> = NAMESPACES.iter().flat_map(|namespace| namespace_state(&mut session, namespace)).collect();
    for (name, sql) in [
        ("registry", "SELECT * FROM message_store.namespaces ORDER BY name"),
        ("registry's privileges", "SELECT relacl FROM pg_class WHERE oid = 'message_store.namespaces'::regclass"),
        (
            "registry's columns",
            "SELECT attname, attacl FROM pg_attribute WHERE attrelid = 'message_store.namespaces'::regclass ORDER BY 1",
        ),
        ("audit", "SELECT * FROM \"tenant-b\".audit ORDER BY 1"),
        ("list", "SELECT * FROM message_store.list_namespaces()"),
    ] {
        state.push((name.into(), session.rows(sql)));
    }
    state
}

fn assert_equal(restored: &[(String, Rows)], original: &[(String, Rows)]) {
    for (restored, original) in restored.iter().zip(original) {
        assert_eq!(restored, original);
    }
    assert_eq!(restored.len(), original.len());
}

/// What the roles may do and what the objects do is the same afterwards.
fn goes_on(Filled { store, owner, guest }: &Filled) {
    let mut session = store.session_as(owner);
    let write = |namespace: &str, stream: &str| {
        format!("SELECT message_store.write_message(NULL, '{stream}', 'T', '{{}}', NULL, NULL, '{namespace}')")
    };
    session.ok(&write("tenant-a", "account-1"));
    assert_eq!(
        session.value("SELECT note FROM \"tenant-a\".messages ORDER BY global_position DESC LIMIT 1").as_deref(),
        Some("noted")
    );
    assert_eq!(session.error(&write("tenant-b", "account-1")).sqlstate, "42501");

    let mut session = store.session_as(guest);
    session.ok(&write("tenant-b", "account-1"));
    let audited = session.number("SELECT max(global_position) FROM \"tenant-b\".audit");
    assert_eq!(session.number("SELECT max(global_position) FROM \"tenant-b\".messages"), audited);
    session.ok(&write("tenant_c", "account-1"));
    let failure = session.error(&write("tenant_c", "order-1"));
    assert_eq!(failure.message, "new row violates row-level security policy for table \"messages\"");
    assert_eq!(session.error(&write("tenant-a", "account-1")).sqlstate, "42501");
    for (namespace, last) in [("tenant-a", 32), ("tenant-b", 42), ("tenant_c", 52)] {
        let read = format!("SELECT max(global_position) FROM message_store.get_all_messages(1, -1, '{namespace}')");
        assert_eq!(store.superuser().number(&read), last, "{namespace}: the sequence goes on");
    }
    store.superuser().ok("SELECT create_namespace('another'); SELECT delete_namespace('another')");
}

fn check(format: &str, restore: impl Fn(&Store, &str)) {
    let filled = filled();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dump");
    let file = file.to_str().expect("a path");
    let Filled { store, owner, guest } = &filled;
    silently(store.cluster.command("pg_dump").args(["--format", format, "--file", file, &store.database]));
    let restored = empty_database(store, "restored");
    restore(&restored, file);
    assert_equal(&state(&restored), &state(store));
    // Dumping the restored one gives the same again.
    let again = folder.path().join("again");
    silently(
        restored.cluster.command("pg_dump").args(["--format", "plain", "--file"]).arg(&again).arg(&restored.database),
    );
    let first = folder.path().join("first");
    silently(store.cluster.command("pg_dump").args(["--format", "plain", "--file"]).arg(&first).arg(&store.database));
    // Newer releases of pg_dump guard each dump with a word of its own.
    let read = |path| -> Vec<String> {
        let text = std::fs::read_to_string(path).expect("a dump");
        let guard = |line: &&str| line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
        text.lines().filter(|line| !guard(line)).map(str::to_owned).collect()
    };
    let (first, again) = (read(first), read(again));
    for (n, (first, again)) in first.iter().zip(&again).enumerate() {
        assert_eq!(again, first, "line {n} of the dump of the restored database");
    }
    assert_eq!(again.len(), first.len());
    goes_on(&Filled { store: restored, owner: owner.clone(), guest: guest.clone() });
}

#[test]
fn a_plain_dump_restores_every_namespace() {
    check("plain", |restored, file| {
        let mut psql = restored.cluster.command("psql");
        silently(psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", file, &restored.database]));
    });
}

#[test]
fn a_custom_dump_restores_every_namespace_in_parallel() {
    check("custom", |restored, file| {
        let mut command = restored.cluster.command("pg_restore");
        silently(command.args(["--exit-on-error", "--jobs=2", "-d", &restored.database, file]));
    });
}

/// One tenant moves to another database.
#[test]
fn a_dumped_schema_is_registered_in_another_database() {
    let Filled { store, owner, guest } = filled();
    let folder = tempfile::tempdir().expect("a folder");
    for (namespace, role) in [("tenant-a", &owner), ("tenant-b", &guest), ("tenant_c", &guest)] {
        let file = folder.path().join(namespace);
        let mut dump = store.cluster.command("pg_dump");
        silently(dump.args(["-n", namespace, "--format=custom", "--file"]).arg(&file).arg(&store.database));
        let target = empty_database(&store, &namespace.replace('-', "_"));
        target.session_as("postgres").ok("CREATE EXTENSION message_store");
        silently(target.cluster.command("pg_restore").args(["--exit-on-error", "-d", &target.database]).arg(&file));

        let mut session = target.session_as("postgres");
        session.ok(&format!("GRANT USAGE ON SCHEMA message_store TO {role}"));
        let mut user = target.session_as(role);
        for call in calls::by_argument(namespace) {
            let failure = user.error(&call);
            assert_eq!(failure.message, format!("Namespace does not exist: {namespace}"), "not yet registered");
        }
        if namespace == "tenant-a" {
            // Its own owner registers it, once it may write to the registry.
            session.ok(&format!("GRANT INSERT ON message_store.namespaces TO {owner}"));
            user.ok("SELECT message_store.register_namespace('tenant-a', 'a new hash')");
        } else {
            session.ok(&format!("SELECT message_store.register_namespace('{namespace}')"));
        }
        let mut original = store.session_as("postgres");
        assert_equal(&namespace_state(&mut session, namespace), &namespace_state(&mut original, namespace));
        user.ok(&calls::by_argument(namespace)[0]);
        let recorded = format!("SELECT owner FROM message_store.namespaces WHERE name = '{namespace}'");
        assert_eq!(session.value(&recorded), original.value(&recorded));
        session.ok(&format!("SELECT message_store.delete_namespace('{namespace}', true)"));
    }
}
