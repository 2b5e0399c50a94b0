//! Segments: what the flusher takes out of the write-ahead log, one folder per partition.
//!
//! `<base>.log` holds Kafka batches and nothing else; `<base>.index` says where batches begin and
//! when the log took them. Lengths come from the checkpoint, never from the file system: bytes
//! beyond them do not exist. [`append`] writes, [`walk`] reads, [`index`] has the entries.

pub(crate) mod append;
pub(crate) mod index;
pub(crate) mod walk;

use evenkeel_model::Timestamp;

/// A segment as a checkpoint knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The offset of its first record.
    pub(crate) base: u64,
    /// One beyond the offset of its last record.
    pub(crate) end: u64,
    /// The bytes of its batches.
    pub(crate) log_bytes: u64,
    /// The bytes of its index.
    pub(crate) index_bytes: u64,
    /// When its first batch was appended.
    pub(crate) first_at: Timestamp,
    /// When its last batch was appended.
    pub(crate) last_at: Timestamp,
    /// Where in the log its last index entry points.
    pub(crate) indexed: u64,
}

impl Segment {
    /// An empty one.
    pub(crate) fn at(base: u64) -> Segment {
        Segment {
            base,
            end: base,
            log_bytes: 0,
            index_bytes: 0,
            first_at: Timestamp::EPOCH,
            last_at: Timestamp::EPOCH,
            indexed: 0,
        }
    }
}

/// The folder of a partition.
pub(crate) fn folder(topic: &str, partition: u32) -> String {
    format!("topics/{topic}-{partition}")
}

/// The batches of the segment that begins at `base`.
pub(crate) fn log_path(folder: &str, base: u64) -> String {
    format!("{folder}/{base:020}.log")
}

/// Its index.
pub(crate) fn index_path(folder: &str, base: u64) -> String {
    format!("{folder}/{base:020}.index")
}
