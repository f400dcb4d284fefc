//! Walking a jsonb argument without turning it into text.

use std::ffi::CStr;

use message_store_core::batch::Kind;
use pgrx::pg_sys::{self, JsonbIteratorToken, jbvType};

/// A jsonb array.
pub struct Array(*mut pg_sys::JsonbContainer);

/// A value inside a jsonb.
pub struct Value(pg_sys::JsonbValue);

/// The kind of a whole jsonb, and its elements if it is an array.
pub fn open(jsonb: pg_sys::Datum) -> (Kind, Option<Array>) {
    // SAFETY: the SQL signature says that the datum is a jsonb; the detoasted copy lives as long as the call.
    let root = unsafe {
        let jsonb = pg_sys::pg_detoast_datum(jsonb.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
        &raw mut (*jsonb).root
    };
    // SAFETY: every jsonb has a header.
    let header = unsafe { (*root).header };
    if header & pg_sys::JB_FSCALAR != 0 {
        let kind = Array(root).elements().next().map_or(Kind::Null, |value| value.kind());
        (kind, None)
    } else if header & pg_sys::JB_FOBJECT != 0 {
        (Kind::Object, None)
    } else {
        (Kind::Array, Some(Array(root)))
    }
}

impl Array {
    /// The elements, in their order.
    pub fn elements(&self) -> impl Iterator<Item = Value> {
        Walk::into(self.0).filter_map(|(token, value)| (token == JsonbIteratorToken::WJB_ELEM).then_some(value))
    }
}

impl Value {
    /// What kind of JSON it is.
    pub fn kind(&self) -> Kind {
        match self.0.type_ {
            jbvType::jbvNull => Kind::Null,
            jbvType::jbvString => Kind::String,
            jbvType::jbvNumeric => Kind::Number,
            jbvType::jbvBool => Kind::Boolean,
            jbvType::jbvArray => Kind::Array,
            jbvType::jbvObject => Kind::Object,
            // SAFETY: a binary value points at a container, which has a header.
            _ => unsafe {
                let header = (*self.0.val.binary.data).header;
                if header & pg_sys::JB_FOBJECT != 0 { Kind::Object } else { Kind::Array }
            },
        }
    }

    /// The text of a string or number; nothing for any other kind.
    pub fn text(&self) -> &[u8] {
        // SAFETY: the type says which part of the union is set; its bytes live as long as the argument.
        unsafe {
            match self.0.type_ {
                jbvType::jbvString => {
                    let string = self.0.val.string;
                    std::slice::from_raw_parts(string.val.cast(), usize::try_from(string.len).unwrap_or(0))
                }
                jbvType::jbvNumeric => {
                    let number = pg_sys::Datum::from(self.0.val.numeric);
                    let text = pg_sys::OidOutputFunctionCall(pg_sys::Oid::from(pg_sys::F_NUMERIC_OUT), number);
                    CStr::from_ptr(text).to_bytes()
                }
                _ => &[],
            }
        }
    }

    /// The value as a jsonb of its own.
    pub fn into_jsonb(mut self) -> pg_sys::Datum {
        // SAFETY: copies a value that came from an iterator.
        unsafe { pg_sys::Datum::from(pg_sys::JsonbValueToJsonb(&mut self.0)) }
    }

    /// The members of an object, in jsonb's order of keys.
    pub fn members(&self) -> impl Iterator<Item = (Value, Value)> {
        // SAFETY: an element that is an object comes from an iterator as binary; anything else has no members.
        let object = (self.kind() == Kind::Object && self.0.type_ == jbvType::jbvBinary)
            .then_some(unsafe { self.0.val.binary.data });
        let mut walk = object
            .into_iter()
            .flat_map(Walk::into)
            .filter(|(token, _)| matches!(*token, JsonbIteratorToken::WJB_KEY | JsonbIteratorToken::WJB_VALUE));
        std::iter::from_fn(move || Some((walk.next()?.1, walk.next()?.1)))
    }
}

/// The tokens of one container; what is nested in it comes as single values.
struct Walk {
    iterator: *mut pg_sys::JsonbIterator,
    inside: bool,
}

impl Walk {
    fn into(container: *mut pg_sys::JsonbContainer) -> Self {
        // SAFETY: the container is part of the argument, which lives as long as the call.
        Self { iterator: unsafe { pg_sys::JsonbIteratorInit(container) }, inside: false }
    }
}

impl Iterator for Walk {
    type Item = (JsonbIteratorToken::Type, Value);

    fn next(&mut self) -> Option<Self::Item> {
        let mut value = pg_sys::JsonbValue::default();
        // SAFETY: the iterator is Postgres', and is not used after its end.
        let token = unsafe { pg_sys::JsonbIteratorNext(&mut self.iterator, &mut value, self.inside) };
        self.inside = true;
        (token != JsonbIteratorToken::WJB_DONE).then_some((token, Value(value)))
    }
}
