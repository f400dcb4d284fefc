//! Random reads.

use super::operation::Generator;
use super::portable::{Call, ESCAPE, Portable, WRONG_CALLS, same};
use crate::literal;
use rand::Rng;

const NO_TIME: &str = "id, stream_name, type, position, global_position, data, metadata, time IS NOT NULL";

const CONDITION: &str = "a condition in Postgres' own SQL";

impl Generator {
    /// A read of messages or of what can be counted about them. Says when the order of the rows is not defined.
    pub fn read(&mut self, ordered: &mut bool) -> Call {
        match self.values.rng.random_range(0..20) {
            0..7 => self.read_stream(ordered),
            7..15 => self.read_category(),
            15 | 16 => {
                let (stream, kind) = (self.values.stream(), self.values.message_type());
                let arguments = if self.values.one_in(2) { stream } else { format!("{stream}, {kind}") };
                same(format!("SELECT {NO_TIME} FROM get_last_stream_message({arguments})"))
            }
            17 | 18 => {
                let call = format!("stream_version({})", self.values.stream());
                (format!("SELECT * FROM {call}"), Portable::Statement(format!("SELECT {call}")))
            }
            _ => {
                let view = ["stream", "type", "stream_type", "type_stream", "category_type", "type_category"];
                same(format!("SELECT * FROM {}_summary", self.values.pick(&view)))
            }
        }
    }

    fn read_stream(&mut self, ordered: &mut bool) -> Call {
        let v = &mut self.values;
        let stream = if v.one_in(10) { v.category() } else { v.stream() };
        let mut arguments = Arguments::new(stream, ["\"position\"", "batch_size", "condition"]);
        if v.one_in(2) {
            arguments.give("\"position\"", v.number());
        }
        let condition = v.one_in(4).then(|| v.condition());
        // A condition that lets other streams in makes positions equal, so the limit would cut at random.
        *ordered = condition.is_none_or(|(condition, _)| condition != ESCAPE);
        if !*ordered {
            arguments.give("batch_size", "-1".into());
        } else if v.one_in(2) {
            arguments.give("batch_size", v.number());
        }
        arguments.condition(condition);
        let (sql, portable) = arguments.call("get_stream_messages");
        (sql, portable.map_or(Portable::Nothing(CONDITION), Portable::Statement))
    }

    fn read_category(&mut self) -> Call {
        let v = &mut self.values;
        let names = ["\"position\"", "batch_size", "correlation", "consumer_group_member", "consumer_group_size"];
        let mut arguments = Arguments::new(v.category(), names.into_iter().chain(["condition"]));
        let mut from = None;
        if v.one_in(2) {
            let number = v.number();
            from = number.parse().ok().filter(|&position: &i64| position > 1);
            arguments.give("\"position\"", number);
        }
        if v.one_in(2) {
            arguments.give("batch_size", v.number());
        }
        let mut filtered = v.one_in(3);
        if filtered {
            arguments.give("correlation", v.correlation());
        }
        if v.one_in(2) {
            let (member, size) = v.group();
            arguments.give("consumer_group_member", member);
            arguments.give("consumer_group_size", size);
            filtered = true;
        }
        let condition = v.one_in(4).then(|| v.condition());
        arguments.condition(condition);
        if from.is_some() {
            arguments.portable[1] = "{position}".into();
        }
        let (sql, portable) = arguments.call("get_category_messages");
        // What is no part of SQLite's statement cannot be escaped.
        let escapes = filtered && condition.is_some_and(|(condition, _)| condition == ESCAPE);
        let portable = match (portable.filter(|_| !escapes), from) {
            (Some(sql), Some(position)) => Portable::From(sql, position),
            (Some(sql), None) => Portable::Statement(sql),
            (None, _) => Portable::Nothing(CONDITION),
        };
        (sql, portable)
    }

    /// A function that reads no messages.
    pub fn pure(&mut self) -> Call {
        let stream = self.values.stream();
        let functions = ["category", "id", "cardinal_id", "is_category", "hash_64", "acquire_lock"];
        match self.values.rng.random_range(0..8) {
            0 => same("SELECT message_store_version(), current_setting('message_store.sql_condition', true)".into()),
            _ => same(format!("SELECT {}({stream})", self.values.pick(&functions))),
        }
    }

    /// What neither store has or allows.
    pub fn wrong_call(&mut self) -> Call {
        let (sql, reason) = self.values.pick(&WRONG_CALLS);
        let portable = reason.map_or_else(|| Portable::Statement(sql.into()), Portable::Nothing);
        (sql.into(), portable)
    }
}

/// The arguments of a read: by name for Postgres, by place for both.
struct Arguments {
    names: Vec<&'static str>,
    named: Vec<String>,
    portable: Vec<String>,
    has_portable: bool,
}

impl Arguments {
    fn new(first: String, names: impl IntoIterator<Item = &'static str>) -> Arguments {
        let names: Vec<_> = names.into_iter().collect();
        let mut portable = vec!["NULL".to_owned(); names.len() + 1];
        portable[0].clone_from(&first);
        Arguments { names, named: vec![first], portable, has_portable: true }
    }

    fn give(&mut self, name: &'static str, value: String) {
        let place = self.names.iter().position(|other| *other == name).expect("an argument's name");
        self.named.push(format!("{name} => {value}"));
        self.portable[place + 1] = value;
    }

    fn condition(&mut self, condition: Option<(&'static str, Option<&'static str>)>) {
        let Some((condition, portable)) = condition else { return };
        self.give("condition", literal::text(condition));
        self.has_portable = portable.is_some();
        if let (Some(portable), Some(last)) = (portable, self.portable.last_mut()) {
            *last = literal::text(portable);
        }
    }

    /// The read, and the portable one if there is one.
    fn call(self, function: &str) -> (String, Option<String>) {
        let read = |arguments: &[String]| format!("SELECT {NO_TIME} FROM {function}({})", arguments.join(", "));
        (read(&self.named), self.has_portable.then(|| read(&self.portable)))
    }
}
