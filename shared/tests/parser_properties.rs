//! What holds for every other reader of outside text, whatever it is given: names, ids, times, arguments, batches.
//!
//! `PROPTEST_CASES` asks for more cases than the usual 256. What failed once is kept in `parser_properties.regressions`.

use message_store_core::arguments::{BatchSize, CategoryArguments, CategoryRead, StreamRead};
use message_store_core::batch::{
    ImportedMessage, ImportedMessageReader, Kind, MAX_IMPORT, Member, NewMessage, NewMessageReader, Order, ids,
};
use message_store_core::consumer_group::{ConsumerGroup, member_of};
use message_store_core::{Error, Result, expected_version, message_id, namespace_name, namespace_option, time};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// Bytes that are often text, and text that often means something to one of the readers.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "(?s).{0,12}".prop_map(String::into_bytes),
        "[a-c0-9+-]{0,8}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..12),
        prop::sample::select(vec![
            "",
            "append_lock",
            "category",
            "stream",
            "message_store",
            "public",
            "pg_x",
            "2026-01-31 12:00:00.5Z",
            "00000000-0000-4000-8000-000000000001",
            "{00000000000040008000000000000001}",
            "9223372036854775807",
            "-9223372036854775809",
            "1e3",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

/// Numbers, their ends more often than elsewhere.
fn number() -> impl Strategy<Value = Option<i64>> {
    prop::option::of(prop_oneof![
        any::<i64>(),
        -3i64..10,
        prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, 0, 32_767, 32_768, i64::MAX - 1, i64::MAX]),
    ])
}

/// A member of an element: its key, and its value's kind and text.
fn member() -> impl Strategy<Value = (Vec<u8>, Kind, Vec<u8>)> {
    let keys = vec!["id", "stream_name", "type", "position", "global_position", "data", "metadata", "time"];
    let key = prop_oneof![8 => prop::sample::select(keys).prop_map(|key| key.as_bytes().to_vec()), 1 => bytes()];
    let kind = prop::sample::select(vec![
        Kind::String,
        Kind::String,
        Kind::Number,
        Kind::Null,
        Kind::Boolean,
        Kind::Array,
        Kind::Object,
    ]);
    (key, kind, bytes())
}

type Members = Vec<(Vec<u8>, Kind, Vec<u8>)>;

fn new_message(members: &Members) -> Result<NewMessage> {
    let mut reader = NewMessageReader::new(7);
    for (key, kind, value) in members {
        let taken = reader.member(key, *kind, value)?;
        assert_eq!(taken == Member::Data, key == b"data");
        assert_eq!(taken == Member::Metadata, key == b"metadata");
    }
    reader.finish()
}

fn imported_message(members: &Members) -> Result<ImportedMessage> {
    let mut reader = ImportedMessageReader::new(7)?;
    for (key, kind, value) in members {
        reader.member(key, *kind, value)?;
    }
    reader.finish()
}

/// An error that a client could be shown: a text of one of the contracts, and a SQLSTATE.
fn assert_sane(error: &Error) {
    let text = error.to_string();
    for trace in ["panicked", ".rs:", "src/", "Error::", "unwrap"] {
        assert!(!text.contains(trace), "{text}");
    }
    assert!(!text.is_empty() && error.sqlstate().len() == 5, "{text}");
    assert!(["22", "23", "42", "P0"].contains(&&error.sqlstate()[..2]), "{} {text}", error.sqlstate());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_new_message_is_read_or_refused_by_its_element(members in prop::collection::vec(member(), 0..6)) {
        match new_message(&members) {
            Ok(message) => {
                let kinds: Vec<_> = members.iter().filter(|(key, ..)| key == b"type").collect();
                prop_assert!(kinds.iter().any(|(_, _, value)| *value == message.kind));
                if let Err(error) = ids([&message].into_iter()) {
                    prop_assert_eq!(error.sqlstate(), "22P02");
                    assert_sane(&error);
                }
            }
            Err(error) => {
                assert_sane(&error);
                let text = error.to_string();
                prop_assert!(text.starts_with("Messages must be a JSON array of objects (Element 7: "), "{}", text);
            }
        }
    }

    #[test]
    fn an_imported_message_is_whole_or_refused(members in prop::collection::vec(member(), 0..12), version in number(), last in number()) {
        match imported_message(&members) {
            Ok(message) => {
                prop_assert!(message.global_position >= 1);
                prop_assert!(time::parse(time::format(message.time).as_bytes()) == Some(message.time));
                let fits = message.check_position(version);
                prop_assert_eq!(fits.is_ok(), version.unwrap_or(-1).checked_add(1) == Some(message.position));
                let free = message.check_global_position(last);
                prop_assert_eq!(free.is_ok(), last.is_none_or(|last| message.global_position > last));
                for result in [fits, free] {
                    if let Err(error) = result {
                        assert_sane(&error);
                    }
                }
            }
            Err(error) => assert_sane(&error),
        }
    }

    /// All that an import needs, so that most of them are whole.
    #[test]
    fn a_whole_message_is_read_as_it_is(
        id in any::<[u8; 16]>(), stream_name in bytes(), kind in bytes(), position: i64, global_position in 1i64..,
        microseconds in -62_135_596_800_000_000i64..=253_402_300_799_999_999,
    ) {
        let id = id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let members: Members = vec![
            (b"id".to_vec(), Kind::String, id.clone().into_bytes()),
            (b"time".to_vec(), Kind::String, time::format(microseconds).into_bytes()),
            (b"type".to_vec(), Kind::String, kind.clone()),
            (b"position".to_vec(), Kind::Number, position.to_string().into_bytes()),
            (b"stream_name".to_vec(), Kind::String, stream_name.clone()),
            (b"global_position".to_vec(), Kind::Number, global_position.to_string().into_bytes()),
        ];
        let message = imported_message(&members).expect("whole");
        prop_assert_eq!(message.id.simple().to_string(), id);
        prop_assert_eq!((message.stream_name, message.kind), (stream_name, kind));
        prop_assert_eq!((message.position, message.global_position, message.time), (position, global_position, microseconds));
    }

    #[test]
    fn global_positions_ascend_or_are_refused(positions in prop::collection::vec(1i64..20, 1..8)) {
        let mut order = Order::default();
        let refused = positions.iter().position(|&global_position| {
            let message = ImportedMessage {
                id: message_id::generate(), stream_name: vec![], kind: vec![], position: 0, global_position, time: 0,
            };
            order.check(&message).is_err()
        });
        prop_assert_eq!(refused, positions.windows(2).position(|pair| pair[1] <= pair[0]).map(|at| at + 1));
    }

    #[test]
    fn the_number_of_imported_messages_is_bounded(element in MAX_IMPORT - 5..MAX_IMPORT + 5) {
        prop_assert_eq!(ImportedMessageReader::new(element).is_ok(), element < MAX_IMPORT);
    }

    #[test]
    fn a_namespace_s_name_is_what_the_rule_says(name in prop_oneof![bytes(), "[a-z0-9_-]{1,70}".prop_map(String::into_bytes)]) {
        let ordinary = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let follows = (1..=63).contains(&name.len())
            && ordinary(&name[0])
            && name.iter().all(|byte| ordinary(byte) || b"_-".contains(byte))
            && !name.starts_with(b"pg_")
            && ![&b"public"[..], b"information_schema", b"main", b"temp"].contains(&&name[..]);
        match namespace_name::check(Some(&name)) {
            Ok(checked) => prop_assert!(follows && checked.as_bytes() == name),
            Err(error) => {
                prop_assert!(!follows);
                assert_sane(&error);
            }
        }
    }

    #[test]
    fn options_ids_and_times_are_read_or_refused(first in prop::option::of(bytes()), second in prop::option::of(bytes())) {
        if let Err(error) = namespace_option::check(first.as_deref(), second.as_deref()) {
            assert_sane(&error);
        }
        let text = first.unwrap_or_default();
        match message_id::canonical(&text) {
            Ok(id) => prop_assert_eq!(message_id::canonical(id.as_bytes()), Ok(id)),
            Err(error) => assert_sane(&error),
        }
        if let Some(time) = time::parse(&text) {
            prop_assert_eq!(time::parse(time::format(time).as_bytes()), Some(time));
        }
    }

    #[test]
    fn a_read_is_checked_or_refused(
        name in prop::option::of(bytes()), position in number(), batch_size in number(), condition in prop::option::of(bytes()),
        correlation in prop::option::of(bytes()), consumer_group_member in number(), consumer_group_size in number(),
        activated: bool,
    ) {
        let condition = condition.as_deref();
        match StreamRead::new(name.as_deref(), position, batch_size, condition, activated) {
            Ok(read) => {
                prop_assert!(read.stream_name.contains(&b'-') && (activated || condition.is_none()));
                prop_assert_eq!(read.position, position.unwrap_or(0));
            }
            Err(error) => assert_sane(&error),
        }
        let arguments = CategoryArguments {
            category: name.as_deref(),
            position,
            batch_size,
            correlation: correlation.as_deref(),
            consumer_group_member,
            consumer_group_size,
            condition,
        };
        match CategoryRead::new(arguments, activated) {
            Ok(read) => {
                prop_assert!(!read.category.is_some_and(|name| name.contains(&b'-')));
                prop_assert_eq!(
                    read.check_group_size().is_ok(),
                    consumer_group_size.is_none_or(|size| size <= i64::from(i16::MAX))
                );
            }
            Err(error) => assert_sane(&error),
        }
        if let Err(error) = BatchSize::checked(batch_size).and_then(BatchSize::limit) {
            prop_assert_eq!(error.sqlstate(), "2201W");
        }
    }

    #[test]
    fn each_stream_with_an_id_is_read_by_one_member(name in bytes(), size in 1i64..40) {
        let reading: Vec<i64> = (0..size)
            .filter(|&member| {
                ConsumerGroup::new(Some(member), Some(size)).is_ok_and(|group| group.is_some_and(|group| group.reads(&name)))
            })
            .collect();
        prop_assert_eq!(reading, member_of(&name, size).into_iter().collect::<Vec<_>>());
        prop_assert_eq!(member_of(&name, size).is_some(), name.contains(&b'-'));
    }

    #[test]
    fn the_next_position_follows_the_version(name in prop::option::of(bytes()), version in number(), expected in number()) {
        match expected_version::next_position(name.as_deref(), version, expected) {
            Ok(position) => prop_assert_eq!(Some(position), version.unwrap_or(-1).checked_add(1)),
            Err(error) => assert_sane(&error),
        }
    }
}
