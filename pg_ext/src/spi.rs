//! Running SQL from inside a function, through Postgres' server programming interface (SPI).
//!
//! pgrx' own interface to it reads stale snapshots, assigns transaction ids to reads and cannot ask for a generic
//! plan, so this goes to the functions themselves. Every statement is run as a writing one (`read_only` off): that is
//! what makes it see what the same SQL statement wrote before, and take its snapshot after a lock was waited for.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_int};
use std::ptr::null_mut;

use message_store_core::Result;
use pgrx::pg_sys;

use crate::encoding::{decoded, encoded};
use crate::postgres_error::protect;
use crate::rows::Rows;
use crate::setting_guard::SettingGuard;

/// A value handed to a statement, NULL as `None`, and its type.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// The parameter's type.
    pub kind: pg_sys::Oid,
    /// Its value.
    pub value: Option<pg_sys::Datum>,
}

/// A statement that was planned and is kept for the life of the connection.
#[derive(Clone, Copy)]
pub struct Plan(pg_sys::SPIPlanPtr);

impl Plan {
    /// Frees the plan, which must not be in use.
    pub fn free(self) {
        // SAFETY: a kept plan, and nobody has it any more.
        unsafe { pg_sys::SPI_freeplan(self.0) };
    }
}

/// A connection to the interface, open while `work` of [`connected`] runs.
pub struct Spi {
    outermost: bool,
}

thread_local! {
    /// How many connections are open: a trigger on the table may call functions of ours again.
    static OPEN: Cell<usize> = const { Cell::new(0) };
}

/// Counts a connection for as long as it lives, also when it is left by an error.
struct Opened;

impl Drop for Opened {
    fn drop(&mut self) {
        OPEN.set(OPEN.get() - 1);
    }
}

/// Runs `work` with a connection to the interface.
///
/// When Postgres raises an error inside, the connection is closed by the end of the transaction, as always.
pub fn connected<T>(work: impl FnOnce(&Spi) -> Result<T>) -> Result<T> {
    // SAFETY: a plain call; its failure is an error.
    let connected = unsafe { protect(|| raw::SPI_connect()) };
    debug_assert_eq!(connected, OK_CONNECT);
    let outermost = OPEN.replace(OPEN.get() + 1) == 0;
    let opened = Opened;
    let result = work(&Spi { outermost });
    drop(opened);
    // SAFETY: matches the call above.
    unsafe { protect(|| raw::SPI_finish()) };
    result
}

const OK_CONNECT: c_int = pg_sys::SPI_OK_CONNECT.cast_signed();

/// How a statement is first planned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Planning {
    /// As the planner judges.
    Free,
    /// Through an index in the order asked for, whatever the planner believes: a table that was never analyzed looks
    /// tiny to it, and a plan made then would be kept while the table grows. When Postgres plans anew, after the table
    /// was analyzed or the search_path changed, it judges freely.
    ByIndex,
}

impl Spi {
    /// Whether no other connection of ours is open below this one.
    pub fn is_outermost(&self) -> bool {
        self.outermost
    }

    /// Plans a statement once for all values of its parameters, and keeps it.
    pub fn keep(&self, sql: &str, kinds: &[pg_sys::Oid], planning: Planning) -> Plan {
        let sql = c_string(sql);
        let count = length(kinds.len());
        let options = (pg_sys::CURSOR_OPT_GENERIC_PLAN).cast_signed();
        let (sql, kinds) = (sql.as_ptr(), kinds.as_ptr().cast_mut());
        let narrowed = (planning == Planning::ByIndex).then(narrow_planning);
        // SAFETY: plain calls. The strings and arrays outlive them; a kept plan lives until the backend ends.
        let plan = unsafe {
            protect(|| {
                let plan = raw::SPI_prepare_cursor(sql, count, kinds, options);
                if !plan.is_null() {
                    raw::SPI_keepplan(plan);
                    let cached = raw::SPI_plan_get_cached_plan(plan);
                    if !cached.is_null() {
                        raw::ReleaseCachedPlan(cached, pg_sys::CurrentResourceOwner);
                    }
                }
                plan
            })
        };
        drop(narrowed);
        assert!(!plan.is_null(), "a statement could not be prepared");
        Plan(plan)
    }

    /// Runs a statement and returns the first column of its first row, a bigint: `None` without a row or for NULL.
    pub fn bigint(&self, plan: Plan, parameters: &[Parameter]) -> Option<i64> {
        self.execute(plan, &options(parameters, 1, null_mut(), false));
        self.first_bigint()
    }

    /// The same against a snapshot.
    pub fn bigint_at(&self, _snapshot: &LatestSnapshot, plan: Plan, parameters: &[Parameter]) -> Option<i64> {
        self.execute(plan, &reading(options(parameters, 1, null_mut(), false)));
        self.first_bigint()
    }

    fn first_bigint(&self) -> Option<i64> {
        // SAFETY: the statement succeeded, so the table is set, and holds as many rows as were processed.
        unsafe {
            if pg_sys::SPI_processed == 0 || pg_sys::SPI_tuptable.is_null() {
                return None;
            }
            let table = pg_sys::SPI_tuptable;
            let mut is_null = false;
            let value = protect(|| raw::SPI_getbinval(*(*table).vals, (*table).tupdesc, 1, &mut is_null));
            protect(|| raw::SPI_freetuptable(table));
            (!is_null).then(|| value.value().cast_signed() as i64)
        }
    }

    /// Runs a statement for its effect.
    pub fn run(&self, plan: Plan, parameters: &[Parameter]) {
        self.execute(plan, &options(parameters, 0, null_mut(), false));
    }

    /// Runs a statement for its effect, and says how many rows it was about.
    pub fn count(&self, plan: Plan, parameters: &[Parameter]) -> u64 {
        self.run(plan, parameters);
        // SAFETY: of the statement just run.
        unsafe { pg_sys::SPI_processed }
    }

    /// Runs a query and adds what it returns to `rows`.
    pub fn rows(&self, plan: Plan, parameters: &[Parameter], rows: &Rows) {
        let receiver = rows.receiver();
        self.execute(plan, &options(parameters, 0, receiver.pointer(), false));
    }

    /// Runs a query against a snapshot and adds what it returns to `rows`.
    pub fn rows_at(&self, _snapshot: &LatestSnapshot, plan: Plan, parameters: &[Parameter], rows: &Rows) {
        let receiver = rows.receiver();
        self.execute(plan, &reading(options(parameters, 0, receiver.pointer(), false)));
    }

    /// Runs a statement and returns the first column of all its rows, bigints that are not NULL.
    pub fn bigints(&self, plan: Plan, parameters: &[Parameter]) -> Vec<i64> {
        self.execute(plan, &options(parameters, 0, null_mut(), false));
        // SAFETY: the statement succeeded, so the table is set, and holds as many rows as were processed.
        unsafe {
            let table = pg_sys::SPI_tuptable;
            if table.is_null() {
                return Vec::new();
            }
            let count = usize::try_from(pg_sys::SPI_processed).unwrap_or(0);
            let rows = std::slice::from_raw_parts((*table).vals, count);
            let mut is_null = false;
            let values = rows
                .iter()
                .map(|row| pg_sys::SPI_getbinval(*row, (*table).tupdesc, 1, &mut is_null).value().cast_signed() as i64)
                .collect();
            pg_sys::SPI_freetuptable(table);
            values
        }
    }

    /// Plans and runs a text of our own, and says how many rows it was about.
    pub fn run_text(&self, sql: &str, parameters: &[Parameter]) -> u64 {
        let sql = c_string(sql);
        let options = options(parameters, 0, null_mut(), false);
        let sql = sql.as_ptr();
        // SAFETY: plain call; text and parameters outlive it. The count is that of the statement just run.
        unsafe {
            check(protect(|| raw::SPI_execute_extended(sql, &options)));
            pg_sys::SPI_processed
        }
    }

    /// Plans and runs a query of our own that gives one row with one text.
    pub fn text_of(&self, sql: &str, parameters: &[Parameter]) -> Option<String> {
        self.run_text(sql, parameters);
        // SAFETY: the query succeeded; SPI_getvalue copies the text of a column, null for NULL.
        unsafe {
            if pg_sys::SPI_processed == 0 || pg_sys::SPI_tuptable.is_null() {
                return None;
            }
            let table = pg_sys::SPI_tuptable;
            let value = pg_sys::SPI_getvalue(*(*table).vals, (*table).tupdesc, 1);
            (!value.is_null()).then(|| decoded(CStr::from_ptr(value).to_bytes()))
        }
    }

    /// Plans and runs a text, perhaps one that a caller had a part in, with the caller's rights, and adds its result to
    /// `rows`.
    pub fn rows_of_text(&self, sql: &[u8], parameters: &[Parameter], rows: &Rows) {
        let receiver = rows.receiver();
        self.execute_text(sql, &options(parameters, 0, receiver.pointer(), true));
    }

    /// The same against a snapshot; then the text may write nothing.
    pub fn rows_of_text_at(&self, _snapshot: &LatestSnapshot, sql: &[u8], parameters: &[Parameter], rows: &Rows) {
        let receiver = rows.receiver();
        self.execute_text(sql, &reading(options(parameters, 0, receiver.pointer(), true)));
    }

    fn execute_text(&self, sql: &[u8], options: &pg_sys::SPIExecuteOptions) {
        let sql = CString::new(sql).unwrap_or_default();
        let sql = sql.as_ptr();
        // SAFETY: plain call; text, parameters and receiver outlive it.
        check(unsafe { protect(|| raw::SPI_execute_extended(sql, options)) });
    }

    /// Runs one or more statements of our own that take no parameter.
    pub fn script(&self, sql: &str) {
        let sql = c_string(sql);
        let sql = sql.as_ptr();
        // SAFETY: plain call; the text outlives it.
        check(unsafe { protect(|| raw::SPI_execute(sql, false, 0)) });
    }

    fn execute(&self, plan: Plan, options: &pg_sys::SPIExecuteOptions) {
        // SAFETY: plain call; the plan is kept, the options and what they point at outlive the call.
        check(unsafe { protect(|| raw::SPI_execute_plan_extended(plan.0, options)) });
    }
}

/// Results below zero mean a misuse of the interface; what goes wrong in the SQL is raised as an error instead.
fn check(result: c_int) {
    assert!(result > 0, "a statement was refused by the server programming interface ({result})");
}

fn c_string(sql: &str) -> CString {
    CString::new(encoded(sql)).unwrap_or_default()
}

fn length(count: usize) -> c_int {
    c_int::try_from(count).unwrap_or(c_int::MAX)
}

fn options(
    parameters: &[Parameter],
    rows: u64,
    receiver: *mut pg_sys::DestReceiver,
    must_return_tuples: bool,
) -> pg_sys::SPIExecuteOptions {
    pg_sys::SPIExecuteOptions {
        params: parameter_list(parameters),
        read_only: false,
        allow_nonatomic: false,
        must_return_tuples,
        tcount: rows,
        dest: receiver,
        owner: null_mut(),
    }
}

/// A reading statement takes the snapshot that is active.
fn reading(options: pg_sys::SPIExecuteOptions) -> pg_sys::SPIExecuteOptions {
    pg_sys::SPIExecuteOptions { read_only: true, ..options }
}

fn parameter_list(parameters: &[Parameter]) -> pg_sys::ParamListInfo {
    // SAFETY: the list is made for as many parameters as are written; it lives in the connection's memory.
    unsafe {
        let list = pg_sys::makeParamList(length(parameters.len()));
        let slots = (*list).params.as_mut_ptr();
        for (i, parameter) in parameters.iter().enumerate() {
            let slot = &mut *slots.add(i);
            slot.value = parameter.value.unwrap_or_else(pg_sys::Datum::null);
            slot.isnull = parameter.value.is_none();
            slot.pflags = u16::try_from(pg_sys::PARAM_FLAG_CONST).unwrap_or(1);
            slot.ptype = parameter.kind;
        }
        list
    }
}

/// Planner settings that leave only ordered index scans, for as long as it lives.
///
/// What is switched off is not forbidden but, up to Postgres 17, made to look very dear, so that a plan which needs a sort all the same
/// would be compiled just in time, for longer than it runs (800 ms to list one stream): hence no `jit` either.
pub fn narrow_planning() -> SettingGuard {
    SettingGuard::set(
        &[c"enable_seqscan", c"enable_bitmapscan", c"enable_sort", c"jit"].map(|setting| (setting, c"off")),
    )
}

/// A snapshot as of now, whatever the isolation level, active for as long as it lives.
pub struct LatestSnapshot(());

impl LatestSnapshot {
    /// Takes the snapshot. It sees what this transaction has written, too.
    pub fn push() -> Self {
        // SAFETY: the order that Postgres asks for: what was written becomes visible, then the snapshot is taken.
        unsafe {
            pg_sys::CommandCounterIncrement();
            pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        }
        Self(())
    }
}

impl Drop for LatestSnapshot {
    fn drop(&mut self) {
        // After an error the end of the transaction takes it off.
        if !std::thread::panicking() {
            // SAFETY: it is the one that push made active.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}

/// A datum for text that lives in Rust, copied to Postgres' memory.
pub fn text_datum(text: &[u8]) -> pg_sys::Datum {
    // SAFETY: copies the bytes; the result lives in the current memory context.
    unsafe {
        let copy = pg_sys::cstring_to_text_with_len(text.as_ptr().cast(), length(text.len()));
        pg_sys::Datum::from(copy.cast::<pg_sys::varlena>())
    }
}

mod raw {
    use std::ffi::{c_char, c_int, c_long};

    use pgrx::pg_sys::{
        CachedPlan, Datum, HeapTuple, Oid, ResourceOwner, SPIExecuteOptions, SPIPlanPtr, SPITupleTable, TupleDesc,
    };

    unsafe extern "C-unwind" {
        pub fn SPI_connect() -> c_int;
        pub fn SPI_finish() -> c_int;
        pub fn SPI_prepare_cursor(sql: *const c_char, count: c_int, kinds: *mut Oid, options: c_int) -> SPIPlanPtr;
        pub fn SPI_keepplan(plan: SPIPlanPtr) -> c_int;
        pub fn SPI_plan_get_cached_plan(plan: SPIPlanPtr) -> *mut CachedPlan;
        pub fn ReleaseCachedPlan(plan: *mut CachedPlan, owner: ResourceOwner);
        pub fn SPI_execute_plan_extended(plan: SPIPlanPtr, options: *const SPIExecuteOptions) -> c_int;
        pub fn SPI_execute_extended(sql: *const c_char, options: *const SPIExecuteOptions) -> c_int;
        pub fn SPI_execute(sql: *const c_char, read_only: bool, rows: c_long) -> c_int;
        pub fn SPI_getbinval(row: HeapTuple, columns: TupleDesc, column: c_int, is_null: *mut bool) -> Datum;
        pub fn SPI_freetuptable(table: *mut SPITupleTable);
    }
}
