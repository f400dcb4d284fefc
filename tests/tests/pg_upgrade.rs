//! pg_upgrade from an older Postgres, which has the extension as well: everything stays, and goes on from where it was.

use message_store_tests::namespaces::{may_create, role};
use message_store_tests::{Cluster, Lacks, Session, Store, Target, catalog, leave_out, older, version};

const SCHEMAS: [&str; 4] = ["message_store", "tenant-a", "tenant-b", "public"];
const NAMESPACES: [&str; 3] = ["message_store", "tenant-a", "tenant-b"];

/// A column, an index, a trigger, a constraint, a view and a grant of the user's.
const USER_OBJECTS: &str = include_str!("dump_restore/user_objects.sql");

/// Roles that own a namespace, and that are let read, write and remove.
struct Roles {
    owner: String,
    reader: String,
    writer: String,
    admin: String,
}

/// Three namespaces in which streams were written, truncated and deleted, positions recorded, and a position was drawn
/// in vain at the end.
fn fill(store: &Store) -> Roles {
    let [owner, reader, writer, admin] = ["owner", "reader", "writer", "admin"].map(|name| role(store, name));
    let mut superuser = store.superuser();
    superuser.ok(USER_OBJECTS);
    may_create(store, &owner);
    store
        .session_as(&owner)
        .ok("SELECT message_store.create_namespace('tenant-a', 'a-hash', 'The first tenant', '{\"plan\": \"large\"}')");
    superuser.ok("SELECT create_namespace('tenant-b')");
    superuser.ok("SELECT set_namespace_option('tenant-b', 'append_lock', 'stream')");
    superuser.ok("SELECT set_namespace_option('tenant-b', 'notify', 'on')");
    for namespace in NAMESPACES {
        for (role, mode) in [(&reader, "read"), (&writer, "write"), (&admin, "admin")] {
            let granting = if namespace == "tenant-a" { &owner } else { "postgres" };
            let grant = format!("SELECT message_store.grant_namespace('{namespace}', '{role}', '{mode}')");
            store.session_as(granting).ok(&grant);
        }
        superuser.ok(&format!(
            "SELECT write_message(NULL, s || '-' || n % 9, 'T', jsonb_build_object('amount', n, 'text', repeat('x', n * n)),
               '{{\"correlationStreamName\": \"order-1\"}}', NULL, '{namespace}')
             FROM generate_series(1, 200) AS n, unnest('{{account,payment}}'::text[]) AS s"
        ));
        superuser.ok(&format!("SELECT delete_stream('account-1', '{namespace}')"));
        superuser.ok(&format!("SELECT truncate_stream('account-2', 10, '{namespace}')"));
        superuser.ok(&format!(
            "SELECT redact_message((SELECT id FROM get_last_stream_message('account-3', NULL, '{namespace}')), '{namespace}')"
        ));
        superuser.ok(&format!("SELECT record_consumer_position('account', 'totals', 150, NULL, '{namespace}')"));
        superuser.ok(&format!(
            "BEGIN; SELECT write_message(NULL, 'account-1', 'T', '{{}}', NULL, NULL, '{namespace}'); ROLLBACK"
        ));
    }
    Roles { owner, reader, writer, admin }
}

type Table = Vec<Vec<Option<String>>>;

/// What there is of a database. From 17 on Postgres counts a member's row type and array type as members, too.
const OF_DATABASE: [&str; 6] = [
    "SELECT * FROM namespaces ORDER BY name",
    "SELECT * FROM public.audit ORDER BY global_position",
    "SELECT * FROM public.large_deposits ORDER BY 1",
    "SELECT nspname, nspowner::regrole, nspacl FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1",
    "SELECT extversion, extconfig::regclass[], extnamespace::regnamespace, extowner::regrole FROM pg_extension
     WHERE extname = 'message_store'",
    "SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend
     WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'message_store')
     AND (classid <> 'pg_type'::regclass OR objid = 'message'::regtype) ORDER BY 1",
];

/// And of each namespace.
const OF_NAMESPACE: [&str; 11] = [
    "SELECT * FROM \"NS\".messages ORDER BY global_position",
    "SELECT last_value, is_called FROM \"NS\".messages_global_position_seq",
    "SELECT * FROM \"NS\".stream_heads ORDER BY 1",
    "SELECT * FROM \"NS\".consumer_positions ORDER BY 1",
    "SELECT * FROM \"NS\".stream_type_summary ORDER BY 1, 2",
    "SELECT * FROM get_all_messages(1, -1, 'NS')",
    "SELECT * FROM get_category_messages('account', 1, -1, 'order', 1, 3, NULL, 'NS')",
    "SELECT *, stream_version(stream_name, 'NS') FROM list_streams(NULL, NULL, 1000, 'NS')",
    "SELECT * FROM list_categories('NS')",
    "SELECT * FROM consumer_positions(NULL, 'NS')",
    "SELECT message_count, stream_count, category_count, last_global_position, last_time FROM stats('NS')",
];

/// Everything that must be as it was.
fn state(session: &mut Session) -> Vec<(String, Table)> {
    let mut state = vec![("the objects".to_owned(), catalog::objects(session, &SCHEMAS))];
    let of_namespaces = NAMESPACES.iter().flat_map(|namespace| OF_NAMESPACE.map(|sql| sql.replace("NS", namespace)));
    for sql in OF_DATABASE.map(str::to_owned).into_iter().chain(of_namespaces) {
        let rows = session.rows(&sql);
        assert!(!rows.is_empty(), "{sql}");
        state.push((sql, rows));
    }
    state
}

/// Writes, in each namespace, go on with the next version and a global position that nobody was ever given.
fn goes_on(store: &Store, roles: &Roles, drawn: &[i64]) {
    for (namespace, drawn) in NAMESPACES.iter().zip(drawn) {
        let write = |stream: &str, version: i64| {
            format!("SELECT message_store.write_message(NULL, '{stream}', 'T', '{{}}', NULL, {version}, '{namespace}')")
        };
        let mut writer = store.session_as(&roles.writer);
        // 200 messages are 23 for the stream 1 and 2, and 22 for the others.
        assert_eq!(writer.number(&write("account-1", 22)), 23, "{namespace}: of a deleted stream");
        assert_eq!(writer.number(&write("account-2", 22)), 23, "{namespace}: of a truncated stream");
        assert_eq!(writer.number(&write("payment-5", 21)), 22, "{namespace}");
        assert_eq!(writer.number(&write("payment-new", -1)), 0, "{namespace}");
        let positions =
            format!("SELECT global_position FROM message_store.get_all_messages({drawn}, -1, '{namespace}')");
        let expected = [1, 2, 3, 4].map(|n| vec![Some((drawn + n).to_string())]);
        assert_eq!(writer.rows(&positions), expected, "{namespace}: beyond what was drawn in vain");

        let mut reader = store.session_as(&roles.reader);
        assert_eq!(reader.error(&write("account-1", 23)).sqlstate, "42501");
        let record = format!("message_store.record_consumer_position('account', 'totals', 300, NULL, '{namespace}')");
        assert_eq!(reader.number(&format!("SELECT {record}")), 300);
        let delete = format!("SELECT message_store.delete_stream('payment-5', '{namespace}')");
        assert_eq!(writer.error(&delete).sqlstate, "42501");
        assert_eq!(store.session_as(&roles.admin).number(&delete), 23);
        assert_eq!(writer.number(&write("payment-5", 22)), 23, "{namespace}: deleted since");
    }
    let mut owner = store.session_as(&roles.owner);
    owner.ok("SELECT message_store.create_namespace('tenant-c')");
    assert_eq!(
        owner.number("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}', NULL, -1, 'tenant-c')"),
        0
    );
    owner.ok("SELECT message_store.delete_namespace('tenant-c')");
    assert_eq!(owner.number("SELECT message_store.clear_namespace('tenant-a')"), 349);
    let mut superuser = store.superuser();
    assert_eq!(superuser.error("DROP EXTENSION message_store").sqlstate, "2BP01", "the stores depend on it");
    superuser.ok("ALTER EXTENSION message_store UPDATE");
}

#[test]
fn pg_upgrade_keeps_everything() {
    let Some((older, from)) = older() else {
        // What is upgraded from is a 15.
        if version() > 15 {
            leave_out(Lacks::Installation, &format!("no Postgres to upgrade from to {} is installed", version()));
        }
        return;
    };
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start_older(&older)));
    let store = Store::fresh_in(cluster, Target::Ours);
    let roles = fill(&store);
    let major = "SELECT current_setting('server_version_num')::int / 10000";
    let mut session = store.superuser();
    assert_eq!(session.number(major), i64::from(from));
    let before = state(&mut session);
    let drawn = NAMESPACES.map(|namespace| {
        session.number(&format!("SELECT last_value FROM \"{namespace}\".messages_global_position_seq"))
    });
    drop(session);

    cluster.upgrade();

    let mut session = store.superuser();
    assert_eq!(session.number(major), i64::from(version()));
    for ((name, before), (_, after)) in before.iter().zip(state(&mut session)) {
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(after, before, "{name}");
        }
        assert_eq!(after, *before, "{name}");
    }
    goes_on(&store, &roles, &drawn);
}
