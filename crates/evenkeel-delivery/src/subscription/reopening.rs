//! A dead event is open again: it goes back into its lane, before those that came after it.
//!
//! Events of its key that ended since cannot be undone; those that are still to come wait for it.
//! Its counters begin anew, its identity stays, and it is never overdue: its objective counted it
//! when it died. Invariants: it passes no event that came before it, and none that came after it
//! and is still to come passes it; its place among the offsets is not touched, since progress
//! passed it when it died.

use evenkeel_model::ledger::Ended;
use evenkeel_model::{Outcome, Timestamp};

use super::Subscription;
use super::events::{Slot, State};
use super::rounds::End;
use crate::{Arrival, Counters, Fact, Pending, Redriven, Screen};

impl Subscription {
    /// The round that says so is durable.
    pub(super) fn reopen(&mut self, now: Timestamp, redriven: Redriven, mut arrival: Arrival) {
        let Some(shard) = self.offsets.find(&arrival.at.shard) else { return };
        arrival.screen = Screen::Wanted;
        let mark = arrival.mark;
        if let Some(first) = self.marks.find(&mark, &self.events) {
            // Sent again beyond the inbox's time, and open: that one's outcome is this one's.
            let lane = self.events[first].lane;
            let twin = self.open(arrival, shard, lane, State::Twin);
            self.events[twin].detour.redriven = Some(Box::new(redriven));
            self.events[first].detour.twins.push(twin);
            self.lanes.push_twin(lane);
            return;
        }
        let lane = self.lanes.of(&arrival);
        let slot = self.open(arrival, shard, lane, State::Queued);
        self.events[slot].detour.redriven = Some(Box::new(redriven));
        self.marks.insert(&mark, slot);
        match self.lanes[lane].head() {
            Some(head) if self.is_busy(head) || !self.precedes(slot, head) => {
                let place = self.lanes[lane].waiting().position(|other| self.precedes(slot, other));
                self.lanes.insert(lane, place, slot);
            }
            Some(head) => {
                self.step_back(now, head);
                self.lanes.lead(lane, slot);
                self.come_first(now, slot);
            }
            None => {
                self.lanes.push(lane, slot);
                self.come_first(now, slot);
            }
        }
    }

    /// An event that was open when the process ended; it is on the record already.
    pub(super) fn take_up_again(&mut self, now: Timestamp, redriven: Redriven, arrival: Option<Arrival>) {
        match arrival {
            Some(arrival) => self.reopen(now, redriven, arrival),
            None => self.end_gone(now, &redriven),
        }
    }

    /// Nothing is left of it, neither its record nor its letter.
    fn end_gone(&mut self, now: Timestamp, redriven: &Redriven) {
        let Some(shard) = self.offsets.find(&redriven.at.shard) else { return };
        self.restored.remove(&redriven.at);
        self.suspects.forget(&redriven.at);
        let failure = super::attempts::expired(now, "its record and its dead letter are gone".to_owned());
        let entry = Ended { failure: Some(failure), ..Ended::unhandled(redriven.at.offset, Outcome::Expired, now) };
        let job = Some((redriven.job.clone(), Outcome::Expired));
        let end = End { shard, offset: entry.offset, head: None, acked: None, records: 0, redriven: job };
        self.rounds.say_end(Fact::Ended { shard: redriven.at.shard.clone(), mark: None, entry }, end);
    }

    fn is_busy(&self, slot: Slot) -> bool {
        matches!(self.events[slot].state, State::Flying | State::Ending)
    }

    /// Whether a redriven event goes before another one of its lane.
    fn precedes(&self, redriven: Slot, other: Slot) -> bool {
        let (redriven, other) = (&self.events[redriven], &self.events[other]);
        // In another partition nothing orders them but that this one was read, and died, before.
        redriven.shard != other.shard || redriven.offset < other.offset
    }

    /// The first of a lane makes room for one that came before it; it comes back as it is.
    fn step_back(&mut self, now: Timestamp, slot: Slot) {
        self.drop_unbooked(slot);
        self.stop_waiting(slot);
        self.leave_ready(slot);
        self.held.remove(&slot);
        self.undecided.remove(&slot);
        self.stop_ageing(slot);
        self.events[slot].state = State::Queued;
        let event = &self.events[slot];
        if event.course.counters == Counters::default() {
            return;
        }
        let pending = Pending {
            at: self.position(slot),
            key: self.key_of(slot).cloned(),
            counters: event.course.counters,
            next_at: event.detour.next_at.max(now),
            why: event.detour.why,
            overdue: event.overdue,
            failure: event.detour.failure.as_deref().cloned(),
        };
        self.restored.insert(pending.at.clone(), pending);
    }
}
