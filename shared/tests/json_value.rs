//! The document model, and the depth it bears.

use message_store_core::json::{MAX_DEPTH, Value, canonical, parse};

fn value(text: &str) -> Value {
    parse(text.as_bytes()).expect(text)
}

#[test]
fn members_are_found_by_key() {
    let metadata =
        value(r#"{"correlationStreamName": "account-1", "position": 1.50, "none": null, "list": [1,{"b":2,"a":1}]}"#);
    let text = |key: &str| metadata.get(key).and_then(Value::as_text);
    assert_eq!(text("correlationStreamName").as_deref(), Some("account-1"));
    assert_eq!(text("position").as_deref(), Some("1.50"));
    assert_eq!(text("list").as_deref(), Some(r#"[1, {"a": 1, "b": 2}]"#));
    assert_eq!(text("none"), None);
    assert!(metadata.get("none").is_some());
    assert!(metadata.get("missing").is_none());
    assert!(value("[1]").get("a").is_none());
}

#[test]
fn text_is_what_the_arrow_operator_gives() {
    for (text, expected) in [
        ("null", None),
        ("true", Some("true")),
        ("false", Some("false")),
        ("-0.0", Some("0.0")),
        (r#""a\n\"b\u00e9""#, Some("a\n\"bé")),
        (r#""""#, Some("")),
        ("[ ]", Some("[]")),
        (r#"{"a":"b"}"#, Some(r#"{"a": "b"}"#)),
    ] {
        assert_eq!(value(text).as_text().as_deref(), expected, "{text}");
    }
}

#[test]
fn kinds_have_the_names_of_jsonb_typeof() {
    let all = value(r#"[null, true, 1, "a", [], {}]"#);
    let Value::Array(elements) = &all else { panic!("an array") };
    let names: Vec<_> = elements.iter().map(Value::kind_name).collect();
    assert_eq!(names, ["null", "boolean", "number", "string", "array", "object"]);
}

#[test]
fn values_are_equal_when_their_texts_are() {
    assert_eq!(value(r#"{"b":[1,2],"a":1}"#), value(r#"{"a":1,"b":[1,2]}"#));
    for (a, b) in
        [("1", "2"), ("1", "1.0"), ("[1]", "[1,2]"), ("{}", "[]"), (r#"{"a":1}"#, r#"{"b":1}"#), ("1", r#""1""#)]
    {
        assert_ne!(value(a), value(b));
    }
}

/// Nests `open` as often as it may be, and once more.
fn deep(open: &str, middle: &str, close: &str, depth: usize) -> String {
    [&open.repeat(depth), middle, &close.repeat(depth)].concat()
}

#[test]
fn the_deepest_document_needs_little_stack() {
    let check = || {
        for (open, middle, close) in [("[", "", "]"), (r#"{"b": "#, "1", "}"), (r#"{"b": 1, "a": "#, "2", "}")] {
            let text = deep(open, middle, close, MAX_DEPTH);
            let value = value(&text);
            assert_eq!(Ok(value.to_string()), canonical(text.as_bytes()));
            assert_eq!(Ok(value), parse(text.as_bytes()));
        }
    };
    let thread = std::thread::Builder::new().stack_size(128 * 1024).spawn(check).expect("a thread");
    thread.join().expect("no panic");
}

#[test]
fn a_deeper_document_is_refused() {
    // The text after the brackets is broken, but the depth is noticed first.
    for text in
        [deep("[", "", "]", MAX_DEPTH + 1), deep("[", "@", "", MAX_DEPTH + 1), deep(r#"{"a":"#, "", "", 100_000)]
    {
        let error = canonical(text.as_bytes()).expect_err("refused");
        assert_eq!(error.to_string(), "stack depth limit exceeded");
        assert_eq!((error.sqlstate(), error.detail()), ("54001", None));
        assert_eq!(parse(text.as_bytes()), Err(error));
    }
}
