//! What the log says of itself: counters and sizes, as of one moment.

use evenkeel_model::Timestamp;

use super::Log;
use crate::Times;

/// What the log says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// Why it takes no more sets, if it has stopped.
    pub stopped: Option<String>,
    /// Groups written since it was opened.
    pub groups: u64,
    /// Times that the medium was asked to make something durable since it was opened.
    pub flushes: u64,
    /// Bytes of records appended since it was opened.
    pub bytes: u64,
    /// Bytes of write-ahead files.
    pub wal_bytes: u64,
    /// Bytes of segments.
    pub segment_bytes: u64,
    /// Records that are in memory and the write-ahead log only, in bytes.
    pub unwritten_bytes: u64,
    /// Pairs of producer and partition that are remembered.
    pub producers: usize,
    /// Transactions that are open.
    pub transactions: usize,
    /// Sets that wait to be written.
    pub waiting: usize,
    /// Their bytes.
    pub waiting_bytes: usize,
    /// Groups that may be written at once: fixed, or found out under load.
    pub depth: usize,
    /// Bytes that compaction read and wrote since it was opened.
    pub compacted_bytes: u64,
    /// Bytes that segments got smaller by for it.
    pub compaction_freed_bytes: u64,
    /// Passes of compaction over a partition that came to their end.
    pub compaction_passes: u64,
    /// Durable writes of groups since it was opened, and how long they took.
    pub writes: Times,
    /// Checkpoints since it was opened, and how long they took.
    pub checkpoints: Times,
    /// When the newest of them was made.
    pub checkpoint_at: Option<Timestamp>,
    /// Reads that met damage since it was opened: it looks at records when somebody reads them.
    pub unreadable: u64,
}

impl Log {
    /// Counters and sizes.
    pub fn status(&self) -> LogStatus {
        let shared = &self.0.shared;
        let (groups, flushes, bytes) = shared.stats.read();
        let sizes = |s: &crate::segment::Segment| s.log_bytes + s.index_bytes;
        let state = shared.state();
        let segment_bytes = state.places().flat_map(|(_, _, _, p)| p.segments.iter().map(sizes)).sum();
        let unwritten_bytes = state.unwritten() as u64;
        let (producers, transactions) = (state.machine.known_producers(), state.machine.transactions().count());
        drop(state);
        let (compacted_bytes, compaction_freed_bytes, compaction_passes) = shared.stats.compaction();
        let wal_bytes = shared.files.live_bytes();
        LogStatus {
            stopped: shared.stopped(),
            groups,
            flushes,
            bytes,
            wal_bytes,
            segment_bytes,
            unwritten_bytes,
            producers,
            transactions,
            waiting: shared.handover.waiting(),
            waiting_bytes: shared.handover.waiting_bytes(),
            depth: shared.handover.depth(),
            compacted_bytes,
            compaction_freed_bytes,
            compaction_passes,
            writes: shared.stats.writes.read(),
            checkpoints: shared.stats.checkpoints.read(),
            checkpoint_at: shared.stats.checkpoint_at(),
            unreadable: shared.stats.unreadable(),
        }
    }
}
