//! Canonical JSON against what Postgres 15 prints, and the errors it raises.

use message_store_core::json::{canonical, parse};
use serde_json::Value;

fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(path).expect(path);
    serde_json::from_str(&text).expect("JSON")
}

/// The bytes of a vector: its text, or hexadecimal digits where the bytes are no text.
fn input(vector: &Value) -> Vec<u8> {
    match (&vector["in"], &vector["in_hex"]) {
        (Value::String(text), _) => text.as_bytes().to_vec(),
        (_, Value::String(hex)) => (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal digits"))
            .collect(),
        _ => panic!("no input: {vector}"),
    }
}

fn check(vectors: &Value, least: usize) {
    let vectors = vectors.as_array().expect("vectors");
    assert!(vectors.len() >= least, "only {} vectors", vectors.len());
    for vector in vectors {
        let input = input(vector);
        let text = canonical(&input);
        assert_eq!(parse(&input).map(|value| value.to_string()), text, "{vector}");
        match text {
            Ok(text) => assert_eq!(vector["out"], text, "{vector}"),
            Err(error) => {
                assert_eq!(vector["error"]["sqlstate"], error.sqlstate(), "{vector}");
                assert_eq!(vector["error"]["message"], error.to_string(), "{vector}");
                assert_eq!(vector["error"]["detail"], Value::from(error.detail()), "{vector}");
            }
        }
    }
}

#[test]
fn golden_vectors() {
    let all = read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/utility.json"));
    check(&all["jsonb_text"], 117);
}

#[test]
fn vectors_of_postgres_15() {
    let all = read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/json_vectors.json"));
    check(&all["vectors"], 700);
}
