//! Being told that the host closes its connection.
//!
//! A prepared statement keeps `sqlite3_close` from closing, and SQLite has no hook for it. But it disconnects every
//! virtual table before it looks for statements, so an eponymous table of our own, touched once, is told in time.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;

use rusqlite::ffi;

use crate::connection::Connection;
use crate::engine::guard::quietly;
use crate::engine::table_function::{Module, NO_CALLBACKS, create_module};
use crate::errors::Result;

/// The table's name. It has one column and can be prepared, but not opened.
const NAME: &str = "message_store_closing";

#[repr(C)]
struct Table {
    base: ffi::sqlite3_vtab,
    connection: Rc<Connection>,
}

/// Adds the table to the connection.
pub fn register(connection: &Rc<Connection>) -> Result<()> {
    let data = Box::into_raw(Box::new(Rc::clone(connection)));
    create_module(connection, NAME, &MODULE, data.cast(), destroy)
}

/// Touches the table, so that it is told. Needed again after a close that failed.
pub fn arm(connection: &Connection) -> Result<()> {
    connection.db.prepare(b"SELECT 1 FROM message_store_closing").map(drop)
}

static MODULE: Module = Module(ffi::sqlite3_module {
    iVersion: 1,
    xConnect: Some(connect),
    xBestIndex: Some(best_index),
    xDisconnect: Some(disconnect),
    xOpen: Some(open),
    ..NO_CALLBACKS
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
        let code = ffi::sqlite3_declare_vtab(db, c"CREATE TABLE x(closing)".as_ptr());
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

unsafe extern "C" fn disconnect(table: *mut ffi::sqlite3_vtab) -> c_int {
    quietly(|| {
        // SAFETY: `connect` made it from a box, and SQLite gives it back once.
        let table = unsafe { Box::from_raw(table.cast::<Table>()) };
        table.connection.release_statements();
    });
    ffi::SQLITE_OK
}
