//! What the owner of a namespace puts in the place of its tables is not run with the rights of whoever moves it.

mod common;

use common::{file_url, ok, run, url};
use message_store_tests::{Store, Target};

/// A store in which the role `tenant`, which may create namespaces, waits for a superuser.
fn store_with_tenant() -> Store {
    let store = Store::fresh(Target::Ours);
    let mut superuser = store.superuser();
    superuser.ok("DO $$ BEGIN CREATE ROLE tenant LOGIN; EXCEPTION WHEN duplicate_object THEN END $$");
    superuser.ok(&format!("GRANT CREATE ON DATABASE {} TO tenant", store.database));
    superuser.ok("GRANT USAGE ON SCHEMA message_store TO tenant; GRANT INSERT ON message_store.namespaces TO tenant");
    store
}

#[test]
fn a_view_or_rule_in_the_place_of_a_table_is_not_run() {
    let store = store_with_tenant();
    let mut tenant = store.session_as("tenant");
    let mut superuser = store.superuser();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| file_url(&folder.path().join(name));
    superuser.ok("SELECT write_message(NULL, 'account-1', 'Opened', '{}'); SELECT delete_stream('account-1')");
    superuser.ok("SELECT write_message(NULL, 'account-2', 'Opened', '{}')");
    superuser.ok("SELECT record_consumer_position('account', 'totals', 1)");
    let bank = file("bank.db");
    ok(&["copy", &url(&store, "message_store"), &bank]);
    let view =
        |table: &str, columns: &str| format!("DROP TABLE {{}}.{table}; CREATE VIEW {{}}.{table} AS SELECT {columns}");
    let rule = |table: &str| format!("CREATE RULE trap AS ON INSERT TO {{}}.{table} DO ALSO SELECT {{}}.trap()");
    let traps = [
        view("consumer_positions", "'a'::text AS category, 'c'::text AS consumer, {}.trap() AS position, now()::timestamp AS time"),
        view("stream_heads", "'a-1'::text AS stream_name, {}.trap() AS position"),
        "ALTER TABLE {}.messages RENAME TO kept; CREATE VIEW {}.messages AS SELECT {}.trap() AS global_position, position, time, \
         stream_name, type, data, metadata, id FROM {}.kept"
            .to_owned(),
        "ALTER TABLE {}.messages ALTER global_position DROP DEFAULT; DROP SEQUENCE {}.messages_global_position_seq; \
         CREATE VIEW {}.messages_global_position_seq AS SELECT {}.trap() AS last_value, 0::bigint AS log_cnt, true AS is_called"
            .to_owned(),
        rule("stream_heads"),
        rule("consumer_positions"),
        "ALTER TABLE {}.stream_heads ALTER position TYPE text; CREATE FUNCTION {}.greatest_of(text, bigint) RETURNS boolean \
         LANGUAGE sql AS 'SELECT {}.trap() = 1'; CREATE OPERATOR {}.= (LEFTARG = text, RIGHTARG = bigint, \
         FUNCTION = {}.greatest_of)"
            .to_owned(),
    ];
    for (number, trap) in traps.iter().enumerate() {
        let namespace = format!("evil-{number}");
        let here = |sql: &str| sql.replace("{}", &format!("\"{namespace}\""));
        let evil = url(&store, &namespace);
        ok(&["copy", &bank, &evil.replace("postgres@", "tenant@"), "--create-namespace"]);
        tenant.ok(&here(
            "CREATE FUNCTION {}.trap() RETURNS bigint LANGUAGE plpgsql AS \
            'BEGIN ALTER ROLE tenant SUPERUSER; RETURN 1; EXCEPTION WHEN insufficient_privilege THEN RETURN 1; END'",
        ));
        tenant.ok(&here(trap));
        let (copy, export) = (file(&format!("{number}.db")), folder.path().join(format!("{number}.jsonl")));
        let export = export.display().to_string();
        let mut refused = Vec::new();
        for arguments in [
            &["copy", &evil, &copy][..],
            &["export", &evil, &export],
            &["verify", &evil, &bank],
            &["copy", &bank, &evil],
            &["tail", &evil, "--no-follow"],
            &["tail", &evil, "--no-follow", "--from", "1"],
            &["stats", &evil],
        ] {
            let ended = run(arguments);
            let is_super = superuser.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'tenant'");
            assert_eq!(is_super.as_deref(), Some("f"), "{trap}: {arguments:?}: {ended:?}");
            if ended.err.contains(&format!("Not a message store: {namespace}")) {
                refused.push(arguments[0]);
            }
        }
        assert!(refused.contains(&"copy"), "{trap}: {refused:?}");
    }
}

#[test]
fn a_table_of_somebody_else_s_is_refused() {
    let store = store_with_tenant();
    let mut superuser = store.superuser();
    superuser.ok("SELECT create_namespace('kept')");
    let folder = tempfile::tempdir().expect("a folder");
    let target = file_url(&folder.path().join("kept.db"));
    for table in ["stream_heads", "consumer_positions", "messages"] {
        superuser.ok(&format!("ALTER TABLE kept.{table} OWNER TO tenant"));
        let ended = run(&["copy", &url(&store, "kept"), &target]);
        assert_eq!(ended.code, Some(3), "{table}: {ended:?}");
        assert!(ended.err.contains("Namespace is not owned by its recorded owner: kept"), "{table}: {ended:?}");
        superuser.ok(&format!("ALTER TABLE kept.{table} OWNER TO postgres"));
    }
    ok(&["copy", &url(&store, "kept"), &target]);
}

#[test]
fn what_row_security_hides_is_not_left_out_in_silence() {
    let store = store_with_tenant();
    let mut superuser = store.superuser();
    superuser.ok("SELECT write_message(NULL, 'account-1', 'Opened', '{}')");
    superuser.ok("GRANT SELECT ON ALL TABLES IN SCHEMA message_store TO tenant");
    superuser.ok("GRANT SELECT ON ALL SEQUENCES IN SCHEMA message_store TO tenant");
    let as_tenant = url(&store, "message_store").replace("postgres@", "tenant@");
    assert!(ok(&["export", &as_tenant]).contains("account-1"));
    superuser.ok("ALTER TABLE messages ENABLE ROW LEVEL SECURITY");
    let ended = run(&["export", &as_tenant]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("query would be affected by row-level security policy"), "{ended:?}");
}
