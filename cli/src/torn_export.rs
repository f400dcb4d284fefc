//! An export that was torn, as it is found.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use crate::compression::Compression;
use crate::export_writer::Progress;
use crate::format::{Header, MAX_HEADER, Special};
use crate::message::Message;

/// Of a file that is no longer than this a first frame may be missing its end.
const SHORT: u64 = 1024;

/// What is in a file already.
pub enum Found {
    /// Nothing that could be gone on with.
    Nothing,
    /// A whole export.
    Whole,
    /// The beginning of one.
    Torn(Box<Torn>),
    /// Something else.
    Foreign,
}

/// The beginning of an export, up to a message.
pub struct Torn {
    /// Its first line.
    pub header: Header,
    /// What is in it.
    pub progress: Progress,
    /// How long that is.
    pub length: u64,
    /// How it is compressed.
    pub compression: Compression,
}

/// Looks at what is in a file.
pub fn look(path: &Path) -> io::Result<Found> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
    let compression = Compression::of_content(&mut reader)?;
    match first_line(path, compression)? {
        First::Header => {}
        First::Part => return Ok(Found::Nothing),
        First::Foreign => return Ok(Found::Foreign),
    }
    let (mut progress, mut header, mut length) = (Progress::default(), None, 0);
    while let Some((frame, is_whole)) = compression.next_frame(&mut reader)? {
        let before = progress.clone();
        match if is_whole { read_frame(&frame, &mut progress, &mut header) } else { Content::Rest } {
            Content::Messages => length = reader.stream_position()?,
            Content::End => return Ok(Found::Whole),
            Content::Rest => {
                progress = before;
                break;
            }
        }
    }
    Ok(match header {
        Some(header) if progress.last.is_some() => {
            Found::Torn(Box::new(Torn { header, progress, length, compression }))
        }
        // Without a message heads may be missing: it is begun anew.
        _ => Found::Nothing,
    })
}

enum First {
    Header,
    /// So little that it may be the beginning of a header.
    Part,
    Foreign,
}

/// Looks at the first line, which is not long if it is a header.
fn first_line(path: &Path, compression: Compression) -> io::Result<First> {
    let file = File::open(path)?;
    let is_short = file.metadata()?.len() <= SHORT;
    let mut line = Vec::new();
    let read = compression.reader(BufReader::new(file))?.take(MAX_HEADER).read_until(b'\n', &mut line);
    let is_torn = match read {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::UnexpectedEof,
    };
    let text = String::from_utf8_lossy(&line);
    Ok(match text.strip_suffix('\n') {
        Some(text) if matches!(Special::read(text), Ok(Some(Special::Header(_)))) => First::Header,
        None if is_torn && is_short && is_beginning(&text) => First::Part,
        _ => First::Foreign,
    })
}

fn is_beginning(text: &str) -> bool {
    let begun = "{\"kind\":\"header\"";
    text.starts_with(begun) || begun.starts_with(text)
}

enum Content {
    Messages,
    /// What cannot be gone on after.
    Rest,
    End,
}

fn read_frame(frame: &[u8], progress: &mut Progress, header: &mut Option<Header>) -> Content {
    let Ok(text) = std::str::from_utf8(frame) else { return Content::Rest };
    let mut rest = false;
    for line in text.lines() {
        match Special::read(line) {
            Ok(Some(Special::Header(found))) if header.is_none() => *header = Some(found),
            _ if header.is_none() => return Content::Rest,
            Ok(Some(Special::Head(_))) => progress.counts.heads += 1,
            Ok(Some(Special::ConsumerPosition(_))) => rest = true,
            Ok(Some(Special::Footer(_))) => return Content::End,
            Ok(None) => match Message::read_json(line) {
                Ok(message) => {
                    progress.counts.messages += 1;
                    progress.last = Some((message.global_position, message.id));
                }
                Err(_) => return Content::Rest,
            },
            Ok(Some(Special::Header(_))) | Err(_) => return Content::Rest,
        }
    }
    if rest {
        return Content::Rest;
    }
    progress.hash.update(frame);
    Content::Messages
}
