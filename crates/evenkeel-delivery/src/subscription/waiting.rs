//! A failed event waits: for how long, in memory or parked, or for an operator.
//!
//! Invariants: never earlier than the handler's wish; a delay of `inline` or more parks the lane
//! durably; nothing here spends an attempt; an event dies of its attempts or its age only when
//! they are booked.
//!
//! An event that has used all its tries without their being booked is tried on, once per open
//! interval of the breaker, until a witness books, which may end it or gives it tries again. When its age is used up and
//! still nobody else succeeded, it is `undecided`: parked with an alarm, tried rarely (once per
//! `retry.max`), and at once when another event succeeds.

use std::time::Duration;

use evenkeel_model::{FailureClass, Timestamp};

use super::Subscription;
use super::events::{Slot, State};
use super::suspects::Opening;
use super::timers::Timer;
use super::verdicts::{Again, spends};
use crate::{Exhausted, Fact, Pending, PendingWhy};

impl Subscription {
    /// An attempt failed, and all that it accuses was told: the event's next step.
    pub(super) fn settle_failed(&mut self, now: Timestamp, slot: Slot, again: &Again, undecided: bool) {
        self.take_next_step(now, slot, again, undecided);
        let whose_fault = spends(again.class) || again.class == FailureClass::Unreachable;
        if whose_fault || !self.breakers.all_closed() {
            self.witnesses = self.witnesses_wanted();
        }
    }

    fn take_next_step(&mut self, now: Timestamp, slot: Slot, again: &Again, undecided: bool) {
        self.events[slot].state = State::Queued;
        if again.class == FailureClass::Overload {
            self.stop_ageing(slot);
        }
        if self.events[slot].skip {
            self.say_attempt(now, slot, again, None);
            return self.dead(now, slot, "operator");
        }
        if self.events[slot].course.counters.attempts >= self.policy.retry.attempts.max(1) {
            self.say_attempt(now, slot, again, None);
            return self.exhausted(now, slot);
        }
        if undecided || self.events[slot].detour.why == PendingWhy::Undecided {
            return self.leave_undecided(now, slot, again);
        }
        self.events[slot].detour.why = why(again.class);
        let next_at = self.next_try(now, slot, again);
        let known = self.gate_is_open().then_some(next_at);
        self.say_attempt(now, slot, again, known);
        self.wait(now, slot, next_at);
    }

    fn next_try(&mut self, now: Timestamp, slot: Slot, again: &Again) -> Timestamp {
        let not_before = again.not_before.unwrap_or(now).max(now);
        let exactly = again.exactly && not_before > now;
        if exactly || !self.gate_is_open() {
            return not_before;
        }
        not_before.max(now + self.delay(slot, again))
    }

    fn delay(&mut self, slot: Slot, again: &Again) -> Duration {
        let event = &self.events[slot];
        let open = self.breakers.open_time(again.accused);
        if !spends(again.class) {
            let bound = self.policy.retry.bound(event.detour.tries).min(open);
            return self.random.up_to(bound);
        }
        if self.used_all(slot) {
            return self.random.extended(open);
        }
        self.policy.retry.draw(event.detour.tries, &mut self.random)
    }

    fn gate_is_open(&self) -> bool {
        self.breakers.all_closed() && self.paused.is_none()
    }

    /// Waits until `next_at`: in memory when that is soon, else parked.
    pub(super) fn wait(&mut self, now: Timestamp, slot: Slot, next_at: Timestamp) {
        self.events[slot].detour.next_at = next_at;
        let lane = self.events[slot].lane;
        // That a suspect came back is on record at once.
        let alone = self.events[slot].opening == Opening::Alone;
        if alone || next_at.since(now) >= self.policy.retry.inline && next_at > now {
            self.lanes.park(lane);
        }
        self.say_pending(slot);
        self.wait_or_ready(now, slot);
    }

    fn wait_or_ready(&mut self, now: Timestamp, slot: Slot) {
        let next_at = self.events[slot].detour.next_at;
        if next_at > now {
            self.events[slot].state = State::Waiting;
            self.timers.set(next_at, Timer::Retry(slot));
        } else {
            self.make_ready(slot);
        }
    }

    /// The carried state of an event in a parked lane; in memory there is nothing to carry.
    pub(super) fn say_pending(&mut self, slot: Slot) {
        let event = &self.events[slot];
        if !self.lanes[event.lane].is_parked() {
            return;
        }
        let mut counters = event.course.counters;
        counters.aged = self.aged(slot);
        counters.deferrals += u32::try_from(event.detour.unbooked.len()).unwrap_or(u32::MAX);
        let pending = Pending {
            at: self.position(slot),
            key: self.key_of(slot).cloned(),
            counters,
            next_at: event.detour.next_at,
            why: event.detour.why,
            overdue: event.overdue,
            failure: event.detour.failure.as_deref().cloned(),
        };
        self.rounds.say(Fact::Pending(pending));
        self.note_carried(slot);
    }

    pub(super) fn aged(&self, slot: Slot) -> Duration {
        let event = &self.events[slot];
        let since = event.course.ages_from.map_or(Duration::ZERO, |from| self.age.reading().saturating_sub(from));
        event.course.counters.aged + since
    }

    pub(super) fn stop_ageing(&mut self, slot: Slot) {
        self.events[slot].course.counters.aged = self.aged(slot);
        self.events[slot].course.ages_from = None;
    }

    /// An attempt was booked: is this the end?
    pub(super) fn judge(&mut self, now: Timestamp, slot: Slot, over_age: bool) {
        if matches!(self.events[slot].state, State::Flying | State::Ending) {
            return;
        }
        if self.events[slot].course.counters.attempts >= self.policy.retry.attempts.max(1) {
            self.exhausted(now, slot);
        } else if over_age {
            self.dead(now, slot, "max_age");
        } else {
            self.say_pending(slot);
        }
    }

    fn exhausted(&mut self, now: Timestamp, slot: Slot) {
        let place = self.place(slot);
        match self.policy.when_exhausted {
            Exhausted::Skip => self.dead(now, slot, "attempts_exhausted"),
            Exhausted::ParkKey => {
                self.hold(now, slot);
                self.alarm("attempts_exhausted", format!("the attempts of {place} ran out; its key stays parked"));
            }
            Exhausted::Pause => {
                self.hold(now, slot);
                let why = format!("the attempts of {place} ran out");
                self.alarm("attempts_exhausted", format!("{why}; the subscription is paused"));
                self.pause(why);
            }
        }
    }

    /// Keeps the event's place until an operator acts.
    fn hold(&mut self, now: Timestamp, slot: Slot) {
        self.stop_waiting(slot);
        self.leave_ready(slot);
        self.leave_unpaid(slot);
        self.drop_unbooked(slot);
        self.undecided.remove(&slot);
        self.stop_ageing(slot);
        self.held.insert(slot);
        let event = &mut self.events[slot];
        event.state = State::Held;
        event.detour.why = PendingWhy::Exhausted;
        event.detour.next_at = now;
        let lane = event.lane;
        self.lanes.park(lane);
        self.say_pending(slot);
    }

    fn leave_undecided(&mut self, now: Timestamp, slot: Slot, again: &Again) {
        if self.undecided.insert(slot) {
            let place = self.place(slot);
            let text = format!("nobody can tell whether {place} or its handler is at fault; it stays parked");
            self.alarm("undecided", text);
        }
        let rarely = self.policy.retry.max.max(self.breakers.open_time(again.accused));
        let next_at = (now + self.random.extended(rarely)).max(self.events[slot].detour.not_before);
        let event = &mut self.events[slot];
        event.detour.why = PendingWhy::Undecided;
        let lane = event.lane;
        self.lanes.park(lane);
        self.say_attempt(now, slot, again, Some(next_at));
        self.wait(now, slot, next_at);
    }

    /// True when all tries are used, booked or not.
    pub(super) fn used_all(&self, slot: Slot) -> bool {
        let event = &self.events[slot];
        event.course.counters.attempts as usize + event.detour.unbooked.len() >= self.attempts_max() as usize
    }

    /// A witness told that there is no outage: an event that was tried once per open interval, for want of one,
    /// has tries again, and waits no longer than between any two of them.
    pub(super) fn wait_as_usual(&mut self, now: Timestamp, slot: Slot) {
        let event = &self.events[slot];
        if event.state != State::Waiting || event.detour.why != PendingWhy::Retry {
            return;
        }
        let drawn = now + self.policy.retry.draw(event.detour.tries, &mut self.random);
        let next_at = drawn.max(event.detour.not_before);
        if next_at < event.detour.next_at {
            self.stop_waiting(slot);
            self.events[slot].detour.next_at = next_at;
            self.wait_or_ready(now, slot);
            self.say_pending(slot);
        }
    }

    /// Another event succeeded: whatever it was, it may be over.
    pub(super) fn wake_undecided(&mut self, now: Timestamp, dispatched: u64) {
        if self.undecided.is_empty() {
            return;
        }
        let woken: Vec<Slot> =
            self.undecided.iter().copied().filter(|s| self.events[*s].detour.failed_seq < dispatched).collect();
        for slot in woken {
            if self.events[slot].state == State::Waiting {
                self.undecided.remove(&slot);
                self.events[slot].detour.why = PendingWhy::Retry;
                self.retry_sooner(now, slot);
                self.say_pending(slot);
            }
        }
    }

    /// Tries a waiting event as soon as the handler's wish allows.
    pub(super) fn retry_sooner(&mut self, now: Timestamp, slot: Slot) {
        let event = &self.events[slot];
        if event.state != State::Waiting || event.detour.why == PendingWhy::Deferred {
            return;
        }
        self.stop_waiting(slot);
        let event = &mut self.events[slot];
        event.detour.next_at = event.detour.not_before.max(now);
        self.wait_or_ready(now, slot);
    }

    /// The journal's state of an event that comes first in its lane after a restart.
    pub(super) fn take_up(&mut self, now: Timestamp, slot: Slot, pending: Pending, crashes: Option<u32>) {
        let event = &mut self.events[slot];
        event.course.counters = pending.counters;
        event.detour.tries = pending.counters.attempts;
        event.detour.failure = pending.failure.map(Box::new);
        event.detour.why = pending.why;
        event.detour.next_at = pending.next_at;
        event.course.ages_from = (pending.why == PendingWhy::Retry).then_some(self.age.reading());
        if pending.why == PendingWhy::Deferred {
            event.detour.not_before = pending.next_at;
        }
        let lane = event.lane;
        self.lanes.park(lane);
        if self.suspect(now, slot, crashes) {
            return;
        }
        match pending.why {
            PendingWhy::Exhausted => {
                self.events[slot].state = State::Held;
                self.held.insert(slot);
            }
            PendingWhy::Undecided => {
                self.undecided.insert(slot);
                self.wait_or_ready(now, slot);
            }
            PendingWhy::Retry | PendingWhy::Deferred => self.wait_or_ready(now, slot),
        }
    }

    pub(super) fn place(&self, slot: Slot) -> String {
        let (shard, offset) = (self.shard_of(slot), self.events[slot].offset);
        format!("{}/{}@{offset}", shard.topic, shard.partition)
    }
}

fn why(class: FailureClass) -> PendingWhy {
    match class {
        FailureClass::Deferred | FailureClass::Overload => PendingWhy::Deferred,
        _ => PendingWhy::Retry,
    }
}
