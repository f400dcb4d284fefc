//! Reading a stream name: `category[-id]`, where the id may be compound, `cardinal+rest`.
//!
//! Only the ASCII characters `-` and `+` mean anything. Nothing is trimmed, folded or normalised.
//! `None` stands for SQL NULL throughout.

/// What separates the category from the id.
const ID_SEPARATOR: u8 = b'-';
/// What separates the cardinal id from the rest of a compound id.
const COMPOUND_SEPARATOR: u8 = b'+';

/// The part before the first `-`; the whole name when there is none.
pub fn category(stream_name: &[u8]) -> &[u8] {
    before(stream_name, ID_SEPARATOR)
}

/// The part after the first `-`; `None` when there is none.
pub fn id(stream_name: &[u8]) -> Option<&[u8]> {
    let separator = find(stream_name, ID_SEPARATOR)?;
    Some(&stream_name[separator + 1..])
}

/// The id up to its first `+`; `None` when the name has no id.
pub fn cardinal_id(stream_name: &[u8]) -> Option<&[u8]> {
    id(stream_name).map(|id| before(id, COMPOUND_SEPARATOR))
}

/// Whether the name is a category, that is, has no `-`. NULL is a category, as in Message DB.
pub fn is_category(stream_name: Option<&[u8]>) -> bool {
    stream_name.is_none_or(|name| find(name, ID_SEPARATOR).is_none())
}

fn before(text: &[u8], separator: u8) -> &[u8] {
    &text[..find(text, separator).unwrap_or(text.len())]
}

fn find(text: &[u8], byte: u8) -> Option<usize> {
    text.iter().position(|&b| b == byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn category_and_id_rebuild_the_name(name in ".*") {
            let name = name.as_bytes();
            let rebuilt = match id(name) {
                Some(id) => [category(name), b"-", id].concat(),
                None => category(name).to_vec(),
            };
            prop_assert_eq!(rebuilt, name);
        }

        #[test]
        fn a_name_is_a_category_exactly_when_it_has_no_id(name in "[a+]*-?[a+-]*") {
            prop_assert_eq!(is_category(Some(name.as_bytes())), id(name.as_bytes()).is_none());
        }

        #[test]
        fn a_cardinal_id_is_the_id_without_its_compound_part(name in "[ab+-]*") {
            let name = name.as_bytes();
            prop_assert_eq!(cardinal_id(name).is_some(), id(name).is_some());
            if let (Some(cardinal), Some(id)) = (cardinal_id(name), id(name)) {
                prop_assert!(id.starts_with(cardinal));
                prop_assert!(!cardinal.contains(&b'+'));
            }
        }
    }
}
