//! Walking the JSON of a batch for the rules both engines share.

use std::borrow::Cow;

use message_store_core::batch::{Kind, Member, check_array, check_object};
use message_store_core::json::{self, Objects, Value};

use crate::errors::Result;

/// The argument as it was given.
pub enum Batch<'a> {
    /// NULL
    Null,
    /// Objects that need no more than to be looked through.
    Objects(Objects<'a>),
    /// Any JSON.
    Value(Value),
}

/// An element of the array.
#[derive(Clone, Copy)]
pub enum Element<'a> {
    /// One of `Batch::Objects`.
    Object(json::Object<'a>),
    /// One of any other array.
    Value(&'a Value),
}

/// The JSON of an element that stays in its own form.
#[derive(Debug, Default)]
pub struct Json<'a> {
    /// Canonical JSON.
    pub data: Option<Cow<'a, str>>,
    /// Canonical JSON.
    pub metadata: Option<Cow<'a, str>>,
}

impl<'a> Batch<'a> {
    /// Reads the argument's JSON. Which JSON it is, is found out by `read`: Postgres, too, reads it before the function
    /// begins.
    pub fn parse(argument: Option<&'a str>) -> Result<Self> {
        let Some(text) = argument else { return Ok(Self::Null) };
        match json::objects(text) {
            Some(objects) => Ok(Self::Objects(objects)),
            None => Ok(Self::Value(json::parse(text.as_bytes())?)),
        }
    }

    /// What `read` makes of each element, given its number, in order. Anything but an array is refused.
    pub fn read<'b, T>(&'b self, mut read: impl FnMut(usize, Element<'b>) -> Result<T>) -> Result<Vec<T>> {
        match self {
            Self::Null => check_array(None)?,
            Self::Objects(objects) => {
                return objects
                    .iter()
                    .map(Element::Object)
                    .enumerate()
                    .map(|(number, one)| read(number, one))
                    .collect();
            }
            Self::Value(value) => {
                check_array(Some(kind(value)))?;
                if let Value::Array(elements) = value {
                    return elements
                        .iter()
                        .map(Element::Value)
                        .enumerate()
                        .map(|(number, one)| read(number, one))
                        .collect();
                }
            }
        }
        Ok(Vec::new())
    }
}

impl<'a> Element<'a> {
    /// Feeds the members of the element of that number to `reader`, and keeps its JSON.
    pub fn members(
        self,
        number: usize,
        mut reader: impl FnMut(&[u8], Kind, &[u8]) -> message_store_core::Result<Member>,
    ) -> Result<Json<'a>> {
        let mut json = Json::default();
        match self {
            Self::Object(object) => {
                for member in object.members() {
                    let (kind, text) = scalar(member.value);
                    match reader(member.key.as_bytes(), kind, text.as_bytes())? {
                        Member::Taken => {}
                        Member::Data => json.data = Some(Cow::Borrowed(member.value)),
                        Member::Metadata => json.metadata = Some(Cow::Borrowed(member.value)),
                    }
                }
            }
            Self::Value(element) => {
                check_object(number, kind(element))?;
                let Value::Object(members) = element else { return Ok(json) };
                for (key, value) in members {
                    let text = match value {
                        Value::String(text) | Value::Number(text) => text.as_bytes(),
                        _ => &[],
                    };
                    match reader(key.as_bytes(), kind(value), text)? {
                        Member::Taken => {}
                        Member::Data => json.data = Some(Cow::Owned(value.to_string())),
                        Member::Metadata => json.metadata = Some(Cow::Owned(value.to_string())),
                    }
                }
            }
        }
        Ok(json)
    }
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Boolean(_) => Kind::Boolean,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::String,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
    }
}

/// The kind of a value in canonical text, with what a number or a string without escapes stands for.
fn scalar(value: &str) -> (Kind, &str) {
    match value.as_bytes() {
        [b'{', ..] => (Kind::Object, ""),
        [b'[', ..] => (Kind::Array, ""),
        [b'"', ..] => (Kind::String, value.get(1..value.len() - 1).unwrap_or_default()),
        [b't' | b'f', ..] => (Kind::Boolean, ""),
        [b'n', ..] => (Kind::Null, ""),
        _ => (Kind::Number, value),
    }
}
