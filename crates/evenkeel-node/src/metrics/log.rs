//! What the log says of itself, as metrics.

use evenkeel_log::LogStatus;

use super::names;
use super::text::Text;

/// Adds the log's counters and sizes; `free` is what the disk has left, where that is known.
pub(super) fn add(text: &mut Text, log: &LogStatus, free: Option<u64>) {
    text.one(&names::LOG_GROUPS, &[], log.groups as f64);
    text.one(&names::LOG_FLUSHES, &[], log.flushes as f64);
    text.one(&names::LOG_BYTES, &[], log.bytes as f64);
    text.one(&names::LOG_WAL_BYTES, &[], log.wal_bytes as f64);
    text.one(&names::LOG_SEGMENT_BYTES, &[], log.segment_bytes as f64);
    text.one(&names::LOG_STOPPED, &[], f64::from(u8::from(log.stopped.is_some())));
    if let Some(free) = free {
        text.one(&names::DISK_FREE, &[], free as f64);
    }
}
