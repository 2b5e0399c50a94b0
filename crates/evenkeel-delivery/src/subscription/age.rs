//! The clock by which `retry.age` is measured: it stands still behind an open breaker, a pause
//! or a shed.
//!
//! One reading serves all events: an event that ages notes the reading at which it began.

use std::time::Duration;

use evenkeel_model::Timestamp;

#[derive(Debug, Default)]
pub(super) struct AgeClock {
    ran: Duration,
    at: Option<Timestamp>,
}

impl AgeClock {
    /// Moves on to `now`. `stands`: nothing could be handed out since the last time;
    /// `held_until`: nothing could be until then.
    pub(super) fn advance(&mut self, now: Timestamp, stands: bool, held_until: Timestamp) {
        if let Some(before) = self.at
            && !stands
        {
            self.ran += now.since(before.max(held_until));
        }
        self.at = Some(now);
    }

    pub(super) fn reading(&self) -> Duration {
        self.ran
    }
}
