//! Ordinary JSON, as programs write it, brought into canonical form in one pass and without a parser.
//!
//! Ordinary are keys without escapes, escapes as Postgres writes them, numbers without an exponent, and objects of a few
//! members if those are not in jsonb's order. What is canonical already is not copied. Whatever else there is, and
//! everything wrong, is left to the parser: here it is `None`.

use super::key_order;
use super::string::MAX_BYTES;
use std::borrow::Cow;
use std::ops::Range;

/// How many arrays and objects may be open at once, since each is a call.
const MAX_DEPTH: usize = 32;
/// The most members that are put in order here.
const MAX_UNORDERED: usize = 16;
/// The most bytes of a number; numeric's own limits lie beyond.
const MAX_NUMBER: usize = 1_000;

/// A member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its value in canonical text.
    pub value: &'a str,
}

/// An array of objects, read without the values inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects<'a> {
    text: &'a str,
    /// The values that were not canonical, one behind the other.
    out: String,
    members: Vec<(&'a str, Value)>,
    /// Where each object's members end.
    ends: Vec<usize>,
}

/// Where a value's canonical text is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// In the text that was read.
    Text(Range<usize>),
    /// In what was written.
    Out(Range<usize>),
}

/// An object, its members in jsonb's order, every key once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    objects: &'a Objects<'a>,
    members: &'a [(&'a str, Value)],
}

impl Objects<'_> {
    /// The objects in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Object<'_>> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let members = &self.members[start..end];
            start = end;
            Object { objects: self, members }
        })
    }
}

impl<'a> Object<'a> {
    /// Its members.
    pub fn members(self) -> impl Iterator<Item = Member<'a>> {
        self.members.iter().map(move |(key, value)| {
            let value = match value {
                Value::Text(range) => &self.objects.text[range.clone()],
                Value::Out(range) => &self.objects.out[range.clone()],
            };
            Member { key, value }
        })
    }
}

/// The canonical text, where the text is ordinary JSON.
pub(super) fn canonical(text: &str) -> Option<Cow<'_, str>> {
    let mut reader = Reader::new(text)?;
    let (value, end) = reader.canonical_value(reader.blanks(0))?;
    if !reader.is_end(end) {
        return None;
    }
    Some(match value {
        Value::Text(range) => Cow::Borrowed(&text[range]),
        // All that was written is the value.
        Value::Out(_) => Cow::Owned(reader.out),
    })
}

/// The objects of an array, where the text is one of ordinary objects. Their own members may come in any order, and a
/// string directly among them has no escapes.
pub(super) fn objects(text: &str) -> Option<Objects<'_>> {
    let mut reader = Reader::new(text)?;
    let mut objects = Objects { text, ..Objects::default() };
    let mut at = reader.take(reader.blanks(0), b'[')?;
    at = reader.blanks(at);
    let end = match reader.take(at, b']') {
        Some(end) => end,
        None => loop {
            at = reader.members(at, &mut objects)?;
            at = reader.blanks(at);
            match reader.take(at, b',') {
                Some(next) => at = reader.blanks(next),
                None => break reader.take(at, b']')?,
            }
        },
    };
    reader.is_end(end).then_some(Objects { out: reader.out, ..objects })
}

/// A member in `out`.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    key: &'a str,
    start: usize,
    end: usize,
}

/// Where it reads is handed from function to function, and so in a register.
struct Reader<'a> {
    text: &'a str,
    /// Ends with the canonical text of what comes before `copied`, since the value began.
    out: String,
    copied: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Option<Self> {
        (text.len() <= MAX_BYTES).then_some(Self { text, out: String::new(), copied: 0 })
    }

    /// The byte there. The text itself has no zero byte that is let through.
    fn peek(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }

    /// Behind a byte that must be there.
    fn take(&self, at: usize, byte: u8) -> Option<usize> {
        (self.peek(at) == byte).then_some(at + 1)
    }

    /// Behind the blanks.
    fn blanks(&self, mut at: usize) -> usize {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.peek(at) {
            at += 1;
        }
        at
    }

    /// Behind the blanks, which canonical text has as `wanted`.
    #[inline]
    fn separator(&mut self, at: usize, wanted: &str) -> usize {
        let first = self.peek(at);
        if wanted.is_empty() {
            if first > b' ' {
                return at;
            }
        } else if first == b' ' && self.peek(at + 1) > b' ' {
            return at + 1;
        }
        self.put_right(at, wanted)
    }

    /// Puts the blanks right that begin there.
    #[cold]
    fn put_right(&mut self, start: usize, wanted: &str) -> usize {
        let end = self.blanks(start);
        if self.text[start..end] != *wanted {
            self.copy_to(start);
            self.out.push_str(wanted);
            self.copied = end;
        }
        end
    }

    fn copy_to(&mut self, end: usize) {
        if self.out.is_empty() {
            // An object is written once more while its members are put in order. Small, for a batch has many values.
            self.out.reserve(2 * (end - self.copied) + 64);
        }
        self.out.push_str(&self.text[self.copied..end]);
        self.copied = end;
    }

    fn is_end(&self, at: usize) -> bool {
        self.blanks(at) == self.text.len()
    }

    /// The canonical text of the value that starts there, and its end.
    fn canonical_value(&mut self, start: usize) -> Option<(Value, usize)> {
        let written = self.out.len();
        self.copied = start;
        let end = self.value(start, 0)?;
        if self.copied == start {
            return Some((Value::Text(start..end), end));
        }
        self.out.push_str(&self.text[self.copied..end]);
        Some((Value::Out(written..self.out.len()), end))
    }

    /// The end of the value that starts there, inside so many others.
    fn value(&mut self, at: usize, depth: usize) -> Option<usize> {
        match self.peek(at) {
            b'"' => self.string(at + 1),
            b'{' if depth < MAX_DEPTH => self.object(at + 1, depth + 1),
            b'[' if depth < MAX_DEPTH => self.array(at + 1, depth + 1),
            b'-' | b'0'..=b'9' => self.number(at),
            b't' => self.word(at, "true"),
            b'f' => self.word(at, "false"),
            b'n' => self.word(at, "null"),
            _ => None,
        }
    }

    fn array(&mut self, at: usize, depth: usize) -> Option<usize> {
        let mut at = self.separator(at, "");
        if let Some(end) = self.take(at, b']') {
            return Some(end);
        }
        loop {
            at = self.value(at, depth)?;
            at = self.separator(at, "");
            match self.take(at, b',') {
                Some(next) => at = self.separator(next, " "),
                None => return self.take(at, b']'),
            }
        }
    }

    fn object(&mut self, at: usize, depth: usize) -> Option<usize> {
        let mut at = self.separator(at, "");
        if let Some(end) = self.take(at, b'}') {
            return Some(end);
        }
        let mut members = [Place::default(); MAX_UNORDERED];
        let (mut count, mut is_ordered, mut previous) = (0, true, None);
        loop {
            let start = self.place(at);
            let (key, end) = self.plain_string(at)?;
            is_ordered &= previous.is_none_or(|previous| key_order::compare(previous, key).is_lt());
            previous = Some(key);
            at = self.separator(end, "");
            at = self.take(at, b':')?;
            at = self.separator(at, " ");
            at = self.value(at, depth)?;
            if let Some(member) = members.get_mut(count) {
                *member = Place { key, start, end: self.place(at) };
            }
            count += 1;
            at = self.separator(at, "");
            match self.take(at, b',') {
                Some(next) => at = self.separator(next, " "),
                None => {
                    let end = self.take(at, b'}')?;
                    if !is_ordered {
                        self.order(end, members.get_mut(..count)?)?;
                    }
                    return Some(end);
                }
            }
        }
    }

    /// Where what is read there comes in `out`.
    fn place(&self, at: usize) -> usize {
        self.out.len() + at - self.copied
    }

    /// Puts the members in order of the object that ends there. Of those with the same key the last one stays.
    fn order(&mut self, end: usize, members: &mut [Place<'a>]) -> Option<()> {
        self.copy_to(end);
        let (first, end) = (members.first()?.start, self.out.len());
        members.sort_unstable_by(|a, b| key_order::compare(a.key, b.key).then(a.start.cmp(&b.start)));
        let mut written = false;
        for (number, member) in members.iter().enumerate() {
            if members.get(number + 1).is_some_and(|next| next.key == member.key) {
                continue;
            }
            if written {
                self.out.push_str(", ");
            }
            self.out.extend_from_within(member.start..member.end);
            written = true;
        }
        self.out.push('}');
        self.out.drain(first..end);
        Some(())
    }

    /// The members of an object, in jsonb's order, and its end.
    fn members(&mut self, at: usize, objects: &mut Objects<'a>) -> Option<usize> {
        let first = objects.members.len();
        let mut at = self.take(at, b'{')?;
        at = self.blanks(at);
        let end = match self.take(at, b'}') {
            Some(end) => end,
            None => loop {
                let (key, end) = self.plain_string(at)?;
                at = self.take(self.blanks(end), b':')?;
                at = self.blanks(at);
                let (value, end) = match self.peek(at) {
                    b'"' => {
                        let (_, end) = self.plain_string(at)?;
                        (Value::Text(at..end), end)
                    }
                    _ => self.canonical_value(at)?,
                };
                objects.members.push((key, value));
                at = self.blanks(end);
                match self.take(at, b',') {
                    Some(next) => at = self.blanks(next),
                    None => break self.take(at, b'}')?,
                }
            },
        };
        let members = &mut objects.members[first..];
        members.sort_unstable_by(|a, b| key_order::compare(a.0, b.0));
        objects.ends.push(objects.members.len());
        // Of two with the same key it would have to be the last one.
        key_order::is_ordered(&objects.members[first..], |member| member.0).then_some(end)
    }

    /// What a string without escapes stands for, and its end.
    fn plain_string(&self, at: usize) -> Option<(&'a str, usize)> {
        let start = self.take(at, b'"')?;
        let end = self.plain(start);
        self.take(end, b'"').map(|after| (&self.text[start..end], after))
    }

    /// The end of a string whose content starts there.
    fn string(&self, mut at: usize) -> Option<usize> {
        loop {
            at = self.plain(at);
            if let Some(end) = self.take(at, b'"') {
                return Some(end);
            }
            at = self.take(at, b'\\')?;
            // `\/` and most of `\u` are written otherwise.
            let (b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') = self.peek(at) else { return None };
            at += 1;
        }
    }

    /// Behind what needs no escape.
    fn plain(&self, mut at: usize) -> usize {
        let bytes = self.text.as_bytes();
        while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            let special = special(u64::from_le_bytes(*word));
            if special != 0 {
                return at + special.trailing_zeros() as usize / 8;
            }
            at += word.len();
        }
        while bytes.get(at).is_some_and(|&byte| byte != b'"' && byte != b'\\' && byte >= b' ') {
            at += 1;
        }
        at
    }

    fn number(&self, start: usize) -> Option<usize> {
        let minus = self.take(start, b'-');
        let digits = minus.unwrap_or(start);
        let mut at = match self.take(digits, b'0') {
            Some(at) => at,
            None => self.digits(digits)?,
        };
        if let Some(fraction) = self.take(at, b'.') {
            at = self.digits(fraction)?;
        }
        // Zero loses its sign. An exponent, a leading zero or a letter is no end of a value, and refused by the caller.
        let is_zero = || self.text.as_bytes()[digits..at].iter().all(|byte| matches!(byte, b'0' | b'.'));
        (at - start <= MAX_NUMBER && !(minus.is_some() && is_zero())).then_some(at)
    }

    fn digits(&self, start: usize) -> Option<usize> {
        let mut at = start;
        while self.peek(at).is_ascii_digit() {
            at += 1;
        }
        (at > start).then_some(at)
    }

    fn word(&self, at: usize, word: &str) -> Option<usize> {
        self.text[at..].starts_with(word).then(|| at + word.len())
    }
}

/// Has the highest bit of the first byte set that is a quote, a backslash or a control character, and of none before it.
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let repeated = |byte: u8| ONES * u64::from(byte);
    // What is taken off a byte that is too small for it comes from the next one, which may then be wrong.
    let below = |word: u64, bound: u8| word.wrapping_sub(repeated(bound)) & !word;
    let found = below(word, b' ') | below(word ^ repeated(b'"'), 1) | below(word ^ repeated(b'\\'), 1);
    found & repeated(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn borrowed(text: &str) -> bool {
        matches!(canonical(text), Some(Cow::Borrowed(found)) if found == text)
    }

    #[test]
    fn canonical_text_is_not_copied() {
        for text in ["null", "-1.50", "0", "\"a\\n\\\"é\"", "{}", "[]", r#"{"a": [1, true, {"b": null}], "aa": "\\"}"#]
        {
            assert!(borrowed(text), "{text}");
        }
    }

    #[test]
    fn the_first_byte_that_ends_a_plain_string_is_found() {
        let is_plain = |byte: u8| byte != b'"' && byte != b'\\' && byte >= b' ';
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                for at in 0..7 {
                    let mut word = [b'a'; 8];
                    (word[at], word[at + 1]) = (first, second);
                    let found = special(u64::from_le_bytes(word)).trailing_zeros() as usize / 8;
                    assert_eq!(found, word.iter().take_while(|&&byte| is_plain(byte)).count(), "{word:?}");
                }
            }
        }
    }

    #[test]
    fn space_is_put_right() {
        let found = canonical(" {\"a\":[ ] ,\"b\"\n:[1,2 ,{ }],\"c\": \"x y\"}\t").expect("ordinary");
        assert_eq!(found, r#"{"a": [], "b": [1, 2, {}], "c": "x y"}"#);
    }

    #[test]
    fn members_are_put_in_order() {
        let found = canonical(r#"[{"b":1, "aa": {"d":[],"c": 2}, "a":3,"b" : 4}, {"a": 1}]"#).expect("ordinary");
        assert_eq!(found, r#"[{"a": 3, "b": 4, "aa": {"c": 2, "d": []}}, {"a": 1}]"#);
        let many: Vec<String> = (0..=MAX_UNORDERED).rev().map(|key| format!("\"{key:02}\": 1")).collect();
        assert!(canonical(&format!("{{{}}}", many[1..].join(", "))).is_some());
        assert_eq!(canonical(&format!("{{{}}}", many.join(", "))), None);
    }

    #[test]
    fn whatever_is_not_ordinary_is_left() {
        let words = r#"-0 -0.0 1e2 01 1. - 1x tru truex "\/" "\u00e9" "a {"\n":1} {"a"1} [1,] 1,"#;
        for text in words.split(' ').chain(["", "1 1", "[1 2]", "\"\n\"", "\0"]) {
            assert_eq!(canonical(text), None, "{text}");
        }
        assert_eq!(canonical(&"[".repeat(MAX_DEPTH + 1)), None);
        assert_eq!(canonical(&"9".repeat(MAX_NUMBER + 1)), None);
    }

    #[test]
    fn objects_are_read_one_level_deep() {
        let text = r#"[{"type":"T","id": "x", "data":{"a":1}}, {}]"#;
        let objects = objects(text).expect("ordinary");
        let members: Vec<Vec<(&str, &str)>> =
            objects.iter().map(|object| object.members().map(|member| (member.key, member.value)).collect()).collect();
        assert_eq!(members, [vec![("id", "\"x\""), ("data", r#"{"a": 1}"#), ("type", "\"T\"")], vec![]]);
    }

    #[test]
    fn any_other_array_is_left() {
        for text in ["{}", "[1]", "[{}] x", "[{\"a\": 1, \"a\": 2}]", "[{\"a\": \"\\n\"}]", "[{\"\\n\": 1}]", "[{},]"] {
            assert_eq!(objects(text), None, "{text}");
        }
    }
}
