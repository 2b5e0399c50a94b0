//! Handing out: oldest first, within the limit, through the gate.
//!
//! Invariants: nothing is handed out while paused, draining, held by a shed (probes apart), or behind
//! an open breaker; a probe is an event of a lane that was no probe of this outage yet, as long as there
//! is one; until the breaker closes only such lanes widen it.

use evenkeel_model::{Outcome, Timestamp};

use super::Subscription;
use super::attempts::{Flight, expired};
use super::breakers::Gate;
use super::endings::Ending;
use super::events::{Slot, State};
use crate::{Action, AttemptId, BreakerMark, Dispatch, Fact};

/// How many retries are passed over, at most, to find an event that is new.
const LOOK_AHEAD: usize = 64;

impl Subscription {
    pub(super) fn hand_out(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.draining || self.paused.is_some() || self.redrives.are_missing() {
            return;
        }
        while self.flights.len() < self.limiter.limit() as usize {
            self.expire_first(now);
            let first = self.ready.first().copied();
            match (self.breakers.gate(now), first) {
                (Gate::Shut, _) | (Gate::Free | Gate::Probe, None) => return,
                // A breaker that is not closed paces its probes itself.
                (Gate::Free, _) if self.limiter.hold_until() > now => return,
                (Gate::Widen, None | Some((1.., ..))) => {
                    let closed = self.breakers.close_proven(now);
                    if closed.is_empty() {
                        return;
                    }
                    self.say_breakers(closed);
                }
                (Gate::Free, Some((_, _, first))) => {
                    let slot = self.in_turn(first);
                    self.hand_out_one(now, slot, Gate::Free, actions);
                }
                (gate, Some((_, _, slot))) => self.hand_out_one(now, slot, gate, actions),
            }
        }
    }

    /// Oldest first, but after a retry an event that is new goes before the next retry: it is
    /// the witness that tells poison from an outage, and retries alone would open the breaker.
    fn in_turn(&mut self, first: Slot) -> Slot {
        let is_new = |slot: &Slot| self.events[*slot].counters.deliveries == 0;
        let mut slot = first;
        if self.retried_last && !is_new(&first) {
            let next = self.ready.iter().take(LOOK_AHEAD).map(|(_, _, slot)| *slot);
            slot = next.into_iter().find(is_new).unwrap_or(first);
        }
        self.retried_last = !is_new(&slot);
        slot
    }

    /// What is no longer worth handling is no probe and no witness either.
    fn expire_first(&mut self, now: Timestamp) {
        while let Some((_, _, slot)) = self.ready.first().copied().filter(|(_, _, slot)| self.has_expired(now, *slot)) {
            self.expire(now, slot);
        }
    }

    fn has_expired(&self, now: Timestamp, slot: Slot) -> bool {
        self.events[slot].expires.is_some_and(|at| at <= now)
    }

    fn expire(&mut self, now: Timestamp, slot: Slot) {
        let failure = Some(expired(now, "its expirytime passed before it could be handled".to_owned()));
        self.end(now, slot, Ending { outcome: Outcome::Expired, failure, emitted: 0, acked: None });
    }

    fn hand_out_one(&mut self, now: Timestamp, slot: Slot, gate: Gate, actions: &mut Vec<Action>) {
        if self.has_expired(now, slot) {
            return self.expire(now, slot);
        }
        self.leave_ready(slot);
        let lane = self.events[slot].lane;
        if gate == Gate::Probe {
            self.lanes[lane].probes += 1;
            self.probed.push(lane);
        }
        self.seq += 1;
        self.attempt += 1;
        let attempt = AttemptId(self.attempt);
        let admitted = self.breakers.admit();
        self.flights.insert(attempt, Flight { slot, dispatched: self.seq, admitted });
        let (reading, attempts_max) = (self.age.reading(), self.attempts_max());
        let event = &mut self.events[slot];
        event.ages_from.get_or_insert(reading);
        event.state = State::Flying;
        event.counters.deliveries += 1;
        let tried = event.counters.attempts + u32::try_from(event.unbooked.len()).unwrap_or(u32::MAX);
        actions.push(Action::Dispatch(Dispatch {
            attempt,
            at: event.at.clone(),
            mark: event.redriven.as_ref().map_or(event.mark, |r| r.key(event.mark)),
            number: tried.saturating_add(1).min(attempts_max),
            delivery: event.counters.deliveries,
            timeout: self.policy.timeout,
            letter: event.redriven.as_ref().map(|r| r.letter.clone()),
        }));
    }

    /// Breakers changed: on the record, and told.
    pub(super) fn say_breakers(&mut self, marks: Vec<BreakerMark>) {
        for mark in marks {
            let dependency = &mark.dependency;
            match mark.open_until {
                Some(_) => self.alarm("breaker_open", format!("the breaker of `{dependency}` opened")),
                None => self.alarm("breaker_closed", format!("the breaker of `{dependency}` closed")),
            }
            self.rounds.say(Fact::Breaker(mark));
        }
        if self.breakers.all_closed() {
            self.forget_probes();
        }
    }

    /// The outage is over: oldest first again.
    fn forget_probes(&mut self) {
        for lane in std::mem::take(&mut self.probed) {
            self.lanes[lane].probes = 0;
            if let Some(slot) = self.lanes[lane].head()
                && matches!(self.events[slot].state, State::Ready { rank: 1.. })
            {
                self.leave_ready(slot);
                self.make_ready(slot);
            }
        }
    }
}
