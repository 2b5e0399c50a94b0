//! What keeping topics within their bounds comes to: nouns only.

use evenkeel_model::Shard;

/// What retention would take from a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The partition.
    pub shard: Shard,
    /// Where it would begin.
    pub start: u64,
    /// Whole segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// True when some of it is still owed: the partition is at a hard limit that lets the oldest
    /// expire.
    pub expires: bool,
}

/// What retention took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Whole segments.
    pub segments: u64,
    /// Their bytes; the disk has them back a checkpoint or two later.
    pub bytes: u64,
    /// Partitions that lost something that was owed.
    pub expired: u64,
}

/// What compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Bytes that were read and written.
    pub moved: u64,
    /// Segments that were written anew or went into others.
    pub segments: u64,
    /// Bytes that they got smaller by; the disk has them back a checkpoint or two later.
    pub freed: u64,
    /// Passes over a partition that came to their end.
    pub passes: u64,
    /// True when a pass is under way.
    pub more: bool,
    /// What could not be done, and why.
    pub problems: Vec<String>,
}

/// How full a partition with a hard limit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The partition.
    pub shard: Shard,
    /// What it holds.
    pub bytes: u64,
    /// What it may hold.
    pub max: u64,
}
