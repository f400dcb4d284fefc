//! An export as it is written.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use crate::compression::Compression;
use crate::format::{Footer, Header, Special, digest};
use crate::message::{ConsumerPosition, Head, Message};

/// About how long a frame is before it is compressed and written.
const FRAME: usize = 1 << 20;

/// Where an export has got to.
#[derive(Clone, Default)]
pub struct Progress {
    hash: Xxh3,
    /// What has been counted so far; its digest is empty.
    pub counts: Counts,
    /// The last message.
    pub last: Option<(i64, String)>,
}

/// How many lines there are of each kind.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Messages.
    pub messages: u64,
    /// Heads.
    pub heads: u64,
    /// Positions of consumers.
    pub consumer_positions: u64,
}

/// A file, or standard output.
pub struct ExportWriter {
    sink: Box<dyn Write>,
    file: Option<File>,
    compression: Compression,
    frame: String,
    /// What is in the lines handed over so far.
    pub progress: Progress,
}

/// What is in a file already.
pub enum Found {
    /// Nothing that could be gone on with.
    Nothing,
    /// A whole export.
    Whole,
    /// The beginning of one, up to a message.
    Torn(Box<(Header, Progress, u64)>),
    /// Something else.
    Foreign,
}

impl ExportWriter {
    /// Begins on standard output.
    pub fn to_stdout(compression: Compression) -> Self {
        Self::new(Box::new(io::stdout()), None, compression, Progress::default())
    }

    /// Begins a file, or goes on in it after `length` bytes.
    pub fn to_file(path: &Path, compression: Compression, from: Option<(Progress, u64)>) -> io::Result<Self> {
        let (progress, length) = from.unwrap_or_default();
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self::new(Box::new(file.try_clone()?), Some(file), compression, progress))
    }

    fn new(sink: Box<dyn Write>, file: Option<File>, compression: Compression, progress: Progress) -> Self {
        Self { sink, file, compression, frame: String::with_capacity(FRAME + FRAME / 4), progress }
    }

    /// Writes the first line.
    pub fn header(&mut self, header: Header) -> io::Result<()> {
        self.frame.push_str(&Special::Header(header).line());
        self.end_line()
    }

    /// Writes the version of a stream.
    pub fn head(&mut self, head: Head) -> io::Result<()> {
        self.progress.counts.heads += 1;
        self.frame.push_str(&Special::Head(head).line());
        self.end_line()
    }

    /// Writes a message.
    pub fn message(&mut self, message: &Message) -> io::Result<()> {
        self.progress.counts.messages += 1;
        match &mut self.progress.last {
            Some((position, id)) => {
                *position = message.global_position;
                id.clone_from(&message.id);
            }
            None => self.progress.last = Some((message.global_position, message.id.clone())),
        }
        message.write_json(&mut self.frame);
        self.end_line()
    }

    /// Writes the rest and makes it durable.
    pub fn finish(mut self, positions: Vec<ConsumerPosition>) -> io::Result<Progress> {
        // In a frame of their own, so that a torn file ends with messages.
        self.flush()?;
        for position in positions {
            self.progress.counts.consumer_positions += 1;
            self.frame.push_str(&Special::ConsumerPosition(position).line());
            self.end_line()?;
        }
        let Counts { messages, heads, consumer_positions } = self.progress.counts;
        let mut hash = self.progress.hash.clone();
        hash.update(self.frame.as_bytes());
        let last_global_position = self.progress.last.as_ref().map_or(0, |last| last.0);
        let footer = Footer { messages, heads, consumer_positions, last_global_position, xxh3: digest(&hash) };
        self.frame.push_str(&Special::Footer(footer).line());
        self.frame.push('\n');
        self.flush()?;
        if let Some(file) = &self.file {
            file.sync_all()?;
        }
        Ok(self.progress)
    }

    /// Writes what has been handed over.
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.frame.is_empty() {
            self.progress.hash.update(self.frame.as_bytes());
            if self.compression == Compression::None {
                self.sink.write_all(self.frame.as_bytes())?;
            } else {
                self.sink.write_all(&self.compression.compress(self.frame.as_bytes())?)?;
            }
            self.frame.clear();
        }
        self.sink.flush()
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.frame.push('\n');
        if self.frame.len() >= FRAME { self.flush() } else { Ok(()) }
    }
}

/// Looks at what is in a file.
pub fn look(path: &Path) -> io::Result<Found> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
    let compression = Compression::of_content(&mut reader)?;
    let (mut progress, mut header, mut length) = (Progress::default(), None, 0);
    while let Some((frame, is_whole)) = compression.next_frame(&mut reader)? {
        if !is_whole {
            let begun = b"{\"kind\":\"header\"";
            let is_begun = header.is_some() || frame.starts_with(begun) || begun.starts_with(&frame);
            if !is_begun {
                return Ok(Found::Foreign);
            }
            break;
        }
        let before = progress.clone();
        match read_frame(&frame, &mut progress, &mut header) {
            Content::Messages => length = reader.stream_position()?,
            Content::End => return Ok(Found::Whole),
            Content::Rest => {
                progress = before;
                break;
            }
            Content::Foreign if header.is_none() => return Ok(Found::Foreign),
            Content::Foreign => {
                progress = before;
                break;
            }
        }
    }
    Ok(match header {
        // Without a message heads may be missing: it is begun anew.
        Some(_) if progress.last.is_none() => Found::Nothing,
        None => Found::Nothing,
        Some(header) => Found::Torn(Box::new((header, progress, length))),
    })
}

enum Content {
    Messages,
    Rest,
    End,
    Foreign,
}

fn read_frame(frame: &[u8], progress: &mut Progress, header: &mut Option<Header>) -> Content {
    let Ok(text) = std::str::from_utf8(frame) else { return Content::Foreign };
    let mut rest = false;
    for line in text.lines() {
        match Special::read(line) {
            Ok(Some(Special::Header(found))) if header.is_none() => *header = Some(found),
            _ if header.is_none() => return Content::Foreign,
            Ok(Some(Special::Head(_))) => progress.counts.heads += 1,
            Ok(Some(Special::ConsumerPosition(_))) => rest = true,
            Ok(Some(Special::Footer(_))) => return Content::End,
            Ok(None) => match Message::read_json(line) {
                Ok(message) => {
                    progress.counts.messages += 1;
                    progress.last = Some((message.global_position, message.id));
                }
                Err(_) => return Content::Foreign,
            },
            Ok(Some(Special::Header(_))) | Err(_) => return Content::Foreign,
        }
    }
    if rest {
        return Content::Rest;
    }
    progress.hash.update(frame);
    Content::Messages
}
