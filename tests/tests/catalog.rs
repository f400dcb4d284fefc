//! The schema: what clients, and people with their own SQL, find in the system catalogs.

use message_store_tests::{Store, Target, catalog, for_both, golden};
use serde_json::{Value, json};

for_both!(
    functions_have_message_db_s_names_arguments_and_properties,
    table_indexes_type_and_views_are_message_db_s,
    the_role_is_granted_what_message_db_grants,
    the_table_owns_its_sequence,
);

/// The functions that ours gives a last argument `namespace`.
const WITH_NAMESPACE: [&str; 6] = [
    "acquire_lock",
    "get_category_messages",
    "get_last_stream_message",
    "get_stream_messages",
    "stream_version",
    "write_message",
];

/// `function` as Message DB declares it, with the argument that ours adds.
fn with_namespace(mut function: Value) -> Value {
    let append = |field: &mut Value, argument: &str| {
        *field = format!("{}, {argument}", field.as_str().expect("text")).into();
    };
    append(&mut function["identity_args"], "namespace character varying");
    append(&mut function["args"], "namespace character varying DEFAULT NULL::character varying");
    function["arg_types"].as_array_mut().expect("types").push("character varying".into());
    function["n_defaults"] = json!(function["n_defaults"].as_i64().expect("a number") + 1);
    function
}

fn functions_have_message_db_s_names_arguments_and_properties(store: &Store) {
    let found = catalog::read(store);
    let found = found["functions"].as_array().expect("functions");
    let golden = golden::file("catalog.json");
    let golden = golden["functions"].as_array().expect("functions");
    assert_eq!(golden.len(), 12);
    for function in golden {
        let name = &function["name"];
        let of_that_name: Vec<&Value> = found.iter().filter(|f| f["name"] == *name).collect();
        let extended = store.target == Target::Ours && WITH_NAMESPACE.iter().any(|f| name == f);
        let expected = if extended { with_namespace(function.clone()) } else { function.clone() };
        // One, since an overload would make calls with untyped arguments ambiguous.
        assert_eq!(of_that_name, [&expected]);
    }
    if store.target == Target::Genuine {
        assert_eq!(found.len(), golden.len());
    }
}

fn table_indexes_type_and_views_are_message_db_s(store: &Store) {
    let (found, golden) = (catalog::read(store), golden::file("catalog.json"));
    for section in ["columns", "indexes", "message_type", "views"] {
        assert_eq!(found[section], golden[section], "{section}");
    }
}

fn the_role_is_granted_what_message_db_grants(store: &Store) {
    let (found, golden) = (catalog::read(store), golden::file("catalog.json"));
    let found = found["grants"].as_array().expect("grants");
    for grant in golden["grants"].as_array().expect("grants") {
        assert!(found.contains(grant), "{grant} is not among {found:?}");
    }
    let mut session = store.session_as("postgres");
    let schema = "SELECT has_schema_privilege('message_store', 'message_store', $$USAGE$$)
        AND NOT has_schema_privilege('message_store', 'message_store', $$CREATE$$)";
    assert_eq!(session.value(schema).as_deref(), Some("t"));
    let refused = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'message_store'::regnamespace
        AND NOT has_function_privilege('message_store', oid, 'EXECUTE')";
    assert_eq!(session.number(refused), 0);
}

fn the_table_owns_its_sequence(store: &Store) {
    let mut session = store.session_as("postgres");
    let owned = session.value("SELECT pg_get_serial_sequence('message_store.messages', 'global_position')");
    assert_eq!(owned.as_deref(), Some("message_store.messages_global_position_seq"));
    let sequence = "SELECT increment_by, start_value, min_value, cache_size, cycle FROM pg_sequences
        WHERE schemaname = 'message_store' AND sequencename = 'messages_global_position_seq'";
    let expected = ["1", "1", "1", "1", "f"].map(|value| Some(value.to_owned()));
    assert_eq!(session.rows(sequence), [expected]);

    session.ok("SET search_path = message_store; SELECT write_message(gen_random_uuid()::varchar, 'a-1', 'T', '{}')");
    session.ok("TRUNCATE messages RESTART IDENTITY");
    session.ok("SELECT write_message(gen_random_uuid()::varchar, 'a-1', 'T', '{}')");
    assert_eq!(session.number("SELECT global_position FROM messages"), 1);
}
