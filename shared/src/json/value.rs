//! A JSON document in memory.
//!
//! A document may be `MAX_DEPTH` levels deep, more than a small thread's stack bears when each level is a call. So
//! nothing here recurses: not the drop, not the comparison, not the text.

use super::parser::Sink;
use super::string::JsonString;
use super::{key_order, string};
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter, Write};

/// A JSON value, canonical in every part.
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A number in its canonical text.
    Number(String),
    /// What a string stands for, without quotes and escapes.
    String(String),
    /// The elements of an array.
    Array(Vec<Value>),
    /// The members of an object: each key once, ordered by byte length, then by bytes.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The value of a member; `None` when there is no such key, or the value is no object.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Object(members) => members.iter().find(|member| member.0 == key).map(|member| &member.1),
            _ => None,
        }
    }

    /// The name that `jsonb_typeof` gives.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The text that the operator `->>` gives: a string as it is, `None` for null, any other value as canonical text.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Number(text) | Self::String(text) => Some(Cow::Borrowed(text)),
            Self::Boolean(_) | Self::Array(_) | Self::Object(_) => Some(Cow::Owned(self.to_string())),
        }
    }

    /// Moves the arrays and objects directly inside to `nested`, and drops everything else.
    fn take_nested(&mut self, nested: &mut Vec<Value>) {
        let has_values = |value: &Value| matches!(value, Self::Array(_) | Self::Object(_));
        match self {
            Self::Array(elements) => nested.extend(elements.drain(..).filter(has_values)),
            Self::Object(members) => nested.extend(members.drain(..).map(|member| member.1).filter(has_values)),
            _ => {}
        }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        let mut nested = Vec::new();
        self.take_nested(&mut nested);
        while let Some(mut value) = nested.pop() {
            value.take_nested(&mut nested);
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = vec![(self, other)];
        while let Some(pair) = pairs.pop() {
            let equal = match pair {
                (Self::Null, Self::Null) => true,
                (Self::Boolean(a), Self::Boolean(b)) => a == b,
                (Self::Number(a), Self::Number(b)) | (Self::String(a), Self::String(b)) => a == b,
                (Self::Array(a), Self::Array(b)) => {
                    pairs.extend(a.iter().zip(b));
                    a.len() == b.len()
                }
                (Self::Object(a), Self::Object(b)) => {
                    pairs.extend(a.iter().zip(b).map(|(a, b)| (&a.1, &b.1)));
                    a.iter().map(|member| &member.0).eq(b.iter().map(|member| &member.0))
                }
                _ => false,
            };
            if !equal {
                return false;
            }
        }
        true
    }
}

impl Eq for Value {}

/// What is still to be written of an open array or object.
enum Rest<'a> {
    Elements(std::slice::Iter<'a, Value>),
    Members(std::slice::Iter<'a, (String, Value)>),
}

/// The canonical text.
impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut buffer = String::new();
        let mut quoted = |f: &mut Formatter<'_>, value: &str| {
            buffer.clear();
            string::write(&mut buffer, value);
            f.write_str(&buffer)
        };
        let mut open = Vec::new();
        let mut value = self;
        loop {
            let mut first = false;
            match value {
                Self::Null => f.write_str("null")?,
                Self::Boolean(value) => write!(f, "{value}")?,
                Self::Number(text) => f.write_str(text)?,
                Self::String(text) => quoted(f, text)?,
                Self::Array(elements) => {
                    f.write_char('[')?;
                    open.push(Rest::Elements(elements.iter()));
                    first = true;
                }
                Self::Object(members) => {
                    f.write_char('{')?;
                    open.push(Rest::Members(members.iter()));
                    first = true;
                }
            }
            value = loop {
                let next = match open.last_mut() {
                    None => return Ok(()),
                    Some(Rest::Elements(rest)) => rest.next().map(|value| (None, value)).ok_or(']'),
                    Some(Rest::Members(rest)) => rest.next().map(|(key, value)| (Some(key), value)).ok_or('}'),
                };
                match next {
                    Ok((key, value)) => {
                        if !first {
                            f.write_str(", ")?;
                        }
                        if let Some(key) = key {
                            quoted(f, key)?;
                            f.write_str(": ")?;
                        }
                        break value;
                    }
                    Err(bracket) => {
                        f.write_char(bracket)?;
                        open.pop();
                        first = false;
                    }
                }
            };
        }
    }
}

/// The canonical text.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// A document, while it is read.
#[derive(Default)]
pub(super) struct Tree {
    /// The open arrays and objects, without the value that is being read.
    open: Vec<Value>,
    /// The keys of the members that are being read, one for each open object.
    keys: Vec<String>,
    root: Option<Value>,
}

impl Tree {
    /// The document. (Null when nothing was read, which the parser does not let happen.)
    pub fn finish(self) -> Value {
        self.root.unwrap_or(Value::Null)
    }

    fn add(&mut self, value: Value) {
        match self.open.last_mut() {
            Some(Value::Array(elements)) => elements.push(value),
            Some(Value::Object(members)) => members.extend(self.keys.pop().map(|key| (key, value))),
            _ => self.root = Some(value),
        }
    }

    fn end(&mut self) {
        if let Some(mut value) = self.open.pop() {
            if let Value::Object(members) = &mut value {
                key_order::order(members, |member| &member.0);
            }
            self.add(value);
        }
    }
}

impl<'a> Sink<'a> for Tree {
    fn null(&mut self) {
        self.add(Value::Null);
    }

    fn boolean(&mut self, value: bool) {
        self.add(Value::Boolean(value));
    }

    fn number(&mut self, number: Cow<'a, str>) {
        self.add(Value::Number(number.into_owned()));
    }

    fn string(&mut self, value: JsonString<'a>) {
        self.add(Value::String(value.into_string()));
    }

    fn begin_array(&mut self) {
        self.open.push(Value::Array(Vec::new()));
    }

    fn end_array(&mut self) {
        self.end();
    }

    fn begin_object(&mut self) {
        self.open.push(Value::Object(Vec::new()));
    }

    fn end_object(&mut self) {
        self.end();
    }

    fn key(&mut self, key: JsonString<'a>) {
        self.keys.push(key.into_string());
    }

    fn comma(&mut self) {}
}
