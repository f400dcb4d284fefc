//! UTF-8 as Postgres checks it in every text that it is given, before a function sees it.

use crate::error::{Error, Result};

/// Refuses bytes that are no text. ASCII, most of what is written, is told eight bytes at a time.
pub fn check(bytes: &[u8]) -> Result<()> {
    // The highest bit is set in each byte above ASCII, and in 0 less 1. Only a 0 takes one from the byte above it.
    let bits = |word: u64| word | word.wrapping_sub(0x0101_0101_0101_0101);
    let (mut all, mut rest) = (0, bytes);
    while let Some((&word, after)) = rest.split_first_chunk() {
        all |= bits(u64::from_le_bytes(word));
        rest = after;
    }
    let last = match bytes.last_chunk() {
        Some(&last) => bits(u64::from_le_bytes(last)),
        None => rest.iter().fold(0, |all, &byte| all | u64::from(byte | byte.wrapping_sub(1))),
    };
    if (all | last) & 0x8080_8080_8080_8080 == 0 { Ok(()) } else { utf8(bytes).map(drop) }
}

/// The bytes as text, when they are UTF-8 without a zero byte.
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(bytes);
    let valid = text.map_or_else(|error| error.valid_up_to(), str::len);
    match (text, bytes[..valid].contains(&0)) {
        (Ok(text), false) => Ok(text),
        (_, true) => Err(invalid(&[0])),
        (Err(_), false) => Err(invalid(&bytes[valid..])),
    }
}

/// Names as many of the bytes as the first one announces.
fn invalid(bytes: &[u8]) -> Error {
    let announced = match bytes.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    let named: Vec<String> = bytes.iter().take(announced).map(|byte| format!("0x{byte:02x}")).collect();
    Error::InvalidEncoding(named.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wrong_bytes_are_named() {
        let cases: [(&[u8], &str); 7] = [
            (b"\"\0\"", "0x00"),
            (b"\0\xff", "0x00"),
            (b"\xff\0", "0xff"),
            (b"a\xe2\x80\"", "0xe2 0x80 0x22"),
            (b"\xe2\x80", "0xe2 0x80"),
            (b"\xf4\x90\x80\x80\x80", "0xf4 0x90 0x80 0x80"),
            (b"\xf8\x88\x88", "0xf8"),
        ];
        for (bytes, named) in cases {
            let error = utf8(bytes).expect_err(named);
            assert_eq!(check(bytes), Err(error.clone()));
            assert_eq!(error.to_string(), format!("invalid byte sequence for encoding \"UTF8\": {named}"));
            assert_eq!((error.sqlstate(), error.detail()), ("22021", None));
        }
    }

    #[test]
    fn utf8_passes() {
        for text in ["aé日🙂", "", "plain \u{1}\u{7f}", "\u{80}", "account-1\u{1}\u{1}"] {
            assert_eq!((utf8(text.as_bytes()), check(text.as_bytes())), (Ok(text), Ok(())));
        }
    }

    #[test]
    fn a_wrong_byte_is_found_wherever_it_is() {
        for length in 1..=25 {
            for at in 0..length {
                for wrong in [0, 0x80, 0xff] {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = wrong;
                    assert_eq!(check(&bytes), Err(invalid(&bytes[at..=at])), "{length} {at} {wrong}");
                }
            }
        }
    }
}
