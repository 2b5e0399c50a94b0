//! Counters that the log's parts share.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use evenkeel_model::Timestamp;

use crate::Cleaned;
use crate::times::Timing;

/// What happened since the log was opened.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    groups: AtomicU64,
    flushes: AtomicU64,
    bytes: AtomicU64,
    /// Durable writes of groups.
    pub(crate) writes: Timing,
    /// Checkpoints, with the segments that they flushed.
    pub(crate) checkpoints: Timing,
    compacted: AtomicU64,
    freed: AtomicU64,
    passes: AtomicU64,
    /// When the newest checkpoint was made, in microseconds since 1970; 0 when there was none.
    checkpoint_at: AtomicI64,
    unreadable: AtomicU64,
}

impl Stats {
    pub(crate) fn group(&self, bytes: u64) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A read met damage.
    pub(crate) fn met_damage(&self) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads that met damage.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    pub(crate) fn flushed(&self) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn checkpointed(&self, began: Timestamp, at: Timestamp) {
        self.checkpoints.took(u64::try_from(at.since(began).as_micros()).unwrap_or(u64::MAX));
        self.checkpoint_at.store(at.micros(), Ordering::Relaxed);
    }

    pub(crate) fn cleaned(&self, cleaned: &Cleaned) {
        self.compacted.fetch_add(cleaned.moved, Ordering::Relaxed);
        self.freed.fetch_add(cleaned.freed, Ordering::Relaxed);
        self.passes.fetch_add(cleaned.passes, Ordering::Relaxed);
    }

    /// Bytes that compaction read and wrote, bytes that it freed, passes that it ended.
    pub(crate) fn compaction(&self) -> (u64, u64, u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (get(&self.compacted), get(&self.freed), get(&self.passes))
    }

    /// When the newest checkpoint was made.
    pub(crate) fn checkpoint_at(&self) -> Option<Timestamp> {
        let us = self.checkpoint_at.load(Ordering::Relaxed);
        (us != 0).then(|| Timestamp::from_micros(us))
    }

    /// Groups, flushes, bytes of records.
    pub(crate) fn read(&self) -> (u64, u64, u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (get(&self.groups), get(&self.flushes), get(&self.bytes))
    }
}
