//! The host's connection, as far as its functions may use it.

use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use rusqlite::ffi;

use crate::engine::statement::{Parameter, Statement};
use crate::errors::{Failure, Result};

/// A connection that somebody else owns.
///
/// It is used only from callbacks of that same connection, where it is alive and its mutex held.
#[derive(Debug, Clone, Copy)]
pub struct Db(NonNull<ffi::sqlite3>);

/// How far a transaction has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionState {
    /// Nothing is read or written.
    None,
    /// A snapshot is held.
    Read,
    /// The write lock is held.
    Write,
}

impl Db {
    /// The connection of that handle, `None` for a null one.
    ///
    /// # Safety
    /// The connection must outlive every use of the result.
    pub unsafe fn new(handle: *mut ffi::sqlite3) -> Option<Self> {
        NonNull::new(handle).map(Self)
    }

    /// The handle for SQLite's own functions.
    pub(super) fn raw(self) -> *mut ffi::sqlite3 {
        self.0.as_ptr()
    }

    /// What went wrong last: SQLite's words, and the code in its extended form.
    pub fn failure(self, code: c_int) -> Failure {
        // SAFETY: the connection is alive, and the message is copied before anything else is called on it.
        let (extended, message) = unsafe {
            let message = CStr::from_ptr(ffi::sqlite3_errmsg(self.raw())).to_string_lossy().into_owned();
            (ffi::sqlite3_extended_errcode(self.raw()), message)
        };
        if extended & 0xff == code & 0xff {
            return Failure::new(extended, message);
        }
        // SAFETY: a static text.
        let words = unsafe { CStr::from_ptr(ffi::sqlite3_errstr(code)) };
        Failure::new(code, words.to_string_lossy())
    }

    /// The failure that a result code stands for, if it stands for one.
    pub fn check(self, code: c_int) -> Result<()> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(self.failure(code)) }
    }

    /// Prepares one statement, to be kept for long. What comes after it is an error, not ignored.
    pub fn prepare(self, sql: &[u8]) -> Result<Statement> {
        let too_big = || Failure::new(ffi::SQLITE_TOOBIG, "statement too long");
        let length = c_int::try_from(sql.len()).map_err(|_| too_big())?;
        let (mut raw, mut tail) = (ptr::null_mut(), ptr::null());
        // SAFETY: the connection is alive, the text has that length, and SQLite only writes the two results.
        let code = unsafe {
            let flags = ffi::SQLITE_PREPARE_PERSISTENT;
            ffi::sqlite3_prepare_v3(self.raw(), sql.as_ptr().cast(), length, flags, &raw mut raw, &raw mut tail)
        };
        self.check(code)?;
        // A text without a statement has no pointer.
        let Some(raw) = NonNull::new(raw) else { return Err(Failure::new(ffi::SQLITE_ERROR, "incomplete input")) };
        let statement = Statement::new(raw, self);
        let used = tail.addr().saturating_sub(sql.as_ptr().addr());
        match sql.get(used..) {
            Some(rest) if !rest.iter().all(u8::is_ascii_whitespace) => {
                Err(Failure::new(ffi::SQLITE_ERROR, "one statement at a time"))
            }
            _ => Ok(statement),
        }
    }

    /// Runs every statement of a script.
    pub fn execute_script(self, sql: &str) -> Result<()> {
        let nul = |_| Failure::new(ffi::SQLITE_ERROR, "unexpected NUL");
        let sql = CString::new(sql).map_err(nul)?;
        // SAFETY: the connection is alive, the text NUL-terminated; no callback, no message wanted.
        self.check(unsafe { ffi::sqlite3_exec(self.raw(), sql.as_ptr(), None, ptr::null_mut(), ptr::null_mut()) })
    }

    /// Runs one statement once.
    pub fn execute(self, sql: &str, parameters: &[Parameter<'_>]) -> Result<()> {
        self.prepare(sql.as_bytes())?.execute(parameters)
    }

    /// The first row of one statement.
    pub fn query<T>(
        self,
        sql: &str,
        parameters: &[Parameter<'_>],
        read: impl FnOnce(&Statement) -> T,
    ) -> Result<Option<T>> {
        self.prepare(sql.as_bytes())?.query(parameters, read)
    }

    /// Whether no transaction is open.
    pub fn is_autocommit(self) -> bool {
        // SAFETY: the connection is alive.
        unsafe { ffi::sqlite3_get_autocommit(self.raw()) != 0 }
    }

    /// How far the transaction has gone on one database, or on any.
    pub fn transaction_state(self, schema: Option<&CStr>) -> TransactionState {
        let schema = schema.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: the connection is alive, the name NUL-terminated or null.
        match unsafe { ffi::sqlite3_txn_state(self.raw(), schema) } {
            ffi::SQLITE_TXN_WRITE => TransactionState::Write,
            ffi::SQLITE_TXN_READ => TransactionState::Read,
            _ => TransactionState::None,
        }
    }

    /// The absolute path of a database's file; `None` for one in memory or a temporary one.
    pub fn path(self, schema: &CStr) -> Option<PathBuf> {
        if !self.is_file(schema) || self.is_in_memory_by_name(schema) {
            return None;
        }
        self.with_file_name(schema, path)
    }

    /// Whether there is a database of that name: the host may have detached it.
    pub fn has_database(self, schema: &CStr) -> bool {
        self.with_file_name(schema, |_| ()).is_some()
    }

    /// Whether it is one of SQLite's databases in memory that several connections share by the name of a file.
    fn is_in_memory_by_name(self, schema: &CStr) -> bool {
        let mut name: *mut c_char = ptr::null_mut();
        // SAFETY: the connection is alive; for this opcode SQLite writes a text that is ours to free, or nothing.
        unsafe {
            let place = (&raw mut name).cast();
            ffi::sqlite3_file_control(self.raw(), schema.as_ptr(), ffi::SQLITE_FCNTL_VFSNAME, place);
            let is_in_memory = !name.is_null() && CStr::from_ptr(name).to_bytes().starts_with(b"memdb");
            ffi::sqlite3_free(name.cast());
            is_in_memory
        }
    }

    /// Whether a database is in a file, for as long as it is there. What was put in memory in its place has no path, but
    /// in older versions of SQLite a name.
    pub fn is_file(self, schema: &CStr) -> bool {
        let is_path = |name: &CStr| matches!(name.to_bytes(), [b'/' | b'\\', ..] | [_, b':', ..]);
        self.with_file_name(schema, is_path).unwrap_or(false)
    }

    /// What SQLite calls a database's file; `None` where there is no such database.
    fn with_file_name<T>(self, schema: &CStr, read: impl FnOnce(&CStr) -> T) -> Option<T> {
        // SAFETY: the connection is alive; the result is null or a text that lives as long as the database.
        unsafe {
            let name = ffi::sqlite3_db_filename(self.raw(), schema.as_ptr());
            if name.is_null() { None } else { Some(read(CStr::from_ptr(name))) }
        }
    }

    /// A number that is another one whenever a database was committed to since, as far as the snapshot that is held
    /// tells; `None` where SQLite does not say.
    pub fn data_version(self, schema: &CStr) -> Option<u32> {
        let mut version: u32 = 0;
        // SAFETY: the connection is alive; for this opcode SQLite writes an unsigned int.
        let code = unsafe {
            let version = (&raw mut version).cast();
            ffi::sqlite3_file_control(self.raw(), schema.as_ptr(), ffi::SQLITE_FCNTL_DATA_VERSION, version)
        };
        (code == ffi::SQLITE_OK).then_some(version)
    }

    /// Whether the file of a database is no longer the one at its path.
    pub fn has_moved(self, schema: &CStr) -> bool {
        let mut moved: c_int = 0;
        // SAFETY: the connection is alive; for this opcode SQLite writes an int.
        let code = unsafe {
            let moved = (&raw mut moved).cast();
            ffi::sqlite3_file_control(self.raw(), schema.as_ptr(), ffi::SQLITE_FCNTL_HAS_MOVED, moved)
        };
        code == ffi::SQLITE_OK && moved != 0
    }

    /// Refuses a text that is longer than the host lets any be.
    pub fn check_length(self, length: usize) -> Result<()> {
        // SAFETY: the connection is alive; a negative limit changes nothing.
        let limit = unsafe { ffi::sqlite3_limit(self.raw(), ffi::SQLITE_LIMIT_LENGTH, -1) };
        if usize::try_from(limit).is_ok_and(|limit| length > limit) {
            return Err(Failure::new(ffi::SQLITE_TOOBIG, "string or blob too big"));
        }
        Ok(())
    }

    /// How many rows the connection has changed by the statements that have ended.
    pub fn total_changes(self) -> i32 {
        // SAFETY: the connection is alive.
        unsafe { ffi::sqlite3_total_changes(self.raw()) }
    }

    /// How many rows the last statement changed.
    pub fn changes(self) -> i64 {
        // SAFETY: the connection is alive.
        i64::from(unsafe { ffi::sqlite3_changes(self.raw()) })
    }

    /// The row id of the last row inserted: of a message, its global position.
    pub fn last_insert_rowid(self) -> i64 {
        // SAFETY: the connection is alive.
        unsafe { ffi::sqlite3_last_insert_rowid(self.raw()) }
    }
}

#[cfg(unix)]
fn path(name: &CStr) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(OsStr::from_bytes(name.to_bytes()))
}

#[cfg(not(unix))]
fn path(name: &CStr) -> PathBuf {
    PathBuf::from(OsStr::new(name.to_string_lossy().as_ref()))
}

/// A connection of our own to another file, closed when dropped.
#[derive(Debug)]
pub struct OwnDb(Db);

impl OwnDb {
    /// Opens an existing file. Another connection is waited for as many milliseconds.
    pub fn open(path: &Path, busy_timeout: c_int) -> Result<Self> {
        let name = path.to_str().and_then(|name| CString::new(name).ok());
        let unusable = || Failure::new(ffi::SQLITE_CANTOPEN, "the file's path cannot be used");
        let name: CString = name.ok_or_else(unusable)?;
        let mut raw = ptr::null_mut();
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_NOMUTEX;
        // SAFETY: the name is NUL-terminated; SQLite writes the handle, also when it fails.
        let code = unsafe { ffi::sqlite3_open_v2(name.as_ptr(), &raw mut raw, flags, ptr::null::<c_char>()) };
        let raw = NonNull::new(raw).ok_or_else(|| Failure::new(ffi::SQLITE_NOMEM, "out of memory"))?;
        let own = Self(Db(raw));
        own.0.check(code)?;
        // SAFETY: the connection is alive.
        unsafe { ffi::sqlite3_busy_timeout(raw.as_ptr(), busy_timeout) };
        Ok(own)
    }

    /// The connection.
    pub fn db(&self) -> Db {
        self.0
    }
}

impl Drop for OwnDb {
    fn drop(&mut self) {
        // SAFETY: the connection is alive, and no statement of it is left: they are local to the functions that use it.
        unsafe { ffi::sqlite3_close(self.0.raw()) };
    }
}
