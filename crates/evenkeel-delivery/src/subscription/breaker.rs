//! One breaker: does this dependency work, and who may find out.
//!
//! A gate, never an error: it only says who passes. It opens by the ratio of failures in a
//! sliding window, and after a number of failures in a row, each time over at least two events
//! (one event that fails may be poison). After the open time one probe passes; successes let
//! more through, doubling, and then it closes. Which results count at all is told by `epoch`:
//! attempts that were admitted before the last change say nothing of the time since.

use std::sync::Arc;

use evenkeel_model::Timestamp;

use crate::random::Random;
use crate::{BreakerMark, BreakerPolicy, BreakerState, BreakerView};

/// Half-open widens 1, 2, 4; then it closes.
const CLOSES_AT: u32 = 8;

#[derive(Debug)]
pub(super) struct Breaker {
    name: Arc<str>,
    pub(super) policy: BreakerPolicy,
    state: State,
    since: Timestamp,
    /// Results of attempts that were admitted in an earlier epoch do not count.
    epoch: u64,
    window: Window,
    streak: Streak,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Closed,
    Open { until: Timestamp },
    HalfOpen { allowed: u32, succeeded: u32, flying: u32 },
}

impl Breaker {
    pub(super) fn new(name: Arc<str>, policy: BreakerPolicy) -> Breaker {
        Breaker {
            name,
            policy,
            state: State::Closed,
            since: Timestamp::EPOCH,
            epoch: 0,
            window: Window::default(),
            streak: Streak::default(),
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// True when an attempt admitted in that epoch still says something of this breaker.
    pub(super) fn counts(&self, admitted: u64) -> bool {
        admitted >= self.epoch
    }

    /// A success of an attempt that was admitted in `admitted`; true when that closes it.
    pub(super) fn succeeded(&mut self, now: Timestamp, admitted: u64) -> bool {
        if !self.counts(admitted) {
            return false;
        }
        match &mut self.state {
            State::Closed => {
                self.window.at(now, &self.policy).succeeded += 1;
                self.streak = Streak::default();
                false
            }
            State::Open { .. } => false,
            State::HalfOpen { allowed, succeeded, .. } => {
                *succeeded += 1;
                if *succeeded >= *allowed {
                    (*allowed, *succeeded) = (*allowed * 2, 0);
                }
                let proven = *allowed >= CLOSES_AT;
                if proven {
                    self.close(now);
                }
                proven
            }
        }
    }

    /// A failure of an attempt of `event` that accuses this dependency; true when it is to open.
    pub(super) fn failed(&mut self, now: Timestamp, admitted: u64, event: u64) -> bool {
        if !self.counts(admitted) {
            return false;
        }
        match self.state {
            State::Closed => {
                self.window.at(now, &self.policy).fail(event);
                self.streak.fail(event);
                self.streak.trips(&self.policy) || self.window.trips(now, &self.policy)
            }
            State::Open { .. } => false,
            State::HalfOpen { .. } => true,
        }
    }

    pub(super) fn open(&mut self, now: Timestamp, epoch: u64, random: &mut Random) {
        if self.is_closed() {
            self.since = now;
        }
        self.state = State::Open { until: now + random.extended(self.policy.open) };
        self.epoch = epoch;
        self.window = Window::default();
        self.streak = Streak::default();
    }

    pub(super) fn close(&mut self, now: Timestamp) {
        self.state = State::Closed;
        self.since = now;
        self.window = Window::default();
        self.streak = Streak::default();
    }

    /// An attempt passes: the first one after the open time makes it half-open.
    pub(super) fn admit(&mut self, epoch: u64) {
        match &mut self.state {
            State::Closed => {}
            State::Open { .. } => {
                self.state = State::HalfOpen { allowed: 1, succeeded: 0, flying: 1 };
                self.epoch = epoch;
            }
            State::HalfOpen { flying, .. } => *flying += 1,
        }
    }

    /// An attempt that was admitted in `admitted` came back.
    pub(super) fn returned(&mut self, admitted: u64) {
        if admitted >= self.epoch
            && let State::HalfOpen { flying, .. } = &mut self.state
        {
            *flying = flying.saturating_sub(1);
        }
    }

    pub(super) fn mark(&self) -> BreakerMark {
        let open_until = match self.state {
            State::Closed => None,
            State::Open { until } => Some(until),
            State::HalfOpen { .. } => Some(self.since),
        };
        BreakerMark { dependency: self.name.clone(), open_until, since: self.since }
    }

    pub(super) fn restore(&mut self, mark: &BreakerMark) {
        self.since = mark.since;
        self.state = match mark.open_until {
            Some(until) => State::Open { until },
            None => State::Closed,
        };
    }

    pub(super) fn view(&self) -> BreakerView {
        let (state, next_probe) = match self.state {
            State::Closed => (BreakerState::Closed, None),
            State::Open { until } => (BreakerState::Open, Some(until)),
            State::HalfOpen { .. } => (BreakerState::HalfOpen, None),
        };
        BreakerView { dependency: self.name.clone(), state, since: self.since, next_probe }
    }
}

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
struct Streak {
    failures: u32,
    whose: Whose,
}

impl Streak {
    fn fail(&mut self, event: u64) {
        self.failures = self.failures.saturating_add(1);
        self.whose = self.whose.and(Whose::One(event));
    }

    fn trips(&self, policy: &BreakerPolicy) -> bool {
        self.failures >= policy.consecutive && self.whose == Whose::Several
    }
}

/// The sliding window: the last ten tenths of it.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    buckets: [Bucket; 10],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    number: i64,
    succeeded: u32,
    failed: u32,
    whose: Whose,
}

impl Bucket {
    fn fail(&mut self, event: u64) {
        self.failed = self.failed.saturating_add(1);
        self.whose = self.whose.and(Whose::One(event));
    }
}

impl Window {
    fn at(&mut self, now: Timestamp, policy: &BreakerPolicy) -> &mut Bucket {
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

    fn trips(&self, now: Timestamp, policy: &BreakerPolicy) -> bool {
        let newest = Window::number(now, policy);
        let (mut succeeded, mut failed, mut whose) = (0_u32, 0_u32, Whose::Nobody);
        for bucket in self.buckets.iter().filter(|b| newest - b.number < 10) {
            succeeded = succeeded.saturating_add(bucket.succeeded);
            failed = failed.saturating_add(bucket.failed);
            whose = whose.and(bucket.whose);
        }
        let calls = succeeded.saturating_add(failed);
        calls >= policy.min_calls.max(1)
            && f64::from(failed) >= policy.failure_ratio * f64::from(calls)
            && whose == Whose::Several
    }
}

#[cfg(test)]
mod tests;
