//! Counters that the log's parts share.

use std::sync::atomic::{AtomicU64, Ordering};

/// What happened since the log was opened.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    groups: AtomicU64,
    flushes: AtomicU64,
    bytes: AtomicU64,
}

impl Stats {
    pub(crate) fn group(&self, bytes: u64) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn flushed(&self) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
    }

    /// Groups, flushes, bytes of records.
    pub(crate) fn read(&self) -> (u64, u64, u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (get(&self.groups), get(&self.flushes), get(&self.bytes))
    }
}
