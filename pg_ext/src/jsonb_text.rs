//! jsonb as its canonical text, the one that `jsonb_out` gives.
//!
//! A large read spends much of its time on this, so it walks the stored form itself, where Postgres' function goes
//! through an iterator, a value and a formatted append for each token. Numbers other than short ones, and what is
//! nested deeper than anybody nests, are still left to it.

use std::ffi::c_char;

use pgrx::pg_sys::{self, Datum};

use crate::text_buffer::TextBuffer;

/// How deep containers are walked here, by recursion.
const MAX_DEPTH: u32 = 64;

/// Appends the text of a jsonb.
///
/// # Safety
/// The datum must be a jsonb, and this must run inside [`crate::postgres_error::protect`].
pub unsafe fn append(text: &mut TextBuffer, jsonb: Datum) {
    // SAFETY: a jsonb is a varlena; detoasted it has a four-byte header, and its root behind it.
    unsafe {
        let jsonb = raw::pg_detoast_datum(jsonb.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
        append_container(text, &raw const (*jsonb).root, 0);
    }
}

/// A container of the stored form: its header, an entry for each element, or for each key and then each value, and the
/// data that they describe.
#[derive(Clone, Copy)]
struct Container {
    header: u32,
    entries: *const u32,
}

impl Container {
    /// # Safety
    /// The pointer must be to a container.
    unsafe fn new(container: *const pg_sys::JsonbContainer) -> Self {
        // SAFETY: a container starts with its header.
        unsafe { Self { header: (*container).header, entries: (&raw const (*container).children).cast() } }
    }

    fn count(self) -> usize {
        (self.header & pg_sys::JB_CMASK) as usize
    }

    /// Where the data of so many entries starts.
    ///
    /// # Safety
    /// The container must have so many entries.
    unsafe fn data(self, entries: usize) -> *const u8 {
        // SAFETY: the data follows the entries.
        unsafe { self.entries.add(entries).cast() }
    }
}

/// The entries of a container in order, with the place of each in the data.
struct Entries {
    next: *const u32,
    data: *const u8,
    offset: usize,
}

impl Entries {
    /// The next entry: its type, where it starts in the data, and its length.
    ///
    /// # Safety
    /// There must be one more entry.
    #[inline(always)]
    unsafe fn next(&mut self) -> (u32, usize, usize) {
        // SAFETY: as the caller's. An entry has either its length or its end, from the start of the data.
        let entry = unsafe { *self.next };
        self.next = self.next.wrapping_add(1);
        let start = self.offset;
        let length_or_end = (entry & pg_sys::JENTRY_OFFLENMASK) as usize;
        self.offset = if entry & pg_sys::JENTRY_HAS_OFF == 0 { start + length_or_end } else { length_or_end };
        (entry & pg_sys::JENTRY_TYPEMASK, start, self.offset - start)
    }
}

/// # Safety
/// As for [`append`]; the pointer must be to a container.
unsafe fn append_container(text: &mut TextBuffer, pointer: *const pg_sys::JsonbContainer, depth: u32) {
    // SAFETY: the stored form is as `Container` and `Entries` describe it.
    unsafe {
        if depth > MAX_DEPTH {
            raw::JsonbToCString(text.string_info(), pointer.cast_mut(), 0);
            return;
        }
        let container = Container::new(pointer);
        let count = container.count();
        if container.header & pg_sys::JB_FOBJECT == 0 {
            let mut elements = Entries { next: container.entries, data: container.data(count), offset: 0 };
            let is_scalar = container.header & pg_sys::JB_FSCALAR != 0;
            if !is_scalar {
                text.push(b"[");
            }
            for i in 0..count {
                if i > 0 {
                    text.push(b", ");
                }
                append_next(text, &mut elements, depth);
            }
            if !is_scalar {
                text.push(b"]");
            }
        } else {
            let data = container.data(2 * count);
            let mut keys = Entries { next: container.entries, data, offset: 0 };
            for _ in 0..count {
                keys.next();
            }
            let mut values = Entries { next: keys.next, data, offset: keys.offset };
            let mut keys = Entries { next: container.entries, data, offset: 0 };
            text.push(b"{");
            for i in 0..count {
                if i > 0 {
                    text.push(b", ");
                }
                let (_, start, length) = keys.next();
                append_string(text, std::slice::from_raw_parts(data.add(start), length));
                text.push(b": ");
                append_next(text, &mut values, depth);
            }
            text.push(b"}");
        }
    }
}

/// # Safety
/// As for [`append`]; there must be one more entry.
unsafe fn append_next(text: &mut TextBuffer, entries: &mut Entries, depth: u32) {
    // SAFETY: as the caller's. Numbers and containers are aligned to four bytes within the data.
    unsafe {
        let (kind, start, length) = entries.next();
        let aligned = || entries.data.add(start.next_multiple_of(4));
        match kind {
            pg_sys::JENTRY_ISSTRING => append_string(text, std::slice::from_raw_parts(entries.data.add(start), length)),
            pg_sys::JENTRY_ISNUMERIC => append_number(text, aligned()),
            pg_sys::JENTRY_ISBOOL_FALSE => text.push(b"false"),
            pg_sys::JENTRY_ISBOOL_TRUE => text.push(b"true"),
            pg_sys::JENTRY_ISNULL => text.push(b"null"),
            _ => append_container(text, aligned().cast(), depth + 1),
        }
    }
}

/// Which bytes of a string are escaped.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escaped[byte] = true;
        byte += 1;
    }
    escaped[b'"' as usize] = true;
    escaped[b'\\' as usize] = true;
    escaped
};

/// # Safety
/// As for [`append`].
unsafe fn append_string(text: &mut TextBuffer, string: &[u8]) {
    // SAFETY: as the caller's.
    unsafe {
        text.push(b"\"");
        let mut rest = string;
        while let Some(n) = rest.iter().position(|byte| ESCAPED[usize::from(*byte)]) {
            text.push(&rest[..n]);
            let byte = rest[n];
            match byte {
                b'"' => text.push(b"\\\""),
                b'\\' => text.push(b"\\\\"),
                0x08 => text.push(b"\\b"),
                0x0c => text.push(b"\\f"),
                b'\n' => text.push(b"\\n"),
                b'\r' => text.push(b"\\r"),
                b'\t' => text.push(b"\\t"),
                _ => {
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    text.push(&[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
            }
            rest = &rest[n + 1..];
        }
        text.push(rest);
        text.push(b"\"");
    }
}

/// The most digits, four decimal ones each, of a number that is written here.
const SHORT: usize = 4;

/// Appends a number: a varlena with a header of two bytes in the short form, and digits in base 10,000.
///
/// # Safety
/// As for [`append`]; the pointer must be to a numeric with a four-byte length.
unsafe fn append_number(text: &mut TextBuffer, numeric: *const u8) {
    // SAFETY: a numeric has the length that it says.
    unsafe {
        let bytes = pgrx::varlena::varlena_to_byte_slice(numeric.cast());
        let mut digits = [0_u16; SHORT];
        let is_short = bytes.len() >= 2
            && bytes.len() <= 2 + 2 * SHORT
            && u16::from_ne_bytes([bytes[0], bytes[1]]) & SHORT_FORM_MASK == SHORT_FORM;
        if is_short {
            let header = u16::from_ne_bytes([bytes[0], bytes[1]]);
            for (digit, bytes) in digits.iter_mut().zip(bytes[2..].chunks_exact(2)) {
                *digit = u16::from_ne_bytes([bytes[0], bytes[1]]);
            }
            let mut decimal = [0; 96];
            if let Some(length) = decimal_text(header, &digits, &mut decimal) {
                text.push(&decimal[..length]);
                return;
            }
        }
        let string =
            raw::DirectFunctionCall1Coll(Some(raw::numeric_out), pg_sys::InvalidOid, Datum::from(numeric.cast_mut()));
        let string = string.cast_mut_ptr::<c_char>();
        text.push(std::ffi::CStr::from_ptr(string).to_bytes());
    }
}

/// The short form of a numeric's header, from Postgres' numeric.c.
const SHORT_FORM_MASK: u16 = 0xC000;
const SHORT_FORM: u16 = 0x8000;
const NEGATIVE: u16 = 0x2000;
const SCALE_MASK: u16 = 0x1F80;
const SCALE_SHIFT: u32 = 7;
const WEIGHT_SIGN: u16 = 0x0040;
const WEIGHT_MASK: u16 = 0x003F;

/// Writes a number of few digits and returns the length of its text, `None` when it is of another kind.
fn decimal_text(header: u16, digits: &[u16; SHORT], text: &mut [u8; 96]) -> Option<usize> {
    // The first digit counts 10,000 to the power of the weight; a negative one makes a fraction below 0.0001.
    if header & WEIGHT_SIGN != 0 && digits[0] != 0 {
        return None;
    }
    let weight = if digits[0] == 0 { 0 } else { usize::from(header & WEIGHT_MASK) };
    let scale = usize::from((header & SCALE_MASK) >> SCALE_SHIFT);
    if weight >= SHORT || scale > 4 * SHORT {
        return None;
    }
    let mut length = 0;
    let mut put = |byte: u8| {
        text[length] = byte;
        length += 1;
    };
    if header & NEGATIVE != 0 {
        put(b'-');
    }
    let decimals = |digit: u16| {
        let value = |power: u16| u8::try_from(digit / power % 10).unwrap_or(0) + b'0';
        [value(1000), value(100), value(10), value(1)]
    };
    let mut leading = true;
    for digit in &digits[..=weight] {
        for decimal in decimals(*digit) {
            leading = leading && decimal == b'0';
            if !leading {
                put(decimal);
            }
        }
    }
    if leading {
        put(b'0');
    }
    if scale > 0 {
        put(b'.');
        for n in 0..scale {
            let digit = digits.get(weight + 1 + n / 4).copied().unwrap_or(0);
            put(decimals(digit)[n % 4]);
        }
    }
    Some(length)
}

mod raw {
    use std::ffi::{c_char, c_int};

    use pgrx::pg_sys::{Datum, FunctionCallInfo, JsonbContainer, Oid, PGFunction, StringInfo, varlena};

    unsafe extern "C-unwind" {
        pub fn pg_detoast_datum(datum: *mut varlena) -> *mut varlena;
        pub fn JsonbToCString(out: StringInfo, container: *mut JsonbContainer, estimate: c_int) -> *mut c_char;
        pub fn DirectFunctionCall1Coll(function: PGFunction, collation: Oid, argument: Datum) -> Datum;
        pub fn numeric_out(fcinfo: FunctionCallInfo) -> Datum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(header: u16, digits: [u16; SHORT]) -> Option<String> {
        let mut text = [0; 96];
        decimal_text(header, &digits, &mut text).map(|length| String::from_utf8_lossy(&text[..length]).into_owned())
    }

    #[test]
    fn short_numbers_are_written_as_numeric_out_does() {
        let scale = |n: u16| SHORT_FORM | n << SCALE_SHIFT;
        assert_eq!(decimal(scale(0), [0; SHORT]).as_deref(), Some("0"));
        assert_eq!(decimal(scale(2), [0; SHORT]).as_deref(), Some("0.00"));
        assert_eq!(decimal(scale(0), [12, 0, 0, 0]).as_deref(), Some("12"));
        assert_eq!(decimal(scale(0) | 1, [12, 0, 0, 0]).as_deref(), Some("120000"));
        assert_eq!(decimal(scale(2) | NEGATIVE, [12, 5000, 0, 0]).as_deref(), Some("-12.50"));
        assert_eq!(decimal(scale(6) | 1, [1, 23, 4567, 8900]).as_deref(), Some("10023.456789"));
        assert_eq!(decimal(scale(4) | WEIGHT_SIGN | WEIGHT_MASK, [5, 0, 0, 0]), None);
    }
}
