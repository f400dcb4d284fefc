//! An export as it is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::Xxh3;

use crate::compression::Compression;
use crate::failure::{Failure, Side};
use crate::format::{Footer, Header, MAX_HEADER, MAX_LINE, Special, VERSION, digest};
use crate::message::Message;

const NO_HEADER: &str = "no header: this is no export of a message store";

/// A line.
pub enum Line<'a> {
    /// Of any kind but message.
    Special(Special),
    /// A message, and its text.
    Message(Message, &'a str),
}

/// A file, or standard input.
pub struct ExportReader {
    lines: Box<dyn BufRead>,
    buffer: Vec<u8>,
    hash: Xxh3,
    name: String,
    /// The number of the line that was read last, from 1.
    pub number: u64,
    /// How many bytes of the file have been read.
    pub bytes: Arc<AtomicU64>,
    /// How many there are; 0 where that is not known.
    pub size: u64,
}

struct Counting<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl ExportReader {
    /// Opens a file; `-` is standard input. It may be compressed.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let bytes = Arc::new(AtomicU64::new(0));
        let (source, size): (Box<dyn Read>, u64) = if path == Path::new("-") {
            (Box::new(io::stdin()), 0)
        } else {
            let file = File::open(path).map_err(|error| format!("{name}: {error}")).of_source()?;
            let size = file.metadata().map_or(0, |metadata| metadata.len());
            (Box::new(file), size)
        };
        let mut source = BufReader::with_capacity(1 << 16, Counting { inner: source, bytes: Arc::clone(&bytes) });
        let lines = Compression::of_content(&mut source).and_then(|compression| compression.reader(source));
        let lines = lines.map_err(|error| format!("{name}: {error}")).of_source()?;
        Ok(Self { lines, buffer: Vec::new(), hash: Xxh3::new(), name, number: 0, bytes, size })
    }

    /// The first line, which must be read first.
    pub fn header(&mut self) -> Result<Header, Failure> {
        let header = match self.text()? {
            Some(line) => Special::read(line).ok().flatten(),
            None => None,
        };
        match header {
            Some(Special::Header(header)) if header.format <= VERSION => Ok(header),
            Some(Special::Header(header)) => {
                Err(self.wrong(&format!("format {} is newer than this program, which reads {VERSION}", header.format)))
            }
            _ => Err(self.wrong(NO_HEADER)),
        }
    }

    /// The next line; `None` at the end of the file, which is torn if no footer came before.
    pub fn next(&mut self) -> Result<Option<Line<'_>>, Failure> {
        if self.text()?.is_none() {
            return Ok(None);
        }
        let special = Special::read(line(&self.buffer)).map_err(|error| self.wrong(&error))?;
        if let Some(special) = special {
            match &special {
                Special::Footer(footer) => self.check_footer(footer)?,
                _ => self.hash.update(&self.buffer),
            }
            return Ok(Some(Line::Special(special)));
        }
        self.hash.update(&self.buffer);
        let line = line(&self.buffer);
        match Message::read_json(line) {
            Ok(message) => Ok(Some(Line::Message(message, line))),
            Err(error) => Err(self.wrong(&error)),
        }
    }

    /// Reads the file to its end without looking into its messages, and fails unless it is whole.
    pub fn check(mut self) -> Result<(), Failure> {
        self.header()?;
        while self.text()?.is_some() {
            if !self.buffer.starts_with(b"{\"kind\":\"footer\"") {
                self.hash.update(&self.buffer);
                continue;
            }
            return match Special::read(line(&self.buffer)) {
                Ok(Some(Special::Footer(footer))) => self.check_footer(&footer),
                _ => Err(self.wrong("the footer cannot be read")),
            };
        }
        Err(self.torn())
    }

    /// The error for a file that ends without its footer.
    pub fn torn(&self) -> Failure {
        Failure::Source(format!("{}: torn: it ends after line {} without a footer", self.name, self.number))
    }

    /// An error of the line that was read last.
    pub fn wrong(&self, problem: &str) -> Failure {
        Failure::Source(format!("{}: line {}: {problem}", self.name, self.number))
    }

    /// Checks what the footer says, and that nothing comes after it.
    fn check_footer(&mut self, footer: &Footer) -> Result<(), Failure> {
        let found = digest(&self.hash);
        if footer.xxh3 != found {
            let problem = format!("the checksum is {found}, not {}: the file is damaged or was edited", footer.xxh3);
            return Err(self.wrong(&problem));
        }
        if self.text()?.is_some() { Err(self.wrong("there is more after the footer")) } else { Ok(()) }
    }

    /// Reads a line into the buffer; that of the header is hashed at once.
    fn text(&mut self) -> Result<Option<&str>, Failure> {
        self.buffer.clear();
        let longest = if self.number == 0 { MAX_HEADER } else { MAX_LINE };
        match (&mut self.lines).take(longest).read_until(b'\n', &mut self.buffer) {
            Ok(0) => return Ok(None),
            Ok(length) if length as u64 == longest && !self.buffer.ends_with(b"\n") => {
                self.number += 1;
                return Err(self.wrong(if self.number == 1 { NO_HEADER } else { "too long" }));
            }
            // A compressed file that was torn is reported by the decoder.
            Ok(_) if !self.buffer.ends_with(b"\n") => return Err(self.torn()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(self.torn()),
            Err(error) => return Err(Failure::Source(format!("{}: after line {}: {error}", self.name, self.number))),
            Ok(_) => {}
        }
        self.number += 1;
        if self.number == 1 {
            self.hash.update(&self.buffer);
        }
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Ok(Some(text.trim_end_matches('\n'))),
            Err(_) => Err(Failure::Source(format!("{}: line {}: not UTF-8", self.name, self.number))),
        }
    }
}

/// The line without its end.
fn line(buffer: &[u8]) -> &str {
    let text = std::str::from_utf8(buffer).unwrap_or_default();
    text.strip_suffix('\n').unwrap_or(text)
}
