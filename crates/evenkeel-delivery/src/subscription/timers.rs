//! What is to happen at a time: retries, overdue events, the end of a booking window.
//!
//! One ordered set; what no longer applies is taken out, so that it never holds more than a few
//! entries per open event.

use std::collections::BTreeSet;

use evenkeel_model::Timestamp;

use super::events::Slot;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The event may be tried again.
    Retry(Slot),
    /// The event passes an objective's threshold.
    Overdue(Slot),
    /// The failed attempt that is known by this number has waited for the breaker's window.
    Booking(u64),
    /// A redrive may take up more.
    Redrive,
}

#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Timestamp, Timer)>);

impl Timers {
    pub(super) fn set(&mut self, at: Timestamp, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(super) fn clear(&mut self, at: Timestamp, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(super) fn due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.0.first()?.0 > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }
}
