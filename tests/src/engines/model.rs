//! What must hold of a store whatever was done to it: positions are given out once, consumers go forward, and what is
//! gone is nowhere.

use serde_json::Value;
use std::collections::BTreeMap;

/// What an operation does, if it succeeds.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Nothing to be remembered.
    None,
    /// Messages written to the end of a stream: id and secret of each.
    Write {
        /// Where.
        namespace: String,
        /// See above.
        stream: String,
        /// See above.
        messages: Vec<(String, String)>,
        /// Whether the answer is their number, not the first position or all of them.
        counted: bool,
    },
    /// All messages of a stream before a position are removed.
    Remove {
        /// Where.
        namespace: String,
        /// Its name.
        stream: String,
        /// The first position that stays.
        before: i64,
    },
    /// The message of this id loses its data and metadata.
    Redact {
        /// Where.
        namespace: String,
        /// In canonical form.
        id: String,
    },
    /// A consumer has come to a position.
    Record {
        /// Where.
        namespace: String,
        /// The category and the consumer.
        consumer: (String, String),
        /// The position.
        position: i64,
        /// Whether it may go back.
        force: bool,
    },
    /// The namespace is as if new.
    Clear {
        /// Its name.
        namespace: String,
    },
    /// The start of a transaction or a savepoint.
    Mark,
    /// The last mark is forgotten.
    Release,
    /// All since the last mark is taken back.
    TakeBack,
    /// The transaction is committed.
    Commit,
    /// The transaction is taken back.
    Rollback,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// The last position of a stream.
    Version(String, String),
    /// The message of an id.
    Message(String, String),
    /// The id of the message at a position of a stream.
    Place(String, String, i64),
    /// The position of a consumer.
    Consumer(String, (String, String)),
    /// A text that must not be seen again.
    Gone(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fact {
    Number(i64),
    Secret(String),
    Id(String),
    Gone,
}

/// What is known of all namespaces, and how to take it back.
#[derive(Default)]
pub struct Model {
    facts: BTreeMap<Key, Fact>,
    before: Vec<(Key, Option<Fact>)>,
    marks: Vec<usize>,
    /// Positions given out, removals and redactions of something, and positions of consumers: how much was checked.
    pub given: usize,
    /// See [`Model::given`].
    pub gone: usize,
    /// See [`Model::given`].
    pub recorded: usize,
}

impl Model {
    /// The version that a stream must have.
    pub fn version(&self, namespace: &str, stream: &str) -> i64 {
        match self.facts.get(&Key::Version(namespace.into(), stream.into())) {
            Some(Fact::Number(version)) => *version,
            _ => -1,
        }
    }

    /// Checks the one value that a successful operation has answered with, and remembers what it did.
    pub fn succeeded(&mut self, effect: &Effect, answer: &Value) -> Result<(), String> {
        match effect {
            Effect::None => Ok(()),
            Effect::Write { namespace, stream, messages, counted } => {
                let first = self.written(namespace, stream, messages);
                match answer.as_str() {
                    Some(answer) => check_positions(answer, first, messages.len()),
                    None if *counted => equal("the number of messages", answer, messages.len() as i64),
                    None => equal("the position", answer, first),
                }
            }
            Effect::Remove { namespace, stream, before } => self.removed(namespace, stream, *before, answer),
            Effect::Redact { namespace, id } => {
                self.lose(namespace, id);
                Ok(())
            }
            Effect::Record { namespace, consumer, position, force } => {
                self.recorded += 1;
                let key = Key::Consumer(namespace.clone(), consumer.clone());
                let want = match self.facts.get(&key) {
                    Some(Fact::Number(stored)) if !force => *stored.max(position),
                    _ => *position,
                };
                self.set(key, Some(Fact::Number(want)));
                equal("the consumer's position", answer, want)
            }
            Effect::Clear { namespace } => {
                let of_it = |key: &&Key| match key {
                    Key::Version(n, _) | Key::Message(n, _) | Key::Place(n, ..) | Key::Consumer(n, _) => n == namespace,
                    Key::Gone(_) => false,
                };
                for key in self.facts.keys().filter(of_it).cloned().collect::<Vec<_>>() {
                    if let Key::Message(_, id) = &key {
                        self.lose(namespace, id);
                    }
                    self.set(key, None);
                }
                Ok(())
            }
            Effect::Mark => {
                self.marks.push(self.before.len());
                Ok(())
            }
            Effect::Release => {
                self.marks.pop();
                Ok(())
            }
            Effect::TakeBack => {
                self.take_back(self.marks.last().copied().unwrap_or(0));
                Ok(())
            }
            Effect::Commit => {
                self.marks.clear();
                self.before.clear();
                Ok(())
            }
            Effect::Rollback => {
                self.take_back(0);
                self.marks.clear();
                Ok(())
            }
        }
    }

    /// Every stream that has ever had a message: namespace, name and version.
    pub fn versions(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.facts.iter().filter_map(|(key, fact)| match (key, fact) {
            (Key::Version(namespace, stream), Fact::Number(version)) => {
                Some((namespace.as_str(), stream.as_str(), *version))
            }
            _ => None,
        })
    }

    /// A text of what is gone, if `text` has one.
    pub fn gone_in(&self, text: &str) -> Option<String> {
        secrets(text).find(|secret| self.facts.contains_key(&Key::Gone(secret.clone())))
    }

    /// Remembers messages at the end of a stream, and returns the position of the first.
    fn written(&mut self, namespace: &str, stream: &str, messages: &[(String, String)]) -> i64 {
        let first = self.version(namespace, stream) + 1;
        for (position, (id, secret)) in (first..).zip(messages) {
            self.given += 1;
            self.set(Key::Version(namespace.into(), stream.into()), Some(Fact::Number(position)));
            self.set(Key::Place(namespace.into(), stream.into(), position), Some(Fact::Id(id.clone())));
            self.set(Key::Message(namespace.into(), id.clone()), Some(Fact::Secret(secret.clone())));
        }
        first
    }

    fn removed(&mut self, namespace: &str, stream: &str, before: i64, answer: &Value) -> Result<(), String> {
        let place = |position| Key::Place(namespace.into(), stream.into(), position);
        let places: Vec<Key> = self.facts.range(place(i64::MIN)..place(before)).map(|(key, _)| key.clone()).collect();
        for key in &places {
            if let Some(Fact::Id(id)) = self.facts.get(key).cloned() {
                self.lose(namespace, &id);
                self.set(Key::Message(namespace.into(), id), None);
            }
            self.set(key.clone(), None);
        }
        equal("the number of messages removed", answer, places.len() as i64)
    }

    /// The message's text must not be seen again.
    fn lose(&mut self, namespace: &str, id: &str) {
        if let Some(Fact::Secret(secret)) = self.facts.get(&Key::Message(namespace.into(), id.into())).cloned() {
            self.gone += 1;
            self.set(Key::Gone(secret), Some(Fact::Gone));
        }
    }

    fn set(&mut self, key: Key, fact: Option<Fact>) {
        let before = match fact {
            Some(fact) => self.facts.insert(key.clone(), fact),
            None => self.facts.remove(&key),
        };
        if !self.marks.is_empty() {
            self.before.push((key, before));
        }
    }

    fn take_back(&mut self, mark: usize) {
        while self.before.len() > mark {
            match self.before.pop() {
                Some((key, Some(fact))) => drop(self.facts.insert(key, fact)),
                Some((key, None)) => drop(self.facts.remove(&key)),
                None => {}
            }
        }
    }
}

/// What `write_messages` answers: positions from `first` on.
fn check_positions(answer: &str, first: i64, count: usize) -> Result<(), String> {
    let written: Vec<Value> = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    equal("the number of messages", &written.len().into(), count as i64)?;
    (first..).zip(&written).try_for_each(|(position, written)| equal("the position", &written["position"], position))
}

fn equal(what: &str, got: &Value, want: i64) -> Result<(), String> {
    if got.as_i64() == Some(want) { Ok(()) } else { Err(format!("{what} is {got}, not {want}")) }
}

/// The secrets in a text: `secret-1-`, `secret-2-`, ...
fn secrets(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("secret-").filter_map(|(at, start)| {
        let digits = text[at + start.len()..].split('-').next()?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("secret-{digits}-"))
    })
}
