//! Adding messages to a store's table straight, past the executor: the row to the heap, then an entry to each index.
//!
//! For a table that is just as stores are created ([`crate::table_layout`]). About half of what a statement costs; in a
//! batch, table and indexes are opened once.

use std::ptr::null_mut;

use message_store_core::stream_name::category;
use pgrx::pg_sys::{self, Datum, Oid};

use crate::namespace::Store;
use crate::postgres_error::protect;
use crate::row_memory::RowMemory;
use crate::spi::text_datum;
use crate::table_layout::{self, Index, Insert, column};

/// A message to add. It has no destructor: an error may jump over it.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// Its id.
    pub id: &'a [u8; 16],
    /// Its stream, a text.
    pub stream_name: Option<Datum>,
    /// Its position in the stream.
    pub position: i64,
    /// Its type, a text.
    pub kind: Option<Datum>,
    /// Its data, a jsonb.
    pub data: Option<Datum>,
    /// Its metadata, a jsonb.
    pub metadata: Option<Datum>,
    /// Its time, as Postgres counts: microseconds since 2000, UTC. `None` for the transaction's.
    pub time: Option<i64>,
}

/// Adds messages and returns their global positions; `None`, with nothing done, where the table is left to a statement.
///
/// The caller has locked the table, checked the privileges and left its mark for readers. `stream_name` is the stream
/// of all of them.
pub fn insert(store: &Store, stream_name: &[u8], rows: &[Row<'_>]) -> Option<Vec<i64>> {
    let insert = table_layout::of(store).insert()?;
    if rows.iter().any(|row| breaks_not_null(&insert, row)) {
        return None;
    }
    let stream_category = text_datum(category(stream_name));
    let correlations: Vec<Option<Datum>> = rows.iter().map(|row| row.metadata.and_then(correlation)).collect();
    let mut global_positions = vec![0; rows.len()];
    // SAFETY: `Table` calls what its `raw` declares; the slices outlive it.
    unsafe {
        protect(|| {
            raw::PreventCommandIfReadOnly(c"INSERT".as_ptr());
            raw::PreventCommandIfParallelMode(c"INSERT".as_ptr());
            let table = Table::open(store.table, insert, stream_category);
            for ((row, correlation), global_position) in rows.iter().zip(&correlations).zip(&mut global_positions) {
                if pg_sys::InterruptPending != 0 {
                    raw::ProcessInterrupts();
                }
                *global_position = table.add(row, *correlation);
            }
            table.close();
            raw::CommandCounterIncrement();
        });
    }
    Some(global_positions)
}

fn breaks_not_null(insert: &Insert, row: &Row<'_>) -> bool {
    let missing = |value: Option<Datum>, column: i16| {
        value.is_none() && usize::try_from(column - 1).is_ok_and(|column| insert.not_null[column])
    };
    missing(row.stream_name, column::STREAM_NAME)
        || missing(row.kind, column::TYPE)
        || missing(row.data, column::DATA)
        || missing(row.metadata, column::METADATA)
}

/// The category of a correlation stream, as the index has it: of `metadata ->> 'correlationStreamName'`.
fn correlation(metadata: Datum) -> Option<Datum> {
    const KEY: &[u8] = b"correlationStreamName";
    // SAFETY: the signature says that the datum is a jsonb; the value found points into the detoasted copy.
    unsafe {
        let jsonb = pg_sys::pg_detoast_datum(metadata.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
        let root = &raw mut (*jsonb).root;
        if (*root).header & pg_sys::JB_FOBJECT == 0 {
            return None;
        }
        let mut value = pg_sys::JsonbValue::default();
        let length = i32::try_from(KEY.len()).unwrap_or(0);
        let found = pg_sys::getKeyJsonValueFromContainer(root, KEY.as_ptr().cast(), length, &mut value);
        if found.is_null() {
            return None;
        }
        if value.type_ == pg_sys::jbvType::jbvString {
            let string = value.val.string;
            let name = std::slice::from_raw_parts(string.val.cast(), usize::try_from(string.len).unwrap_or(0));
            return Some(text_datum(category(name)));
        }
        // Whatever else it is, as Postgres makes it text.
        let arguments = [Some(Datum::from(jsonb)), Some(text_datum(KEY))];
        let text = pgrx::direct_function_call_as_datum(pg_sys::jsonb_object_field_text, &arguments)?;
        let text = pgrx::varlena::varlena_to_byte_slice(text.cast_mut_ptr());
        Some(text_datum(category(text)))
    }
}

/// The table with its indexes, open.
struct Table {
    table: pg_sys::Relation,
    indexes: [(Index, pg_sys::Relation); 4],
    sequence: Oid,
    category: Datum,
    command: pg_sys::CommandId,
    /// What is made for a row lives here.
    memory: RowMemory,
}

const ROW_EXCLUSIVE: i32 = pg_sys::RowExclusiveLock.cast_signed();
const NO_LOCK: i32 = pg_sys::NoLock.cast_signed();

impl Table {
    /// # Safety
    /// Must run inside [`protect`], as must all of its functions; the table must be locked, and of that layout.
    unsafe fn open(table: Oid, insert: Insert, category: Datum) -> Self {
        // SAFETY: plain calls. An index needs a lock of its own, as in the executor.
        unsafe {
            Self {
                table: raw::table_open(table, NO_LOCK),
                indexes: insert.indexes.map(|(index, oid)| (index, raw::index_open(oid, ROW_EXCLUSIVE))),
                sequence: insert.sequence,
                category,
                command: raw::GetCurrentCommandId(true),
                memory: RowMemory::new(),
            }
        }
    }

    /// Adds a row and returns its global position.
    ///
    /// # Safety
    /// As for `open`.
    unsafe fn add(&self, row: &Row<'_>, correlation: Option<Datum>) -> i64 {
        // SAFETY: values and flags are for all columns; the tuple lives until its entries have been made.
        unsafe {
            self.memory.within(|| {
                let sequence = Datum::from(self.sequence);
                let global_position =
                    raw::DirectFunctionCall1Coll(Some(raw::nextval_oid), pg_sys::InvalidOid, sequence);
                let position = Datum::from(row.position);
                let time = row.time.unwrap_or_else(|| raw::GetCurrentTransactionStartTimestamp());
                let id = Datum::from(row.id.as_ptr());
                let or_null = |value: Option<Datum>| value.unwrap_or_else(Datum::null);
                let stream_name = or_null(row.stream_name);
                let mut values = [
                    global_position,
                    position,
                    Datum::from(time),
                    stream_name,
                    or_null(row.kind),
                    or_null(row.data),
                    or_null(row.metadata),
                    id,
                ];
                let mut nulls = [false; column::COUNT];
                // Data and metadata, counted from 0.
                nulls[5] = row.data.is_none();
                nulls[6] = row.metadata.is_none();
                let tuple = raw::heap_form_tuple((*self.table).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
                (*tuple).t_tableOid = (*self.table).rd_id;
                raw::heap_insert(self.table, tuple, self.command, 0, null_mut());
                for (index, relation) in self.indexes {
                    let mut nulls = [false; 3];
                    let (mut key, unique) = match index {
                        Index::GlobalPosition => ([global_position, Datum::null(), Datum::null()], true),
                        Index::Id => ([id, Datum::null(), Datum::null()], true),
                        Index::Stream => ([stream_name, position, Datum::null()], true),
                        Index::Category => {
                            nulls[2] = correlation.is_none();
                            ([self.category, global_position, or_null(correlation)], false)
                        }
                    };
                    let check = if unique {
                        pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES
                    } else {
                        pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO
                    };
                    // A btree makes no use of the description of an index, the last argument.
                    raw::index_insert(
                        relation,
                        key.as_mut_ptr(),
                        nulls.as_mut_ptr(),
                        &raw mut (*tuple).t_self,
                        self.table,
                        check,
                        false,
                        null_mut(),
                    );
                }
                global_position.value().cast_signed() as i64
            })
        }
    }

    /// # Safety
    /// As for `open`.
    unsafe fn close(self) {
        // SAFETY: what was opened; the locks stay until the transaction ends.
        unsafe {
            self.memory.delete();
            for (_, index) in self.indexes {
                raw::index_close(index, NO_LOCK);
            }
            raw::table_close(self.table, NO_LOCK);
        }
    }
}

mod raw {
    use std::ffi::{c_char, c_int};

    use pgrx::pg_sys::{
        BulkInsertState, CommandId, Datum, FunctionCallInfo, HeapTuple, IndexInfo, IndexUniqueCheck, ItemPointer, Oid,
        PGFunction, Relation, TimestampTz, TupleDesc,
    };

    unsafe extern "C-unwind" {
        pub fn PreventCommandIfReadOnly(command: *const c_char);
        pub fn PreventCommandIfParallelMode(command: *const c_char);
        pub fn ProcessInterrupts();
        pub fn CommandCounterIncrement();
        pub fn GetCurrentCommandId(used: bool) -> CommandId;
        pub fn GetCurrentTransactionStartTimestamp() -> TimestampTz;
        pub fn table_open(table: Oid, lock: c_int) -> Relation;
        pub fn table_close(table: Relation, lock: c_int);
        pub fn index_open(index: Oid, lock: c_int) -> Relation;
        pub fn index_close(index: Relation, lock: c_int);
        pub fn DirectFunctionCall1Coll(function: PGFunction, collation: Oid, argument: Datum) -> Datum;
        pub fn nextval_oid(fcinfo: FunctionCallInfo) -> Datum;
        pub fn heap_form_tuple(descriptor: TupleDesc, values: *mut Datum, nulls: *mut bool) -> HeapTuple;
        pub fn heap_insert(
            table: Relation,
            tuple: HeapTuple,
            command: CommandId,
            options: c_int,
            state: BulkInsertState,
        );
        pub fn index_insert(
            index: Relation,
            values: *mut Datum,
            nulls: *mut bool,
            tuple: ItemPointer,
            table: Relation,
            check: IndexUniqueCheck::Type,
            unchanged: bool,
            info: *mut IndexInfo,
        ) -> bool;
    }
}
