//! `verify`.

use std::borrow::Cow;

use message_store_core::json as core_json;
use serde_json::json;
use xxhash_rust::xxh3::Xxh3;

use super::{Report, settle};
use crate::arguments::Reading;
use crate::failure::{Failure, Side};
use crate::filter::Filter;
use crate::interrupt;
use crate::location::Location;
use crate::message::{Head, Message};
use crate::pages::Pages;
use crate::progress::Progress;
use crate::selection::Selection;
use crate::store::{self, Store, Use};

/// Compares two stores and names the first difference.
pub fn run(a: &Location, b: &Location, reading: &Reading, quiet: bool) -> Result<Report, Failure> {
    let filter = &reading.filter;
    let mut first = store::open(a, Use::Read).of_source()?;
    let mut second = store::open(b, Use::Read).of_source()?;
    let patience = reading.patience(quiet);
    let next = [settle(first.as_mut(), patience)?, settle(second.as_mut(), patience)?];
    let parts = [
        Selection::of(filter, first.as_mut(), next[0]).of_source()?,
        Selection::of(filter, second.as_mut(), next[1]).of_source()?,
    ];
    let mut progress = Progress::new(parts[0].steps(parts[0].end), quiet);
    let (mut pages_a, mut pages_b) = (Pages::new(&parts[0]), Pages::new(&parts[1]));
    let mut count: u64 = 0;
    loop {
        let pair = (pages_a.next(first.as_mut()).of_source()?, pages_b.next(second.as_mut()).of_source()?);
        let (one, other) = match pair {
            (None, None) => break,
            (Some(one), Some(other)) if one.global_position == other.global_position => (one, other),
            (Some(one), other) if other.as_ref().is_none_or(|other| one.global_position < other.global_position) => {
                return Err(only_in(a, &one));
            }
            (_, Some(other)) => return Err(only_in(b, &other)),
            (Some(one), None) => return Err(only_in(a, &one)),
        };
        check(&one, &other)?;
        count += 1;
        if count.is_multiple_of(10_000) {
            progress.advance(10_000, parts[0].steps(one.global_position + 1));
            if interrupt::requested() {
                return Err(Failure::Interrupted(format!(
                    "interrupted; equal up to global position {}",
                    one.global_position
                )));
            }
        }
    }
    check_heads([first.as_mut(), second.as_mut()], &parts)?;
    check_consumer_positions([first.as_mut(), second.as_mut()], &parts)?;
    if *filter == Filter::default() && next[0] != next[1] {
        return Err(Failure::Difference(format!("the next global position: {} and {}", next[0], next[1])));
    }
    progress.finish();
    let json = json!({"equal": true, "messages": count, "seconds": progress.seconds()});
    Ok(Report::new(json, format!("{count} messages, all equal")))
}

fn only_in(store: &Location, message: &Message) -> Failure {
    let Message { global_position, stream_name, position, .. } = message;
    Failure::Difference(format!(
        "global position {global_position} ({stream_name}, position {position}) is only in {store}"
    ))
}

fn check(one: &Message, other: &Message) -> Result<(), Failure> {
    let fields = [
        ("id", one.id.as_str(), other.id.as_str()),
        ("stream_name", &one.stream_name, &other.stream_name),
        ("type", &one.kind, &other.kind),
    ];
    for (what, left, right) in fields {
        if left != right {
            return difference(one, what, left, right);
        }
    }
    if one.position != other.position {
        return difference(one, "position", &one.position.to_string(), &other.position.to_string());
    }
    if one.time != other.time {
        let text = message_store_core::time::format;
        return difference(one, "time", &text(one.time), &text(other.time));
    }
    for (what, left, right) in [("data", &one.data, &other.data), ("metadata", &one.metadata, &other.metadata)] {
        if left != right && canonical(left.as_deref()) != canonical(right.as_deref()) {
            let shown = |json: &Option<String>| json.clone().unwrap_or_else(|| "NULL".to_owned());
            return difference(one, what, &shown(left), &shown(right));
        }
    }
    Ok(())
}

fn difference(message: &Message, what: &str, one: &str, other: &str) -> Result<(), Failure> {
    let place = format!("global position {}, {what}", message.global_position);
    Err(Failure::Difference(format!("{place}: {one} and {other}")))
}

/// JSON as Postgres prints it; who writes to an SQLite file without the functions may have spelled it in another way.
fn canonical(json: Option<&str>) -> Option<Cow<'_, str>> {
    json.map(|json| core_json::canonical_text(json).unwrap_or(Cow::Borrowed(json)))
}

fn check_heads(stores: [&mut dyn Store; 2], parts: &[Selection; 2]) -> Result<(), Failure> {
    let [first, second] = stores;
    let digest = |store: &mut dyn Store, part: &Selection| {
        let mut hash = Xxh3::new();
        store.heads(part, &mut |head| {
            hash.update(head.stream_name.as_bytes());
            hash.update(&[0]);
            hash.update(&head.position.to_be_bytes());
            Ok(())
        })?;
        Ok::<_, String>(hash.digest())
    };
    if digest(first, &parts[0]).of_source()? == digest(second, &parts[1]).of_source()? {
        return Ok(());
    }
    // Only now are they all held in memory.
    let all = |store: &mut dyn Store, part: &Selection| {
        let mut heads = Vec::new();
        store.heads(part, &mut |head| {
            heads.push(head);
            Ok(())
        })?;
        Ok::<_, String>(heads)
    };
    let (one, other) = (all(first, &parts[0]).of_source()?, all(second, &parts[1]).of_source()?);
    let at = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let shown = |head: Option<&Head>| {
        head.map_or("none".to_owned(), |head| format!("{} of {}", head.position, head.stream_name))
    };
    let (one, other) = (shown(one.get(at)), shown(other.get(at)));
    Err(Failure::Difference(format!("the version of a removed stream: {one} and {other}")))
}

/// Beyond what is compared every consumer is at its end.
fn check_consumer_positions(stores: [&mut dyn Store; 2], parts: &[Selection; 2]) -> Result<(), Failure> {
    let [first, second] = stores;
    let positions = |store: &mut dyn Store, part: &Selection| {
        let positions = store.consumer_positions(part.category.as_deref()).of_source()?;
        Ok::<Vec<_>, Failure>(positions.into_iter().map(|position| position.before(part.end)).collect())
    };
    let (one, other) = (positions(first, &parts[0])?, positions(second, &parts[1])?);
    if one == other {
        return Ok(());
    }
    let at = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let shown = |index: usize, all: &[crate::message::ConsumerPosition]| {
        all.get(index)
            .map_or("none".to_owned(), |p| format!("{} of {} in {} ({})", p.position, p.consumer, p.category, p.time))
    };
    let (one, other) = (shown(at, &one), shown(at, &other));
    Err(Failure::Difference(format!("a consumer's position: {one} and {other}")))
}
