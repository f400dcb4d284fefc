//! `import`.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::Report;
use super::copy::report;
use crate::export_reader::{ExportReader, Line};
use crate::failure::{Failure, Side};
use crate::format::Special;
use crate::loader::{Loader, Loading};
use crate::location::Location;
use crate::progress::Progress;
use crate::store;

/// After how many messages that the target has the progress is begun anew.
const SKIPPED: u64 = 1000;

/// Puts the messages of a file into a store.
pub fn run(file: &Path, target: &Location, partial: bool, loading: Loading, quiet: bool) -> Result<Report, Failure> {
    // Nothing of a torn file is imported; what comes by a pipe is seen only once.
    let is_stream = file == Path::new("-") || fs::metadata(file).is_ok_and(|metadata| !metadata.is_file());
    if !partial && !is_stream {
        ExportReader::open(file)?.check()?;
    }
    let mut reader = ExportReader::open(file)?;
    let header = reader.header()?;
    let filter = &header.filter;
    if loading.delete && filter.begins_late() {
        return Err(Failure::Usage(format!("{}: --delete needs a file that begins with the store", file.display())));
    }
    let mut store = store::open(target, loading.purpose()).of_target()?;
    // What the source has given out is not known where the filter has an end.
    let end = if filter.ends_early() { i64::MAX } else { header.next_global_position };
    let mut loader = Loader::new(store.as_mut(), end, loading)?;
    if let Some(after) = &header.after {
        loader.meet_at(after)?;
    }
    let mut progress = Progress::new(reader.size, quiet);
    let (mut positions, mut is_whole) = (Vec::new(), false);
    while let Some(line) = next(&mut reader, &mut loader, partial)? {
        match line {
            Line::Message(message, text) => {
                let before = loader.done.messages;
                let skipped = loader.done.skipped;
                if loader.message(&message, text)? {
                    progress.advance(loader.done.messages - before, reader.bytes.load(Ordering::Relaxed));
                    loader.check_interrupt()?;
                } else if loader.done.skipped > skipped && loader.done.skipped.is_multiple_of(SKIPPED) {
                    progress.begin_at(reader.bytes.load(Ordering::Relaxed));
                }
            }
            Line::Special(Special::Head(head)) => loader.head(head)?,
            Line::Special(Special::ConsumerPosition(position)) => positions.push(position),
            Line::Special(Special::Footer(_)) => {
                is_whole = true;
                break;
            }
            Line::Special(Special::Header(_)) => return Err(reader.wrong("a second header")),
        }
    }
    if is_whole || partial {
        let next = if is_whole { header.next_global_position } else { loader.done.last_global_position + 1 };
        loader.finish(positions, next)?;
        progress.finish();
        return Ok(report(&loader, &progress));
    }
    loader.flush()?;
    Err(and_standing(reader.torn(), &loader))
}

/// The next line. Of a torn file that is taken as it is, the torn line is its end.
fn next<'a>(reader: &'a mut ExportReader, loader: &mut Loader<'_>, partial: bool) -> Result<Option<Line<'a>>, Failure> {
    match reader.next() {
        Err(Failure::Source(problem)) if partial && problem.contains(": torn: ") => Ok(None),
        Err(failure) => {
            loader.flush()?;
            Err(and_standing(failure, loader))
        }
        line => line,
    }
}

fn and_standing(failure: Failure, loader: &Loader<'_>) -> Failure {
    Failure::Source(format!("{failure}; {}", loader.standing()))
}
