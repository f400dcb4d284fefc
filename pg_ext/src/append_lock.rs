//! What writers lock, so that each finds the version that it writes after: the category, or the stream alone.

use message_store_core::lock_key::stream_lock_key;
use message_store_core::namespace_option::AppendLock;
use message_store_core::stream_name::category;

use crate::call::Text;
use crate::lock::{category_key, lock_category_of, say};
use crate::lock_tag::{self, Mode};
use crate::namespace::Store;
use crate::transaction_memory;

/// How many streams of a category a transaction locks singly, before it takes the category for itself.
const MAX_STREAMS_OF_CATEGORY: usize = 256;
/// How many it locks singly at all: Postgres' table of locks is small.
const MAX_STREAMS: usize = 1024;

/// Takes what a write to the stream must hold. The mode must have been read with the table locked, since changing it
/// waits for every writer.
pub fn take(store: &Store, mode: AppendLock, stream_name: Option<Text<'_>>) {
    let Some(name) = stream_name.filter(|_| mode == AppendLock::Stream) else {
        lock_category_of(store, stream_name);
        return;
    };
    let key = category_key(store, category(name.bytes()));
    let category_lock = lock_tag::advisory(key);
    if lock_tag::is_held(&category_lock, Mode::Exclusive) {
        // Nobody else writes to any of its streams. It is taken once more, since a lock of the session's, and not of
        // the transaction's, can be released before the transaction ends.
        lock_category_of(store, stream_name);
        return;
    }
    let stream = stream_lock_key(store.namespace.as_bytes(), name.bytes());
    let is_one_too_many = transaction_memory::with(|memory| {
        let all: usize = memory.streams.values().map(|streams| streams.len()).sum();
        let streams = memory.streams.entry(key).or_default();
        !streams.contains(&stream) && (streams.len() >= MAX_STREAMS_OF_CATEGORY || all >= MAX_STREAMS)
    });
    if is_one_too_many {
        lock_category_of(store, stream_name);
        return;
    }
    lock_tag::acquire(&category_lock, Mode::Share);
    lock_tag::acquire(&lock_tag::advisory(stream), Mode::Exclusive);
    transaction_memory::with(|memory| memory.streams.entry(key).or_default().insert(stream));
    say(stream_name);
}
