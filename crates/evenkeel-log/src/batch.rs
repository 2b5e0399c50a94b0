//! Kafka's record batch, version 2 (KIP-98; <https://kafka.apache.org/documentation/#recordbatch>).
//!
//! The same bytes go from the producer through the write-ahead log and the segments to the
//! consumer; only the base offset and the leader epoch, which lie outside the checksum, are
//! patched in place. Decoding trusts nothing: every length is checked against the bytes that are
//! there before it is used, nothing is allocated by a claimed count, and nothing panics.
//!
//! Not here: compression; a compressed batch is refused by name.

mod decode;
mod encode;
mod marker;
#[cfg(test)]
mod tests;

use std::fmt;

pub use decode::{Head, Records, check, verify};
pub use encode::{encode, place};
pub use marker::{MARKER_BYTES, marker, marker_of};

/// The bytes before the first record.
pub const HEAD_BYTES: usize = 61;

/// Bits of a batch's attributes.
const COMPRESSION: i16 = 7;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

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
    /// It is a control batch, which only the log itself writes.
    Control,
    /// Its producer's id, epoch, sequence and transactional bit do not go together.
    Producer,
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
            Malformed::Control => f.write_str("a control batch, which only the log itself writes"),
            Malformed::Producer => {
                f.write_str("producer id, epoch, sequence and transactional bit of the batch do not go together")
            }
        }
    }
}

impl std::error::Error for Malformed {}
