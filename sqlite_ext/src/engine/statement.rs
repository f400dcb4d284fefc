//! Prepared statements.

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::slice;

use rusqlite::ffi;

use crate::engine::db::Db;
use crate::engine::row_values::RowValues;
use crate::errors::{Failure, Result};

/// A value for a parameter.
#[derive(Debug, Clone, Copy)]
pub enum Parameter<'a> {
    /// NULL
    Null,
    /// An integer.
    Integer(i64),
    /// A text, which need not be UTF-8 and may hold NULs.
    Text(&'a [u8]),
    /// A text with a zero byte behind it. Most of SQLite's functions copy any other one first.
    Terminated(&'a CStr),
}

impl From<i64> for Parameter<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl<'a> From<&'a [u8]> for Parameter<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a CStr> for Parameter<'a> {
    fn from(value: &'a CStr) -> Self {
        Self::Terminated(value)
    }
}

impl<'a> From<&'a str> for Parameter<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value.as_bytes())
    }
}

impl<'a, T: Into<Parameter<'a>>> From<Option<T>> for Parameter<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, T::into)
    }
}

/// A prepared statement, finalized when dropped.
#[derive(Debug)]
pub struct Statement {
    raw: NonNull<ffi::sqlite3_stmt>,
    db: Db,
    /// Whether it may be running, or have parameters.
    is_in_use: bool,
    /// How many parameters it has been given.
    given: c_int,
    /// Where the values of its rows are, once several of them were asked for.
    values: Option<RowValues>,
    is_on_row: bool,
}

/// The most parameters that are forgotten one by one. In SQLite 3.54 and later `sqlite3_clear_bindings` has a statement
/// that compares one with a column prepared anew, which takes four times as long as a write. The statements with more
/// parameters, which insert, compare none.
const FEW: c_int = 2;

impl Statement {
    /// Takes over a statement that `Db::prepare` has made.
    pub(super) fn new(raw: NonNull<ffi::sqlite3_stmt>, db: Db) -> Self {
        Self { raw, db, is_in_use: false, given: 0, values: None, is_on_row: false }
    }

    /// The statement for a callback's result.
    pub(super) fn raw(&self) -> *mut ffi::sqlite3_stmt {
        self.raw.as_ptr()
    }

    /// Runs it to its end.
    pub fn execute(&mut self, parameters: &[Parameter<'_>]) -> Result<()> {
        self.query(parameters, |_| ()).map(drop)
    }

    /// Runs it up to its first row, and gives what `read` makes of that; `None` without a row.
    pub fn query<T>(&mut self, parameters: &[Parameter<'_>], read: impl FnOnce(&Self) -> T) -> Result<Option<T>> {
        // Not copied: the bindings are cleared below, before the borrow of the parameters ends. So they are when `read`
        // panics.
        let running = Running(self);
        running.0.bind(parameters, ffi::SQLITE_STATIC())?;
        let found = running.0.step()?;
        let value = found.then(|| read(running.0));
        let code = running.0.reset();
        running.0.db.check(code)?;
        Ok(value)
    }

    /// Where the values of the row are; `None` when it is on none, or only the first row is asked for.
    pub(super) fn values(&self) -> Option<&RowValues> {
        self.values.as_ref().filter(|_| self.is_on_row)
    }

    /// Starts it; its rows are read by `step`. The parameters are copied.
    pub fn start(&mut self, parameters: &[Parameter<'_>]) -> Result<()> {
        // SAFETY: the statement is alive, as long as what knows its rows.
        self.values.get_or_insert_with(|| unsafe { RowValues::new(self.raw.as_ptr()) });
        self.bind(parameters, ffi::SQLITE_TRANSIENT())
    }

    /// Goes to the next row; false at the end.
    pub fn step(&mut self) -> Result<bool> {
        self.is_in_use = true;
        // SAFETY: the statement is alive.
        let code = unsafe { ffi::sqlite3_step(self.raw()) };
        self.is_on_row = code == ffi::SQLITE_ROW;
        match code {
            ffi::SQLITE_ROW => {
                if let Some(values) = &self.values {
                    // SAFETY: it is on a row.
                    unsafe { values.advanced() };
                }
                Ok(true)
            }
            ffi::SQLITE_DONE => Ok(false),
            code => Err(self.db.failure(code)),
        }
    }

    /// Makes it ready to run again, and forgets its parameters. Gives the result code of the run.
    pub fn reset(&mut self) -> c_int {
        if !self.is_in_use {
            return ffi::SQLITE_OK;
        }
        self.is_in_use = false;
        self.is_on_row = false;
        // SAFETY: the statement is alive.
        unsafe {
            let code = ffi::sqlite3_reset(self.raw());
            if self.given <= FEW {
                for index in 1..=self.given {
                    ffi::sqlite3_bind_null(self.raw(), index);
                }
            } else {
                ffi::sqlite3_clear_bindings(self.raw());
            }
            code
        }
    }

    fn bind(&mut self, parameters: &[Parameter<'_>], keep: ffi::sqlite3_destructor_type) -> Result<()> {
        self.is_in_use = true;
        self.given = c_int::try_from(parameters.len()).unwrap_or(c_int::MAX);
        for (index, parameter) in (1..).zip(parameters) {
            // SAFETY: the statement is alive. A text is copied, or cleared before its borrow ends (see `query`).
            let code = unsafe {
                match parameter {
                    Parameter::Null => ffi::sqlite3_bind_null(self.raw(), index),
                    Parameter::Integer(value) => ffi::sqlite3_bind_int64(self.raw(), index, *value),
                    Parameter::Text(text) => match c_int::try_from(text.len()) {
                        Ok(length) => ffi::sqlite3_bind_text(self.raw(), index, text.as_ptr().cast(), length, keep),
                        Err(_) => ffi::SQLITE_TOOBIG,
                    },
                    Parameter::Terminated(text) => ffi::sqlite3_bind_text(self.raw(), index, text.as_ptr(), -1, keep),
                }
            };
            if code != ffi::SQLITE_OK {
                return Err(self.db.failure(code));
            }
        }
        Ok(())
    }

    /// Gives a parameter that has a name, where there is one of that name.
    pub fn bind_named(&mut self, name: &CStr, value: i64) -> Result<()> {
        // SAFETY: the statement is alive, the name NUL-terminated.
        let code = unsafe {
            match ffi::sqlite3_bind_parameter_index(self.raw(), name.as_ptr()) {
                0 => ffi::SQLITE_OK,
                index => ffi::sqlite3_bind_int64(self.raw(), index, value),
            }
        };
        self.db.check(code)
    }

    /// A column of the row. What is asked of it needs no lock of its own, as `sqlite3_column_int64` and the like do.
    fn value(&self, column: c_int) -> *mut ffi::sqlite3_value {
        // SAFETY: the statement is alive, and on a row where it knows the values; a wrong column is NULL.
        unsafe {
            let known = self.values().and_then(|values| values.get(column));
            known.unwrap_or_else(|| ffi::sqlite3_column_value(self.raw(), column))
        }
    }

    /// A column of the row as an integer; 0 when it is none.
    pub fn integer(&self, column: c_int) -> i64 {
        // SAFETY: the value is alive as long as the row.
        unsafe { ffi::sqlite3_value_int64(self.value(column)) }
    }

    /// A column of the row that must be an integer, `None` when it is NULL. A plain SQLite can have put anything there.
    pub fn whole(&self, column: c_int) -> Result<Option<i64>> {
        // SAFETY: likewise.
        match unsafe { ffi::sqlite3_value_type(self.value(column)) } {
            ffi::SQLITE_NULL => Ok(None),
            ffi::SQLITE_INTEGER => Ok(Some(self.integer(column))),
            _ => Err(Failure::new(ffi::SQLITE_MISMATCH, "datatype mismatch")),
        }
    }

    /// A column of the row as a real; 0 when it is none.
    pub fn real(&self, column: c_int) -> f64 {
        // SAFETY: likewise.
        unsafe { ffi::sqlite3_value_double(self.value(column)) }
    }

    /// A column of the row as text, `None` when it is NULL.
    pub fn text(&self, column: c_int) -> Option<&[u8]> {
        let value = self.value(column);
        // SAFETY: the value is alive as long as the row, which stays until the next `&mut self`. The length is asked for
        // first, which makes text UTF-8 where it is not; asking for a blob then copies nothing. A number has no such bytes.
        unsafe {
            match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_NULL => return None,
                ffi::SQLITE_TEXT | ffi::SQLITE_BLOB => {}
                _ => {
                    ffi::sqlite3_value_text(value);
                }
            }
            let length = usize::try_from(ffi::sqlite3_value_bytes(value)).unwrap_or(0);
            let start = ffi::sqlite3_value_blob(value).cast::<u8>();
            Some(if start.is_null() { &[] } else { slice::from_raw_parts(start, length) })
        }
    }

    /// A column of the row as an owned text, `None` when it is NULL.
    pub fn string(&self, column: c_int) -> Option<String> {
        self.text(column).map(|text| String::from_utf8_lossy(text).into_owned())
    }
}

/// Resets the statement however its run ends.
struct Running<'s>(&'s mut Statement);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.reset();
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: the statement is alive, and nobody has it any more.
        unsafe { ffi::sqlite3_finalize(self.raw()) };
    }
}
