//! Identities that were seen, on disk: which mark was remembered when, and with what.
//!
//! A [`Series`] answers for one owner (a partition of the journal, the way in). It is a list of
//! immutable segments, each of a range of positions of whatever it was made from: sorted marks in
//! checksummed pages of 4 KiB, and in memory 20 bits for each mark (`table`), so that a mark that
//! was never seen costs no read, and one that was seen costs one. It is *derived*: whoever seals
//! can make it again from what it was made from, so a file that is missing or damaged is told by
//! [`Series::gaps`], and never believed. It knows nothing of events and keeps no time of its own.
//!
//! Invariants: a segment is there whole (written aside, flushed, then renamed) or not at all; of two
//! sightings of one mark the newer counts; every byte that is read back is checked. `docs/format.md`
//! has the bytes.

mod table;
mod segment;
mod writer;
mod series;
#[cfg(test)]
mod tests;

use evenkeel_model::Timestamp;

pub use series::{Damaged, Memory, Series};

/// The most that is kept beside a mark, in bytes.
pub const VALUE_BYTES: usize = 20;

/// A page of a segment.
const PAGE: usize = 4096;

/// An identity, when it was seen, and what was said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// 128 bits of a cryptographic hash.
    pub mark: [u8; 16],
    /// When; kept in whole seconds, rounded up, from 1970 to 2106.
    pub at: Timestamp,
    /// What else; a series keeps its first so many bytes, and the others come back as zeros.
    pub value: [u8; VALUE_BYTES],
}

impl Sighting {
    /// One of which no more is known than when.
    pub fn new(mark: [u8; 16], at: Timestamp) -> Sighting {
        Sighting { mark, at, value: [0; VALUE_BYTES] }
    }

    /// What an entry takes on disk, with so many bytes of value.
    fn bytes(width: usize) -> usize {
        16 + 4 + width
    }

    fn put(&self, out: &mut Vec<u8>, width: usize) {
        const SECOND: i64 = 1_000_000;
        let seconds = self.at.micros().max(0).saturating_add(SECOND - 1) / SECOND;
        out.extend_from_slice(&self.mark);
        out.extend_from_slice(&u32::try_from(seconds).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.value[..width]);
    }

    /// Of exactly [`Sighting::bytes`] bytes.
    fn get(from: &[u8]) -> Option<Sighting> {
        let (mark, rest) = from.split_first_chunk::<16>()?;
        let (seconds, rest) = rest.split_first_chunk::<4>()?;
        let mut value = [0; VALUE_BYTES];
        value.get_mut(..rest.len())?.copy_from_slice(rest);
        let at = Timestamp::from_millis(i64::from(u32::from_le_bytes(*seconds)) * 1000);
        Some(Sighting { mark: *mark, at, value })
    }
}
