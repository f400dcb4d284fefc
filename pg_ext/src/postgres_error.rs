//! Postgres errors on their way through Rust, unchanged.
//!
//! Postgres raises an error by jumping out of the function that failed. [`protect`] stops that jump, keeps the whole
//! error, and goes on as a Rust unwind, so that destructors run; [`crate::call::run`] raises it again at the boundary.
//! pgrx has the same mechanism around every function that it binds, but it drops the constraint name, the context
//! and the position, which clients read, and adds a Rust backtrace to the detail when the server's environment asks
//! for backtraces. So whatever can raise an error that a caller should see goes through here.

use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::resume_unwind;

use cee_scape::{SigJmpBufFields, call_with_sigsetjmp};
use pgrx::pg_sys;

/// An error that Postgres raised, with all its fields, in memory that lives until the transaction ends.
pub struct PostgresError(*mut pg_sys::ErrorData);

// SAFETY: a backend has one thread; the payload of a panic only has to say that it could be sent.
unsafe impl Send for PostgresError {}

impl PostgresError {
    /// The error in the payload of an unwind, if it is one of these.
    pub fn from_payload(payload: Box<dyn Any + Send>) -> Result<Self, Box<dyn Any + Send>> {
        payload.downcast::<Self>().map(|error| *error)
    }

    /// Whether it is about a value that must be unique and is there already.
    pub fn is_unique_violation(&self) -> bool {
        // SAFETY: the pointer came from CopyErrorData in this transaction.
        let sqlstate = unsafe { (*self.0).sqlerrcode };
        sqlstate == pgrx::PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION as i32
    }

    /// Raises the error again, as it was.
    ///
    /// # Safety
    /// It leaves by a jump: no destructor of a calling Rust frame may be pending.
    pub unsafe fn raise(self) -> ! {
        // SAFETY: the pointer came from CopyErrorData in this transaction.
        unsafe { raw::ReThrowError(self.0) }
    }
}

/// Calls into Postgres, and turns an error raised there into an unwind that carries a [`PostgresError`].
///
/// # Safety
/// `call` must be plain calls of functions that a module's `raw` declares: nothing in it may have a destructor, unwind, or use a
/// function that pgrx binds, since an error jumps over its frame.
#[inline(always)]
pub unsafe fn protect<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: a backend has one thread, so the statics are ours. The handler is put back on both ways out, before
    // anything else can raise an error.
    unsafe {
        let memory_context = pg_sys::CurrentMemoryContext;
        let handler = pg_sys::PG_exception_stack;
        let context_stack = pg_sys::error_context_stack;
        let mut result = MaybeUninit::<T>::uninit();
        let jumped = call_with_sigsetjmp(false, |buffer: &SigJmpBufFields| {
            pg_sys::PG_exception_stack = std::ptr::from_ref(buffer).cast_mut().cast();
            result.write(call());
            0
        });
        pg_sys::PG_exception_stack = handler;
        pg_sys::error_context_stack = context_stack;
        if jumped == 0 {
            return result.assume_init();
        }
        // The jump leaves the context of the error current; the copy belongs where the caller was.
        pg_sys::CurrentMemoryContext = memory_context;
        let error = raw::CopyErrorData();
        raw::FlushErrorState();
        resume_unwind(Box::new(PostgresError(error)))
    }
}

mod raw {
    use pgrx::pg_sys::ErrorData;

    unsafe extern "C-unwind" {
        pub fn CopyErrorData() -> *mut ErrorData;
        pub fn FlushErrorState();
        pub fn ReThrowError(error: *mut ErrorData) -> !;
    }
}
