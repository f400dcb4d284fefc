//! Table-valued functions: eponymous virtual tables whose hidden columns are the arguments.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::slice;

use rusqlite::ffi;

use crate::connection::Connection;
use crate::engine::arguments::{Arguments, MAX_ARGUMENTS};
use crate::engine::guard::{guarded, quietly};
use crate::engine::row_values::RowValues;
use crate::engine::rows::{Rows, Value, ZERO_TERMINATED_SINCE, copy};
use crate::engine::scalar::fail;
use crate::engine::statement::Statement;
use crate::errors::{Failure, Result};

/// Starts a call.
pub type Open = fn(&Rc<Connection>, &Arguments<'_>) -> Result<Box<dyn Rows>>;

/// A table-valued function.
#[derive(Debug)]
pub struct TableFunction {
    /// Its name in SQL.
    pub name: &'static str,
    /// The columns of its rows, as declared.
    pub columns: &'static [&'static str],
    /// Its arguments, at most `MAX_ARGUMENTS`. None may have the name of a column.
    pub arguments: &'static [&'static str],
    /// The column by which its rows ascend anyway.
    pub ascending: Option<c_int>,
    /// What it does.
    pub open: Open,
}

/// What SQLite keeps for a registered function.
struct Registered {
    connection: Rc<Connection>,
    function: &'static TableFunction,
}

#[repr(C)]
struct Table {
    base: ffi::sqlite3_vtab,
    connection: Rc<Connection>,
    function: &'static TableFunction,
}

#[repr(C)]
struct Cursor {
    base: ffi::sqlite3_vtab_cursor,
    /// None before the first row and after the last one.
    rows: Option<Box<dyn Rows>>,
    /// The statement of `rows`, where they have one.
    source: Option<Source>,
    row: i64,
    /// How many columns the rows have. Behind them are the arguments.
    columns: c_int,
    /// The arguments' own values, where SQLite compares them once more.
    given: Vec<(c_int, Kept)>,
}

/// A copy of a value.
struct Kept(*mut ffi::sqlite3_value);

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: `filter` made it, and nobody else has it.
        unsafe { ffi::sqlite3_value_free(self.0) };
    }
}

/// Where the values of the row are that another statement is on.
struct Source {
    values: RowValues,
    knows_zero_terminated: bool,
}

/// Adds a function to the connection.
pub fn register(connection: &Rc<Connection>, function: &'static TableFunction) -> Result<()> {
    debug_assert!(function.arguments.len() <= MAX_ARGUMENTS);
    let data = Box::into_raw(Box::new(Registered { connection: Rc::clone(connection), function }));
    create_module(connection, function.name, &MODULE, data.cast(), destroy)
}

/// Adds a module whose data SQLite gives back to `destroy`.
pub(super) fn create_module(
    connection: &Rc<Connection>,
    name: &str,
    module: &'static Module,
    data: *mut c_void,
    destroy: unsafe extern "C" fn(*mut c_void),
) -> Result<()> {
    let db = connection.db;
    let name = CString::new(name).map_err(|_| Failure::new(ffi::SQLITE_MISUSE, "module name"))?;
    // SAFETY: the connection is alive, the module static. SQLite gives `data` back also when this very call fails.
    let code =
        unsafe { ffi::sqlite3_create_module_v2(db.raw(), name.as_ptr(), &raw const module.0, data, Some(destroy)) };
    db.check(code)
}

/// A module's callbacks.
#[repr(transparent)]
pub(super) struct Module(pub(super) ffi::sqlite3_module);

// SAFETY: it holds nothing but constants.
unsafe impl Sync for Module {}

/// A module without callbacks.
// SAFETY: every field is an integer or an optional function, for which zero is valid.
pub(super) const NO_CALLBACKS: ffi::sqlite3_module = unsafe { std::mem::zeroed() };

static MODULE: Module = Module(ffi::sqlite3_module {
    iVersion: 1,
    xConnect: Some(connect),
    xBestIndex: Some(best_index),
    xDisconnect: Some(disconnect),
    xOpen: Some(open),
    xClose: Some(close),
    xFilter: Some(filter),
    xNext: Some(next),
    xEof: Some(eof),
    xColumn: Some(column),
    xRowid: Some(rowid),
    ..NO_CALLBACKS
});

unsafe extern "C" fn destroy(data: *mut c_void) {
    // SAFETY: `register` made it from a box, and SQLite gives it back once.
    quietly(|| drop(unsafe { Box::from_raw(data.cast::<Registered>()) }));
}

unsafe extern "C" fn connect(
    db: *mut ffi::sqlite3,
    data: *mut c_void,
    _count: c_int,
    _arguments: *const *const c_char,
    table: *mut *mut ffi::sqlite3_vtab,
    message: *mut *mut c_char,
) -> c_int {
    let result = guarded(|| {
        // SAFETY: SQLite hands over the data of `register`.
        let registered = unsafe { &*data.cast::<Registered>() };
        let Registered { connection, function } = registered;
        let hidden = function.arguments.iter().map(|argument| format!("{argument} HIDDEN"));
        let columns = function.columns.iter().map(|&column| column.to_owned()).chain(hidden);
        let sql = format!("CREATE TABLE x({})", columns.collect::<Vec<_>>().join(", "));
        let sql = CString::new(sql).map_err(|_| Failure::new(ffi::SQLITE_MISUSE, "columns"))?;
        // SAFETY: within xConnect, on its connection.
        unsafe {
            connection.db.check(ffi::sqlite3_declare_vtab(db, sql.as_ptr()))?;
            connection.db.check(ffi::sqlite3_vtab_config(db, ffi::SQLITE_VTAB_DIRECTONLY))?;
        }
        let base = ffi::sqlite3_vtab { pModule: ptr::null(), nRef: 0, zErrMsg: ptr::null_mut() };
        let made = Box::new(Table { base, connection: Rc::clone(connection), function });
        // SAFETY: SQLite gave the place for it. `Table` begins with its base.
        unsafe { *table = Box::into_raw(made).cast() };
        Ok(())
    });
    // SAFETY: SQLite gave the place for the message.
    unsafe { report(result, message) }
}

unsafe extern "C" fn disconnect(table: *mut ffi::sqlite3_vtab) -> c_int {
    // SAFETY: `connect` made it from a box, and SQLite gives it back once.
    quietly(|| drop(unsafe { Box::from_raw(table.cast::<Table>()) }));
    ffi::SQLITE_OK
}

/// Where the bits of a plan's number begin that say which arguments SQLite compares once more: those that are given twice,
/// and those whose constraint is behind the first ones, the only ones that it leaves to the function.
const TWICE: usize = MAX_ARGUMENTS;
const BEHIND: usize = 2 * MAX_ARGUMENTS;
const FIRST_ONES: usize = 16;

/// Hands every argument that is given by `=` or IS to `filter`; the plan's number has a bit for each.
unsafe extern "C" fn best_index(table: *mut ffi::sqlite3_vtab, info: *mut ffi::sqlite3_index_info) -> c_int {
    // SAFETY: SQLite hands over the table of `connect` and its own description of the query, with as many constraints,
    // usages and terms of ORDER BY as it says.
    unsafe {
        let function = (*table.cast::<Table>()).function;
        let info = &mut *info;
        let count = usize::try_from(info.nConstraint).unwrap_or(0);
        let mut given: [Option<usize>; MAX_ARGUMENTS] = [None; MAX_ARGUMENTS];
        let mut plan = 0;
        for index in 0..count {
            let constraint = &*info.aConstraint.add(index);
            let argument = usize::try_from(constraint.iColumn).ok().and_then(|n| n.checked_sub(function.columns.len()));
            let Some(argument) = argument.filter(|&argument| argument < MAX_ARGUMENTS) else { continue };
            if ![ffi::SQLITE_INDEX_CONSTRAINT_EQ, ffi::SQLITE_INDEX_CONSTRAINT_IS]
                .map(c_int::from)
                .contains(&c_int::from(constraint.op))
            {
                continue;
            }
            if constraint.usable == 0 {
                // Its value is not known in this order of the join.
                return ffi::SQLITE_CONSTRAINT;
            }
            let is_compared = [(given[argument].is_some(), TWICE), (index >= FIRST_ONES, BEHIND)];
            for (_, bits) in is_compared.iter().filter(|(is_compared, _)| *is_compared) {
                plan |= 1 << (bits + argument);
            }
            given[argument] = Some(index);
        }
        let mut place = 0;
        for (argument, constraint) in given.iter().enumerate() {
            let Some(constraint) = constraint else { continue };
            place += 1;
            let usage = &mut *info.aConstraintUsage.add(*constraint);
            usage.argvIndex = place;
            usage.omit = 1;
            plan |= 1 << argument;
        }
        info.idxNum = plan;
        if let (1, Some(column)) = (info.nOrderBy, function.ascending) {
            let term = &*info.aOrderBy;
            info.orderByConsumed = c_int::from(term.iColumn == column && term.desc == 0);
        }
        info.estimatedCost = 1000.0;
        info.estimatedRows = 1000;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn open(table: *mut ffi::sqlite3_vtab, cursor: *mut *mut ffi::sqlite3_vtab_cursor) -> c_int {
    let base = ffi::sqlite3_vtab_cursor { pVtab: ptr::null_mut() };
    // SAFETY: SQLite hands over the table of `connect`.
    let function = unsafe { (*table.cast::<Table>()).function };
    let columns = c_int::try_from(function.columns.len()).unwrap_or(c_int::MAX);
    let made = Box::new(Cursor { base, rows: None, source: None, row: 0, columns, given: Vec::new() });
    // SAFETY: SQLite gave the place for it. `Cursor` begins with its base.
    unsafe { *cursor = Box::into_raw(made).cast() };
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: `open` made it from a box, and SQLite gives it back once.
    quietly(|| drop(unsafe { Box::from_raw(cursor.cast::<Cursor>()) }));
    ffi::SQLITE_OK
}

unsafe extern "C" fn filter(
    cursor: *mut ffi::sqlite3_vtab_cursor,
    plan: c_int,
    _name: *const c_char,
    count: c_int,
    values: *mut *mut ffi::sqlite3_value,
) -> c_int {
    // SAFETY: SQLite hands over a cursor of `open` and the values of `best_index`'s plan.
    unsafe {
        advance(cursor, |table, cursor| {
            let count = usize::try_from(count).unwrap_or(0);
            let values = if count == 0 { &[] } else { slice::from_raw_parts(values, count) };
            let numbers = (0..MAX_ARGUMENTS).filter(|argument| plan & (1 << argument) != 0);
            let mut arguments = Arguments::new(numbers.clone().zip(values.iter().copied()));
            arguments.check_texts()?;
            cursor.given.clear();
            if plan >> TWICE != 0 {
                cursor.given = keep(table.function, plan, numbers.zip(values.iter().copied()))?;
            }
            // The statement of an earlier scan goes back before a new one is asked for.
            cursor.end();
            cursor.row = 0;
            match cursor.start(table, &arguments) {
                // A kept statement finds out only when it runs that its tables are gone.
                Err(failure) if failure.is_missing_table() => {
                    table.connection.check_again();
                    cursor.start(table, &arguments)
                }
                started => started,
            }
        })
    }
}

unsafe extern "C" fn next(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite hands over a cursor of `open`.
    unsafe {
        advance(cursor, |_, cursor| match &mut cursor.rows {
            Some(rows) => rows.next(),
            None => Ok(false),
        })
    }
}

/// Copies the arguments that SQLite compares once more. One that is NULL equals nothing, and there would be no rows.
///
/// # Safety
/// The values must be those of the running callback.
unsafe fn keep(
    function: &TableFunction,
    plan: c_int,
    values: impl Iterator<Item = (usize, *mut ffi::sqlite3_value)>,
) -> Result<Vec<(c_int, Kept)>> {
    let is_in = |bits: usize, number: usize| plan & (1 << (bits + number)) != 0;
    let mut kept = Vec::new();
    for (number, value) in values.filter(|(number, _)| is_in(TWICE, *number) || is_in(BEHIND, *number)) {
        // SAFETY: as the caller says.
        let (kind, copy) = unsafe { (ffi::sqlite3_value_type(value), Kept(ffi::sqlite3_value_dup(value))) };
        if copy.0.is_null() {
            return Err(Failure::new(ffi::SQLITE_NOMEM, "out of memory"));
        }
        if kind == ffi::SQLITE_NULL && is_in(BEHIND, number) {
            let (name, argument) = (function.name, function.arguments[number]);
            let message =
                format!("Too many conditions beside {name}: {argument} is NULL, and SQLite would find no rows");
            return Err(Failure::new(ffi::SQLITE_ERROR, message));
        }
        kept.push((c_int::try_from(function.columns.len() + number).unwrap_or(c_int::MAX), copy));
    }
    Ok(kept)
}

impl Cursor {
    /// Starts the call and goes to its first row.
    fn start(&mut self, table: &Table, arguments: &Arguments<'_>) -> Result<bool> {
        let mut rows = (table.function.open)(&table.connection, arguments)?;
        let found = rows.next()?;
        self.source = rows.statement().and_then(Statement::values).map(|values| Source {
            values: values.clone(),
            // SAFETY: it may be called at any time.
            knows_zero_terminated: unsafe { ffi::sqlite3_libversion_number() } >= ZERO_TERMINATED_SINCE,
        });
        self.rows = Some(rows);
        Ok(found)
    }

    /// Gives a value that is not a statement's.
    ///
    /// Never in line: its frame would be made for every value that is.
    #[inline(never)]
    fn give(&self, column: c_int, context: &mut ffi::sqlite3_context) -> c_int {
        if column >= self.columns {
            // Not kept where every constraint on it is met already.
            if let Some((_, value)) = self.given.iter().find(|(argument, _)| *argument == column) {
                // SAFETY: the context is alive; the value is copied.
                unsafe { ffi::sqlite3_result_value(context, value.0) };
            }
            return ffi::SQLITE_OK;
        }
        let Some(rows) = &self.rows else { return ffi::SQLITE_OK };
        match guarded(|| rows.column(column, &mut Value(context))) {
            Ok(()) => ffi::SQLITE_OK,
            Err(failure) => {
                // SAFETY: the context is alive.
                unsafe { fail(context, &failure) };
                failure.code()
            }
        }
    }

    fn end(&mut self) {
        self.source = None;
        self.rows = None;
    }
}

/// Goes to a row by `step`, which says whether there is one. Without one, or after a failure, none is left.
unsafe fn advance(
    cursor: *mut ffi::sqlite3_vtab_cursor,
    step: impl FnOnce(&Table, &mut Cursor) -> Result<bool>,
) -> c_int {
    // SAFETY: the caller's cursor is one of `open`, in use by this callback alone; SQLite has set its table, which
    // outlives it.
    let (table, cursor) = unsafe { (&mut *(*cursor).pVtab.cast::<Table>(), &mut *cursor.cast::<Cursor>()) };
    let result = guarded(|| step(table, cursor));
    cursor.row += 1;
    if matches!(result, Ok(true)) {
        return ffi::SQLITE_OK;
    }
    quietly(|| cursor.end());
    // SAFETY: the message of a table is SQLite's to free.
    unsafe { report(result.map(drop), &raw mut table.base.zErrMsg) }
}

unsafe extern "C" fn eof(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
    // SAFETY: SQLite hands over a cursor of `open`.
    unsafe { c_int::from((*cursor.cast::<Cursor>()).rows.is_none()) }
}

unsafe extern "C" fn column(
    cursor: *mut ffi::sqlite3_vtab_cursor,
    context: *mut ffi::sqlite3_context,
    column: c_int,
) -> c_int {
    // SAFETY: SQLite hands over a cursor of `open`.
    let cursor = unsafe { &*cursor.cast::<Cursor>() };
    if let Some(source) = &cursor.source {
        // SAFETY: the context is this callback's. The rows that the statement belongs to are there, on a row: they go
        // at their end, and with them the source.
        unsafe {
            if let Some(value) = source.values.get(column) {
                copy(context, value, source.knows_zero_terminated);
                return ffi::SQLITE_OK;
            }
        }
    }
    // SAFETY: the context is alive throughout this callback.
    cursor.give(column, unsafe { &mut *context })
}

unsafe extern "C" fn rowid(cursor: *mut ffi::sqlite3_vtab_cursor, rowid: *mut i64) -> c_int {
    // SAFETY: SQLite hands over a cursor of `open` and a place for the number.
    unsafe { *rowid = (*cursor.cast::<Cursor>()).row };
    ffi::SQLITE_OK
}

/// The result code of a callback; a failure's message goes where SQLite looks for it.
pub(super) unsafe fn report(result: Result<()>, place: *mut *mut c_char) -> c_int {
    let Err(failure) = result else { return ffi::SQLITE_OK };
    // SAFETY: the caller's place holds a message of SQLite's own, or none.
    unsafe {
        ffi::sqlite3_free((*place).cast());
        *place = allocated(&failure.message());
    }
    failure.code()
}

/// A copy of a text in SQLite's memory; null when there is no memory.
///
/// # Safety
/// SQLite's functions must be there to call.
pub(crate) unsafe fn allocated(text: &str) -> *mut c_char {
    let bytes: Vec<u8> = text.bytes().filter(|&byte| byte != 0).collect();
    // SAFETY: the memory is one byte longer than the text, for the final NUL.
    unsafe {
        let copy = ffi::sqlite3_malloc64(bytes.len() as u64 + 1).cast::<u8>();
        if !copy.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            copy.add(bytes.len()).write(0);
        }
        copy.cast()
    }
}
