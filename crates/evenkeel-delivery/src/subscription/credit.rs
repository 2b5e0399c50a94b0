//! Credit: how many more events may be read.
//!
//! The window bounds what is read and waits; the limits of parking stop reading until they are
//! at 80 % again. Both give way a little when they would keep an outage going: poison that fills
//! the parking, or the window behind an open breaker, leaves nobody to succeed, so that nobody
//! could tell it from an outage. After each such failure a few events may be read: witnesses, and
//! others to probe with.

use super::Subscription;

/// How many events may be read beyond a limit after a failed attempt.
pub(super) const WITNESSES: usize = 8;
/// Behind an open breaker a window smaller than this may be full of poison: then so many are read after the first
/// probe that failed, and twice as many after each of the next.
const FEW: usize = 1024;
const PROBES: usize = 64;
const PROBES_DOUBLINGS: usize = 4;
/// How far the window gives way in all: events without their bytes, so a megabyte or two.
const BEYOND_WINDOW: usize = 4096;

impl Subscription {
    /// How many more events may be read now; 0 stops reading. At a limit of parking it is 0, but
    /// for a few after each failure of which nobody can tell yet whose fault it was.
    pub fn credit(&self) -> usize {
        let (waiting, room) = (self.waiting(), self.room());
        if self.draining {
            return 0;
        }
        if !self.lanes.are_full() && room > 0 {
            return room;
        }
        let beyond = if self.needs_others() { BEYOND_WINDOW } else { 0 };
        self.policy.window.saturating_add(beyond).saturating_sub(waiting).min(self.witnesses)
    }

    /// How many events may be at the handler now, as the adaptive limit has it.
    pub fn concurrency(&self) -> u32 {
        self.limiter.limit()
    }

    /// True when the handler could soon be given more than there is at hand: then every event
    /// that may be read is worth a read. While it is false a reader may wait for more credit.
    pub fn is_hungry(&self) -> bool {
        // While a breaker is not closed, what is at hand may all have been probes: others are wanted.
        let enough = self.ready.len() + self.suspects.unsaid.len() >= self.limiter.limit() as usize;
        !enough || !self.breakers.all_closed()
    }

    /// How many others may be read after a failure.
    pub(super) fn witnesses_wanted(&self) -> usize {
        match self.is_short() {
            true => PROBES << self.probed.len().min(PROBES_DOUBLINGS),
            false => WITNESSES,
        }
    }

    /// True when a breaker is open, and what is at hand may be too little to have anybody who could close it.
    fn is_short(&self) -> bool {
        let small = self.policy.window < FEW && self.waiting() < FEW && !self.lanes.are_full();
        small && !self.breakers.all_closed()
    }

    /// What was read and has not ended, parked ones apart.
    fn waiting(&self) -> usize {
        self.events.len().saturating_sub(self.lanes.parked_events()) + self.rounds.others()
    }

    /// How much room the window has.
    pub(super) fn room(&self) -> usize {
        self.policy.window.saturating_sub(self.waiting())
    }

    /// True when whose fault it is hangs on others than the events at hand: every one of them
    /// was a probe before, or waits for a witness, or is held in doubt; or they are few.
    fn needs_others(&self) -> bool {
        let nobody_new = self.line_is_stale();
        let suspects_only = self.flights.is_empty() && !self.unbooked.is_empty();
        nobody_new && (suspects_only || !self.breakers.all_closed()) || self.doubt.holds() || self.is_short()
    }
}
