//! The order of an object's members: by the byte length of the key, then by its bytes.

use std::cmp::Ordering;

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Whether the members are in order already, each key there once.
pub(super) fn is_ordered<T>(members: &[T], key: impl Fn(&T) -> &str) -> bool {
    members.is_sorted_by(|a, b| compare(key(a), key(b)).is_lt())
}

/// Brings the members in order. Of those with the same key the last one stays.
pub(super) fn order<T>(members: &mut Vec<T>, key: impl Fn(&T) -> &str) {
    if is_ordered(members, &key) {
        return;
    }
    // Both steps keep the first of equals, so the last one goes first.
    members.reverse();
    members.sort_by(|a, b| compare(key(a), key(b)));
    members.dedup_by(|a, b| key(a) == key(b));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shorter_keys_come_first_and_the_last_of_equals_stays() {
        let mut members = vec![("b", 1), ("aa", 2), ("", 3), ("b", 4), ("é", 5), ("a", 6), ("aa", 7)];
        order(&mut members, |member| member.0);
        assert_eq!(members, [("", 3), ("a", 6), ("b", 4), ("aa", 7), ("é", 5)]);
    }

    proptest! {
        #[test]
        fn every_key_is_there_once_with_its_last_value(keys in proptest::collection::vec("[ab]{0,2}", 0..20)) {
            let mut members: Vec<(String, usize)> = keys.iter().cloned().zip(0..).collect();
            order(&mut members, |member| &member.0);
            prop_assert!(is_ordered(&members, |member| &member.0));
            for key in &keys {
                let last = keys.iter().rposition(|other| other == key);
                prop_assert_eq!(members.iter().find(|member| member.0 == *key).map(|member| member.1), last);
            }
        }
    }
}
