//! `copy`.

use serde_json::json;

use super::{Report, settle};
use crate::arguments::Reading;
use crate::failure::{Failure, Side};
use crate::loader::{Done, Loader, Loading};
use crate::location::Location;
use crate::pages::Pages;
use crate::progress::Progress;
use crate::selection::Selection;
use crate::store::{self, Use};

/// Puts the messages of a store into another one.
pub fn run(
    source: &Location,
    target: &Location,
    reading: &Reading,
    loading: Loading,
    quiet: bool,
) -> Result<Report, Failure> {
    let filter = &reading.filter;
    let mut source = store::open(source, Use::Read).of_source()?;
    let next = settle(source.as_mut(), reading.patience(quiet))?;
    if loading.delete && (filter.begins_late()) {
        return Err(Failure::Usage(
            "--delete takes no part of a store for all of it: not with --from or a time".to_owned(),
        ));
    }
    let mut target = store::open(target, loading.purpose()).of_target()?;
    let mut loader = Loader::new(target.as_mut(), next, loading)?;
    let selection = Selection::of(filter, source.as_mut(), next).of_source()?;
    let from = loader.meet(source.as_mut(), filter.category.as_deref())?;
    let mut pages = Pages::new(&selection);
    pages.go_on_from(from);
    let mut progress = Progress::new(selection.steps(selection.end), quiet);
    progress.begin_at(selection.steps(from));
    let mut failed = None;
    let read =
        source.heads(&selection, &mut |head| loader.head(head).map_err(|failure| failed.insert(failure).to_string()));
    if let Some(failure) = failed {
        return Err(failure);
    }
    read.map_err(|error| lost(&error, &loader))?;
    let mut line = String::new();
    pages.read_ahead(source.as_mut(), |message| {
        let message = message.or_else(|error| {
            loader.flush()?;
            Err(lost(&error, &loader))
        })?;
        line.clear();
        message.write_json(&mut line);
        let before = loader.done.messages;
        if loader.message(&message, &line)? {
            progress.advance(loader.done.messages - before, selection.steps(message.global_position + 1));
            loader.check_interrupt()?;
        }
        Ok(())
    })?;
    let positions = source.consumer_positions(filter.category.as_deref()).of_source()?;
    loader.finish(positions, selection.end)?;
    progress.finish();
    Ok(report(&loader, &progress))
}

fn lost(error: &str, loader: &Loader<'_>) -> Failure {
    Failure::Source(format!("{error}; {}", loader.standing()))
}

/// What an import or a copy has done.
pub fn report(loader: &Loader<'_>, progress: &Progress) -> Report {
    let done = &loader.done;
    let after = if done.skipped > 0 { " after those that were there" } else { "" };
    let removed = if done.removed > 0 { format!(" and {} removed", done.removed) } else { String::new() };
    let Done { messages, last_global_position, .. } = done;
    let mut text =
        format!("{messages} messages imported{after}{removed}, up to global position {last_global_position}");
    for (count, what) in [
        (done.heads_not_kept, "versions of removed streams"),
        (done.consumer_positions_not_kept, "consumers' positions"),
    ] {
        if count > 0 {
            text.push_str(&format!("\nWARNING: the target has no place for {count} {what}"));
        }
    }
    let mut json = json!(done);
    json["seconds"] = json!(progress.seconds());
    Report::new(json, text)
}
