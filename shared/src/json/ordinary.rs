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
    reader.blanks();
    let value = reader.canonical_value()?;
    let value = match value {
        Value::Text(range) => Cow::Borrowed(&text[range]),
        // All that was written is the value.
        Value::Out(_) => Cow::Owned(std::mem::take(&mut reader.out)),
    };
    reader.end().then_some(value)
}

/// The objects of an array, where the text is one of ordinary objects. Their own members may come in any order, and a
/// string directly among them has no escapes.
pub(super) fn objects(text: &str) -> Option<Objects<'_>> {
    let mut reader = Reader::new(text)?;
    let mut objects = Objects::default();
    reader.blanks();
    reader.take(b'[')?;
    reader.blanks();
    if reader.take(b']').is_none() {
        loop {
            reader.members(&mut objects)?;
            reader.blanks();
            if reader.take(b',').is_none() {
                reader.take(b']')?;
                break;
            }
            reader.blanks();
        }
    }
    reader.end().then(|| Objects { text, out: reader.out, ..objects })
}

/// A member in `out`.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    key: &'a str,
    start: usize,
    end: usize,
}

struct Reader<'a> {
    text: &'a str,
    /// The next byte to read.
    at: usize,
    /// Ends with the canonical text of what comes before `copied`, since the value began.
    out: String,
    copied: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Option<Self> {
        (text.len() <= MAX_BYTES).then_some(Self { text, at: 0, out: String::new(), copied: 0, depth: 0 })
    }

    /// The next byte. The text itself has no zero byte that is let through.
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found.then_some(())
    }

    fn blanks(&mut self) {
        while let b' ' | b'\t' | b'\n' | b'\r' = self.peek() {
            self.at += 1;
        }
    }

    /// Passes over the blanks, which canonical text has as `wanted`.
    #[inline]
    fn separator(&mut self, wanted: &str) {
        let start = self.at;
        let first = self.peek();
        let is_right = if wanted.is_empty() {
            first > b' '
        } else {
            self.at += usize::from(first == b' ');
            first == b' ' && self.peek() > b' '
        };
        if !is_right {
            self.put_right(start, wanted);
        }
    }

    /// Puts the blanks right that begin at `start`.
    #[cold]
    fn put_right(&mut self, start: usize, wanted: &str) {
        self.blanks();
        if self.text[start..self.at] != *wanted {
            self.copy_to(start);
            self.out.push_str(wanted);
            self.copied = self.at;
        }
    }

    fn copy_to(&mut self, end: usize) {
        if self.out.is_empty() {
            // An object is written once more while its members are put in order. Small, for a batch has many values.
            self.out.reserve(2 * (end - self.copied) + 64);
        }
        self.out.push_str(&self.text[self.copied..end]);
        self.copied = end;
    }

    fn end(&mut self) -> bool {
        self.blanks();
        self.at == self.text.len()
    }

    /// The canonical text of the value that starts here.
    fn canonical_value(&mut self) -> Option<Value> {
        let (start, written) = (self.at, self.out.len());
        self.copied = start;
        self.value()?;
        if self.copied == start {
            return Some(Value::Text(start..self.at));
        }
        self.out.push_str(&self.text[self.copied..self.at]);
        Some(Value::Out(written..self.out.len()))
    }

    fn value(&mut self) -> Option<()> {
        match self.peek() {
            b'"' => self.string(),
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => None,
        }
    }

    fn nested(&mut self, inside: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.separator("");
        inside(self)?;
        self.depth -= 1;
        Some(())
    }

    fn array(&mut self) -> Option<()> {
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.value()?;
            self.separator("");
            if self.take(b',').is_none() {
                return self.take(b']');
            }
            self.separator(" ");
        }
    }

    fn object(&mut self) -> Option<()> {
        if self.take(b'}').is_some() {
            return Some(());
        }
        let mut members = [Place::default(); MAX_UNORDERED];
        let (mut count, mut is_ordered, mut previous) = (0, true, None);
        loop {
            let start = self.place();
            let key = self.plain_string()?;
            is_ordered &= previous.is_none_or(|previous| key_order::compare(previous, key).is_lt());
            previous = Some(key);
            self.separator("");
            self.take(b':')?;
            self.separator(" ");
            self.value()?;
            if let Some(member) = members.get_mut(count) {
                *member = Place { key, start, end: self.place() };
            }
            count += 1;
            self.separator("");
            if self.take(b',').is_none() {
                self.take(b'}')?;
                return if is_ordered { Some(()) } else { self.order(members.get_mut(..count)?) };
            }
            self.separator(" ");
        }
    }

    /// Where the next byte comes in `out`.
    fn place(&self) -> usize {
        self.out.len() + self.at - self.copied
    }

    /// Puts the members in order of the object that has just ended. Of those with the same key the last one stays.
    fn order(&mut self, members: &mut [Place<'a>]) -> Option<()> {
        self.copy_to(self.at);
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

    /// The members of an object, in jsonb's order.
    fn members(&mut self, objects: &mut Objects<'a>) -> Option<()> {
        let first = objects.members.len();
        self.take(b'{')?;
        self.blanks();
        if self.take(b'}').is_none() {
            loop {
                let key = self.plain_string()?;
                self.blanks();
                self.take(b':')?;
                self.blanks();
                let value = match self.peek() {
                    b'"' => {
                        let start = self.at;
                        self.plain_string()?;
                        Value::Text(start..self.at)
                    }
                    _ => self.canonical_value()?,
                };
                objects.members.push((key, value));
                self.blanks();
                if self.take(b',').is_none() {
                    self.take(b'}')?;
                    break;
                }
                self.blanks();
            }
        }
        let members = &mut objects.members[first..];
        members.sort_unstable_by(|a, b| key_order::compare(a.0, b.0));
        objects.ends.push(objects.members.len());
        // Of two with the same key it would have to be the last one.
        key_order::is_ordered(&objects.members[first..], |member| member.0).then_some(())
    }

    /// What a string without escapes stands for.
    fn plain_string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        self.plain();
        let content = &self.text[start..self.at];
        self.take(b'"').map(|()| content)
    }

    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            self.plain();
            if self.take(b'"').is_some() {
                return Some(());
            }
            self.take(b'\\')?;
            // `\/` and most of `\u` are written otherwise.
            let (b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') = self.peek() else { return None };
            self.at += 1;
        }
    }

    /// Passes over what needs no escape.
    fn plain(&mut self) {
        let (words, rest) = self.text.as_bytes()[self.at..].as_chunks();
        for &word in words {
            let special = special(u64::from_le_bytes(word));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += word.len();
        }
        self.at += rest.iter().take_while(|&&byte| byte != b'"' && byte != b'\\' && byte >= b' ').count();
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let is_negative = self.take(b'-').is_some();
        let digits = self.at;
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        // Zero loses its sign. An exponent, a leading zero or a letter is no end of a value, and refused by the caller.
        let is_zero = || self.text.as_bytes()[digits..self.at].iter().all(|byte| matches!(byte, b'0' | b'.'));
        (self.at - start <= MAX_NUMBER && !(is_negative && is_zero())).then_some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
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
