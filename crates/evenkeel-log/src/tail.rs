//! The newest batches of a partition, in memory: all that is not written to a segment yet, and some
//! of what is, for readers that keep up.

use std::collections::VecDeque;

use bytes::Bytes;
use evenkeel_model::Timestamp;

/// A durable batch.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) base: u64,
    pub(crate) count: u32,
    pub(crate) appended: Timestamp,
    /// The group that it came in.
    pub(crate) lsn: u64,
    pub(crate) bytes: Bytes,
}

impl Held {
    pub(crate) fn end(&self) -> u64 {
        self.base + u64::from(self.count)
    }

    /// What it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len() + 128
    }
}

/// Batches without a gap between them, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Tail(VecDeque<Held>);

impl Tail {
    pub(crate) fn push(&mut self, held: Held) {
        self.0.push_back(held);
    }

    /// The first offset that it holds.
    pub(crate) fn start(&self) -> Option<u64> {
        self.0.front().map(|h| h.base)
    }

    /// The batches from the one that holds `offset` on.
    pub(crate) fn from(&self, offset: u64) -> impl Iterator<Item = &Held> {
        let first = self.0.partition_point(|h| h.end() <= offset);
        self.0.range(first..)
    }

    /// The offset of the first batch that was appended at or after `time`.
    pub(crate) fn offset_at(&self, time: Timestamp) -> Option<u64> {
        let first = self.0.partition_point(|h| h.appended < time);
        self.0.get(first).map(|h| h.base)
    }

    /// What all of it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        self.0.iter().map(Held::weight).sum()
    }

    /// True when all of the oldest batch stands before offset `written`.
    pub(crate) fn has_before(&self, written: u64) -> bool {
        self.0.front().is_some_and(|oldest| oldest.end() <= written)
    }

    /// Takes out the oldest batch if all of it stands before offset `written`.
    pub(crate) fn evict(&mut self, written: u64) -> Option<Held> {
        if self.has_before(written) { self.0.pop_front() } else { None }
    }
}
