//! The fallback: who handles events that meet an open breaker, where that was chosen.
//!
//! When a breaker has been open for `after`, what is ready goes to the fallback instead of waiting:
//! degraded service, on the record. Its answers say nothing of the handler and its dependencies: they
//! feed no breaker and no limit, and book nothing. What it cannot do waits as it would have without
//! one, and spends nothing.
//!
//! Invariants: only what the handler may not have now goes there, so that probes go to the handler; a
//! lane still has one event in flight; a redriven event never goes there, since its redrive is the
//! handler's second chance.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{FailureClass, FailureInfo, Outcome, Timestamp, Verdict};

use super::Subscription;
use super::attempts::{Flight, Returned};
use super::breakers::Gate;
use super::dispatch::Route;
use super::endings::{Ending, bounded};
use super::events::{Slot, State};
use super::verdicts::put_off;
use crate::{Action, Fallback, PendingWhy, fingerprint};

/// The reason on the record of an event that the fallback handled.
pub const FALLBACK: &str = "fallback";
/// After a failure it is left alone for so long, twice as long after each in a row, up to the bound.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// So many redriven events are passed over, at most, to find one that is not.
const LOOK_AHEAD: usize = 64;

#[derive(Debug, Default)]
pub(super) struct FallingBack {
    policy: Option<Fallback>,
    /// At the fallback.
    flying: usize,
    /// Failures in a row, and until when it is left alone.
    failed: u32,
    hold_until: Timestamp,
    /// Events that it handled, since the process began.
    handled: u64,
}

impl FallingBack {
    pub(super) fn new(policy: Option<Fallback>) -> FallingBack {
        FallingBack { policy, ..FallingBack::default() }
    }

    pub(super) fn flying(&self) -> usize {
        self.flying
    }

    /// One goes there; no breaker has admitted it.
    pub(super) fn sent(&mut self) -> u64 {
        self.flying += 1;
        0
    }

    /// It is not there any more.
    pub(super) fn landed(&mut self) {
        self.flying -= 1;
    }

    pub(super) fn handled(&self) -> u64 {
        self.handled
    }
}

impl Subscription {
    /// When the fallback begins, or began, to take what is ready; `None` while all breakers are closed.
    pub(super) fn falls_back_at(&self) -> Option<Timestamp> {
        let after = self.falling_back.policy?.after;
        Some((self.breakers.open_since()? + after).max(self.falling_back.hold_until))
    }

    /// Hands what the gate does not let through to the fallback.
    pub(super) fn fall_back(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let at_rest = self.draining || self.paused.is_some() || self.redrives.are_missing() || self.suspects.has_lone();
        if at_rest || self.falls_back_at().is_none_or(|at| at > now) {
            return;
        }
        while self.falling_back.flying < self.policy.concurrency.max.max(1) as usize
            && matches!(self.breakers.gate(now), Gate::Shut)
        {
            self.expire_first(now);
            let next = self.ready.iter().take(LOOK_AHEAD).map(|(.., slot)| *slot);
            let next = next.into_iter().find(|slot| self.events[*slot].detour.redriven.is_none());
            let Some(slot) = next.filter(|slot| self.has_room_for(*slot)) else { return };
            self.hand_out_one(now, slot, Route::Fallback, actions);
        }
    }

    /// The fallback answered.
    pub(super) fn fallback_answered(&mut self, now: Timestamp, flight: Flight, returned: &Returned, verdict: Verdict) {
        let outcome = match verdict {
            Verdict::Ack => Outcome::Completed,
            Verdict::Drop { .. } => Outcome::Dropped,
            other => return self.fallback_failed(now, flight.slot, &other),
        };
        (self.falling_back.failed, self.falling_back.hold_until) = (0, Timestamp::EPOCH);
        self.falling_back.handled += 1;
        let by = if let Verdict::Drop { reason } = verdict { format!(": {reason}") } else { String::new() };
        let message = bounded(format!("handled by the fallback, since a breaker was open{by}"));
        let failure = FailureInfo {
            class: FailureClass::Deferred,
            status: None,
            fingerprint: fingerprint(FailureClass::Deferred, None, FALLBACK),
            message,
            reason: FALLBACK.to_owned(),
            first_failed_at: now,
            last_failed_at: now,
        };
        let event = &mut self.events[flight.slot];
        event.course.counters.attempts += 1;
        // Counts by version tell what it did from what the handler did.
        event.course.last_version = Some(returned.handler_version.clone().unwrap_or_else(|| Arc::from(FALLBACK)));
        let completed = outcome == Outcome::Completed;
        let emitted = if completed { returned.emitted } else { 0 };
        let acked = completed.then_some(returned.attempt);
        self.end(now, flight.slot, Ending { outcome, failure: Some(failure), emitted, acked });
    }

    /// It is put off, at no cost, and so is all that is ready: the handler may be back before.
    fn fallback_failed(&mut self, now: Timestamp, slot: Slot, verdict: &Verdict) {
        let pause = PAUSE_FIRST.saturating_mul(1 << self.falling_back.failed.min(10)).min(PAUSE_MAX);
        self.falling_back.failed += 1;
        let hold_until = now + self.random.extended(pause);
        self.falling_back.hold_until = self.falling_back.hold_until.max(hold_until);
        let why = match verdict {
            Verdict::Failed(failure) => failure.message.clone(),
            Verdict::Retry { message, .. } => message.clone(),
            Verdict::Reject { reason } => reason.clone(),
            _ => "not now".to_owned(),
        };
        self.alarm_rarely(now, "fallback_failed", format!("the fallback failed: {why}; events wait"));
        let again = put_off(format!("the fallback failed: {why}"));
        self.note_failure(now, slot, again.class, None, again.message.clone());
        self.events[slot].course.counters.deferrals += 1;
        if self.events[slot].skip {
            return self.dead(now, slot, "operator");
        }
        self.events[slot].state = State::Queued;
        self.events[slot].detour.why = PendingWhy::Deferred;
        self.events[slot].detour.not_before = now;
        self.say_attempt(now, slot, &again, Some(now));
        // It stays ready: a probe may need it at once.
        self.wait(now, slot, now);
    }
}
