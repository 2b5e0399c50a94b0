//! What readers ask for and are told: nouns only.

use bytes::Bytes;
use evenkeel_model::Timestamp;

/// The ends of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The first offset that is kept.
    pub start: u64,
    /// One beyond the last durable offset.
    pub high_watermark: u64,
    /// The first offset of the oldest open transaction; the high watermark when there is none.
    /// What is committed is read up to here.
    pub last_stable: u64,
}

/// How much one read may return. One record is returned even when it is larger than `bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// At most so many records.
    pub records: usize,
    /// About so many bytes of keys, values and headers.
    pub bytes: usize,
}

impl ReadLimit {
    /// At most `records` records, and 1 MiB.
    pub fn records(records: usize) -> ReadLimit {
        ReadLimit { records, bytes: 1 << 20 }
    }
}

impl Default for ReadLimit {
    fn default() -> ReadLimit {
        ReadLimit::records(1000)
    }
}

/// How much one read of batches may return. One batch is returned even when it is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimit {
    /// At most so many bytes of batches.
    pub bytes: usize,
}

/// What a reader of batches wants to see of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Up to the last stable offset, with the ranges that were aborted.
    Committed,
    /// Up to the high watermark.
    Uncommitted,
}

/// Batches as they are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batches {
    /// In order of their offsets; the first one holds the offset that was asked for, or the next.
    pub batches: Vec<Slice>,
    /// The ends of the partition at that moment.
    pub ends: Ends,
    /// The aborted ranges that touch these batches, by their first offset.
    pub aborted: Vec<Aborted>,
}

/// One batch, shared by reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// A Kafka v2 batch.
    pub bytes: Bytes,
    /// The offset of its first record.
    pub base: u64,
    /// One beyond the offset of its last record.
    pub end: u64,
    /// When the log took it.
    pub appended: Timestamp,
}

/// What a producer wrote between these offsets, in transactional batches, does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// The producer's id.
    pub producer: i64,
    /// The first offset of the transaction in this partition.
    pub first: u64,
    /// The offset of its marker.
    pub last: u64,
}
