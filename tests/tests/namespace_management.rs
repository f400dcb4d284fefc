//! Who may manage namespaces, and what they may be called.

use message_store_tests::namespaces::{Tenants, count, tenants};
use message_store_tests::{Session, Store, Target, calls, literal};

#[test]
fn others_namespaces_are_not_managed() {
    let Tenants { store, a, b } = tenants();
    for (role, other) in [(&a, "tenant-b"), (&b, "tenant-a"), (&b, "tenant-b"), (&a, "message_store")] {
        let mut session = store.session_as(role);
        for call in [
            format!("SELECT message_store.clear_namespace('{other}')"),
            format!("SELECT message_store.grant_namespace('{other}', '{role}', 'write')"),
            format!("SELECT message_store.revoke_namespace('{other}', 'message_store')"),
            format!("SELECT * FROM message_store.get_namespace('{other}')"),
        ] {
            assert_eq!(session.error(&call).sqlstate, "42501", "{role}: {call}");
        }
        if other != "message_store" {
            for cascade in ["false", "true"] {
                let call = format!("SELECT message_store.delete_namespace('{other}', {cascade})");
                assert_eq!(session.error(&call).sqlstate, "42501", "{role}: {call}");
            }
        }
    }
    // Who may create nothing in the database creates no namespace either, nor registers somebody else's schema.
    let mut session = store.session_as(&b);
    assert_eq!(session.error("SELECT message_store.create_namespace('tenant-c')").sqlstate, "42501");
    store.superuser().ok("CREATE SCHEMA other; CREATE TABLE other.messages (LIKE message_store.messages)");
    let failure = store.session_as(&a).error("SELECT message_store.register_namespace('other')");
    assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("42501", "must be owner of schema other"));
    let namespaces = "SELECT string_agg(name, ' ' ORDER BY name) FROM message_store.namespaces";
    assert_eq!(store.superuser().value(namespaces).as_deref(), Some("tenant-a tenant-b"));
}

/// Each change makes every connection of the database read the registry again.
#[test]
fn only_the_registry_says_that_it_has_changed() {
    let Tenants { store, a, .. } = tenants();
    let mut session = store.session_as(&a);
    session.ok("CREATE TEMPORARY TABLE mine (n int)");
    session.ok("CREATE TRIGGER t AFTER INSERT ON mine EXECUTE FUNCTION message_store.registry_changed()");
    let failure = session.error("INSERT INTO mine VALUES (1)");
    failure.assert_clean();
    let expected = "function \"registry_changed\" was not called by a trigger on message_store.namespaces";
    assert_eq!((failure.sqlstate.as_str(), failure.message.as_str()), ("39P01", expected));
}

#[test]
fn token_hashes_are_for_the_registry_s_owner() {
    let Tenants { store, a, b } = tenants();
    let mut superuser = store.superuser();
    superuser.ok("SELECT create_namespace('secret', 'the hash', 'a description', '{\"plan\": 1}')");
    superuser.ok(&format!("SELECT grant_namespace('secret', '{b}')"));
    let found = superuser.rows("SELECT name, token_hash, description, metadata FROM get_namespace('secret')");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found, [[text("secret"), text("the hash"), text("a description"), text("{\"plan\": 1}")]]);

    let mut session = store.session_as(&b);
    for read in [
        "SELECT * FROM message_store.get_namespace('secret')",
        "SELECT name FROM message_store.get_namespace('tenant-b')",
        "SELECT token_hash FROM message_store.namespaces",
        "SELECT * FROM message_store.namespaces",
        "SELECT count(*) FROM message_store.namespaces WHERE token_hash = 'the hash'",
    ] {
        let failure = session.error(read);
        assert_eq!(failure.sqlstate, "42501", "{read}: {failure}");
        assert!(!failure.to_string().contains("the hash"), "{failure}");
    }
    assert_eq!(session.number("SELECT count(name) FROM message_store.namespaces"), 3);
    for change in [
        "UPDATE message_store.namespaces SET owner = 'postgres'",
        "DELETE FROM message_store.namespaces",
        "TRUNCATE message_store.namespaces",
        "INSERT INTO message_store.namespaces (name, owner) VALUES ('x', 'postgres')",
    ] {
        assert_eq!(session.error(change).sqlstate, "42501", "{change}");
    }

    let names = |session: &mut Session| {
        let rows = session.rows("SELECT name FROM message_store.list_namespaces()");
        rows.into_iter().map(|mut row| row[0].take().expect("a name")).collect::<Vec<_>>()
    };
    assert_eq!(names(&mut session), ["message_store", "secret", "tenant-b"]);
    assert_eq!(names(&mut store.session_as(&a)), ["message_store", "tenant-a"]);
    assert_eq!(names(&mut superuser), ["message_store", "secret", "tenant-a", "tenant-b"]);
    let columns = session.run("SELECT * FROM message_store.list_namespaces()").result.expect("rows").columns;
    assert_eq!(columns, ["name", "description", "metadata", "created_at"]);
}

#[test]
fn a_bad_name_never_reaches_ddl() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    session.ok("CREATE FUNCTION public.tell() RETURNS event_trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE NOTICE 'ddl: %', tg_tag; END $$;
                CREATE EVENT TRIGGER tell ON ddl_command_start EXECUTE FUNCTION public.tell()");
    let told = |notices: &[(String, String)]| notices.iter().any(|(_, text)| text.starts_with("ddl: "));
    let good = session.run("SELECT create_namespace('good')");
    assert!(good.result.is_ok() && told(&good.notices), "the trigger tells of DDL");
    session.ok("SELECT delete_namespace('good')");

    let (long, longest) = ("x".repeat(64), "x".repeat(63));
    let mut names =
        vec!["Tenant A", "../x", "tenant a", "a.b", "a\"b", "a'b", "a;DROP SCHEMA public", "\u{e9}", "-a", "_a", ""];
    names.extend([
        "public",
        "pg_temp",
        "pg_catalog",
        "pg_x",
        "information_schema",
        "main",
        "temp",
        "A",
        "a\nb",
        "a\\b",
        "$user",
    ]);
    names.push(&long);
    for name in names {
        let argument = literal::text(name);
        let mut statements: Vec<String> = ["create", "register", "delete", "clear"]
            .map(|function| format!("SELECT {function}_namespace({argument})"))
            .into();
        statements.push(format!("SELECT * FROM get_namespace({argument})"));
        statements.push(format!("SELECT grant_namespace({argument}, 'message_store')"));
        statements.push(format!("SELECT revoke_namespace({argument}, 'message_store')"));
        statements.extend(calls::by_argument(&name.replace('\'', "''")));
        for statement in statements {
            let outcome = session.run(&statement);
            let failure = outcome.result.expect_err(&statement);
            failure.assert_clean();
            let message = format!(
                "Invalid namespace name: {name} (1 to 63 bytes of a-z, 0-9, _ and -, starting with a letter or digit, not reserved)"
            );
            assert_eq!((failure.sqlstate.as_str(), failure.message), ("P0001", message), "{statement}");
            assert!(failure.detail.is_none() && failure.hint.is_none(), "{statement}");
            assert!(!told(&outcome.notices), "{statement} reached DDL");
        }
    }
    // Postgres itself lets no NUL into a text.
    let error = session.client().query("SELECT create_namespace($1::varchar)", &[&"a\0b"]).expect_err("refused");
    assert_eq!(error.as_db_error().expect("an error").code().code(), "22021");
    assert_eq!(session.number("SELECT count(*) FROM namespaces"), 0);
    // The longest name there is, and the strangest ones that are allowed, work.
    for name in [longest.as_str(), "0", "a-", "a--b", "select", "1-2_3", "pg"] {
        session.ok(&format!("SELECT create_namespace('{name}')"));
        calls::by_argument(name).iter().for_each(|call| session.ok(call));
        assert_eq!(count(&store, name), 3, "{name}");
    }
}
