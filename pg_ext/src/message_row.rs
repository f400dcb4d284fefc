//! A row of the table as one of the type `message`: ids and JSON become text.

use pgrx::pg_sys::{self, Datum};

use crate::jsonb_text;
use crate::row_memory::RowMemory;
use crate::rows::Rows;
use crate::table_layout::column;
use crate::text_buffer::{TextBuffer, varlena_header};

/// Makes rows and hands them on. Its memory is Postgres', and used again for each row.
pub struct MessageRow {
    store: *mut pg_sys::Tuplestorestate,
    descriptor: pg_sys::TupleDesc,
    /// What is unpacked for a row lives here.
    memory: RowMemory,
    id: IdText,
    data: TextBuffer,
    metadata: TextBuffer,
}

impl MessageRow {
    /// For the rows of a call.
    ///
    /// # Safety
    /// Must run inside [`crate::postgres_error::protect`], as must all of its functions.
    pub unsafe fn new(rows: &Rows) -> Self {
        let (store, descriptor) = rows.store();
        // SAFETY: as the caller's.
        unsafe {
            let (data, metadata) = (TextBuffer::new(), TextBuffer::new());
            Self { store, descriptor, memory: RowMemory::new(), id: IdText::new(), data, metadata }
        }
    }

    /// Adds a row, given the columns of the table.
    ///
    /// # Safety
    /// As for `new`; there must be values and flags for all columns.
    pub unsafe fn put(&mut self, values: *const Datum, nulls: *const bool) {
        let Self { store, descriptor, memory, id, data, metadata } = self;
        // SAFETY: as the caller's. The tuple store copies the row.
        unsafe {
            let value = |column: i16| *values.offset(isize::from(column) - 1);
            let is_null = |column: i16| *nulls.offset(isize::from(column) - 1);
            let (no_data, no_metadata) = (is_null(column::DATA), is_null(column::METADATA));
            memory.within(|| {
                let mut row = [
                    id.write(value(column::ID)),
                    value(column::STREAM_NAME),
                    value(column::TYPE),
                    value(column::POSITION),
                    value(column::GLOBAL_POSITION),
                    json(data, no_data, value(column::DATA)),
                    json(metadata, no_metadata, value(column::METADATA)),
                    value(column::TIME),
                ];
                let mut row_nulls = [false, false, false, false, false, no_data, no_metadata, false];
                raw::tuplestore_putvalues(*store, *descriptor, row.as_mut_ptr(), row_nulls.as_mut_ptr());
            });
        }
    }

    /// Gives the memory back.
    ///
    /// # Safety
    /// As for `new`.
    pub unsafe fn finish(self) {
        // SAFETY: as the caller's.
        unsafe { self.memory.delete() };
    }
}

/// # Safety
/// Must run inside [`crate::postgres_error::protect`]; the value must be a jsonb, if there is one.
unsafe fn json(text: &mut TextBuffer, is_null: bool, jsonb: Datum) -> Datum {
    if is_null {
        return Datum::null();
    }
    text.clear();
    // SAFETY: as the caller's.
    unsafe { jsonb_text::append(text, jsonb) };
    text.datum()
}

/// The text of an id, a varlena.
#[repr(C, align(4))]
struct IdText([u8; IdText::LENGTH]);

impl IdText {
    const LENGTH: usize = 4 + 36;

    fn new() -> Self {
        let mut text = [0; Self::LENGTH];
        text[..4].copy_from_slice(&varlena_header(Self::LENGTH as u32).to_ne_bytes());
        Self(text)
    }

    /// # Safety
    /// The value must be a uuid.
    unsafe fn write(&mut self, id: Datum) -> Datum {
        // SAFETY: a uuid is sixteen bytes.
        let id = unsafe { uuid::Uuid::from_bytes(*id.cast_mut_ptr::<[u8; 16]>()) };
        id.hyphenated().encode_lower(&mut self.0[4..]);
        Datum::from(self.0.as_ptr())
    }
}

mod raw {
    use pgrx::pg_sys::{Datum, TupleDesc, Tuplestorestate};

    unsafe extern "C-unwind" {
        pub fn tuplestore_putvalues(
            store: *mut Tuplestorestate,
            descriptor: TupleDesc,
            values: *mut Datum,
            nulls: *mut bool,
        );
    }
}
