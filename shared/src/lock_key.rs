//! Lock keys that are ours to choose.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The key under which writers of a category exclude each other.
///
/// In the default namespace it is Message DB's own key, so that its functions and ours exclude each other. In any
/// other namespace the namespace is mixed in, so that tenants with a category of the same name never wait for one
/// another.
pub fn category_lock_key(namespace: Option<&[u8]>, category: &[u8]) -> i64 {
    match namespace {
        None => crate::hash::hash_64(category),
        Some(namespace) => xxh3_64_with_seed(category, xxh3_64(namespace)).cast_signed(),
    }
}

/// The key under which writers of a stream exclude each other, where a namespace locks by stream.
///
/// Its seed is not that of categories: a stream without an id is its own category, and has two locks.
pub fn stream_lock_key(namespace: &[u8], stream_name: &[u8]) -> i64 {
    xxh3_64_with_seed(stream_name, !xxh3_64(namespace)).cast_signed()
}

/// Sixteen bits of a category's hash, for lock tags that have room for no more.
///
/// Never 0, which stands for "every category". A collision only makes a reader wait a little longer.
pub fn category_tag(category: &[u8]) -> u16 {
    let [low, high, ..] = xxh3_64(category).to_le_bytes();
    u16::from_le_bytes([low, high]).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_namespace_keeps_message_dbs_key() {
        assert_eq!(category_lock_key(None, b"account"), -2132379389342958165);
    }

    #[test]
    fn namespaces_do_not_share_keys() {
        let a = category_lock_key(Some(b"tenant-a"), b"account");
        let b = category_lock_key(Some(b"tenant-b"), b"account");
        assert_ne!(a, b);
        assert_ne!(a, category_lock_key(None, b"account"));
    }

    #[test]
    fn a_stream_and_its_category_do_not_share_a_key() {
        assert_ne!(stream_lock_key(b"tenant-a", b"account"), category_lock_key(Some(b"tenant-a"), b"account"));
        assert_ne!(stream_lock_key(b"tenant-a", b"account-1"), stream_lock_key(b"tenant-b", b"account-1"));
    }
}
