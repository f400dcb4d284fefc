//! Telling the client: errors with exactly the text and SQLSTATE of the core's, and notices.
//!
//! Written against Postgres' own functions, since pgrx' reports carry Rust file names and, when the server's
//! environment asks for them, backtraces.

use std::ffi::{c_char, c_int};
use std::ptr::null;

use message_store_core::Error;
use pgrx::pg_sys::panic::ErrorReportWithLevel;
use pgrx::{PgLogLevel, pg_sys};

use crate::encoding::encoded;
use crate::postgres_error::protect;

/// A text for the client, in Postgres' memory and the database's encoding.
struct ClientText(*const c_char);

impl ClientText {
    fn new(text: &str) -> Self {
        let mut bytes = encoded(text);
        bytes.retain(|&byte| byte != 0);
        // SAFETY: palloc gives that many bytes or raises an error; one more is asked for, for the final NUL.
        unsafe {
            let copy = pg_sys::palloc(bytes.len() + 1).cast::<u8>();
            copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            *copy.add(bytes.len()) = 0;
            Self(copy.cast())
        }
    }
}

/// A message ready to be given to Postgres: nothing in it has a destructor, so an error may jump over it.
pub struct Report {
    level: c_int,
    sqlstate: c_int,
    message: ClientText,
    detail: Option<ClientText>,
}

impl Report {
    /// An error of the core's.
    pub fn of(error: &Error) -> Self {
        Self::error(error.sqlstate(), &error.to_string(), error.detail().as_deref())
    }

    /// An error with this SQLSTATE.
    pub fn error(sqlstate: &str, message: &str, detail: Option<&str>) -> Self {
        Self::new(PgLogLevel::ERROR as u32, packed_sqlstate(sqlstate), message, detail)
    }

    /// An error that pgrx caught or raised, without the place in Rust that it came from.
    pub fn of_pgrx(error: &ErrorReportWithLevel) -> Self {
        Self::new(PgLogLevel::ERROR as u32, error.sql_error_code() as c_int, error.message(), error.detail())
    }

    /// What a client hears of a defect in this extension. The text of it goes to the server's log only.
    pub fn of_defect(what: &str) -> Self {
        let defect = packed_sqlstate("XX000");
        let log = Self::new(pg_sys::LOG_SERVER_ONLY, defect, &format!("message_store: internal error: {what}"), None);
        // SAFETY: a counter of the backend's. While it stands, sending hears of no cancellation, which would jump.
        unsafe {
            pg_sys::InterruptHoldoffCount += 1;
            log.send();
            pg_sys::InterruptHoldoffCount -= 1;
        }
        Self::error("XX000", "message_store: internal error, see the server log", None)
    }

    fn new(level: u32, sqlstate: c_int, message: &str, detail: Option<&str>) -> Self {
        Self {
            level: level.cast_signed(),
            sqlstate,
            message: ClientText::new(message),
            detail: detail.map(ClientText::new),
        }
    }

    /// Gives the report to Postgres and returns, unless it is an error.
    fn send(&self) {
        // SAFETY: Postgres' own order of calls. The strings are NUL-terminated and live in its memory. An error jumps
        // out of errfinish over this frame, which has no destructor.
        unsafe {
            if raw::errstart(self.level, null()) {
                raw::errcode(self.sqlstate);
                raw::errmsg_internal(c"%s".as_ptr(), self.message.0);
                if let Some(detail) = &self.detail {
                    raw::errdetail_internal(c"%s".as_ptr(), detail.0);
                }
                raw::errfinish(null(), 0, null());
            }
        }
    }

    /// Gives a report that is no error to Postgres. A cancelled or terminated backend hears of it here, and unwinds.
    fn send_protected(&self) {
        // SAFETY: only functions of Postgres' are called, and nothing that is made has a destructor.
        unsafe { protect(|| self.send()) }
    }

    /// Raises the error.
    ///
    /// # Safety
    /// It leaves by a jump: no destructor of a calling Rust frame may be pending.
    pub unsafe fn raise(self) -> ! {
        self.send();
        unreachable!("an error does not return")
    }
}

/// Sends a notice.
pub fn notice(text: &str) {
    Report::new(pg_sys::NOTICE, 0, text, None).send_protected();
}

/// Five characters, six bits each, as Postgres packs them.
fn packed_sqlstate(sqlstate: &str) -> c_int {
    sqlstate.bytes().rev().fold(0, |packed, byte| packed << 6 | (c_int::from(byte) - c_int::from(b'0')) & 0x3F)
}

mod raw {
    use std::ffi::{c_char, c_int};

    unsafe extern "C-unwind" {
        pub fn errstart(level: c_int, domain: *const c_char) -> bool;
        pub fn errcode(sqlstate: c_int) -> c_int;
        pub fn errmsg_internal(format: *const c_char, ...) -> c_int;
        pub fn errdetail_internal(format: *const c_char, ...) -> c_int;
        pub fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
    }
}
