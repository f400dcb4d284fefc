//! `tail`.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use message_store_core::time;

use crate::arguments::Tail;
use crate::failure::{Failure, Side};
use crate::interrupt;
use crate::location::Location;
use crate::message::Message;
use crate::store::{self, Followed, Store, Use};

/// How many messages are read at once.
const PAGE: i64 = 1000;

/// The longest that a signal has to wait.
const ATTENTION: Duration = Duration::from_millis(200);

/// Prints messages as they are written, until it is interrupted or nobody reads any more.
pub fn run(tail: &Tail, as_json: bool) -> Result<(), Failure> {
    let what = followed(tail);
    let mut store = open(&tail.store)?;
    let end = store.end_of(&what).of_source()?;
    let mut next = match tail.from {
        Some(from) => from,
        None if tail.no_follow => end,
        None => store.begin(&what).of_source()?,
    };
    let mut left = tail.limit.unwrap_or(u64::MAX);
    let mut out = io::stdout().lock();
    while left > 0 && !interrupt::requested() {
        let page = store.followed(&what, next, PAGE).of_source()?;
        let is_all = page.is_empty();
        for message in page {
            if left == 0 || (tail.no_follow && position(&what, &message) >= end) {
                return Ok(());
            }
            if !printed(print(&mut out, &message, as_json))? {
                return Ok(());
            }
            next = position(&what, &message) + 1;
            left -= 1;
        }
        if !printed(out.flush())? {
            return Ok(());
        }
        if is_all && tail.no_follow {
            return Ok(());
        }
        if is_all {
            wait(store.as_mut(), Duration::from_millis(tail.interval))?;
        }
    }
    Ok(())
}

fn open(location: &Location) -> Result<Box<dyn Store>, Failure> {
    store::open(location, Use::Read).of_source()
}

fn followed(tail: &Tail) -> Followed {
    match (&tail.stream, &tail.category) {
        (Some(stream), _) => Followed::Stream(stream.clone()),
        (None, Some(category)) => Followed::Category(category.clone(), tail.member.zip(tail.size)),
        (None, None) => Followed::All,
    }
}

fn position(what: &Followed, message: &Message) -> i64 {
    match what {
        Followed::Stream(_) => message.position,
        _ => message.global_position,
    }
}

/// In pieces, so that a signal is heard.
fn wait(store: &mut dyn Store, interval: Duration) -> Result<(), Failure> {
    let until = Instant::now() + interval;
    loop {
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() || interrupt::requested() {
            return Ok(());
        }
        if store.wait(rest.min(ATTENTION)).of_source()? {
            return Ok(());
        }
    }
}

fn print(out: &mut impl Write, message: &Message, as_json: bool) -> io::Result<()> {
    if as_json {
        let mut line = String::new();
        message.write_json(&mut line);
        return writeln!(out, "{line}");
    }
    let Message { global_position, stream_name, position, kind, data, .. } = message;
    let time = time::format(message.time);
    let (stream_name, kind) = (one_line(stream_name), one_line(kind));
    let data = data.as_deref().unwrap_or("NULL");
    writeln!(out, "{global_position}  {time}  {stream_name}  {position}  {kind}  {data}")
}

/// The text without control characters, which a terminal would obey.
fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = |character: char| {
        if character.is_control() { character.escape_default().collect() } else { character.to_string() }
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// Whether somebody reads what is printed.
fn printed(result: io::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Target(error.to_string())),
    }
}
