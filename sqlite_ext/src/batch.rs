//! Walking the JSON of a batch for the rules both engines share.

use message_store_core::batch::{Kind, Member, check_array, check_object};
use message_store_core::json::{self, Value};

use crate::errors::Result;

/// The argument as it was given. `None` stands for NULL.
pub struct Batch(Option<Value>);

/// The JSON of an element that stays in its own form.
#[derive(Debug, Default)]
pub struct Json {
    /// Canonical JSON.
    pub data: Option<String>,
    /// Canonical JSON.
    pub metadata: Option<String>,
}

impl Batch {
    /// Reads the argument's JSON. Which JSON it is, is found out by `elements`: Postgres, too, reads it before the
    /// function begins.
    pub fn parse(argument: Option<&[u8]>) -> Result<Self> {
        Ok(Self(argument.map(json::parse).transpose()?))
    }

    /// The elements, in order. Anything but an array is refused.
    pub fn elements(&self) -> Result<&[Value]> {
        check_array(self.0.as_ref().map(kind))?;
        match &self.0 {
            Some(Value::Array(elements)) => Ok(elements),
            _ => Ok(&[]),
        }
    }
}

/// Feeds the members of an element to `reader`, and keeps its JSON.
pub fn members(
    number: usize,
    element: &Value,
    mut reader: impl FnMut(&[u8], Kind, &[u8]) -> message_store_core::Result<Member>,
) -> Result<Json> {
    check_object(number, kind(element))?;
    let mut json = Json::default();
    let Value::Object(members) = element else { return Ok(json) };
    for (key, value) in members {
        let text = match value {
            Value::String(text) | Value::Number(text) => text.as_bytes(),
            _ => &[],
        };
        match reader(key.as_bytes(), kind(value), text)? {
            Member::Taken => {}
            Member::Data => json.data = Some(value.to_string()),
            Member::Metadata => json.metadata = Some(value.to_string()),
        }
    }
    Ok(json)
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
