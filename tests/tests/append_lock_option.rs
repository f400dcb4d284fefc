//! `set_namespace_option(name, 'append_lock', ...)`: who may, whom it waits for, and what it changes.

use message_store_tests::namespaces::{granted, may_create, role, waits};
use message_store_tests::{Session, Store, Target};

fn set(namespace: &str, value: &str) -> String {
    format!("SELECT message_store.set_namespace_option('{namespace}', 'append_lock', '{value}')")
}

fn write(stream: &str) -> String {
    format!("SELECT message_store.write_message(NULL, '{stream}', 'T', '{{}}')")
}

/// What a write holds of advisory locks: their modes.
fn held_by_a_write(session: &mut Session, write: &str) -> Vec<String> {
    session.ok("BEGIN");
    session.ok(write);
    let modes =
        session.rows("SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' ORDER BY mode");
    session.ok("ROLLBACK");
    modes.into_iter().map(|mut row| row[0].take().expect("a mode")).collect()
}

const BY_CATEGORY: [&str; 1] = ["ExclusiveLock"];
const BY_STREAM: [&str; 2] = ["ExclusiveLock", "ShareLock"];

#[test]
fn every_session_follows_the_switch() {
    let store = Store::fresh(Target::Ours);
    let (mut owner, mut writer) = (store.superuser(), store.session());
    let write = write("account-1");
    assert_eq!(held_by_a_write(&mut writer, &write), BY_CATEGORY, "the default");
    for _ in 0..3 {
        assert_eq!(owner.value(&set("message_store", "stream")).as_deref(), Some("stream"));
        assert_eq!(held_by_a_write(&mut writer, &write), BY_STREAM);
        assert_eq!(held_by_a_write(&mut owner, &write), BY_STREAM);
        assert_eq!(owner.value(&set("message_store", "category")).as_deref(), Some("category"));
        assert_eq!(held_by_a_write(&mut writer, &write), BY_CATEGORY);
        assert_eq!(held_by_a_write(&mut owner, &write), BY_CATEGORY);
    }
}

#[test]
fn a_switch_that_is_rolled_back_has_not_been() {
    let store = Store::fresh(Target::Ours);
    let (mut owner, mut writer) = (store.superuser(), store.session());
    let write = write("account-1");
    for (old, new, modes) in [("category", "stream", &BY_CATEGORY[..]), ("stream", "category", &BY_STREAM)] {
        owner.ok(&set("message_store", old));
        assert_eq!(held_by_a_write(&mut writer, &write), modes);
        for end in ["ROLLBACK", "ROLLBACK TO s; COMMIT"] {
            owner.ok(&format!("BEGIN; SAVEPOINT s; {}; {write}; {end}", set("message_store", new)));
            assert_eq!(held_by_a_write(&mut owner, &write), modes, "{end}");
            assert_eq!(held_by_a_write(&mut writer, &write), modes, "{end}");
        }
    }
}

#[test]
fn setting_what_is_set_changes_nothing() {
    let store = Store::fresh(Target::Ours);
    let mut owner = store.superuser();
    let constraints = |owner: &mut Session| {
        owner.rows("SELECT oid, xmin, conname FROM pg_constraint WHERE conrelid = 'messages'::regclass ORDER BY 1")
    };
    for value in ["category", "stream"] {
        owner.ok(&set("message_store", value));
        let before = constraints(&mut owner);
        assert_eq!(owner.value(&set("message_store", value)).as_deref(), Some(value));
        assert_eq!(constraints(&mut owner), before);
    }
}

#[test]
fn it_is_for_the_owner() {
    let store = Store::fresh(Target::Ours);
    let [owner, writer] = ["owner", "writer"].map(|name| role(&store, name));
    may_create(&store, &owner);
    store.session_as(&owner).ok("SELECT message_store.create_namespace('tenant-a')");
    granted(&store, "tenant-b", &writer);
    store.session_as(&owner).ok(&format!("SELECT message_store.grant_namespace('tenant-a', '{writer}', 'write')"));
    store.session_as(&owner).ok(&set("tenant-a", "stream"));
    // Without waiting for those who hold the table.
    let mut holder = store.superuser();
    holder.ok("BEGIN; LOCK TABLE \"tenant-a\".messages, \"tenant-b\".messages, message_store.messages");
    for (role, namespace) in
        [(&writer, "tenant-a"), (&writer, "tenant-b"), (&owner, "tenant-b"), (&owner, "message_store")]
    {
        let mut session = store.session_as(role);
        session.ok("SET lock_timeout = '2s'");
        for value in ["stream", "category"] {
            let failure = session.error(&set(namespace, value));
            failure.assert_clean();
            assert_eq!(failure.sqlstate, "42501", "{namespace}: {failure}");
            assert_eq!(failure.message, format!("must be owner of schema {namespace}"));
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let store = Store::fresh(Target::Ours);
    let mut owner = store.superuser();
    for (arguments, message) in [
        ("'message_store', 'color', 'red'", "Unknown namespace option: color"),
        ("'message_store', NULL, 'red'", "Unknown namespace option: <NULL>"),
        ("'message_store', 'append_lock', 'row'", "Invalid value for append_lock: row (category or stream)"),
        ("'message_store', 'append_lock', 'STREAM'", "Invalid value for append_lock: STREAM (category or stream)"),
        ("'message_store', 'append_lock', NULL", "Invalid value for append_lock: <NULL> (category or stream)"),
        ("'nope', 'append_lock', 'stream'", "Namespace does not exist: nope"),
    ] {
        let failure = owner.error(&format!("SELECT set_namespace_option({arguments})"));
        failure.assert_clean();
        assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("P0001", message));
        assert!(failure.detail.is_none() && failure.hint.is_none(), "{failure}");
    }
    let failure = owner.error("SELECT set_namespace_option(NULL, 'append_lock', 'stream')");
    assert!(failure.message.starts_with("Invalid namespace name: <NULL>"), "{failure}");
}

#[test]
fn it_waits_for_who_is_writing_and_keeps_others_out() {
    let store = Store::fresh(Target::Ours);
    for (value, modes) in [("stream", &BY_STREAM[..]), ("category", &BY_CATEGORY)] {
        for prepare in [false, true] {
            let (mut holder, mut other) = (store.session(), store.session());
            holder.ok(&format!("BEGIN; {}", write("account-1")));
            if prepare {
                holder.ok("PREPARE TRANSACTION 'switch'");
            }
            let set = waits(&store, &mut store.superuser(), &set("message_store", value), || {
                // Queued behind the switch, with the old mode in mind.
                let written = waits(&store, &mut other, &write("account-2"), || {
                    holder.ok(if prepare { "COMMIT PREPARED 'switch'" } else { "COMMIT" });
                });
                assert!(written.value().is_some());
                assert_eq!(held_by_a_write(&mut other, &write("account-2")), modes);
            });
            assert_eq!(set.value().as_deref(), Some(value));
        }
    }
}

/// A reader that began before the switch and reads after it: its statement's snapshot shows the second message of the
/// category, and not the first, which was written earlier and committed later.
#[test]
fn a_reader_that_waited_for_the_switch_misses_nothing() {
    for direct in ["on", "off"] {
        let store = Store::fresh(Target::Ours);
        let mut owner = store.superuser();
        owner.ok(&set("message_store", "stream"));
        let (mut slow, mut quick, mut reader) = (store.session(), store.session(), store.session());
        reader.ok(&format!("SET message_store.direct_access = {direct}"));
        slow.ok(&format!("BEGIN; {}", write("account-1")));
        quick.ok(&write("account-2"));
        let read = "SELECT string_agg(global_position::text, ' ') FROM get_category_messages('account')";
        assert_eq!(reader.value(read), None, "the first is still to come");
        let switched = waits(&store, &mut owner, &set("message_store", "category"), || {
            let seen = waits(&store, &mut reader, read, || slow.ok("COMMIT"));
            assert_eq!(seen.value().as_deref(), Some("1 2"), "direct access {direct}");
        });
        assert!(switched.value().is_some());
    }
}

/// Whoever has read in a transaction that is still open is waited for, too, and others wait behind the switch.
#[test]
fn it_waits_for_who_is_reading() {
    let store = Store::fresh(Target::Ours);
    let mut reader = store.session();
    reader.ok("BEGIN; SELECT * FROM get_category_messages('account')");
    let switched = waits(&store, &mut store.superuser(), &set("message_store", "stream"), || {
        let written = waits(&store, &mut store.session(), &write("account-1"), || reader.ok("COMMIT"));
        assert_eq!(written.value().as_deref(), Some("0"));
    });
    assert_eq!(switched.value().as_deref(), Some("stream"));
}

#[test]
fn it_is_in_every_dump() {
    let store = Store::fresh(Target::Ours);
    let mut superuser = store.superuser();
    superuser.ok("SELECT create_namespace('tenant-a')");
    let names = ["message_store", "tenant-a"];
    names.iter().for_each(|namespace| superuser.ok(&set(namespace, "stream")));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dump");
    let done = |command: &mut std::process::Command| {
        let output = command.output().expect("a program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for schema in [None, Some("tenant-a")] {
        let database = format!("{}_{}", store.database, if schema.is_some() { "schema" } else { "whole" });
        superuser.ok(&format!("CREATE DATABASE {database} TEMPLATE template0"));
        let restored = Store { database, ..store };
        let mut dump = store.cluster.command("pg_dump");
        if let Some(schema) = schema {
            restored.session_as("postgres").ok("CREATE EXTENSION message_store");
            dump.args(["-n", schema]);
        }
        done(dump.args(["--format=custom", "--file"]).arg(&file).arg(&store.database));
        done(store.cluster.command("pg_restore").args(["--exit-on-error", "-d", &restored.database]).arg(&file));
        let mut session = restored.session_as("postgres");
        if let Some(schema) = schema {
            session.ok(&format!("SELECT message_store.register_namespace('{schema}')"));
        }
        let to = |namespace| {
            format!("SELECT message_store.write_message(NULL, 'account-1', 'T', '{}', NULL, NULL, '{namespace}')", "{}")
        };
        assert_eq!(held_by_a_write(&mut session, &to("tenant-a")), BY_STREAM, "{schema:?}");
        let default = if schema.is_some() { &BY_CATEGORY[..] } else { &BY_STREAM };
        assert_eq!(held_by_a_write(&mut session, &to("message_store")), default, "{schema:?}");
    }
}
