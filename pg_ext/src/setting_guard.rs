//! Settings that are changed for a while.

use std::ffi::{CStr, c_int};

use pgrx::pg_sys;

/// Settings that have another value for as long as it lives.
pub struct SettingGuard {
    level: c_int,
}

impl SettingGuard {
    /// Gives each setting its value.
    pub fn set(settings: &[(&CStr, &CStr)]) -> Self {
        // SAFETY: a new nesting level, closed in drop; names and values are NUL-terminated.
        unsafe {
            let level = pg_sys::NewGUCNestLevel();
            for (name, value) in settings {
                pg_sys::set_config_option(
                    name.as_ptr(),
                    value.as_ptr(),
                    pg_sys::GucContext::PGC_USERSET,
                    pg_sys::GucSource::PGC_S_SESSION,
                    pg_sys::GucAction::GUC_ACTION_SAVE,
                    true,
                    0,
                    false,
                );
            }
            Self { level }
        }
    }
}

impl Drop for SettingGuard {
    fn drop(&mut self) {
        // After an error the end of the transaction puts the settings back.
        if !std::thread::panicking() {
            // SAFETY: closes the level opened in set.
            unsafe { pg_sys::AtEOXact_GUC(true, self.level) };
        }
    }
}
