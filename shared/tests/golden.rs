//! The pure functions against vectors read off genuine Message DB.

use message_store_core::{consumer_group, hash, lock_key, message_id, stream_name};
use serde_json::Value;

fn vectors(name: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/utility.json");
    let text = std::fs::read_to_string(path).expect("golden vectors");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let vectors = all[name].as_array().unwrap_or_else(|| panic!("vectors of {name}")).clone();
    assert!(vectors.len() >= 25, "{name} has only {} vectors", vectors.len());
    vectors
}

/// Runs `function` over the vectors of `name` and compares what it gives with `out`.
fn check(name: &str, function: impl Fn(Option<&[u8]>) -> Value) {
    for vector in vectors(name) {
        let input = vector["in"].as_str();
        assert_eq!(function(input.map(str::as_bytes)), vector["out"], "{name}({input:?})");
    }
}

fn text(bytes: Option<&[u8]>) -> Value {
    bytes.map(|b| std::str::from_utf8(b).expect("UTF-8")).into()
}

#[test]
fn category() {
    check("category", |name| text(name.map(stream_name::category)));
}

#[test]
fn id() {
    check("id", |name| text(name.and_then(stream_name::id)));
}

#[test]
fn cardinal_id() {
    check("cardinal_id", |name| text(name.and_then(stream_name::cardinal_id)));
}

#[test]
fn is_category() {
    check("is_category", |name| stream_name::is_category(name).into());
}

#[test]
fn hash_64() {
    check("hash_64", |value| value.map(|v| hash::hash_64(v).to_string()).into());
}

#[test]
fn acquire_lock_key() {
    check("acquire_lock", |name| {
        name.map(|n| lock_key::category_lock_key(None, stream_name::category(n)).to_string()).into()
    });
}

#[test]
fn consumer_group_member() {
    for vector in vectors("consumer_group_member") {
        let size = vector["size"].as_i64().expect("a size");
        let member = vector["stream_name"].as_str().and_then(|n| consumer_group::member_of(n.as_bytes(), size));
        assert_eq!(vector["member"], Value::from(member), "{vector}");
    }
}

#[test]
fn message_ids() {
    for vector in vectors("uuid_text") {
        let Some(input) = vector["in"].as_str() else { continue };
        match message_id::canonical(input.as_bytes()) {
            Ok(id) => assert_eq!(vector["out"], id, "{input}"),
            Err(error) => {
                assert_eq!(vector["error"]["sqlstate"], error.sqlstate(), "{input}");
                assert_eq!(vector["error"]["message"], error.to_string(), "{input}");
            }
        }
    }
}
