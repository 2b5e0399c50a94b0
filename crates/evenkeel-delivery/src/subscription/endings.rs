//! An event gets its outcome: the one place where `Ended` is said of what was in a lane.
//!
//! Invariant: each event passes here once; its twins end right after it, in the same round.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::ledger::Ended;
use evenkeel_model::{FailureInfo, Outcome, Timestamp};

use super::Subscription;
use super::events::{Slot, State};
use super::rounds::End;
use super::timers::Timer;
use crate::{AttemptId, FALLBACK, Fact, Mark};

/// The longest message that is kept of a failure, in bytes.
const MESSAGE_MAX: usize = 1024;

/// Why and how an event ends.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    pub(super) failure: Option<FailureInfo>,
    pub(super) emitted: u32,
    /// The attempt whose returned events go along.
    pub(super) acked: Option<AttemptId>,
}

impl Subscription {
    pub(super) fn end(&mut self, now: Timestamp, slot: Slot, ending: Ending) {
        self.stop_timers(slot);
        self.drop_unbooked(slot);
        self.undecided.remove(&slot);
        self.held.remove(&slot);
        self.leave_ready(slot);
        self.leave_unpaid(slot);
        self.count_death(now, slot, &ending);
        if self.events[slot].detour.redriven.is_some() {
            self.redrives.ended(&self.position(slot));
        }
        if ending.outcome == Outcome::Completed {
            self.note_version(slot);
        }
        self.events.end(slot);
        self.suspects.spare(slot);
        let event = &mut self.events[slot];
        let mark = event.mark;
        let twins = if event.detour.twins.is_empty() { Vec::new() } else { std::mem::take(&mut event.detour.twins) };
        // What expired was never handled: the same event, sent again in time, is no duplicate.
        let remembers = !self.policy.inbox.is_zero() && ending.outcome != Outcome::Expired;
        let remembered = remembers.then_some(mark);
        self.say_ended(now, slot, Some(slot), remembered, ending);
        self.marks.remove(&mark, slot);
        if remembered.is_some() {
            self.inbox.remember(mark, now);
        }
        self.end_twins(now, twins);
    }

    fn end_twins(&mut self, now: Timestamp, twins: Vec<Slot>) {
        for twin in twins {
            let ending = Ending { outcome: Outcome::Duplicate, failure: None, emitted: 0, acked: None };
            self.say_ended(now, twin, None, None, ending);
            let at = self.position(twin);
            if let Some(event) = self.events.remove(twin) {
                self.restored.remove(&at);
                self.suspects.forget(&at);
                self.lanes.drop_twin(event.lane);
            }
        }
    }

    fn say_ended(&mut self, now: Timestamp, slot: Slot, head: Option<Slot>, mark: Option<Mark>, ending: Ending) {
        let event = &self.events[slot];
        let asked = event.course.counters.deliveries > 0;
        let version = event.course.last_version.clone().unwrap_or_else(|| self.policy.handler_version.clone());
        let entry = Ended {
            offset: event.offset,
            outcome: ending.outcome,
            kind: event.label.kind().clone(),
            source: event.label.source().clone(),
            handler_version: if asked { version } else { Arc::from("") },
            at: now,
            created_to_ended_us: micros(now.since(event.created)),
            handler_us: event.course.last_took_us,
            created_believed: event.believed,
            overdue: event.overdue,
            attempts: event.course.counters.attempts,
            deliveries: event.course.deliveries(),
            deferrals: event.course.counters.deferrals,
            crashes: event.course.counters.crashes,
            emitted: ending.emitted,
            failure: ending.failure,
        };
        let records = u64::from(entry.emitted) + u64::from(entry.outcome == Outcome::Dead || fell_back(&entry));
        let redriven = event.detour.redriven.as_ref().map(|r| (r.job.clone(), entry.outcome));
        let end = End { shard: event.shard(), offset: entry.offset, head, acked: ending.acked, records, redriven };
        let fact = Fact::Ended { shard: self.shard_of(slot).clone(), mark, entry };
        self.rounds.say_end(fact, end);
    }

    /// Dead-letters an event for what failed it last.
    pub(super) fn dead(&mut self, now: Timestamp, slot: Slot, reason: &str) {
        let failure = self.events[slot].detour.failure.as_deref().cloned();
        let failure = failure.map(|f| FailureInfo { reason: reason.to_owned(), ..f });
        let failure = failure.unwrap_or_else(|| super::attempts::failure_info(now, reason));
        self.end(now, slot, Ending { outcome: Outcome::Dead, failure: Some(failure), emitted: 0, acked: None });
    }

    pub(super) fn stop_timers(&mut self, slot: Slot) {
        self.stop_waiting(slot);
        // Of an event that is never overdue none was set.
        if let Some((at, _)) = self.next_overdue(slot) {
            self.timers.clear(at, Timer::Overdue(slot));
        }
    }

    pub(super) fn stop_waiting(&mut self, slot: Slot) {
        if self.events[slot].state == State::Waiting {
            self.timers.clear(self.events[slot].detour.next_at, Timer::Retry(slot));
        }
    }
}

/// True when it was the fallback's.
fn fell_back(entry: &Ended) -> bool {
    entry.failure.as_ref().is_some_and(|failure| failure.reason == FALLBACK)
}

pub(super) fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

/// The message, cut to what is kept.
pub(super) fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE_MAX {
        let end = (0..=MESSAGE_MAX).rev().find(|i| message.is_char_boundary(*i)).unwrap_or(0);
        message.truncate(end);
    }
    message
}
