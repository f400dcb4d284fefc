//! Scalar functions.

use std::borrow::Cow;
use std::ffi::{CString, c_int, c_void};
use std::rc::Rc;
use std::slice;

use rusqlite::ffi;

use crate::connection::Connection;
use crate::engine::arguments::Arguments;
use crate::engine::guard::{guarded, quietly};
use crate::errors::{Failure, Result};

/// What a function returns.
#[derive(Debug)]
pub enum Answer<'a> {
    /// NULL
    Null,
    /// An integer; a boolean is 0 or 1.
    Integer(i64),
    /// A text.
    Text(Cow<'a, [u8]>),
}

impl From<i64> for Answer<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for Answer<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<String> for Answer<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value.into_bytes()))
    }
}

impl<'a> From<&'a str> for Answer<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value.as_bytes()))
    }
}

impl<'a> From<&'a [u8]> for Answer<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl<'a, T: Into<Answer<'a>>> From<Option<T>> for Answer<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, T::into)
    }
}

/// The work of a function.
pub type Work = for<'a> fn(&Rc<Connection>, &'a Arguments<'a>) -> Result<Answer<'a>>;

/// Who may call a function, and how often.
#[derive(Debug, Clone, Copy)]
pub enum Purity {
    /// The same answer for the same arguments, no effect: usable in indexes, views and triggers.
    Pure,
    /// Reads or writes: only in statements of the host's own.
    Direct,
}

/// A scalar function.
#[derive(Debug, Clone, Copy)]
pub struct Scalar {
    /// Its name in SQL.
    pub name: &'static str,
    /// The fewest and the most arguments it takes.
    pub arguments: (c_int, c_int),
    /// Its flags.
    pub purity: Purity,
    /// What it does.
    pub work: Work,
}

/// What SQLite keeps for each registered arity.
struct Registered {
    connection: Rc<Connection>,
    purity: Purity,
    work: Work,
}

/// Adds a function to the connection, once for each number of arguments it takes.
pub fn register(connection: &Rc<Connection>, scalar: &Scalar) -> Result<()> {
    let name = CString::new(scalar.name).map_err(|_| Failure::new(ffi::SQLITE_MISUSE, "function name"))?;
    let flags = ffi::SQLITE_UTF8
        | match scalar.purity {
            Purity::Pure => ffi::SQLITE_DETERMINISTIC | ffi::SQLITE_INNOCUOUS,
            Purity::Direct => ffi::SQLITE_DIRECTONLY,
        };
    for count in scalar.arguments.0..=scalar.arguments.1 {
        let registered =
            Box::new(Registered { connection: Rc::clone(connection), purity: scalar.purity, work: scalar.work });
        let data = Box::into_raw(registered).cast::<c_void>();
        let db = connection.db;
        // SAFETY: the connection is alive. SQLite hands `data` to `call`, and in the end, or when this very call
        // fails, to `destroy`.
        let code = unsafe {
            ffi::sqlite3_create_function_v2(
                db.raw(),
                name.as_ptr(),
                count,
                flags,
                data,
                Some(call),
                None,
                None,
                Some(destroy),
            )
        };
        db.check(code)?;
    }
    Ok(())
}

unsafe extern "C" fn destroy(data: *mut c_void) {
    // SAFETY: `register` made it from a box, and SQLite gives it back once.
    quietly(|| drop(unsafe { Box::from_raw(data.cast::<Registered>()) }));
}

unsafe extern "C" fn call(context: *mut ffi::sqlite3_context, count: c_int, values: *mut *mut ffi::sqlite3_value) {
    let result = guarded(|| {
        // SAFETY: SQLite hands over the data of `register` and `count` values, all alive until this callback returns.
        let (registered, mut arguments) = unsafe {
            let registered = &*ffi::sqlite3_user_data(context).cast::<Registered>();
            let count = usize::try_from(count).unwrap_or(0);
            let values = if count == 0 { &[] } else { slice::from_raw_parts(values, count) };
            (registered, Arguments::new(values.iter().copied().enumerate()))
        };
        if matches!(registered.purity, Purity::Direct) {
            arguments.check_texts()?;
        }
        // A call may replace the functions, and with them this data, through SQL that it runs.
        let connection = Rc::clone(&registered.connection);
        // SAFETY: the context is alive until this callback returns.
        (registered.work)(&connection, &arguments).map(|answer| unsafe { give(context, &answer) })
    });
    if let Err(failure) = result {
        // SAFETY: likewise.
        unsafe { fail(context, &failure) };
    }
}

/// Gives an answer to SQLite, which copies it.
unsafe fn give(context: *mut ffi::sqlite3_context, answer: &Answer<'_>) {
    // SAFETY: the caller's context is alive.
    unsafe {
        match answer {
            Answer::Null => ffi::sqlite3_result_null(context),
            Answer::Integer(value) => ffi::sqlite3_result_int64(context, *value),
            Answer::Text(text) => give_text(context, text),
        }
    }
}

/// Gives a text to SQLite, which copies it.
///
/// # Safety
/// The context must be that of the running callback.
pub(super) unsafe fn give_text(context: *mut ffi::sqlite3_context, text: &[u8]) {
    // SAFETY: the caller's context is alive.
    unsafe {
        match c_int::try_from(text.len()) {
            Ok(length) => ffi::sqlite3_result_text(context, text.as_ptr().cast(), length, ffi::SQLITE_TRANSIENT()),
            Err(_) => ffi::sqlite3_result_error_toobig(context),
        }
    }
}

/// Gives a failure to SQLite: the message first, since it sets a code of its own, then the code.
///
/// # Safety
/// The context must be that of the running callback.
pub(super) unsafe fn fail(context: *mut ffi::sqlite3_context, failure: &Failure) {
    let message = failure.message();
    let length = c_int::try_from(message.len()).unwrap_or(c_int::MAX);
    // SAFETY: the caller's context is alive; SQLite copies the message.
    unsafe {
        ffi::sqlite3_result_error(context, message.as_ptr().cast(), length);
        ffi::sqlite3_result_error_code(context, failure.code());
    }
}
