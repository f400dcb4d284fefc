//! gzip and zstd, a frame at a time: each frame ends at the end of a line, so that a torn file can be gone on with.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use clap::ValueEnum;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// By the ending of the file's name.
    pub fn of_name(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst" | "zstd") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// By the first bytes.
    pub fn of_content(reader: &mut impl BufRead) -> io::Result<Self> {
        Ok(match reader.fill_buf()? {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        })
    }

    /// A frame, or the bytes as they are.
    pub fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(bytes.to_vec()),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Self::Zstd => zstd::bulk::compress(bytes, 3),
        }
    }

    /// All frames of the reader, one after the other.
    pub fn reader<'a>(self, reader: impl BufRead + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
        Ok(match self {
            Self::None => Box::new(reader),
            Self::Gzip => Box::new(BufReader::with_capacity(1 << 16, flate2::bufread::MultiGzDecoder::new(reader))),
            Self::Zstd => {
                Box::new(BufReader::with_capacity(1 << 16, zstd::stream::read::Decoder::with_buffer(reader)?))
            }
        })
    }

    /// The next frame alone, without compression the next line, and whether it is whole; `None` at the end.
    pub fn next_frame(self, reader: &mut impl BufRead) -> io::Result<Option<(Vec<u8>, bool)>> {
        if reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut frame = Vec::new();
        let is_whole = match self {
            Self::None => reader.read_until(b'\n', &mut frame).map(|_| frame.ends_with(b"\n"))?,
            Self::Gzip => flate2::bufread::GzDecoder::new(reader).read_to_end(&mut frame).is_ok(),
            Self::Zstd => {
                zstd::stream::read::Decoder::with_buffer(reader)?.single_frame().read_to_end(&mut frame).is_ok()
            }
        };
        Ok(Some((frame, is_whole)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_one_by_one_and_all_together_and_a_torn_one_is_none() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let frames = [b"one\n".as_slice(), b"two\n"].map(|bytes| compression.compress(bytes).expect("compressed"));
            let bytes = frames.concat();
            let mut text = String::new();
            compression.reader(bytes.as_slice()).expect("a reader").read_to_string(&mut text).expect("read");
            assert_eq!(text, "one\ntwo\n");
            let mut torn = &bytes[..bytes.len() - 1];
            assert_eq!(compression.next_frame(&mut torn).expect("read"), Some((b"one\n".to_vec(), true)));
            let (_, is_whole) = compression.next_frame(&mut torn).expect("read").expect("a torn one");
            assert!(!is_whole, "{compression:?}");
        }
    }
}
