//! The entry point through which SQLite loads Message Store: `.load libmessage_store_sqlite`.

use std::ffi::{c_char, c_int};

use rusqlite::ffi;

/// What SQLite calls when it loads the library.
///
/// # Safety
/// Only SQLite calls it, with a connection of its own, a place for a message, and its API.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_messagestoresqlite_init(
    db: *mut ffi::sqlite3,
    message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the arguments are those SQLite gave.
    unsafe { store::entry::load(db, message, api) }
}
