//! The settings: Message DB's, which are not defined by this extension but read wherever they were set, and our own.
//!
//! Message DB's stay placeholders: whether one is unset or empty matters to the contract, and any role may set them.

use std::ffi::{CStr, c_int};
use std::ptr::{null, null_mut};

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

/// Whether commits of messages are pipelined.
pub fn commit_pipelining() -> bool {
    // SAFETY: a backend has one thread, and Postgres writes the variable between statements only.
    unsafe { COMMIT_PIPELINING == AUTO }
}

/// Whether tables of the ordinary kind are reached past the executor.
pub fn direct_access() -> bool {
    // SAFETY: likewise.
    unsafe { DIRECT_ACCESS }
}

const OFF: c_int = 0;
const AUTO: c_int = 1;

static mut COMMIT_PIPELINING: c_int = AUTO;
static mut DIRECT_ACCESS: bool = true;

/// The values of `message_store.commit_pipelining`, ended by one without a name.
struct Choices([pg_sys::config_enum_entry; 3]);

// SAFETY: names are static texts, and nobody writes to it.
unsafe impl Sync for Choices {}

static CHOICES: Choices = Choices([
    pg_sys::config_enum_entry { name: c"auto".as_ptr(), val: AUTO, hidden: false },
    pg_sys::config_enum_entry { name: c"off".as_ptr(), val: OFF, hidden: false },
    pg_sys::config_enum_entry { name: null(), val: 0, hidden: false },
]);

/// Defines this extension's own settings, when the library is loaded.
pub fn define() {
    // SAFETY: all texts are static, and the variables are Postgres' to write from here on.
    unsafe {
        pg_sys::DefineCustomEnumVariable(
            c"message_store.commit_pipelining".as_ptr(),
            c"Releases the locks of a transaction that writes only messages before the log is flushed.".as_ptr(),
            c"The client hears of the commit after the flush, as always.".as_ptr(),
            &raw mut COMMIT_PIPELINING,
            AUTO,
            CHOICES.0.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            0,
            None,
            None,
            None,
        );
        pg_sys::DefineCustomBoolVariable(
            c"message_store.direct_access".as_ptr(),
            c"Reads and writes messages past the executor where a store's table is an ordinary one.".as_ptr(),
            c"Off, every access is an SQL statement: the same results, slower.".as_ptr(),
            &raw mut DIRECT_ACCESS,
            true,
            pg_sys::GucContext::PGC_USERSET,
            0,
            None,
            None,
            None,
        );
    }
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
