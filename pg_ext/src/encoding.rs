//! Text between Rust, where it is UTF-8, and a database of another encoding.

use std::ffi::{CStr, c_int};

use pgrx::pg_sys::{self, pg_enc};

const UTF8: c_int = pg_enc::PG_UTF8 as c_int;
const SQL_ASCII: c_int = pg_enc::PG_SQL_ASCII as c_int;

/// Text as the database has it, in UTF-8; `?` for each character that there is none for.
pub fn decoded(bytes: &[u8]) -> String {
    match other_encoding() {
        Some(encoding) => String::from_utf8_lossy(&converted(bytes, encoding, UTF8)).into_owned(),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Text as the database has it.
pub fn encoded(text: &str) -> Vec<u8> {
    match other_encoding() {
        Some(encoding) => converted(text.as_bytes(), UTF8, encoding),
        None => text.into(),
    }
}

/// The database's encoding, where it is another one than UTF-8 and text is of any.
fn other_encoding() -> Option<c_int> {
    // SAFETY: reads the backend's state.
    let encoding = unsafe { pg_sys::GetDatabaseEncoding() };
    (![UTF8, SQL_ASCII].contains(&encoding)).then_some(encoding)
}

fn converted(bytes: &[u8], from: c_int, to: c_int) -> Vec<u8> {
    if bytes.is_ascii() {
        return bytes.to_vec();
    }
    // SAFETY: a catalog look-up.
    let conversion = unsafe { pg_sys::FindDefaultConversionProc(from, to) };
    let (mut rest, mut result) = (bytes, Vec::with_capacity(bytes.len()));
    while !rest.is_empty() {
        let done = if conversion == pg_sys::InvalidOid { 0 } else { convert(conversion, rest, from, to, &mut result) };
        rest = &rest[done..];
        if let Some(&first) = rest.first() {
            result.push(if first.is_ascii() { first } else { b'?' });
            // SAFETY: in the encodings that a database can have the first byte says how long a character is.
            let length = unsafe { pg_sys::pg_encoding_mblen(from, rest.as_ptr().cast()) };
            rest = &rest[usize::try_from(length).unwrap_or(1).clamp(1, rest.len())..];
        }
    }
    result
}

/// Appends what can be converted up to a character that cannot, and says how many bytes that was.
fn convert(conversion: pg_sys::Oid, bytes: &[u8], from: c_int, to: c_int, result: &mut Vec<u8>) -> usize {
    let mut buffer = vec![0_u8; bytes.len() * pg_sys::MAX_CONVERSION_GROWTH as usize + 1];
    let length = |count: usize| c_int::try_from(count).unwrap_or(c_int::MAX);
    // SAFETY: the text and the buffer are as long as is said, and the text is only read. What was converted ends with NUL.
    unsafe {
        let (text, place) = (bytes.as_ptr().cast_mut(), buffer.as_mut_ptr());
        let (text_length, place_length) = (length(bytes.len()), length(buffer.len()));
        let done =
            pg_sys::pg_do_encoding_conversion_buf(conversion, from, to, text, text_length, place, place_length, true);
        result.extend_from_slice(CStr::from_ptr(place.cast()).to_bytes());
        usize::try_from(done).unwrap_or(0).min(bytes.len())
    }
}
