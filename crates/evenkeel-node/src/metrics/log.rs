//! What the log says of itself, as metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use evenkeel_log::{Log, LogStatus};
use evenkeel_model::Timestamp;

use super::exposition::Exposition;
use super::names;

/// What is read of the log at one moment.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) now: Timestamp,
    pub(super) status: LogStatus,
    pub(super) wal_bytes_max: u64,
    pub(super) damaged: usize,
    pub(super) warnings: usize,
    /// What the disk has left, where that is known.
    pub(super) disk_free: Option<u64>,
    /// Bytes of each topic, and how many of its partitions are near their limit.
    pub(super) topics: BTreeMap<Arc<str>, (u64, u64)>,
}

/// Looks at the log; the disk and the write-ahead log's bound are its caller's to know.
pub(super) fn look(log: &Log, now: Timestamp, wal_bytes_max: u64, disk_free: Option<u64>) -> Seen {
    let mut topics: BTreeMap<Arc<str>, (u64, u64)> = BTreeMap::new();
    for (shard, bytes) in log.sizes() {
        topics.entry(shard.topic).or_default().0 += bytes;
    }
    for near in log.nearly_full() {
        topics.entry(near.shard.topic).or_default().1 += 1;
    }
    let (damaged, warnings) = (log.damage().len(), log.warnings().len());
    Seen { now, status: log.status(), wal_bytes_max, damaged, warnings, disk_free, topics }
}

/// Adds the log's counters and sizes.
pub(super) fn add<'a>(page: &mut Exposition<'a>, seen: &'a Seen) {
    let log = &seen.status;
    page.alone(&names::LOG_GROUPS, log.groups as f64);
    page.alone(&names::LOG_FLUSHES, log.flushes as f64);
    page.alone(&names::LOG_BYTES, log.bytes as f64);
    page.alone(&names::LOG_WAL_BYTES, log.wal_bytes as f64);
    page.alone(&names::LOG_WAL_MAX, seen.wal_bytes_max as f64);
    page.alone(&names::LOG_UNWRITTEN, log.unwritten_bytes as f64);
    page.alone(&names::LOG_PRODUCERS, log.producers as f64);
    page.alone(&names::LOG_TRANSACTIONS, log.transactions as f64);
    page.alone(&names::LOG_WAITING, log.waiting as f64);
    page.alone(&names::LOG_WAITING_BYTES, log.waiting_bytes as f64);
    page.alone(&names::LOG_DEPTH, log.depth as f64);
    page.alone(&names::LOG_COMPACTED, log.compacted_bytes as f64);
    page.alone(&names::LOG_COMPACTION_FREED, log.compaction_freed_bytes as f64);
    page.alone(&names::LOG_COMPACTION_PASSES, log.compaction_passes as f64);
    page.alone(&names::LOG_WARNINGS, seen.warnings as f64);
    page.times(&names::LOG_WRITE, &log.writes);
    page.times(&names::LOG_CHECKPOINT, &log.checkpoints);
    if let Some(at) = log.checkpoint_at {
        page.alone(&names::LOG_CHECKPOINT_AGE, seen.now.since(at).as_secs_f64());
    }
    page.alone(&names::LOG_SEGMENT_BYTES, log.segment_bytes as f64);
    page.alone(&names::LOG_STOPPED, f64::from(u8::from(log.stopped.is_some())));
    page.alone(&names::LOG_DAMAGED, seen.damaged as f64);
    if let Some(free) = seen.disk_free {
        page.alone(&names::DISK_FREE, free as f64);
    }
    for (topic, (bytes, near)) in &seen.topics {
        let labels = [(names::TOPIC, &**topic)];
        page.one(&names::TOPIC_BYTES, &labels, *bytes as f64);
        page.one(&names::NEARLY_FULL, &labels, *near as f64);
    }
}
