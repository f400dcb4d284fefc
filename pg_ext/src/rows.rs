//! The answer of a set-returning function: rows of the type `message`, collected in a tuple store.
//!
//! The store keeps to work_mem and goes on in a temporary file, so an answer may be larger than memory.

use pgrx::pg_sys::{self, INT8OID, Oid, TIMESTAMPOID, VARCHAROID};

use crate::call::Call;
use crate::postgres_error::protect;
use crate::postgres_version::{self, attributes};
use crate::store_objects;

/// The types of the columns of the type `message`, in their order.
const MESSAGE: [Oid; 8] = [VARCHAROID, VARCHAROID, VARCHAROID, INT8OID, INT8OID, VARCHAROID, VARCHAROID, TIMESTAMPOID];

/// The rows that a call answers with.
pub struct Rows {
    result: *mut pg_sys::ReturnSetInfo,
}

impl Rows {
    /// Makes the (empty) answer of a call; what is added to it is what the caller gets.
    pub fn of(call: &Call<'_>) -> Self {
        let fcinfo = call.fcinfo();
        // SAFETY: a call's fcinfo; where the caller does not take a set, this raises the usual error.
        unsafe {
            postgres_version::begin_rows(fcinfo);
            Self { result: (*fcinfo).resultinfo.cast() }
        }
    }

    /// The tuple store that collects the rows, and the columns that they have.
    pub(crate) fn store(&self) -> (*mut pg_sys::Tuplestorestate, pg_sys::TupleDesc) {
        // SAFETY: the result was set up in `of` and lives as long as the call.
        unsafe { ((*self.result).setResult, (*self.result).setDesc) }
    }

    /// Whether the result has the columns that the type `message` is created with.
    pub(crate) fn has_message_columns(&self) -> bool {
        let (_, descriptor) = self.store();
        // SAFETY: the result's descriptor lives as long as the call.
        unsafe { attributes(descriptor).len() == MESSAGE.len() && store_objects::begin_with(descriptor, &MESSAGE) }
    }

    /// A receiver that adds what a query returns.
    pub(crate) fn receiver(&self) -> Receiver {
        // SAFETY: the result was set up in `of` and lives as long as the call.
        unsafe {
            let receiver = pg_sys::CreateDestReceiver(pg_sys::CommandDest::DestTuplestore);
            let result = self.result;
            // With the columns to be had, a query that yields others is an error; without, its rows would be misread.
            protect(|| {
                raw::SetTuplestoreDestReceiverParams(
                    receiver,
                    (*result).setResult,
                    (*(*result).econtext).ecxt_per_query_memory,
                    false,
                    (*result).setDesc,
                    c"structure of query does not match function result type".as_ptr(),
                );
            });
            Receiver(receiver)
        }
    }
}

/// Adds what a query returns to the rows that it was made from.
pub(crate) struct Receiver(*mut pg_sys::DestReceiver);

impl Receiver {
    pub(crate) fn pointer(&self) -> *mut pg_sys::DestReceiver {
        self.0
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // After an error the memory goes with the transaction.
        if std::thread::panicking() {
            return;
        }
        // SAFETY: made by CreateDestReceiver, which sets the function; it raises no error.
        unsafe {
            if let Some(destroy) = (*self.0).rDestroy {
                destroy(self.0);
            }
        }
    }
}

mod raw {
    use std::ffi::c_char;

    use pgrx::pg_sys::{DestReceiver, MemoryContext, TupleDesc, Tuplestorestate};

    unsafe extern "C-unwind" {
        pub fn SetTuplestoreDestReceiverParams(
            receiver: *mut DestReceiver,
            store: *mut Tuplestorestate,
            context: MemoryContext,
            detoast: bool,
            target: TupleDesc,
            mismatch: *const c_char,
        );
    }
}
