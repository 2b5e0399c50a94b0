//! How fast one endpoint is called: evenly, with a burst after a pause. Pure.
//!
//! The generic cell rate algorithm (ITU-T I.371): each call moves the time at which the next one
//! would be on the beat; one that comes too early by more than the burst waits.

use std::time::Duration;

use evenkeel_model::Timestamp;

/// How many calls an endpoint gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Calls per second, in the long run.
    pub per_second: f64,
    /// How many at once after a pause.
    pub burst: u32,
}

/// What an endpoint was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beat {
    /// The next call is on the beat then.
    next: Timestamp,
}

impl Default for Beat {
    fn default() -> Beat {
        Beat { next: Timestamp::EPOCH }
    }
}

impl Beat {
    /// When the next call may go: now, or later.
    pub(super) fn free_at(&self, pace: &Pace) -> Timestamp {
        self.next - pace.every().saturating_mul(pace.burst.max(1) - 1)
    }

    /// A call goes.
    pub(super) fn take(&mut self, now: Timestamp, pace: &Pace) {
        self.next = self.next.max(now) + pace.every();
    }
}

impl Pace {
    fn every(&self) -> Duration {
        Duration::from_secs_f64((1.0 / self.per_second.max(1e-4)).min(1e4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_kept_over_any_while_with_its_burst_at_once() {
        let pace = Pace { per_second: 50.0, burst: 10 };
        let (mut beat, mut went) = (Beat::default(), 0);
        let start = Timestamp::from_millis(1_000_000);
        for ms in 0..3000 {
            let now = start + Duration::from_millis(ms);
            while beat.free_at(&pace) <= now {
                beat.take(now, &pace);
                went += 1;
            }
            let most = 10 + ms / 20 + 1;
            assert!(went <= most, "{went} after {ms} ms");
        }
        assert!(went >= 155, "{went} in 3 s");
    }
}
