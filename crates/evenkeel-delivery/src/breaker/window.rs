//! What a breaker counts: calls of the last while, and failures in a row.
//!
//! Counts only; what follows from them is the breaker's. Invariant: what one event does alone,
//! however often, trips nothing.

use evenkeel_model::Timestamp;

use crate::BreakerPolicy;

/// Whether failures are of more than one event.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Whose {
    #[default]
    Nobody,
    One(u64),
    Several,
}

impl Whose {
    fn and(self, other: Whose) -> Whose {
        match (self, other) {
            (Whose::Nobody, w) | (w, Whose::Nobody) => w,
            (Whose::One(a), Whose::One(b)) if a == b => self,
            _ => Whose::Several,
        }
    }
}

/// Failures in a row, however far apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Streak {
    failures: u32,
    whose: Whose,
}

impl Streak {
    pub(super) fn fail(&mut self, event: u64) {
        self.failures = self.failures.saturating_add(1);
        self.whose = self.whose.and(Whose::One(event));
    }

    pub(super) fn trips(&self, policy: &BreakerPolicy) -> bool {
        self.failures >= policy.consecutive && self.whose == Whose::Several
    }

    /// How near so many more would come to what trips.
    pub(super) fn strain(&self, more: u32, policy: &BreakerPolicy) -> f64 {
        f64::from(self.failures.saturating_add(more)) / f64::from(policy.consecutive.max(1))
    }
}

/// The sliding window: the last ten tenths of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    buckets: [Bucket; 10],
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    number: i64,
    succeeded: u32,
    failed: u32,
    slow: u32,
    whose: Whose,
    whose_slow: Whose,
}

impl Bucket {
    pub(super) fn succeed(&mut self, slow: Option<u64>) {
        self.succeeded = self.succeeded.saturating_add(1);
        if let Some(event) = slow {
            self.slow = self.slow.saturating_add(1);
            self.whose_slow = self.whose_slow.and(Whose::One(event));
        }
    }

    pub(super) fn fail(&mut self, event: u64) {
        self.failed = self.failed.saturating_add(1);
        self.whose = self.whose.and(Whose::One(event));
    }
}

impl Window {
    pub(super) fn at(&mut self, now: Timestamp, policy: &BreakerPolicy) -> &mut Bucket {
        let number = Window::number(now, policy);
        let bucket = &mut self.buckets[usize::try_from(number.rem_euclid(10)).unwrap_or(0)];
        if bucket.number != number {
            *bucket = Bucket { number, ..Bucket::default() };
        }
        bucket
    }

    fn number(now: Timestamp, policy: &BreakerPolicy) -> i64 {
        let width = i64::try_from(policy.window.as_micros() / 10).unwrap_or(i64::MAX).max(1);
        now.micros().div_euclid(width)
    }

    pub(super) fn trips(&self, now: Timestamp, policy: &BreakerPolicy) -> bool {
        let all = self.sum(now, policy);
        let calls = all.calls();
        calls >= policy.min_calls.max(1)
            && f64::from(all.failed) >= policy.failure_ratio * f64::from(calls)
            && all.whose == Whose::Several
    }

    /// How near so many failures more would come to the share that trips, of as many calls at least as count for
    /// anything.
    pub(super) fn strain(&self, now: Timestamp, more: u32, policy: &BreakerPolicy) -> f64 {
        let all = self.sum(now, policy);
        let calls = all.calls().saturating_add(more).max(policy.min_calls.max(1));
        f64::from(all.failed.saturating_add(more)) / (policy.failure_ratio * f64::from(calls))
    }

    /// True when too many of the calls were slow.
    pub(super) fn is_slow(&self, now: Timestamp, policy: &BreakerPolicy) -> bool {
        let all = self.sum(now, policy);
        let calls = all.calls();
        calls >= policy.min_calls.max(1)
            && f64::from(all.slow) >= policy.slow_ratio * f64::from(calls)
            && all.whose_slow == Whose::Several
    }

    /// Calls, failed ones, slow ones.
    pub(super) fn calls(&self, now: Timestamp, policy: &BreakerPolicy) -> (u32, u32, u32) {
        let all = self.sum(now, policy);
        (all.calls(), all.failed, all.slow)
    }

    fn sum(&self, now: Timestamp, policy: &BreakerPolicy) -> Bucket {
        let newest = Window::number(now, policy);
        let recent = self.buckets.iter().filter(|b| newest - b.number < 10);
        recent.fold(Bucket::default(), |all, one| Bucket {
            number: newest,
            succeeded: all.succeeded.saturating_add(one.succeeded),
            failed: all.failed.saturating_add(one.failed),
            slow: all.slow.saturating_add(one.slow),
            whose: all.whose.and(one.whose),
            whose_slow: all.whose_slow.and(one.whose_slow),
        })
    }
}

impl Bucket {
    fn calls(&self) -> u32 {
        self.succeeded.saturating_add(self.failed)
    }
}
