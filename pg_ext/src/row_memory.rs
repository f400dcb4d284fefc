//! Postgres memory that is used again for each row.

use pgrx::pg_sys::{self, MemoryContext};

/// A memory context below the current one. It ends with that, if not before: also when an error jumps.
pub struct RowMemory(MemoryContext);

impl RowMemory {
    /// An empty one.
    ///
    /// # Safety
    /// Must run inside [`crate::postgres_error::protect`], as must all of its functions.
    pub unsafe fn new() -> Self {
        // SAFETY: a plain call; the sizes are Postgres' usual ones, contexts of which are kept for the next use.
        Self(unsafe {
            raw::AllocSetContextCreateInternal(
                pg_sys::CurrentMemoryContext,
                c"message_store row".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        })
    }

    /// Does `work` in this memory, and frees what it has left there.
    ///
    /// # Safety
    /// As for `new`; nothing that `work` returns may be there.
    pub unsafe fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        // SAFETY: after an error Postgres sets the current context itself.
        unsafe {
            let before = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = self.0;
            let result = work();
            pg_sys::CurrentMemoryContext = before;
            raw::MemoryContextReset(self.0);
            result
        }
    }

    /// Gives it back.
    ///
    /// # Safety
    /// As for `new`.
    pub unsafe fn delete(self) {
        // SAFETY: nothing in it is used any more.
        unsafe { raw::MemoryContextDelete(self.0) };
    }
}

mod raw {
    use std::ffi::c_char;

    use pgrx::pg_sys::{MemoryContext, Size};

    unsafe extern "C-unwind" {
        pub fn AllocSetContextCreateInternal(
            parent: MemoryContext,
            name: *const c_char,
            least: Size,
            first: Size,
            most: Size,
        ) -> MemoryContext;
        pub fn MemoryContextReset(context: MemoryContext);
        pub fn MemoryContextDelete(context: MemoryContext);
    }
}
