//! Provisional attempts: a failed attempt is booked on its event only with a witness.
//!
//! A failure says either "this event is poison" or "the dependency is down". The witness is
//! another event that was handed out after the failure, and before this event's next try, and
//! succeeded: then the dependency worked, and the attempt is booked. A success that was under
//! way already when the attempt failed is a weaker witness; it books when the breaker has stayed
//! closed for its window since. When the breaker opens, or the node dies, or a later failure has
//! the nearer witness, the attempt becomes a deferral. So an outage books at most the one attempt at its end, and
//! poison amid healthy traffic is booked once per try. One witness books at most one attempt of
//! an event.
//!
//! Each entry is visited once by a success: the cost of booking is paid by the failures.

use evenkeel_model::Timestamp;

use super::Subscription;
use super::breakers::Accused;
use super::events::Slot;
use super::timers::Timer;

/// A failed attempt that is not booked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unbooked {
    /// When it failed, in the subscription's count of happenings.
    pub(super) seq: u64,
    /// Whom it accused.
    pub(super) accused: Accused,
    /// When the breaker's window since the failure ends.
    pub(super) window_ends: Timestamp,
    /// True when the event's age was used up: booked, it ends the event.
    pub(super) over_age: bool,
}

impl Subscription {
    pub(super) fn provisional(&mut self, slot: Slot, attempt: Unbooked) {
        self.events[slot].detour.unbooked.push(attempt);
        self.unbooked.insert(attempt.seq, slot);
        self.timers.set(attempt.window_ends, Timer::Booking(attempt.seq));
        let beyond = self.events[slot].detour.unbooked.len().saturating_sub(self.attempts_max() as usize);
        self.defer_oldest(slot, beyond);
    }

    /// The oldest `count` provisional attempts of an event become deferrals.
    fn defer_oldest(&mut self, slot: Slot, count: usize) {
        if count == 0 {
            return;
        }
        let event = &mut self.events[slot];
        let gone: Vec<Unbooked> = event.detour.unbooked.drain(..count).collect();
        event.course.counters.deferrals += u32::try_from(count).unwrap_or(u32::MAX);
        for attempt in gone {
            self.unbooked.remove(&attempt.seq);
            self.timers.clear(attempt.window_ends, Timer::Booking(attempt.seq));
        }
    }

    /// All provisional attempts of an event become deferrals.
    pub(super) fn drop_unbooked(&mut self, slot: Slot) {
        self.defer_oldest(slot, self.events[slot].detour.unbooked.len());
    }

    /// Another event succeeded that was handed out at `dispatched`.
    pub(super) fn witness(&mut self, now: Timestamp, dispatched: u64) {
        while let Some((_, slot)) = self.unbooked.range(..dispatched).next().map(|(s, e)| (*s, *e)) {
            let held_off = self.used_all(slot);
            let before = self.events[slot].detour.unbooked.iter().take_while(|a| a.seq < dispatched).count();
            self.defer_oldest(slot, before - 1);
            self.book_oldest(now, slot);
            if held_off {
                self.wait_as_usual(now, slot);
            }
        }
        self.wake_undecided(now, dispatched);
        self.witnesses = 0;
    }

    fn book_oldest(&mut self, now: Timestamp, slot: Slot) {
        let attempt = self.events[slot].detour.unbooked.remove(0);
        self.unbooked.remove(&attempt.seq);
        self.timers.clear(attempt.window_ends, Timer::Booking(attempt.seq));
        self.events[slot].course.counters.attempts += 1;
        self.judge(now, slot, attempt.over_age);
    }

    /// The breaker's window since that failure is over.
    pub(super) fn booking_due(&mut self, now: Timestamp, seq: u64) {
        let Some(slot) = self.unbooked.get(&seq).copied() else { return };
        let before = self.events[slot].detour.unbooked.iter().take_while(|a| a.seq < seq).count();
        self.defer_oldest(slot, before);
        if self.last_success > seq {
            self.book_oldest(now, slot);
        }
    }

    /// Breakers opened: what accused them was the outage.
    pub(super) fn defer_accusers(&mut self, now: Timestamp, opened: Accused) {
        let mut slots: Vec<Slot> = self.unbooked.values().copied().collect();
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            if self.events[slot].detour.unbooked.iter().any(|a| a.accused.meets(opened)) {
                self.drop_unbooked(slot);
                self.events[slot].detour.tries = self.events[slot].course.counters.attempts;
                self.retry_sooner(now, slot);
            }
        }
    }
}
