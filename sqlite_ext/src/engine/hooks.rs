//! Being told what the host does with its connection: that it closes it, and what becomes of its transactions.
//!
//! SQLite has no hook for the first, and one for the others that is the host's own to set. But it tells virtual tables, so
//! there are two without rows.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use rusqlite::ffi;

use crate::connection::Connection;
use crate::engine::db::Db;
use crate::engine::guard::quietly;
use crate::engine::table_function::{Module, NO_CALLBACKS, create_module};
use crate::errors::Result;

/// A prepared statement keeps `sqlite3_close` from closing. But before SQLite looks for statements it disconnects every
/// virtual table, so this one, touched once, is told in time. No kept statement may be on it.
const CLOSING: &str = "message_store_closing";

/// A table that was written to, if only by a statement that changes nothing, is told of the transaction's end, and of
/// whatever is rolled back before.
const TRANSACTION: &str = "message_store_transaction";

/// What is known of the host's transaction.
#[derive(Debug, Default)]
pub struct Watch {
    part: Cell<Option<u64>>,
    parts: Cell<u64>,
    /// The part with which the last transaction was committed, and what was committed then.
    committed: Cell<Option<(u64, u32)>>,
}

impl Watch {
    /// A number that is another one once anything was rolled back, or committed to the main database by anybody but the
    /// transactions that were watched. `None` while none is.
    pub fn part(&self) -> Option<u64> {
        self.part.get()
    }

    /// The lock is held.
    fn begin(&self, db: Db) {
        match (self.committed.take(), committed(db)) {
            (Some((part, then)), Some(now)) if then == now => self.part.set(Some(part)),
            _ => self.begin_part(),
        }
    }

    fn begin_part(&self) {
        self.parts.set(self.parts.get() + 1);
        self.part.set(Some(self.parts.get()));
    }

    fn commit(&self, db: Db) {
        self.committed.set(self.part.take().zip(committed(db)));
    }
}

/// What was committed to the main database last. A host can put another one in memory in its place, with the same version.
fn committed(db: Db) -> Option<u32> {
    if db.is_file(c"main") { db.data_version(c"main") } else { None }
}

#[repr(C)]
struct Table {
    base: ffi::sqlite3_vtab,
    connection: Rc<Connection>,
}

/// Adds the tables to the connection.
pub fn register(connection: &Rc<Connection>) -> Result<()> {
    for (name, module) in [(CLOSING, &CLOSING_MODULE), (TRANSACTION, &TRANSACTION_MODULE)] {
        let data = Box::into_raw(Box::new(Rc::clone(connection)));
        create_module(connection, name, module, data.cast(), destroy)?;
    }
    Ok(())
}

/// Sees to it that the end of the connection is noticed. Needed again after a close that failed.
pub fn await_closing(connection: &Connection) -> Result<()> {
    connection.db.prepare(b"SELECT 1 FROM message_store_closing").map(drop)
}

/// Each has one column, and can be prepared, but not opened.
const TABLE: ffi::sqlite3_module = ffi::sqlite3_module {
    iVersion: 2,
    xConnect: Some(connect),
    xBestIndex: Some(best_index),
    xOpen: Some(open),
    ..NO_CALLBACKS
};

static CLOSING_MODULE: Module = Module(ffi::sqlite3_module { xDisconnect: Some(closing), ..TABLE });

static TRANSACTION_MODULE: Module = Module(ffi::sqlite3_module {
    xDisconnect: Some(disconnect),
    xUpdate: Some(update),
    xBegin: Some(begin),
    xCommit: Some(commit),
    xRollback: Some(roll_back),
    // Without it SQLite passes over the savepoints that are older than the watch.
    xSavepoint: Some(savepoint),
    xRollbackTo: Some(rolled_back),
    ..TABLE
});

unsafe extern "C" fn destroy(data: *mut c_void) {
    // SAFETY: `register` made it from a box, and SQLite gives it back once.
    quietly(|| drop(unsafe { Box::from_raw(data.cast::<Rc<Connection>>()) }));
}

unsafe extern "C" fn connect(
    db: *mut ffi::sqlite3,
    data: *mut c_void,
    _count: c_int,
    _arguments: *const *const c_char,
    table: *mut *mut ffi::sqlite3_vtab,
    _message: *mut *mut c_char,
) -> c_int {
    // SAFETY: within xConnect, on its connection; SQLite hands over the data of `register` and a place for the table,
    // which begins with its base.
    unsafe {
        let code = ffi::sqlite3_declare_vtab(db, c"CREATE TABLE x(unused)".as_ptr());
        if code == ffi::SQLITE_OK {
            let base = ffi::sqlite3_vtab { pModule: ptr::null(), nRef: 0, zErrMsg: ptr::null_mut() };
            let connection = Rc::clone(&*data.cast::<Rc<Connection>>());
            *table = Box::into_raw(Box::new(Table { base, connection })).cast();
        }
        code
    }
}

unsafe extern "C" fn best_index(_table: *mut ffi::sqlite3_vtab, _info: *mut ffi::sqlite3_index_info) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn open(_table: *mut ffi::sqlite3_vtab, _cursor: *mut *mut ffi::sqlite3_vtab_cursor) -> c_int {
    ffi::SQLITE_ERROR
}

unsafe extern "C" fn closing(table: *mut ffi::sqlite3_vtab) -> c_int {
    quietly(|| {
        // SAFETY: `connect` made it from a box, and SQLite gives it back once.
        let table = unsafe { Box::from_raw(table.cast::<Table>()) };
        table.connection.release_statements();
    });
    ffi::SQLITE_OK
}

unsafe extern "C" fn disconnect(table: *mut ffi::sqlite3_vtab) -> c_int {
    // SAFETY: likewise.
    quietly(|| drop(unsafe { Box::from_raw(table.cast::<Table>()) }));
    ffi::SQLITE_OK
}

unsafe extern "C" fn update(
    _table: *mut ffi::sqlite3_vtab,
    _count: c_int,
    _values: *mut *mut ffi::sqlite3_value,
    _rowid: *mut i64,
) -> c_int {
    ffi::SQLITE_READONLY
}

unsafe extern "C" fn begin(table: *mut ffi::sqlite3_vtab) -> c_int {
    // SAFETY: SQLite hands over a table of `connect`.
    let connection = unsafe { connection(table) };
    connection.watch.begin(connection.db);
    ffi::SQLITE_OK
}

unsafe extern "C" fn commit(table: *mut ffi::sqlite3_vtab) -> c_int {
    // SAFETY: likewise.
    let connection = unsafe { connection(table) };
    connection.watch.commit(connection.db);
    ffi::SQLITE_OK
}

unsafe extern "C" fn roll_back(table: *mut ffi::sqlite3_vtab) -> c_int {
    // SAFETY: likewise.
    unsafe { connection(table) }.watch.part.set(None);
    ffi::SQLITE_OK
}

unsafe extern "C" fn savepoint(_table: *mut ffi::sqlite3_vtab, _savepoint: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn rolled_back(table: *mut ffi::sqlite3_vtab, _savepoint: c_int) -> c_int {
    // SAFETY: likewise.
    unsafe { connection(table) }.watch.begin_part();
    ffi::SQLITE_OK
}

/// # Safety
/// The table must be one of `connect`, which keeps what is returned.
unsafe fn connection<'a>(table: *mut ffi::sqlite3_vtab) -> &'a Connection {
    // SAFETY: as the caller says.
    let table = unsafe { &*table.cast::<Table>() };
    &table.connection
}
