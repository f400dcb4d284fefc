//! What holds for canonical JSON whatever the input, with serde_json as a second opinion.
//!
//! What failed once is kept in `json_properties.regressions`.

use message_store_core::json::{Value, canonical, objects, parse};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use serde_json::Value as Serde;

/// Documents of every shape. Numbers are whole, which serde_json reads exactly.
fn document() -> impl Strategy<Value = Serde> {
    let scalar = prop_oneof![
        Just(Serde::Null),
        any::<bool>().prop_map(Serde::from),
        any::<i64>().prop_map(Serde::from),
        "(?s)[^\0]{0,6}".prop_map(Serde::from),
    ];
    scalar.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Serde::from),
            prop::collection::vec(("[abé\"\n]{0,3}", inner), 0..6)
                .prop_map(|members| Serde::Object(members.into_iter().collect())),
        ]
    })
}

/// Pieces of JSON, whole and broken.
fn fragment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"b\"",
        "\"\\u0062\"",
        "\"\\ud83d\\ude42\"",
        "\\ud83d",
        "\\n",
        "\\",
        "\\x",
        "\n",
        " ",
        "é",
        "0",
        "1",
        "-",
        "+",
        ".",
        "e",
        "1.50",
        "-0",
        "1e3",
        "null",
        "true",
        "x",
        "{\"a\":1}",
        "[[]]",
    ])
}

/// Text that is nearly JSON, often enough JSON indeed.
fn nearly_json() -> impl Strategy<Value = String> {
    let splice = |(document, at, fragment): (Serde, prop::sample::Index, &str)| {
        let mut text = document.to_string();
        let places: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
        text.insert_str(*at.get(&places), fragment);
        text
    };
    prop_oneof![
        prop::collection::vec(fragment(), 0..12).prop_map(|fragments| fragments.concat()),
        (document(), any::<prop::sample::Index>(), fragment()).prop_map(splice),
    ]
}

/// An array of objects, or nearly.
fn nearly_array_of_objects() -> impl Strategy<Value = String> {
    let member = ("[ab]{1,2}|\"\\n", nearly_json()).prop_map(|(key, value)| format!("{}:{value}", Serde::from(key)));
    let blank = prop::sample::select(vec!["", " ", "\n\t"]);
    let object = (prop::collection::vec(member, 0..4), blank.clone())
        .prop_map(|(members, blank)| format!("{{{blank}{}{blank}}}", members.join(",")));
    (prop::collection::vec(object, 0..4), blank)
        .prop_map(|(objects, blank)| format!("{blank}[{blank}{}]{blank}", objects.join(", ")))
}

/// Every object's keys are there once, by length, then by bytes.
fn assert_key_order(value: &Value) {
    match value {
        Value::Array(elements) => elements.iter().for_each(assert_key_order),
        Value::Object(members) => {
            assert!(members.is_sorted_by(|(a, _), (b, _)| (a.len(), a.as_bytes()) < (b.len(), b.as_bytes())));
            members.iter().for_each(|(_, value)| assert_key_order(value));
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_document_keeps_its_meaning(document in document(), pretty: bool) {
        let text = if pretty { format!("{document:#}") } else { document.to_string() };
        let canonical = canonical(text.as_bytes()).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Serde>(&canonical).expect("JSON"), document);
    }

    #[test]
    fn canonical_text_stays_as_it_is(text in nearly_json()) {
        if let Ok(once) = canonical(text.as_bytes()) {
            prop_assert_eq!(canonical(once.as_bytes()), Ok(once));
        }
    }

    #[test]
    fn what_is_json_for_serde_json_is_json_here(text in nearly_json()) {
        let ours = canonical(text.as_bytes());
        let theirs = serde_json::from_str::<Serde>(&text);
        // Numeric and a double have different limits, and only Postgres' text has no zero character.
        prop_assume!(!ours.as_ref().is_err_and(|error| ["22003", "22P05"].contains(&error.sqlstate())));
        prop_assume!(!theirs.as_ref().is_err_and(|error| error.to_string().starts_with("number out of range")));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
    }

    #[test]
    fn a_parsed_value_prints_the_canonical_text(text in nearly_json()) {
        prop_assert_eq!(parse(text.as_bytes()).map(|value| value.to_string()), canonical(text.as_bytes()));
    }

    #[test]
    fn an_array_of_objects_is_the_one_that_is_parsed(text in nearly_array_of_objects()) {
        if let Some(objects) = objects(&text) {
            let Ok(Value::Array(elements)) = &parse(text.as_bytes()) else { panic!("no array: {text}") };
            let found: Vec<Vec<(&str, &str)>> = objects
                .iter()
                .map(|object| object.members().map(|member| (member.key, member.value)).collect())
                .collect();
            let parsed: Vec<Vec<(&str, String)>> = elements
                .iter()
                .map(|element| match element {
                    Value::Object(members) => {
                        members.iter().map(|(key, value)| (key.as_str(), value.to_string())).collect()
                    }
                    other => panic!("no object: {other}"),
                })
                .collect();
            let parsed: Vec<Vec<(&str, &str)>> = parsed
                .iter()
                .map(|members| members.iter().map(|(key, value)| (*key, value.as_str())).collect())
                .collect();
            prop_assert_eq!(found, parsed);
        }
    }

    #[test]
    fn keys_are_in_order(members in prop::collection::vec(("[abé\"\\n]{0,3}", document()), 0..12)) {
        let members: Vec<String> =
            members.into_iter().map(|(key, value)| format!("{}:{value}", Serde::from(key))).collect();
        let value = parse(format!("{{{}}}", members.join(",")).as_bytes()).expect("JSON");
        assert_key_order(&value);
        prop_assert_eq!(parse(value.to_string().as_bytes()), Ok(value));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(canonical(&bytes).is_ok(), parse(&bytes).is_ok());
    }

    #[test]
    fn a_broken_byte_does_not_panic(text in nearly_json(), at: prop::sample::Index, byte: u8) {
        let mut bytes = text.into_bytes();
        bytes.push(b' ');
        let at = at.index(bytes.len());
        bytes[at] = byte;
        prop_assert_eq!(canonical(&bytes).is_ok(), parse(&bytes).is_ok());
    }

    #[test]
    fn numbers_keep_their_value(whole in 0u32.., fraction in "[0-9]{1,4}", exponent in -8i32..8, negative: bool) {
        let literal = format!("{}{whole}.{fraction}e{exponent}", if negative { "-" } else { "" });
        let canonical = canonical(literal.as_bytes()).expect("JSON");
        prop_assert!(!canonical.contains('e'));
        prop_assert_eq!(canonical.parse::<f64>(), literal.parse::<f64>());
    }
}
