//! `export`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use message_store_core::time;
use serde_json::json;

use super::{Report, settle};
use crate::arguments::Reading;
use crate::compression::Compression;
use crate::export_writer::ExportWriter;
use crate::failure::{Failure, Side};
use crate::filter::Filter;
use crate::format::{After, Header, VERSION};
use crate::interrupt;
use crate::location::Location;
use crate::pages::Pages;
use crate::progress::Progress;
use crate::selection::Selection;
use crate::store::{self, Part, Store, Use};
use crate::torn_export::{Found, Torn, look};

/// Writes the messages of a store to a file.
pub fn run(
    source: &Location,
    file: &Path,
    compress: Option<Compression>,
    force: bool,
    reading: &Reading,
    quiet: bool,
) -> Result<Report, Failure> {
    let filter = &reading.filter;
    let mut store = store::open(source, Use::Read).of_source()?;
    let is_stdout = file == Path::new("-");
    let name = if is_stdout { "standard output".to_owned() } else { file.display().to_string() };
    let is_stream = is_stdout || fs::metadata(file).is_ok_and(|metadata| !metadata.is_file());
    let torn = if is_stream || force || !file.exists() { None } else { torn(file, store.as_ref(), filter)? };
    if let (Some(torn), Some(compress)) = (&torn, compress)
        && torn.compression != compress
    {
        let problem = format!("{name} is torn, and compressed in another way; go on without --compress, or --force");
        return Err(Failure::Usage(problem));
    }
    let resumed_after = torn.as_ref().and_then(|torn| torn.progress.last.clone());
    let next = match &torn {
        Some(torn) => torn.header.next_global_position,
        None => settle(store.as_mut(), reading.patience(quiet))?,
    };
    let selection = Selection::of(filter, store.as_mut(), next).of_source()?;
    let mut pages = Pages::new(&selection);
    let mut progress = Progress::new(selection.steps(selection.end), quiet);
    if let Some((last, id)) = &resumed_after {
        pages.go_on_from(*last);
        progress.begin_at(selection.steps(*last));
        let found = pages.next(store.as_mut()).of_source()?;
        if found.is_none_or(|message| message.global_position != *last || message.id != *id) {
            let problem = format!("{name}: its last message, {id} at global position {last}, is not in the store");
            return Err(Failure::Target(problem));
        }
        if !quiet {
            eprintln!("{name} is torn; going on after global position {last}");
        }
    }
    let mut writer = if is_stream { stream(file, compress) } else { ExportWriter::to_file(file, compress, torn) }
        .map_err(|error| format!("{name}: {error}"))
        .of_target()?;
    if resumed_after.is_none() {
        let header = header(store.as_mut(), filter, &selection).of_source()?;
        writer.header(header).map_err(|error| writer.failed(&name, &error))?;
        heads(store.as_mut(), &selection, &mut writer, &name)?;
    }
    let before = writer.progress.counts.messages;
    let mut count = 0;
    while let Some(message) = pages.next(store.as_mut()).map_err(|error| stopped(&mut writer, &error, &name))? {
        writer.message(&message).map_err(|error| writer.failed(&name, &error))?;
        count += 1;
        if pages.is_at_end_of_page() {
            progress.advance(count, selection.steps(message.global_position + 1));
            count = 0;
            if interrupt::requested() {
                writer.flush().map_err(|error| writer.failed(&name, &error))?;
                return Err(Failure::Interrupted(format!("interrupted; {name} is torn{}", writer.kept())));
            }
        }
    }
    let positions = store.consumer_positions(filter.category.as_deref()).of_source()?;
    let positions = positions.into_iter().map(|position| position.before(selection.end)).collect();
    writer.finish(positions).map_err(|error| writer.failed(&name, &error))?;
    let exported = writer.progress;
    progress.finish();
    let counts = exported.counts;
    let last = exported.last.map_or(0, |last| last.0);
    let json = json!({
        "messages": counts.messages, "heads": counts.heads, "consumer_positions": counts.consumer_positions,
        "last_global_position": last, "resumed_after": resumed_after.map(|last| last.0), "written_now": counts.messages - before,
        "seconds": progress.seconds(),
    });
    let text = format!("{} messages exported, up to global position {last}", counts.messages);
    Ok(Report { json, text, is_to_stderr: true, is_stdout_taken: is_stream })
}

fn stream(file: &Path, compress: Option<Compression>) -> io::Result<ExportWriter> {
    let sink: Box<dyn Write> =
        if file == Path::new("-") { Box::new(io::stdout()) } else { Box::new(File::options().write(true).open(file)?) };
    Ok(ExportWriter::to_stream(sink, compress.unwrap_or_else(|| Compression::of_name(file))))
}

fn heads(store: &mut dyn Store, selection: &Selection, writer: &mut ExportWriter, name: &str) -> Result<(), Failure> {
    let mut failed = None;
    let read = store.heads(selection, &mut |head| writer.head(head).map_err(|error| failed.insert(error).to_string()));
    match failed {
        Some(error) => Err(writer.failed(name, &error)),
        None => read.of_source(),
    }
}

/// The source is lost: what was read is kept, and gone on with later.
fn stopped(writer: &mut ExportWriter, error: &str, name: &str) -> Failure {
    match writer.flush() {
        Ok(()) => Failure::Source(format!("{error}; {name} is torn{}", writer.kept())),
        Err(also) => writer.failed(name, &also),
    }
}

fn header(store: &mut dyn Store, filter: &Filter, selection: &Selection) -> store::Result<Header> {
    let part = Part { from: 1, before: selection.from, category: None, newest_first: true, limit: 1 };
    let after = store.ids(&part)?.pop().map(|(global_position, id)| After { global_position, id });
    Ok(Header {
        format: VERSION,
        store: store.kind().to_owned(),
        release: store.release().to_owned(),
        namespace: store.namespace().to_owned(),
        next_global_position: selection.end,
        filter: filter.clone(),
        after,
        created_at: time::format(time::now()),
    })
}

/// The torn file, and how far it is whole; `None` to begin.
fn torn(file: &Path, store: &dyn Store, filter: &Filter) -> Result<Option<Torn>, Failure> {
    let name = file.display();
    match look(file).map_err(|error| format!("{name}: {error}")).of_target()? {
        Found::Nothing => Ok(None),
        Found::Whole => Err(Failure::Usage(format!("{name} holds a whole export already; --force writes it anew"))),
        Found::Foreign => Err(Failure::Usage(format!("{name} is there and no export; --force replaces it"))),
        Found::Torn(torn) => {
            let header = &torn.header;
            if header.filter != *filter || header.namespace != store.namespace() || header.store != store.kind() {
                let problem = format!("{name} is the beginning of another export; --force replaces it");
                return Err(Failure::Usage(problem));
            }
            Ok(Some(*torn))
        }
    }
}
