//! `hash_64`, Message DB's hash.

use md5::{Digest, Md5};

/// The first eight bytes of the MD5 of `value`, big-endian, as a signed integer.
///
/// It places streams in consumer groups and names category locks, so it must stay what Message DB computes.
/// Computed here and not by the server, so that it also works where OpenSSL is in FIPS mode.
pub fn hash_64(value: &[u8]) -> i64 {
    let digest: [u8; 16] = Md5::digest(value).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}
