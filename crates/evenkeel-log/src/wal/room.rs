//! Room on the disk for what follows an append: its segment, and a checkpoint.
//!
//! A disk that the write-ahead log fills to the last byte is stuck: what waits cannot be written to its
//! segments, so nothing can be checkpointed, so no write-ahead file is ever free again. So appends of others
//! than our own topics are refused while there is not that much left, and a checkpoint is asked for, which
//! may let go of something.

use evenkeel_model::Timestamp;

use super::order::FULL_FOR;
use crate::engine::Shared;

/// What is known of the room on the disk.
#[derive(Default)]
pub(super) struct Room {
    /// Bytes that were ordered since it was looked at.
    unlooked: u64,
    /// There was too little, which is believed until then.
    short_until: Option<Timestamp>,
}

impl Room {
    /// So much was ordered.
    pub(super) fn ordered(&mut self, bytes: u64) {
        self.unlooked += bytes;
    }

    /// True when there was too little the last time.
    pub(super) fn was_short(&self) -> bool {
        self.short_until.is_some()
    }

    /// True when the disk has no room for `bytes` more and what they bring about. Looks now and then.
    pub(super) fn is_short(&mut self, shared: &Shared, bytes: u64) -> bool {
        let first_file = shared.options.wal_first_file_bytes;
        if !self.was_short() && self.unlooked + bytes < first_file / 2 {
            return false;
        }
        let now = shared.clock.now();
        if self.short_until.is_some_and(|until| now < until) {
            return true;
        }
        self.unlooked = 0;
        let needed = shared.state().unwritten() as u64 + bytes + 4 * first_file;
        // A disk that does not say is taken for one that has room.
        let short = shared.disk.free().ok().flatten().is_some_and(|free| free < needed);
        self.short_until = short.then(|| now + FULL_FOR);
        if short {
            shared.bell.ring(|wanted| wanted.flush = true);
        }
        short
    }
}
