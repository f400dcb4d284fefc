//! The lock under which writers of a category exclude each other until their transactions end.

use message_store_core::{Result, hash::hash_64, lock_key::category_lock_key, stream_name};
use pgrx::pg_sys::Datum;

use crate::call::{Answer, Call, Text, sql_functions};
use crate::lock_tag::{self, Mode};
use crate::namespace::{self, Store};
use crate::notices;

sql_functions! {
    "message_store_acquire_lock" => acquire_lock;
}

/// `acquire_lock(stream_name, namespace)`: takes the lock of the stream's category, answers the category's hash.
fn acquire_lock(call: &Call<'_>) -> Result<Answer> {
    let store = namespace::resolve(call.text(1))?;
    Ok(lock_category_of(&store, call.text(0)).map(Datum::from))
}

/// Waits for the lock of a stream's category and returns the category's hash. NULL locks nothing.
pub fn lock_category_of(store: &Store, stream_name: Option<Text<'_>>) -> Option<i64> {
    if let Some(name) = stream_name {
        let key = category_key(store, stream_name::category(name.bytes()));
        lock_tag::acquire(&lock_tag::advisory(key), Mode::Exclusive);
    }
    say(stream_name)
}

/// The key of a category's lock in a store.
pub fn category_key(store: &Store, category: &[u8]) -> i64 {
    category_lock_key((!store.is_default()).then_some(store.namespace.as_bytes()), category)
}

/// Says that the category of a stream is locked, where debugging asks for it, and returns the category's hash.
pub fn say(stream_name: Option<Text<'_>>) -> Option<i64> {
    let category = stream_name.map(|name| stream_name::category(name.bytes()));
    let hash = category.map(hash_64);
    notices::acquire_lock(stream_name, category, hash);
    hash
}
