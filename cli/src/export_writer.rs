//! An export as it is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use crate::compression::Compression;
use crate::failure::Failure;
use crate::format::{Footer, Header, Special, digest};
use crate::message::{ConsumerPosition, Head, Message};
use crate::torn_export::Torn;

/// About how long a frame is before it is compressed and written.
const FRAME: usize = 1 << 20;

/// Where an export has got to.
#[derive(Clone, Default)]
pub struct Progress {
    /// Of what has been written.
    pub hash: Xxh3,
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
    /// The last message that the file has for certain.
    written: Option<i64>,
}

impl ExportWriter {
    /// Begins on what is written once and from the beginning to the end: standard output, a pipe, a device.
    pub fn to_stream(sink: Box<dyn Write>, compression: Compression) -> Self {
        Self::new(sink, None, compression, Progress::default())
    }

    /// Begins a file, or goes on in a torn one as that is compressed.
    pub fn to_file(path: &Path, compression: Option<Compression>, torn: Option<Torn>) -> io::Result<Self> {
        let begun = || (Progress::default(), 0, compression.unwrap_or_else(|| Compression::of_name(path)));
        let (progress, length, compression) =
            torn.map_or_else(begun, |torn| (torn.progress, torn.length, torn.compression));
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self::new(Box::new(file.try_clone()?), Some(file), compression, progress))
    }

    fn new(sink: Box<dyn Write>, file: Option<File>, compression: Compression, progress: Progress) -> Self {
        let written = progress.last.as_ref().map(|last| last.0);
        Self { sink, file, compression, frame: String::with_capacity(FRAME + FRAME / 4), progress, written }
    }

    /// Writes the first line, in a frame of its own, so that a torn file shows what it is.
    pub fn header(&mut self, header: Header) -> io::Result<()> {
        self.frame.push_str(&Special::Header(header).line());
        self.frame.push('\n');
        self.flush()
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
    pub fn finish(&mut self, positions: Vec<ConsumerPosition>) -> io::Result<()> {
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
        Ok(())
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
        self.sink.flush()?;
        self.written = self.progress.last.as_ref().map(|last| last.0);
        Ok(())
    }

    /// The error of a write, with what is in the file all the same.
    pub fn failed(&self, name: &str, error: &io::Error) -> Failure {
        Failure::Target(format!("{name}: {error}{}", self.kept()))
    }

    /// What is in the file when it ends early, in words that follow its name.
    pub fn kept(&self) -> String {
        match self.written.filter(|_| self.file.is_some()) {
            Some(last) => {
                format!("; it has everything up to global position {last}, and the same command goes on from there")
            }
            None => String::new(),
        }
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.frame.push('\n');
        if self.frame.len() >= FRAME { self.flush() } else { Ok(()) }
    }
}
