//! Arrays as a statement takes them: one value a row, for rows that are inserted together.

use std::ffi::{c_char, c_int};

use pgrx::pg_sys::{self, Datum, Oid};
use uuid::Uuid;

use crate::spi::{Parameter, text_datum};

/// An array parameter of ids.
pub fn uuids(ids: &[Uuid]) -> Parameter {
    let values = ids.iter().map(|id| Some(Datum::from(id.as_bytes().as_ptr())));
    array(values, pg_sys::UUIDARRAYOID, pg_sys::UUIDOID, 16, false, b'c')
}

/// An array parameter of texts.
pub fn texts<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Parameter {
    array(texts.map(|text| Some(text_datum(text))), pg_sys::TEXTARRAYOID, pg_sys::TEXTOID, -1, false, b'i')
}

/// An array parameter of jsonb values.
pub fn jsonbs(values: impl Iterator<Item = Option<Datum>>) -> Parameter {
    array(values, pg_sys::JSONBARRAYOID, pg_sys::JSONBOID, -1, false, b'i')
}

/// An array parameter of bigints.
pub fn bigints(values: impl Iterator<Item = i64>) -> Parameter {
    array(values.map(|value| Some(Datum::from(value))), pg_sys::INT8ARRAYOID, pg_sys::INT8OID, 8, true, b'd')
}

/// An array parameter of timestamps, from UTC microseconds since 1970; NULL where there is none.
pub fn timestamps(times: impl Iterator<Item = Option<i64>>) -> Parameter {
    let values = times.map(|time| time.map(|time| Datum::from(timestamp(time))));
    array(values, pg_sys::TIMESTAMPARRAYOID, pg_sys::TIMESTAMPOID, 8, true, b'd')
}

/// A time as Postgres counts it, from UTC microseconds since 1970.
pub fn timestamp(time: i64) -> i64 {
    /// From 1970 to 2000, where Postgres counts from.
    const EPOCH: i64 = 946_684_800_000_000;
    time - EPOCH
}

fn array(
    values: impl Iterator<Item = Option<Datum>>,
    kind: Oid,
    element: Oid,
    length: c_int,
    by_value: bool,
    alignment: u8,
) -> Parameter {
    let (mut values, mut nulls): (Vec<Datum>, Vec<bool>) =
        values.map(|value| (value.unwrap_or_else(Datum::null), value.is_none())).unzip();
    let mut dimension = c_int::try_from(values.len()).unwrap_or(c_int::MAX);
    let mut lower_bound = 1;
    // SAFETY: values and nulls have as many elements as the dimension says; the array is a copy.
    let array = unsafe {
        pg_sys::construct_md_array(
            values.as_mut_ptr(),
            nulls.as_mut_ptr(),
            1,
            &mut dimension,
            &mut lower_bound,
            element,
            length,
            by_value,
            alignment as c_char,
        )
    };
    Parameter { kind, value: Some(Datum::from(array)) }
}
