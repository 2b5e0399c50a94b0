//! What goes into the log and what is said of it: nouns only.

use evenkeel_model::{Record, Shard, Timestamp};

/// Records for any number of partitions that become durable and visible together, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The parts, in order; a partition may occur more than once.
    pub appends: Vec<Append>,
}

impl Set {
    /// A set of one append.
    pub fn of(shard: Shard, records: Vec<Record>) -> Set {
        Set { appends: vec![Append { shard, records }] }
    }
}

/// Records for one partition; they get consecutive offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Where to.
    pub shard: Shard,
    /// The records, in order.
    pub records: Vec<Record>,
}

/// A set is on the medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// When the log took it; never earlier than that of an earlier group.
    pub at: Timestamp,
    /// One for each [`Append`] of the set, in its order.
    pub placed: Vec<Placed>,
}

/// Where the records of one [`Append`] are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The partition.
    pub shard: Shard,
    /// The offset of the first record.
    pub base: u64,
    /// How many there are.
    pub count: u32,
}

/// The ends of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The first offset that is kept.
    pub start: u64,
    /// One beyond the last durable offset.
    pub high_watermark: u64,
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

/// What retention took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Whole segments.
    pub segments: u64,
    /// Their bytes; the disk has them back a checkpoint or two later.
    pub bytes: u64,
}
