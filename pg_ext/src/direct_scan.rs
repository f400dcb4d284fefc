//! Reading a store's table straight through an index, past the executor: for an ordinary table
//! ([`crate::table_layout`]) only. A statement costs more than twice as much.

use std::ptr::null_mut;

use message_store_core::consumer_group::ConsumerGroup;
use pgrx::pg_sys::{self, Datum, Oid};

use crate::call::Text;
use crate::durability::Watch;
use crate::message_row::MessageRow;
use crate::namespace::Store;
use crate::position_hints::Place;
use crate::postgres_error::protect;
use crate::postgres_version;
use crate::rows::Rows;
use crate::table_layout::{self, Index, column};

/// A read through one index.
pub struct Read<'a> {
    /// The index.
    pub index: Index,
    /// What the key columns must be, of those that matter: at most one condition for each bound.
    pub keys: &'a [Key],
    /// Whether the last row comes first.
    pub backward: bool,
    /// At most so many rows; `None` for all.
    pub limit: Option<i64>,
    /// Which of the rows.
    pub filter: Filter<'a>,
    /// As of when.
    pub snapshot: AsOf,
}

/// A condition on a key column of an index, by the column's place from 1.
#[derive(Clone, Copy)]
pub enum Key {
    /// The text is this.
    Is(i16, Datum),
    /// The integer is this or more.
    AtLeast(i16, i64),
    /// The integer is this or less.
    AtMost(i16, i64),
}

/// Which rows a read passes on.
#[derive(Clone, Copy)]
pub enum Filter<'a> {
    /// All.
    Everything,
    /// Those of streams that this member of a consumer group reads.
    Member(ConsumerGroup),
    /// Those of a type.
    Type(&'a [u8]),
}

/// The snapshot of a read. What the transaction has written is visible in either.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// As a statement would have it: as of now, or of the transaction's first statement, after its isolation level.
    Statement,
    /// As of now.
    Now,
}

/// Reads, and adds the rows to `rows`; false where the table is left to a statement. The caller has locked the table
/// and checked the privileges.
pub fn read(store: &Store, read: &Read<'_>, rows: &Rows) -> bool {
    if !rows.has_message_columns() {
        return false;
    }
    scan(store, read, |scan| {
        // SAFETY: the context of protect, and a scan of a table of messages.
        unsafe { scan.pass_on(read, rows) };
    })
    .is_some()
}

/// The last message of a stream, added to `rows`; false where the table is left to a statement. The caller has locked the
/// table and checked the privileges.
pub fn read_last(store: &Store, stream_name: Text<'_>, rows: &Rows) -> bool {
    if !rows.has_message_columns() {
        return false;
    }
    last(store, stream_name, |scan, read| {
        // SAFETY: the context of protect, and a scan of a table of messages.
        unsafe { scan.pass_on(read, rows) }
    })
    .is_some()
}

/// The position of a stream's last message as of now, own writes included; the outer `None` where the table is left to
/// a statement. The caller has locked the table and checked the privileges. With `durable`, the message is before this
/// returns.
pub fn last_position(store: &Store, stream_name: Text<'_>, durable: bool) -> Option<Option<i64>> {
    last(store, stream_name, |scan, read| {
        if !durable {
            scan.watch = None;
        }
        // SAFETY: the context of protect, and a scan of a table of messages.
        unsafe { scan.next(read).then(|| scan.value(column::POSITION).value().cast_signed() as i64) }
    })
}

/// The position of the last message that a stream has as of now, whoever may see it; the outer `None` where the table is
/// left to a statement. The caller has locked the table, and shows nobody what is found.
pub fn last_position_of_all(store: &Store, stream_name: Text<'_>) -> Option<Option<i64>> {
    let index = table_layout::of(store).index_of_all(Index::Stream)?;
    Some(first_position(store, index, &[Key::Is(1, stream_name.datum())], true))
}

/// The position of a stream's first message after a position as of now; the outer `None` where the table is left to a
/// statement. The caller has locked the table and checked the privileges.
pub fn position_after(store: &Store, stream_name: Text<'_>, position: i64) -> Option<Option<i64>> {
    let index = table_layout::of(store).index(Index::Stream)?;
    let Some(next) = position.checked_add(1) else { return Some(None) };
    Some(first_position(store, index, &[Key::Is(1, stream_name.datum()), Key::AtLeast(2, next)], false))
}

fn first_position(store: &Store, index: Oid, keys: &[Key], backward: bool) -> Option<i64> {
    let read =
        Read { index: Index::Stream, keys, backward, limit: Some(1), filter: Filter::Everything, snapshot: AsOf::Now };
    let mut position = None;
    scan_through(store, index, &read, |scan| {
        scan.watch = None;
        // SAFETY: the context of protect, and a scan of a table of messages.
        position = unsafe { scan.next(&read).then(|| scan.value(column::POSITION).value().cast_signed() as i64) };
    });
    position
}

/// Looks for the last message of a stream, from where it last was, and if nothing is there without that; the position
/// that `work` has found.
fn last(
    store: &Store,
    stream_name: Text<'_>,
    work: impl Fn(&mut Scan, &Read<'_>) -> Option<i64>,
) -> Option<Option<i64>> {
    let place = Place::of(store.table, stream_name.bytes());
    let stream = Key::Is(1, stream_name.datum());
    let search = |keys: &[Key]| {
        let read = Read {
            index: Index::Stream,
            keys,
            backward: true,
            limit: Some(1),
            filter: Filter::Everything,
            snapshot: AsOf::Statement,
        };
        let mut position = None;
        scan(store, &read, |scan| position = work(scan, &read))?;
        Some(position)
    };
    let mut position = match place.hint() {
        Some(hint) => search(&[stream, Key::AtLeast(2, hint)])?,
        None => None,
    };
    if position.is_none() {
        position = search(&[stream])?;
    }
    if let Some(position) = position {
        place.note(position);
    }
    Some(position)
}

/// Opens the scan, lets `work` run through it, and closes it.
///
/// `work` runs inside of [`protect`]: nothing in it may have a destructor or call what pgrx binds.
fn scan(store: &Store, read: &Read<'_>, work: impl FnOnce(&mut Scan)) -> Option<()> {
    scan_through(store, table_layout::of(store).index(read.index)?, read, work);
    Some(())
}

/// The same through this index of the table.
fn scan_through(store: &Store, index: Oid, read: &Read<'_>, work: impl FnOnce(&mut Scan)) {
    // SAFETY: the snapshot is put on and taken off in order; an error in between ends the transaction, which takes it
    // off, too. Everything opened is closed; after an error the transaction's end does.
    unsafe {
        pg_sys::CommandCounterIncrement();
        let snapshot = match read.snapshot {
            AsOf::Statement => pg_sys::GetTransactionSnapshot(),
            AsOf::Now => pg_sys::GetLatestSnapshot(),
        };
        pg_sys::PushActiveSnapshot(snapshot);
        let snapshot = pg_sys::GetActiveSnapshot();
        let watch = Watch::new(snapshot);
        let watch = protect(|| {
            let mut scan = Scan::open(store.table, index, read, snapshot, watch);
            work(&mut scan);
            scan.close()
        });
        pg_sys::PopActiveSnapshot();
        if let Some(watch) = watch {
            watch.flush();
        }
    }
}

/// A running scan.
struct Scan {
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    scan: pg_sys::IndexScanDesc,
    slot: *mut pg_sys::TupleTableSlot,
    watch: Option<Watch>,
}

impl Scan {
    /// # Safety
    /// The table must be locked, the index be its own and the one that the read names.
    unsafe fn open(table: Oid, index: Oid, read: &Read<'_>, snapshot: pg_sys::Snapshot, watch: Option<Watch>) -> Self {
        // SAFETY: Postgres' own order of calls.
        unsafe {
            let table = raw::table_open(table, NO_LOCK);
            let index = raw::index_open(index, pg_sys::AccessShareLock.cast_signed());
            let slot = raw::table_slot_create(table, null_mut());
            let mut keys = [pg_sys::ScanKeyData::default(); MAX_KEYS];
            let mut count = 0;
            for (slot, key) in keys.iter_mut().zip(read.keys) {
                key.write(slot, index);
                count += 1;
            }
            let scan = postgres_version::index_beginscan(table, index, snapshot, count);
            raw::index_rescan(scan, keys.as_mut_ptr(), count, null_mut(), 0);
            Self { table, index, scan, slot, watch }
        }
    }

    /// Goes to the next row that the filter keeps.
    ///
    /// # Safety
    /// Must run inside [`protect`].
    unsafe fn next(&mut self, read: &Read<'_>) -> bool {
        use pg_sys::ScanDirection::{BackwardScanDirection, ForwardScanDirection};
        let direction = if read.backward { BackwardScanDirection } else { ForwardScanDirection };
        // SAFETY: the scan is open; the slot keeps its row until the next one.
        unsafe {
            while raw::index_getnext_slot(self.scan, direction, self.slot) {
                if pg_sys::InterruptPending != 0 {
                    raw::ProcessInterrupts();
                }
                let keep = match read.filter {
                    Filter::Everything => true,
                    Filter::Member(group) => {
                        raw::slot_getsomeattrs_int(self.slot, column::STREAM_NAME.into());
                        self.text_is(column::STREAM_NAME, |name| group.reads(name))
                    }
                    Filter::Type(kind) => {
                        raw::slot_getsomeattrs_int(self.slot, column::TYPE.into());
                        self.text_is(column::TYPE, |text| text == kind)
                    }
                };
                if keep {
                    raw::slot_getsomeattrs_int(self.slot, column::COUNT as i32); // eight
                    if let Some(watch) = &mut self.watch {
                        watch.see(self.slot);
                    }
                    return true;
                }
            }
        }
        false
    }

    /// A column of the current row.
    ///
    /// # Safety
    /// There must be a current row.
    unsafe fn value(&self, column: i16) -> Datum {
        // SAFETY: the columns have been unpacked.
        unsafe { *(*self.slot).tts_values.offset(isize::from(column) - 1) }
    }

    /// Whether a text column of the current row, which has no NULL in it, is what is asked for.
    ///
    /// # Safety
    /// Must run inside [`protect`], with a current row.
    unsafe fn text_is(&self, column: i16, wanted: impl FnOnce(&[u8]) -> bool) -> bool {
        // SAFETY: such a column is a varlena. What a compressed or long one is unpacked to is used here only, and freed:
        // many rows may be passed over before one is wanted.
        unsafe {
            let stored = self.value(column).cast_mut_ptr();
            let text = raw::pg_detoast_datum_packed(stored);
            let is_wanted = wanted(pgrx::varlena::varlena_to_byte_slice(text));
            if text != stored {
                raw::pfree(text.cast());
            }
            is_wanted
        }
    }

    /// Adds the rows to a call's, and returns the position of the last one.
    ///
    /// # Safety
    /// Must run inside [`protect`].
    unsafe fn pass_on(&mut self, read: &Read<'_>, rows: &Rows) -> Option<i64> {
        // SAFETY: the rows are those of the running call.
        unsafe {
            let mut row = MessageRow::new(rows);
            let mut left = read.limit.unwrap_or(i64::MAX);
            let mut position = None;
            while left > 0 && self.next(read) {
                row.put((*self.slot).tts_values, (*self.slot).tts_isnull);
                position = Some(self.value(column::POSITION).value().cast_signed() as i64);
                left -= 1;
            }
            row.finish();
            position
        }
    }

    /// # Safety
    /// Must run inside [`protect`].
    unsafe fn close(self) -> Option<Watch> {
        // SAFETY: in the reverse order of opening.
        unsafe {
            raw::index_endscan(self.scan);
            raw::ExecDropSingleTupleTableSlot(self.slot);
            raw::index_close(self.index, NO_LOCK);
            raw::table_close(self.table, NO_LOCK);
        }
        self.watch
    }
}

/// As many as any read has.
const MAX_KEYS: usize = 4;
const NO_LOCK: i32 = pg_sys::NoLock.cast_signed();

impl Key {
    /// # Safety
    /// The index must be open and have the column.
    unsafe fn write(self, key: &mut pg_sys::ScanKeyData, index: pg_sys::Relation) {
        use pg_sys::{BTEqualStrategyNumber, BTGreaterEqualStrategyNumber, BTLessEqualStrategyNumber};
        let (column, strategy, kind, function, value) = match self {
            Self::Is(column, text) => (column, BTEqualStrategyNumber, pg_sys::TEXTOID, pg_sys::F_TEXTEQ, text),
            Self::AtLeast(column, least) => {
                (column, BTGreaterEqualStrategyNumber, pg_sys::INT8OID, pg_sys::F_INT8GE, Datum::from(least))
            }
            Self::AtMost(column, most) => {
                (column, BTLessEqualStrategyNumber, pg_sys::INT8OID, pg_sys::F_INT8LE, Datum::from(most))
            }
        };
        // SAFETY: an index has a collation, or none, for each key column.
        unsafe {
            let collation = *(*index).rd_indcollation.offset(isize::from(column) - 1);
            let strategy = strategy as pg_sys::StrategyNumber; // at most 5
            raw::ScanKeyEntryInitialize(key, 0, column, strategy, kind, collation, Oid::from(function), value);
        }
    }
}

mod raw {
    use std::ffi::{c_int, c_void};

    use pgrx::pg_sys::{
        AttrNumber, Datum, IndexScanDesc, Oid, RegProcedure, Relation, ScanDirection, ScanKey, StrategyNumber,
        TupleTableSlot, varlena,
    };

    unsafe extern "C-unwind" {
        pub fn table_open(table: Oid, lock: c_int) -> Relation;
        pub fn table_close(table: Relation, lock: c_int);
        pub fn index_open(index: Oid, lock: c_int) -> Relation;
        pub fn index_close(index: Relation, lock: c_int);
        pub fn table_slot_create(table: Relation, list: *mut *mut pgrx::pg_sys::List) -> *mut TupleTableSlot;
        pub fn ExecDropSingleTupleTableSlot(slot: *mut TupleTableSlot);
        pub fn ScanKeyEntryInitialize(
            key: ScanKey,
            flags: c_int,
            column: AttrNumber,
            strategy: StrategyNumber,
            kind: Oid,
            collation: Oid,
            function: RegProcedure,
            value: Datum,
        );
        pub fn index_rescan(scan: IndexScanDesc, keys: ScanKey, count: c_int, orders: ScanKey, order_count: c_int);
        pub fn index_getnext_slot(
            scan: IndexScanDesc,
            direction: ScanDirection::Type,
            slot: *mut TupleTableSlot,
        ) -> bool;
        pub fn index_endscan(scan: IndexScanDesc);
        pub fn slot_getsomeattrs_int(slot: *mut TupleTableSlot, count: c_int);
        pub fn pg_detoast_datum_packed(datum: *mut varlena) -> *mut varlena;
        pub fn pfree(memory: *mut c_void);
        pub fn ProcessInterrupts();
    }
}
