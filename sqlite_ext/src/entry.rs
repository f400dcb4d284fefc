//! Being loaded by a host, whose SQLite is used, not one of our own.

use std::ffi::{c_char, c_int};

use rusqlite::ffi;

use crate::engine::db::Db;
use crate::engine::guard::guarded;
use crate::engine::table_function::allocated;
use crate::errors::{Failure, Result};
use crate::register::register_on;

/// The bindings hold an API of this version, and abort the process of an older host.
const OLDEST_HOST: c_int = ffi::SQLITE_VERSION_NUMBER;
const _: () = assert!(OLDEST_HOST <= 3_040_001, "Debian 12's SQLite is to load this");

/// What the entry point does: takes the host's API, and registers the functions.
///
/// # Safety
/// `db`, `message` and `api` must be what SQLite handed to an extension's entry point.
pub unsafe fn load(db: *mut ffi::sqlite3, message: *mut *mut c_char, api: *mut ffi::sqlite3_api_routines) -> c_int {
    let mut has_api = false;
    // SAFETY: as the caller promises.
    let result = guarded(|| unsafe {
        check_version(api)?;
        ffi::rusqlite_extension_init2(api)
            .map_err(|_| Failure::new(ffi::SQLITE_ERROR, "SQLite's API cannot be used"))?;
        has_api = true;
        let db = Db::new(db).ok_or_else(|| Failure::new(ffi::SQLITE_MISUSE, "no connection"))?;
        register_on(db)
    });
    match result {
        // For good: threads of the host may still have destructors of this library to run when a connection ends.
        Ok(()) => ffi::SQLITE_OK_LOAD_PERMANENTLY,
        Err(failure) => {
            // SAFETY: the host gave the place; its own printing function is there in every version.
            unsafe {
                if !message.is_null() {
                    *message = if has_api { allocated(&failure.message()) } else { printed(api, &failure.message()) };
                }
            }
            ffi::SQLITE_ERROR
        }
    }
}

/// Refuses a host that is too old, in words, before anything else of its API is touched.
unsafe fn check_version(api: *const ffi::sqlite3_api_routines) -> Result<()> {
    // SAFETY: the function is in every version's API.
    let version =
        unsafe { api.as_ref() }.and_then(|api| api.libversion_number).map_or(0, |version| unsafe { version() });
    if version >= OLDEST_HOST {
        return Ok(());
    }
    let words = |version: c_int| format!("{}.{}.{}", version / 1_000_000, version / 1000 % 1000, version % 1000);
    let message = format!("Message Store needs SQLite {} or newer, this is {}", words(OLDEST_HOST), words(version));
    Err(Failure::new(ffi::SQLITE_ERROR, message))
}

/// A copy of the text in the memory of a host whose API was not taken.
unsafe fn printed(api: *const ffi::sqlite3_api_routines, text: &str) -> *mut c_char {
    // SAFETY: the caller's API is that of the host, or null.
    let mprintf = unsafe { api.as_ref() }.and_then(|api| api.mprintf);
    let (Some(mprintf), Ok(text)) = (mprintf, std::ffi::CString::new(text)) else { return std::ptr::null_mut() };
    // SAFETY: the text is NUL-terminated, and the format takes one.
    unsafe { mprintf(c"%s".as_ptr(), text.as_ptr()) }
}
