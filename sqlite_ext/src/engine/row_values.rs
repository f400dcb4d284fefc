//! The values of the row that a statement is on.

use std::cell::Cell;
use std::ffi::c_int;
use std::ptr;
use std::rc::Rc;

use rusqlite::ffi;

/// Where the values of a statement's row are, by column; null for those not asked for yet. The first one is always known.
///
/// SQLite has the values of a row side by side, and those of the next row in the same place. So the first one, asked for
/// anew on every row, tells whether they have moved. Asking for each takes a lock each time, a sixteenth of a read of ten
/// messages.
#[derive(Debug, Clone)]
pub(super) struct RowValues {
    statement: *mut ffi::sqlite3_stmt,
    values: Rc<[Cell<*mut ffi::sqlite3_value>]>,
}

impl RowValues {
    /// Of a statement, which is not on a row yet.
    ///
    /// # Safety
    /// The statement must be alive.
    pub(super) unsafe fn new(statement: *mut ffi::sqlite3_stmt) -> Self {
        // SAFETY: as the caller says.
        let columns = unsafe { ffi::sqlite3_column_count(statement) };
        let values = (0..columns).map(|_| Cell::new(ptr::null_mut())).collect();
        Self { statement, values }
    }

    /// The statement is on another row.
    ///
    /// # Safety
    /// It must be alive and on a row.
    pub(super) unsafe fn advanced(&self) {
        let Some(known) = self.values.first() else { return };
        // SAFETY: as the caller says.
        let first = unsafe { ffi::sqlite3_column_value(self.statement, 0) };
        if known.get() != first {
            self.values.iter().for_each(|value| value.set(ptr::null_mut()));
            known.set(first);
        }
    }

    /// A value of the row; `None` behind its columns. It is there until the statement goes on.
    ///
    /// # Safety
    /// The statement must be alive and on the row that `advanced` was told of.
    pub(super) unsafe fn get(&self, column: c_int) -> Option<*mut ffi::sqlite3_value> {
        // SAFETY: as the caller says.
        let ask = || unsafe { ffi::sqlite3_column_value(self.statement, column) };
        let known = self.values.get(usize::try_from(column).ok()?)?;
        if known.get().is_null() {
            known.set(ask());
        }
        debug_assert_eq!(known.get(), ask());
        Some(known.get())
    }
}
