//! Head-of-line blockers: a lane whose first event is long at the handler, or that fills the window
//! with its queue, is parked, so that it holds up itself and nobody else.
//!
//! Parked here means put aside in memory: what waits in the lane counts against the limits of
//! parking instead of the window, and reading goes on. Nothing is journaled for it, since the event is
//! at the handler, and a lane keeps its order as ever. Where a lane is a partition, one that has reached
//! its limit is no longer read, and the others are.
//!
//! Invariants: never two events of a lane at the handler; nothing is done while the window has room.

use std::time::Duration;

use evenkeel_model::{Shard, Timestamp};

use super::Subscription;
use super::lanes::LaneId;

/// Queues are looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A lane with more than this part of the window behind its first is put aside.
const CROWDS_FROM: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Blockers {
    looked: Option<Timestamp>,
    /// When the oldest event at the handler becomes slow, while that matters.
    pub(super) next_at: Option<Timestamp>,
}

impl Subscription {
    /// From where on this partition is read when `next` is what comes next: what ended before a restart
    /// need not be read again. `None`: not now.
    pub fn reads_from(&self, shard: &Shard, next: u64) -> Option<u64> {
        (!self.lanes.is_long(shard)).then(|| self.offsets.undone_from(shard, next))
    }

    /// Puts aside what holds others up.
    pub(super) fn eject_blockers(&mut self, now: Timestamp) {
        self.blockers.next_at = None;
        if self.draining || self.room() > 0 {
            return;
        }
        let slow_after = self.policy.parking.slow_after;
        let slow = self.flights.values().take_while(|flight| flight.since + slow_after <= now);
        let slow: Vec<LaneId> = slow.map(|flight| self.events[flight.slot].lane).collect();
        for lane in slow {
            self.eject(now, lane);
        }
        self.eject_crowds(now);
        if self.room() == 0 {
            let young = self.flights.values().map(|flight| flight.since + slow_after);
            self.blockers.next_at = young.into_iter().find(|at| *at > now);
        }
    }

    /// Lanes at the handler that have much of the window behind them.
    fn eject_crowds(&mut self, now: Timestamp) {
        if self.blockers.looked.is_some_and(|at| now.since(at) < LOOK_EVERY) {
            return;
        }
        self.blockers.looked = Some(now);
        let many = self.policy.window / CROWDS_FROM;
        let lanes = self.flights.values().map(|flight| self.events[flight.slot].lane);
        let crowds: Vec<LaneId> = lanes.filter(|lane| self.lanes[*lane].behind() > many).collect();
        for lane in crowds {
            self.eject(now, lane);
        }
    }

    fn eject(&mut self, now: Timestamp, lane: LaneId) {
        let (behind, head) = (self.lanes[lane].behind(), self.lanes[lane].head());
        let Some(head) = head.filter(|_| behind > 0) else { return };
        if self.lanes.park(lane) {
            let place = self.place(head);
            let why = format!("{place} is at the handler and holds up {behind} events behind it; other keys go on");
            self.alarm_rarely(now, "head_of_line", why);
        }
    }
}
