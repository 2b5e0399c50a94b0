//! Index entries: an offset, where its batch begins, and when the log took it.
//!
//! There is one for each batch whose append time differs from that of the batch before, and at
//! least one for every 4 KiB of log. A position is a hint that the batch found there must bear
//! out. An index is derived: it is never flushed, and one that is missing, short or has an entry
//! that does not match its checksum is made again, byte by byte, from the log and the times that
//! checkpoints keep ([`crate::calendar`]).

use std::sync::Arc;

use bytes::{Buf, BufMut};
use evenkeel_model::Timestamp;

use super::Segment;
use crate::disk::File;
use crate::safeguard::{Guards, Safeguard};

/// One entry in bytes.
pub(crate) const ENTRY: u64 = 32;

/// So many bytes of log have at least one entry.
pub(crate) const STRIDE: u64 = 4096;

/// How many entries are read at once while walking.
const RUN: u64 = 64;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) position: u64,
    pub(crate) appended: Timestamp,
}

impl Entry {
    pub(crate) fn put(&self, out: &mut Vec<u8>, base: u64) {
        let from = out.len();
        out.put_u64_le(self.offset);
        out.put_u64_le(self.position);
        out.put_i64_le(self.appended.micros());
        let crc = checksum(base, &out[from..]);
        out.put_u32_le(crc);
        out.put_u32_le(0);
    }

    fn get(mut bytes: &[u8], base: u64, guards: Guards) -> Option<Entry> {
        let crc = checksum(base, bytes.get(..24)?);
        let offset = bytes.get_u64_le();
        let position = bytes.get_u64_le();
        let appended = Timestamp::from_micros(bytes.get_i64_le());
        let fits = bytes.get_u32_le() == crc || !guards.on(Safeguard::IndexChecksum);
        fits.then_some(Entry { offset, position, appended })
    }
}

fn checksum(base: u64, entry: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&base.to_le_bytes()), entry)
}

/// A segment's index, searched in the file.
pub(crate) struct Index {
    /// `None` when it is gone.
    pub(crate) file: Option<Arc<dyn File>>,
    pub(crate) segment: Segment,
    pub(crate) guards: Guards,
}

impl Index {
    pub(crate) fn count(&self) -> u64 {
        self.segment.index_bytes / ENTRY
    }

    pub(crate) fn entry(&self, number: u64) -> Option<Entry> {
        let mut bytes = [0; ENTRY as usize];
        self.file.as_ref()?.read_at(&mut bytes, number * ENTRY).ok()?;
        Entry::get(&bytes, self.segment.base, self.guards)
    }

    /// Entries from `number` on, as many as one read gives.
    pub(crate) fn run(&self, number: u64) -> Option<Vec<Entry>> {
        let count = (self.count() - number).min(RUN);
        let mut bytes = vec![0; usize::try_from(count * ENTRY).ok()?];
        self.file.as_ref()?.read_at(&mut bytes, number * ENTRY).ok()?;
        bytes.chunks_exact(ENTRY as usize).map(|b| Entry::get(b, self.segment.base, self.guards)).collect()
    }

    /// How many entries from the start on satisfy `before`; `None` when one that was looked at is
    /// damaged.
    pub(crate) fn partition_point(&self, before: impl Fn(&Entry) -> bool) -> Option<u64> {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            if before(&self.entry(middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(low)
    }
}
