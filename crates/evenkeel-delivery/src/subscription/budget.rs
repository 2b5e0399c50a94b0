//! Two purses: how many retries may go out beside first tries, and how many events at all.
//!
//! Retries can't become the outage: each first try puts a share of a retry into the purse, and
//! time adds a few, so that a quiet topic retries too. A retry that the purse cannot pay waits,
//! spends nothing and does not age. A rate is the same purse, filled by time alone.
//!
//! Invariant: a purse never holds more than its size, and never less than nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use evenkeel_model::{FailureClass, Timestamp};

use super::Subscription;
use super::events::{Slot, State};
use crate::{Rate, RetryBudget};

/// Tokens that come with time, up to a size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purse {
    per_second: f64,
    size: f64,
    tokens: f64,
    at: Timestamp,
}

impl Purse {
    pub(super) fn of(rate: Rate) -> Purse {
        let size = f64::from(rate.burst.max(1));
        Purse { per_second: rate.per_second, size, tokens: size, at: Timestamp::EPOCH }
    }

    fn fill(&mut self, now: Timestamp) {
        if now > self.at {
            let earned = now.since(self.at).as_secs_f64() * self.per_second;
            self.tokens = (self.tokens + earned).min(self.size);
            self.at = now;
        }
    }

    pub(super) fn has_one(&mut self, now: Timestamp) -> bool {
        self.fill(now);
        // A millionth is what rounding may cost: a wake-up at the right time must find it there.
        self.tokens >= 1.0 - 1e-6
    }

    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let there = self.has_one(now);
        if there {
            self.tokens = (self.tokens - 1.0).max(0.0);
        }
        there
    }

    fn add(&mut self, tokens: f64) {
        self.tokens = (self.tokens + tokens).min(self.size);
    }

    /// When the next token is there, if none is.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        let missing = 1.0 - self.tokens;
        if missing <= 1e-6 || self.per_second <= 0.0 {
            return None;
        }
        Some(self.at + Duration::from_secs_f64((missing / self.per_second).min(3600.0)) + Duration::from_micros(1))
    }
}

/// The retry budget, and who waits for it.
#[derive(Debug)]
pub(super) struct Budget {
    share: f64,
    purse: Purse,
    /// By their age: the oldest first.
    waiting: BTreeSet<(u64, Slot)>,
}

impl Budget {
    pub(super) fn new(budget: RetryBudget) -> Budget {
        let burst = (budget.min_per_second * 10.0).clamp(10.0, 10_000.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "10 to 10,000")]
        let rate = Rate { per_second: budget.min_per_second.max(0.0), burst: burst as u32 };
        Budget { share: budget.share, purse: Purse::of(rate), waiting: BTreeSet::new() }
    }

    pub(super) fn first_try(&mut self) {
        self.purse.add(self.share);
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        if self.waiting.is_empty() { None } else { self.purse.next_at() }
    }
}

impl Subscription {
    /// True when this is another try of an event that failed or was shed: what the handler put off
    /// by its own wish is none.
    pub(super) fn is_retry(&self, slot: Slot) -> bool {
        let event = &self.events[slot];
        event.course.counters.deliveries > 0
            && event.detour.failure.as_ref().is_some_and(|f| f.class != FailureClass::Deferred)
    }

    /// The retry budget pays for it; else the event waits until it can.
    pub(super) fn paid_for(&mut self, now: Timestamp, slot: Slot) -> bool {
        if !self.is_retry(slot) {
            self.budget.first_try();
            return true;
        }
        if self.budget.purse.take(now) {
            return true;
        }
        self.leave_ready(slot);
        self.stop_ageing(slot);
        self.events[slot].state = State::Unpaid;
        self.budget.waiting.insert((self.events[slot].serial, slot));
        false
    }

    /// As many of those who wait as the budget can pay now.
    pub(super) fn pay_out(&mut self, now: Timestamp) {
        if self.budget.waiting.is_empty() || !self.budget.purse.has_one(now) {
            return;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10,000")]
        let tokens = (self.budget.purse.tokens + 1e-6) as usize;
        for _ in 0..tokens {
            let Some((_, slot)) = self.budget.waiting.pop_first() else { return };
            self.make_ready(slot);
        }
    }

    /// It waits for the budget no more.
    pub(super) fn leave_unpaid(&mut self, slot: Slot) {
        if self.events[slot].state == State::Unpaid {
            self.budget.waiting.remove(&(self.events[slot].serial, slot));
        }
    }
}
