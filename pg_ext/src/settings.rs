//! Message DB's settings, which are not defined by this extension but read wherever they were set.
//!
//! They stay placeholders: whether one is unset or empty matters to the contract, and any role may set them.

use std::ffi::CStr;
use std::ptr::null_mut;

use message_store_core::arguments::{condition_is_activated, debug_is_on};
use pgrx::pg_sys;

/// Whether conditions are let through.
pub fn sql_condition() -> bool {
    // A placeholder whose transaction-local value has ended is empty to current_setting, and not unset: only the
    // function behind it tells the two apart.
    // SAFETY: the name is NUL-terminated; the value is a copy, null where the setting does not exist.
    let value = unsafe {
        let value = pg_sys::GetConfigOptionByName(c"message_store.sql_condition".as_ptr(), null_mut(), true);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_bytes())
    };
    condition_is_activated(value)
}

/// Whether writing functions say what they do.
pub fn debug_write() -> bool {
    debug_is_on(value(c"message_store.debug_write")) || debug()
}

/// Whether reading functions say what they do.
pub fn debug_get() -> bool {
    debug_is_on(value(c"message_store.debug_get")) || debug()
}

/// Whether a superuser's session reads everything without regard to the horizon. It is there for the tests, which must
/// be able to see what the horizon prevents.
pub fn without_horizon() -> bool {
    // SAFETY: reads the backend's state.
    debug_is_on(value(c"message_store.test_without_horizon")) && unsafe { pg_sys::superuser() }
}

fn debug() -> bool {
    debug_is_on(value(c"message_store.debug"))
}

fn value(name: &CStr) -> Option<&'static [u8]> {
    // SAFETY: the name is NUL-terminated. The value is read before anything could change the setting.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_bytes())
    }
}
