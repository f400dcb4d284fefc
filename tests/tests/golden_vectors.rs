//! The pure functions against vectors that were read off genuine Message DB, through SQL.

use message_store_tests::{Session, Store, for_both, golden, literal};
use serde_json::Value;

for_both!(
    name_functions_agree_with_the_vectors,
    hashes_and_locks_agree_with_the_vectors,
    consumer_group_members_agree_with_the_vectors,
    jsonb_text_is_what_a_message_returns,
    ids_are_stored_canonically,
);

fn vectors(name: &str) -> Vec<Value> {
    let vectors = golden::file("utility.json")[name].as_array().unwrap_or_else(|| panic!("no vectors {name}")).clone();
    assert!(vectors.len() >= 25, "{name} has only {} vectors", vectors.len());
    vectors
}

/// Compares `function` of every vector's input, as text, with its output.
fn check(session: &mut Session, function: &str) {
    for vector in vectors(function) {
        let input = literal::typed(vector["in"].as_str(), "varchar");
        let got = session.value(&format!("SELECT ({function}({input}))::text"));
        let expected = match &vector["out"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        assert_eq!(got, expected, "{function}({input})");
    }
}

fn name_functions_agree_with_the_vectors(store: &Store) {
    let mut session = store.session();
    for function in ["category", "id", "cardinal_id", "is_category"] {
        check(&mut session, function);
    }
}

fn hashes_and_locks_agree_with_the_vectors(store: &Store) {
    let mut session = store.session();
    check(&mut session, "hash_64");
    check(&mut session, "acquire_lock");
}

fn consumer_group_members_agree_with_the_vectors(store: &Store) {
    let mut session = store.session();
    let vectors = vectors("consumer_group_member");
    for vector in &vectors {
        let stream = literal::typed(vector["stream_name"].as_str(), "varchar");
        let size = &vector["size"];
        let got = session.value(&format!("SELECT mod(@hash_64(cardinal_id({stream})), {size})"));
        assert_eq!(got, vector["member"].as_i64().map(|m| m.to_string()), "{stream} in a group of {size}");
    }
    // The functions agree; so must the reads, for what can be written at all.
    for (number, vector) in vectors.iter().step_by(40).enumerate() {
        let (Some(stream), Some(size)) = (vector["stream_name"].as_str(), vector["size"].as_i64()) else { continue };
        let (name, id) = (literal::text(stream), format!("00000000-0000-4000-8000-{number:012}"));
        session.ok(&format!("SELECT write_message('{id}', {name}, 'T', '{{}}')"));
        for member in [0, size / 2, vector["member"].as_i64().unwrap_or(size - 1)] {
            let call = format!("get_category_messages(category({name}), 1, -1, NULL, {member}, {size})");
            let found = session.number(&format!("SELECT count(*) FROM {call} WHERE id = '{id}'"));
            assert_eq!(found == 1, vector["member"] == member, "{name}: member {member} of {size}");
        }
    }
}

/// Writes each text as data and as metadata, and reads it back.
fn jsonb_text_is_what_a_message_returns(store: &Store) {
    let mut session = store.session();
    for (number, vector) in vectors("jsonb_text").iter().enumerate() {
        let json = literal::typed(vector["in"].as_str(), "jsonb");
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let write = format!("SELECT write_message('{id}', 'json-{number}', 'T', {json}, {json})");
        if let Some(error) = vector.get("error") {
            let failure = session.error(&write);
            failure.assert_clean();
            assert_eq!(error["sqlstate"], failure.sqlstate.as_str(), "{json}");
            assert_eq!(error["message"], failure.message.as_str(), "{json}");
            assert_eq!(error.get("detail").and_then(Value::as_str), failure.detail.as_deref(), "{json}");
        } else {
            session.ok(&write);
            let rows = session.rows(&format!("SELECT data, metadata FROM get_stream_messages('json-{number}')"));
            let expected = vector["out"].as_str().map(str::to_owned);
            assert_eq!(rows, [[expected.clone(), expected]], "{json}");
        }
    }
}

fn ids_are_stored_canonically(store: &Store) {
    let mut session = store.session();
    // Not NULL: what it does is no matter of spelling, and differs.
    for vector in vectors("uuid_text").iter().filter(|v| !v["in"].is_null()) {
        let id = literal::typed(vector["in"].as_str(), "varchar");
        let write = format!("SELECT write_message({id}, 'id-1', 'T', '{{}}')");
        // Most vectors are the same id, spelled differently.
        session.ok("BEGIN");
        if let Some(error) = vector.get("error") {
            let failure = session.error(&write);
            failure.assert_clean();
            assert_eq!(error["sqlstate"], failure.sqlstate.as_str(), "{id}");
            assert_eq!(error["message"], failure.message.as_str(), "{id}");
        } else {
            session.ok(&write);
            let got = session.value("SELECT id FROM get_last_stream_message('id-1')");
            assert_eq!(got.as_deref(), vector["out"].as_str(), "{id}");
        }
        session.ok("ROLLBACK");
    }
}
