//! How the log is sized. Every limit has a name and a default.

use std::time::Duration;

use crate::batch::MARKER_BYTES;
use crate::machine::Memory;
use crate::safeguard::Guards;
#[cfg(test)]
use crate::safeguard::Safeguard;
use crate::wal::{BLOCK, padded};

/// Sizes and limits of a log; [`Options::default`] suits a node.
#[derive(Clone, Debug)]
pub struct Options {
    /// The first write-ahead file, small so that an empty folder is ready at once.
    pub wal_first_file_bytes: u64,
    /// What later write-ahead files grow to, by factors of four.
    pub wal_file_bytes: u64,
    /// All write-ahead files together, before appends wait for the flusher.
    pub wal_bytes_max: u64,
    /// The largest group, and so the largest set.
    pub group_bytes_max: usize,
    /// How many groups may be written at the same time, 4 at most; `None` begins with one, and finds out
    /// under load whether the device gains from more.
    pub writers: Option<usize>,
    /// Sets that wait for the writer, in bytes; beyond it an append waits its turn.
    pub pending_bytes_max: usize,
    /// A segment is sealed when it is larger than this.
    pub segment_bytes: u64,
    /// Write-ahead bytes after which a checkpoint is made.
    pub flush_bytes: u64,
    /// Records that wait in memory, in bytes, after which they are written to their segments.
    pub write_back_bytes: usize,
    /// Records that wait in memory, in bytes, before appends wait for them to be written.
    pub unwritten_bytes_max: usize,
    /// How many segments are kept open for writing; fewer where the process may open few files.
    pub open_segments_max: usize,
    /// Records that are kept in memory although their segment is written, in bytes.
    pub tail_bytes: usize,
    /// What was written to segments last stays in the file system's cache, in bytes; what is older is let go of.
    pub cached_bytes: u64,
    /// What compaction may take in memory while it works: 32 bytes for each key.
    pub compaction_bytes: usize,
    /// On a full disk, the part of the last write-ahead file that only `evenkeel.*` topics may use.
    pub headroom_bytes: u64,
    /// A producer that was silent for so long is forgotten: its next batch begins again at sequence 0.
    pub producer_expiry: Duration,
    /// So many pairs of producer and partition are remembered; beyond it the longest silent ones are
    /// forgotten early.
    pub producers_max: usize,
    /// The safeguard that a test takes away.
    #[cfg(test)]
    pub(crate) without: Option<Safeguard>,
}

impl Options {
    /// With sizes that fit each other: a write-ahead file can hold a group.
    pub(crate) fn checked(mut self) -> Options {
        self.group_bytes_max = self.group_bytes_max.clamp(BLOCK as usize, 1 << 30);
        self.wal_first_file_bytes = padded(self.wal_first_file_bytes.max(8 * BLOCK));
        self.wal_file_bytes = padded(self.wal_file_bytes.max(self.wal_first_file_bytes));
        self
    }

    /// What is remembered of producers. A transaction is in no more partitions than half a group has
    /// room for markers.
    pub(crate) fn memory(&self) -> Memory {
        let transaction_max = self.group_bytes_max / 2 / MARKER_BYTES;
        Memory { expiry: self.producer_expiry, max: self.producers_max.max(1), transaction_max }
    }

    pub(crate) fn guards(&self) -> Guards {
        Guards {
            #[cfg(test)]
            without: self.without,
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            wal_first_file_bytes: 1 << 20,
            wal_file_bytes: 64 << 20,
            wal_bytes_max: 1 << 30,
            group_bytes_max: 8 << 20,
            writers: None,
            pending_bytes_max: 64 << 20,
            segment_bytes: 64 << 20,
            flush_bytes: 192 << 20,
            write_back_bytes: 4 << 20,
            unwritten_bytes_max: 128 << 20,
            open_segments_max: 2048,
            tail_bytes: 32 << 20,
            cached_bytes: 512 << 20,
            compaction_bytes: 32 << 20,
            headroom_bytes: 256 << 10,
            producer_expiry: Duration::from_secs(24 * 3600),
            producers_max: 100_000,
            #[cfg(test)]
            without: None,
        }
    }
}
