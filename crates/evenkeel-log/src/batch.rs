//! Kafka's record batch, version 2 (KIP-98; <https://kafka.apache.org/documentation/#recordbatch>).
//!
//! The same bytes go from the producer through the write-ahead log and the segments to the
//! consumer; only the base offset and the leader epoch, which lie outside the checksum, are
//! patched in place. Decoding trusts nothing: every length is checked against the bytes that are
//! there before it is used, nothing is allocated by a claimed count, and nothing panics.
//!
//! Not here: compression (a compressed batch is refused by name) and control records.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use std::fmt;

pub use decode::{Head, Records, verify};
pub use encode::{encode, place};

/// The bytes before the first record.
pub const HEAD_BYTES: usize = 61;

/// Where the checksummed part begins.
const CHECKED_FROM: usize = 21;

/// The bytes are no batch that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end before the batch does.
    Short,
    /// Not version 2 of the format.
    Magic(i8),
    /// The checksum does not match.
    Checksum,
    /// Its records are compressed.
    Compressed,
    /// A length or count contradicts the bytes.
    Length,
    /// A header's name is not UTF-8.
    HeaderName,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Short => f.write_str("the batch is cut off"),
            Malformed::Magic(magic) => write!(f, "batch format {magic} (only 2 is read)"),
            Malformed::Checksum => f.write_str("the batch does not match its checksum"),
            Malformed::Compressed => f.write_str("the batch is compressed"),
            Malformed::Length => f.write_str("a length in the batch contradicts its bytes"),
            Malformed::HeaderName => f.write_str("a header's name is not UTF-8"),
        }
    }
}

impl std::error::Error for Malformed {}
