//! The rows of a table-valued function, and how a value of one is given to SQLite.

use std::ffi::{CStr, c_char, c_int, c_uchar};

use rusqlite::ffi;

use crate::engine::scalar::give_text;
use crate::engine::statement::Statement;
use crate::errors::Result;

/// The rows of one call, read one after the other.
pub trait Rows {
    /// Goes to the next row, at first to the first one; false at the end.
    fn next(&mut self) -> Result<bool>;
    /// The statement whose rows these are, column for column; the same one to the end.
    fn statement(&self) -> Option<&Statement> {
        None
    }
    /// Gives the value of an output column of the row, where that is not a statement's.
    fn column(&self, _column: c_int, _value: &mut Value<'_>) -> Result<()> {
        Ok(())
    }
}

/// Rows that are few enough to be held.
#[derive(Debug)]
pub struct HeldRows<T> {
    rows: Vec<T>,
    /// How many were gone to.
    count: usize,
}

impl<T> HeldRows<T> {
    /// Before the first one.
    pub fn new(rows: Vec<T>) -> Self {
        Self { rows, count: 0 }
    }

    /// Goes to the next one; false at the end.
    pub fn next(&mut self) -> bool {
        self.count += 1;
        self.row().is_some()
    }

    /// The one gone to.
    pub fn row(&self) -> Option<&T> {
        self.rows.get(self.count.checked_sub(1)?)
    }
}

/// Where the value of a column goes.
pub struct Value<'a>(pub(super) &'a mut ffi::sqlite3_context);

impl Value<'_> {
    /// A text, or NULL.
    pub fn text(&mut self, text: Option<&[u8]>) {
        // Without a result it is NULL.
        if let Some(text) = text {
            // SAFETY: the context of the running callback.
            unsafe { give_text(self.0, text) };
        }
    }

    /// The same of a string.
    pub fn string(&mut self, text: Option<&str>) {
        self.text(text.map(str::as_bytes));
    }

    /// An integer, or NULL.
    pub fn integer(&mut self, value: Option<i64>) {
        if let Some(value) = value {
            // SAFETY: the context of the running callback.
            unsafe { ffi::sqlite3_result_int64(self.0, value) };
        }
    }
}

/// Gives a column of another statement's row, as it is.
///
/// The copy of a text is said to have a NUL behind it. Else SQLite puts one there when the host asks for the text, in
/// memory allocated anew; `sqlite3_result_value` allocates, too.
///
/// # Safety
/// The context must be that of the running callback, and the value one of the row that a statement of the same
/// connection is on.
pub(super) unsafe fn copy(
    context: *mut ffi::sqlite3_context,
    value: *mut ffi::sqlite3_value,
    knows_zero_terminated: bool,
) {
    // SAFETY: as the caller says. The value is alive as long as the row, and the connection's mutex is held throughout
    // the callback. The text ends with a NUL. Everything is copied.
    unsafe {
        match ffi::sqlite3_value_type(value) {
            ffi::SQLITE_NULL => {}
            ffi::SQLITE_INTEGER => ffi::sqlite3_result_int64(context, ffi::sqlite3_value_int64(value)),
            ffi::SQLITE_TEXT => {
                let text = ffi::sqlite3_value_text(value).cast::<c_char>();
                let length = ffi::sqlite3_value_bytes(value);
                if text.is_null() {
                    ffi::sqlite3_result_error_nomem(context);
                } else if knows_zero_terminated {
                    let length = u64::from(length.unsigned_abs());
                    ffi::sqlite3_result_text64(context, text, length, ffi::SQLITE_TRANSIENT(), SQLITE_UTF8_ZT);
                } else {
                    // Without a length it ends at its first NUL, which may be inside.
                    let is_whole = usize::try_from(length) == Ok(CStr::from_ptr(text).count_bytes());
                    let length = if is_whole { -1 } else { length };
                    ffi::sqlite3_result_text(context, text, length, ffi::SQLITE_TRANSIENT());
                }
            }
            _ => ffi::sqlite3_result_value(context, value),
        }
    }
}

/// UTF-8 with a NUL behind it; not among the oldest bindings' constants.
const SQLITE_UTF8_ZT: c_uchar = 16;
/// A version that knows `SQLITE_UTF8_ZT`.
pub(super) const ZERO_TERMINATED_SINCE: c_int = 3_053_000;
