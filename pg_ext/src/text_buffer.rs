//! A text that grows, in Postgres' memory: an error may jump over whoever fills it.

use pgrx::pg_sys::{self, Datum};

/// Text with room in front for the header of a varlena.
pub struct TextBuffer(pg_sys::StringInfoData);

/// The length of a varlena's header.
const HEADER: usize = 4;

impl TextBuffer {
    /// An empty text, in the current memory context.
    ///
    /// # Safety
    /// Must run inside [`crate::postgres_error::protect`].
    pub unsafe fn new() -> Self {
        let mut text = Self(pg_sys::StringInfoData::default());
        // SAFETY: initialises the structure it is given.
        unsafe { raw::initStringInfo(&mut text.0) };
        text.clear();
        text
    }

    /// Makes it empty again.
    pub fn clear(&mut self) {
        self.0.len = HEADER as i32; // four
    }

    /// Appends bytes.
    ///
    /// # Safety
    /// Must run inside [`crate::postgres_error::protect`].
    #[inline(always)]
    pub unsafe fn push(&mut self, bytes: &[u8]) {
        // SAFETY: there is room for the bytes before they are copied, and for a NUL behind them.
        unsafe {
            let room = (self.0.maxlen - self.0.len).cast_unsigned() as usize;
            if bytes.len() >= room {
                raw::enlargeStringInfo(&mut self.0, i32::try_from(bytes.len()).unwrap_or(i32::MAX));
            }
            let end = self.0.data.add(self.0.len.cast_unsigned() as usize).cast::<u8>();
            end.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            self.0.len += bytes.len() as i32; // fits, there was room
        }
    }

    /// For functions of Postgres' that append.
    pub fn string_info(&mut self) -> pg_sys::StringInfo {
        &mut self.0
    }

    /// The text as a value, valid until the buffer is changed.
    pub fn datum(&mut self) -> Datum {
        let length = self.0.len.cast_unsigned();
        // SAFETY: the buffer is aligned and starts with room for the header: the length of all, two bits further up.
        unsafe { self.0.data.cast::<u32>().write(varlena_header(length)) };
        Datum::from(self.0.data)
    }
}

/// The four bytes in front of a varlena of that length, the header included.
pub const fn varlena_header(length: u32) -> u32 {
    if cfg!(target_endian = "big") { length & 0x3FFF_FFFF } else { length << 2 }
}

mod raw {
    use std::ffi::c_int;

    use pgrx::pg_sys::StringInfo;

    unsafe extern "C-unwind" {
        pub fn initStringInfo(text: StringInfo);
        pub fn enlargeStringInfo(text: StringInfo, needed: c_int);
    }
}
