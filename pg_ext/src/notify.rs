//! Telling who listens that messages have been written: the option `notify`.
//!
//! On the channel of the namespace's name, with the category as the payload. Postgres sends a notification when its
//! transaction commits, and equal ones of a transaction once.

use std::collections::BTreeSet;
use std::ffi::CString;

use message_store_core::stream_name::category;

use crate::call::Text;
use crate::namespace::Store;
use crate::postgres_error::protect;
use crate::table_layout;

/// A payload has fewer bytes than that.
const PAYLOAD_LIMIT: usize = 8000;

/// Tells of a message of a stream, where the namespace wants that. The table must be locked.
pub fn category_of(store: &Store, stream_name: Option<Text<'_>>) {
    categories_of(store, stream_name.map(|name| name.bytes()).into_iter());
}

/// The same for messages of several streams.
pub fn categories_of<'a>(store: &Store, stream_names: impl Iterator<Item = &'a [u8]>) {
    if !table_layout::of(store).notify {
        return;
    }
    let Ok(channel) = CString::new(&*store.namespace) else { return };
    for category in stream_names.map(category).collect::<BTreeSet<_>>() {
        // What does not fit is left out: who listens looks into every category then.
        let payload = if category.len() < PAYLOAD_LIMIT { category } else { b"" };
        let Ok(payload) = CString::new(payload) else { continue };
        let (channel, payload) = (channel.as_ptr(), payload.as_ptr());
        // SAFETY: two NUL-terminated texts, which are copied.
        unsafe { protect(|| raw::Async_Notify(channel, payload)) };
    }
}

mod raw {
    use std::ffi::c_char;

    unsafe extern "C-unwind" {
        pub fn Async_Notify(channel: *const c_char, payload: *const c_char);
    }
}
