//! An attempt came back: its event ends, or comes again.
//!
//! Here results reach the breakers, the limiter and the counters; when the event comes again is
//! decided in `waiting`. Invariant: each delivery is counted once, as an attempt or a deferral.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::AttemptFailed;
use evenkeel_model::{FailureClass, FailureInfo, Outcome, Timestamp, Verdict};

use super::Subscription;
use super::booking::Unbooked;
use super::breakers::{Accused, Whose};
use super::doubt::End;
use super::endings::{Ending, bounded, micros};
use super::events::Slot;
use super::verdicts::{Again, Meaning, meaning, put_off, spends};
use crate::{AttemptId, Fact, PendingWhy, fingerprint};

/// An attempt at the handler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) slot: Slot,
    /// When it was handed out.
    pub(super) since: Timestamp,
    /// When it was handed out, in the subscription's count of happenings.
    pub(super) dispatched: u64,
    /// The breakers' epoch at that time.
    pub(super) admitted: u64,
    /// It went to the fallback.
    pub(super) fallback: bool,
    /// From where it was taken, if it was there when a breaker opened.
    pub(super) doubted: Option<End>,
}

/// What is at the handler.
pub(super) type Flights = std::collections::BTreeMap<AttemptId, Flight>;

/// What came back with an attempt, beside the verdict.
pub(super) struct Returned {
    pub(super) attempt: AttemptId,
    pub(super) emitted: u32,
    pub(super) handler_version: Option<Arc<str>>,
    pub(super) took: Duration,
}

impl Subscription {
    pub(super) fn finished(&mut self, now: Timestamp, returned: Returned, verdict: Verdict) {
        let Some(flight) = self.land(returned.attempt) else { return };
        let event = &mut self.events[flight.slot];
        event.course.last_took_us = micros(returned.took);
        if returned.handler_version.is_some() {
            event.course.last_version = returned.handler_version.clone();
        }
        if flight.fallback {
            return self.fallback_answered(now, flight, &returned, verdict);
        }
        match meaning(verdict, now, &self.breakers) {
            // The budget is spent: what was under way comes again after the pause.
            Meaning::Ends { outcome: Outcome::Dead, message, .. } if self.deaths.is_spent() => {
                self.come_again(now, flight, put_off(message));
            }
            Meaning::Ends { outcome, status, message } => {
                self.succeeded(now, flight, &returned, outcome, status, message);
            }
            Meaning::Again(again) => self.come_again(now, flight, again),
        }
    }

    /// An attempt is at the handler no more.
    fn land(&mut self, attempt: AttemptId) -> Option<Flight> {
        let flight = self.flights.remove(&attempt)?;
        self.seq += 1;
        match flight.fallback {
            true => self.falling_back.landed(),
            false => self.breakers.returned(flight.admitted),
        }
        if let Some(end) = flight.doubted {
            self.doubt.landed(end);
        }
        self.flying_bytes -= u64::from(self.events[flight.slot].bytes);
        self.note_return(flight.slot);
        Some(flight)
    }

    /// There was nothing to hand over: the event expires, and nobody is accused.
    pub(super) fn gone(&mut self, now: Timestamp, attempt: AttemptId, why: &str) {
        let Some(flight) = self.land(attempt) else { return };
        self.events[flight.slot].course.counters.deferrals += 1;
        let event = &self.events[flight.slot];
        let whose = Whose { serial: event.serial, shard: self.offsets.shard(event.shard()), offset: event.offset };
        if !flight.fallback {
            self.breakers.failed(now, flight.admitted, Accused::NOBODY, whose);
        }
        let failure = Some(expired(now, why.to_owned()));
        self.end(now, flight.slot, Ending { outcome: Outcome::Expired, failure, emitted: 0, acked: None });
    }

    /// The handler decided: whatever it said, it works.
    fn succeeded(
        &mut self,
        now: Timestamp,
        flight: Flight,
        returned: &Returned,
        outcome: Outcome,
        status: Option<u16>,
        message: String,
    ) {
        let slot = flight.slot;
        if let Some(end) = flight.doubted {
            self.doubt.succeeded(end);
        }
        self.events[slot].course.counters.attempts += 1;
        let mut ending = Ending { outcome, failure: None, emitted: 0, acked: None };
        if outcome == Outcome::Completed {
            ending.emitted = returned.emitted;
            ending.acked = Some(returned.attempt);
        } else {
            let reason = if outcome == Outcome::Dead { "rejected" } else { "dropped" }.to_owned();
            let failure = self.note_failure(now, slot, FailureClass::Rejected, status, message);
            ending.failure = Some(FailureInfo { reason, ..failure });
        }
        self.end(now, slot, ending);
        let at_handler = self.at_handler() + 1;
        self.limiter.succeeded(returned.took, at_handler);
        let event = &self.events[slot];
        let whose = Whose { serial: event.serial, shard: self.offsets.shard(event.shard()), offset: event.offset };
        let (closed, opens) = self.breakers.succeeded(now, flight.admitted, returned.took, whose);
        self.say_breakers(closed);
        self.open_breakers(now, opens);
        if outcome != Outcome::Dead {
            self.witness(now, flight.dispatched);
            self.last_success = self.seq;
        }
    }

    fn come_again(&mut self, now: Timestamp, flight: Flight, again: Again) {
        let slot = flight.slot;
        let message = again.message.clone();
        self.note_failure(now, slot, again.class, again.status, message);
        if let Some(end) = flight.doubted.filter(|_| spends(again.class) || again.class == FailureClass::Unreachable) {
            self.doubt.failed(end);
        }
        let over_age = self.aged(slot) >= self.policy.retry.age;
        if let Some(redriven) = &self.events[slot].detour.redriven
            && (spends(again.class) || again.class == FailureClass::Unreachable)
        {
            self.redrives.failed(&redriven.job, &redriven.at);
        }
        let event = &mut self.events[slot];
        event.detour.failed_seq = self.seq;
        event.detour.not_before = again.not_before.unwrap_or(Timestamp::EPOCH);
        event.detour.tries = event.detour.tries.saturating_add(u32::from(again.class != FailureClass::Deferred));
        let undecided = over_age && self.nobody_can_tell(slot, &again);
        self.spend(now, flight, &again, over_age, undecided);
        self.accuse(now, flight, &again);
        if again.class == FailureClass::Overload {
            let Subscription { limiter, random, .. } = self;
            limiter.overloaded(now, random);
        }
        self.warn(now, &again);
        self.settle_failed(now, slot, &again, undecided);
    }

    /// True when its handler wants it back at a time at which its age is used up.
    fn waits_too_long(&self, now: Timestamp, slot: Slot, again: &Again) -> bool {
        again.not_before.is_some_and(|at| self.aged(slot) + at.since(now) > self.policy.retry.age)
    }

    /// True when the event's age is used up and no other event told outage from poison since
    /// its failure before this one.
    fn nobody_can_tell(&self, slot: Slot, again: &Again) -> bool {
        let unwitnessed = !self.events[slot].detour.unbooked.is_empty();
        again.class == FailureClass::Unreachable || spends(again.class) && unwitnessed
    }

    fn spend(&mut self, now: Timestamp, flight: Flight, again: &Again, over_age: bool, undecided: bool) {
        let slot = flight.slot;
        let room = self.events[slot].course.counters.attempts < self.attempts_max();
        // While any of them is not closed this was a probe, or as good: it may have failed of that.
        let closed = self.breakers.all_closed() && self.breakers.stayed_closed(again.accused, flight.admitted);
        let undecided = undecided || self.events[slot].detour.why == PendingWhy::Undecided;
        if undecided {
            self.drop_unbooked(slot);
        }
        if spends(again.class) && room && closed && !undecided {
            let window_ends = now + self.breakers.window(again.accused);
            let over_age =
                over_age && self.events[slot].course.counters.attempts > 0 || self.waits_too_long(now, slot, again);
            let attempt = Unbooked { seq: self.seq, accused: again.accused, window_ends, over_age };
            self.provisional(slot, attempt);
        } else {
            self.events[slot].course.counters.deferrals += 1;
        }
    }

    fn accuse(&mut self, now: Timestamp, flight: Flight, again: &Again) {
        let event = &self.events[flight.slot];
        let whose = Whose { serial: event.serial, shard: self.offsets.shard(event.shard()), offset: event.offset };
        let mut opened = self.breakers.failed(now, flight.admitted, again.accused, whose);
        if again.opens != Accused::NOBODY {
            opened = again.opens;
        }
        self.open_breakers(now, opened);
    }

    fn warn(&mut self, now: Timestamp, again: &Again) {
        match again.class {
            FailureClass::Gone if self.paused.is_none() => {
                let why = format!("the endpoint is gone (410): {}", again.message);
                self.alarm("endpoint_gone", why.clone());
                self.pause(why);
            }
            FailureClass::Refused => {
                let status = again.status.map_or_else(String::new, |s| format!(" ({s})"));
                self.alarm_rarely(now, "endpoint_refuses", format!("the endpoint refuses{status}: {}", again.message));
            }
            _ => {}
        }
    }

    pub(super) fn say_attempt(&mut self, now: Timestamp, slot: Slot, again: &Again, next_at: Option<Timestamp>) {
        let event = &self.events[slot];
        let (fingerprint, message) = match event.detour.failure.as_deref() {
            Some(failure) => (failure.fingerprint.clone(), failure.message.clone()),
            None => (String::new(), String::new()),
        };
        let entry = AttemptFailed {
            offset: event.offset,
            delivery: event.course.deliveries(),
            at: now,
            took_us: event.course.last_took_us,
            class: again.class,
            status: again.status,
            fingerprint,
            message,
            next_at,
        };
        let fact = Fact::Attempt { shard: self.shard_of(slot).clone(), entry };
        self.rounds.say(fact);
    }

    pub(super) fn note_failure(
        &mut self,
        now: Timestamp,
        slot: Slot,
        class: FailureClass,
        status: Option<u16>,
        message: String,
    ) -> FailureInfo {
        let event = &mut self.events[slot];
        let message = bounded(message);
        let first_failed_at = event.detour.failure.as_ref().map_or(now, |f| f.first_failed_at);
        let failure = FailureInfo {
            class,
            status,
            fingerprint: fingerprint(class, status, &message),
            message,
            reason: String::new(),
            first_failed_at,
            last_failed_at: now,
        };
        event.detour.failure = Some(Box::new(failure.clone()));
        failure
    }
}

/// Why an event ends without having been handled, though nobody decided so.
pub(super) fn expired(now: Timestamp, why: String) -> FailureInfo {
    FailureInfo { message: bounded(why), ..failure_info(now, "expired") }
}

/// A failure that no attempt told.
pub(super) fn failure_info(now: Timestamp, reason: &str) -> FailureInfo {
    let class = FailureClass::Deferred;
    FailureInfo {
        class,
        status: None,
        fingerprint: fingerprint(class, None, reason),
        message: String::new(),
        reason: reason.to_owned(),
        first_failed_at: now,
        last_failed_at: now,
    }
}
