//! One breaker: does this dependency work, and who may find out.
//!
//! A gate, never an error: it only says who passes. It opens by the ratio of failures in a
//! sliding window, by that of slow calls, and after a number of failures in a row, each time over
//! at least two events (one event that fails may be poison). After the open time one probe passes;
//! successes let more through, doubling, and then it closes. Each failed probe doubles the open
//! time, up to a bound. Which results count at all is told by `epoch`: attempts that were admitted
//! before the last change say nothing of the time since.
//!
//! An operator's word stands above all that: forced open nothing passes and nothing probes,
//! forced closed nothing opens it, until it is automatic again.

mod window;

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::random::Random;
use crate::{BreakerMark, BreakerPolicy, BreakerState, BreakerView, Force, Forced};
use window::{Streak, Window};

/// Half-open widens 1, 2, 4; then it closes.
const CLOSES_AT: u32 = 8;

#[derive(Debug)]
pub(crate) struct Breaker {
    name: Arc<str>,
    pub(crate) policy: BreakerPolicy,
    state: State,
    since: Timestamp,
    /// When its last open time ended, or ends.
    until: Timestamp,
    /// Times in a row that it opened without having closed in between.
    steps: u32,
    forced: Option<Forced>,
    /// Results of attempts that were admitted in an earlier epoch do not count.
    epoch: u64,
    window: Window,
    streak: Streak,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Closed,
    Open { until: Timestamp },
    HalfOpen { allowed: u32, succeeded: u32, flying: u32 },
}

impl Breaker {
    pub(crate) fn new(name: Arc<str>, policy: BreakerPolicy) -> Breaker {
        Breaker {
            name,
            policy,
            state: State::Closed,
            since: Timestamp::EPOCH,
            until: Timestamp::EPOCH,
            steps: 0,
            forced: None,
            epoch: 0,
            window: Window::default(),
            streak: Streak::default(),
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Since when it has been open, or closed.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    /// True when an attempt admitted in that epoch still says something of this breaker.
    pub(crate) fn counts(&self, admitted: u64) -> bool {
        admitted >= self.epoch
    }

    /// A success of an attempt that was admitted in `admitted`; `slow`: whose, if it took so long
    /// that it counts against the dependency all the same.
    pub(crate) fn succeeded(&mut self, now: Timestamp, admitted: u64, slow: Option<u64>) -> Turn {
        if !self.counts(admitted) || self.forced.is_some() {
            return Turn::Stays;
        }
        match &mut self.state {
            State::Closed => {
                self.window.at(now, &self.policy).succeed(slow);
                self.streak = Streak::default();
                Turn::opens_if(slow.is_some() && self.window.is_slow(now, &self.policy))
            }
            State::HalfOpen { .. } if slow.is_some() => Turn::Opens,
            State::Open { .. } => Turn::Stays,
            State::HalfOpen { allowed, succeeded, .. } => {
                *succeeded += 1;
                if *succeeded >= *allowed {
                    (*allowed, *succeeded) = (*allowed * 2, 0);
                }
                if *allowed < CLOSES_AT {
                    return Turn::Stays;
                }
                self.close(now);
                Turn::Closed
            }
        }
    }

    /// A failure of an attempt of `event` that accuses this dependency.
    pub(crate) fn failed(&mut self, now: Timestamp, admitted: u64, event: u64) -> Turn {
        if !self.counts(admitted) || self.forced.is_some() {
            return Turn::Stays;
        }
        match self.state {
            State::Closed => {
                self.window.at(now, &self.policy).fail(event);
                self.streak.fail(event);
                Turn::opens_if(self.streak.trips(&self.policy) || self.window.trips(now, &self.policy))
            }
            State::Open { .. } => Turn::Stays,
            State::HalfOpen { .. } => Turn::Opens,
        }
    }

    /// True when a call that took so long is a slow one here.
    pub(crate) fn is_slow(&self, took: Duration) -> bool {
        self.policy.slow_call.is_some_and(|bound| took >= bound)
    }

    /// How near so many failures more would bring it to its opening: 1 opens it.
    pub(crate) fn strain(&self, now: Timestamp, failures: u32) -> f64 {
        match self.forced.is_none() && self.is_closed() {
            true => self.streak.strain(failures, &self.policy).max(self.window.strain(now, failures, &self.policy)),
            false => 0.0,
        }
    }

    pub(crate) fn open(&mut self, now: Timestamp, epoch: u64, random: &mut Random) {
        if self.is_closed() {
            self.since = now;
        }
        self.stay_open(now + random.extended(self.policy.open_time(self.steps)));
        self.steps = self.steps.saturating_add(1);
        self.epoch = epoch;
        self.window = Window::default();
        self.streak = Streak::default();
    }

    pub(crate) fn close(&mut self, now: Timestamp) {
        self.state = State::Closed;
        self.since = now;
        self.steps = 0;
        self.window = Window::default();
        self.streak = Streak::default();
    }

    /// An operator's word. What was admitted before counts no more.
    pub(crate) fn force(&mut self, now: Timestamp, epoch: u64, force: &Force) {
        let before = self.is_closed();
        self.forced = match force {
            Force::Automatic => None,
            Force::Open { reason } => Some(Forced { open: true, reason: reason.clone(), at: now }),
            Force::Closed { reason } => Some(Forced { open: false, reason: reason.clone(), at: now }),
        };
        match force {
            Force::Open { .. } => self.stay_open(now),
            Force::Closed { .. } => self.close(now),
            // It may be over: the next event finds out.
            Force::Automatic if !before => self.stay_open(now),
            Force::Automatic => {}
        }
        self.since = now;
        self.epoch = epoch;
        self.window = Window::default();
        self.streak = Streak::default();
    }

    fn stay_open(&mut self, until: Timestamp) {
        self.until = until;
        self.state = State::Open { until };
    }

    pub(crate) fn is_forced(&self) -> bool {
        self.forced.is_some()
    }

    /// An attempt passes: the first one after the open time makes it half-open.
    pub(crate) fn admit(&mut self, epoch: u64) {
        match &mut self.state {
            State::Closed => {}
            State::Open { .. } => {
                self.state = State::HalfOpen { allowed: 1, succeeded: 0, flying: 1 };
                self.epoch = epoch;
            }
            State::HalfOpen { flying, .. } => *flying += 1,
        }
    }

    /// The open time is over, and somebody wants to find out.
    pub(crate) fn half_open(&mut self, epoch: u64) {
        self.state = State::HalfOpen { allowed: 1, succeeded: 0, flying: 0 };
        self.epoch = epoch;
    }

    /// An attempt that was admitted in `admitted` came back.
    pub(crate) fn returned(&mut self, admitted: u64) {
        if admitted >= self.epoch
            && let State::HalfOpen { flying, .. } = &mut self.state
        {
            *flying = flying.saturating_sub(1);
        }
    }

    pub(crate) fn mark(&self) -> BreakerMark {
        let open_until = match self.state {
            State::Closed => None,
            State::Open { until } => Some(until),
            State::HalfOpen { .. } => Some(self.until),
        };
        let (steps, forced) = (self.steps, self.forced.clone());
        BreakerMark { dependency: self.name.clone(), open_until, since: self.since, steps, forced }
    }

    pub(crate) fn restore(&mut self, mark: &BreakerMark) {
        self.since = mark.since;
        self.steps = mark.steps;
        self.forced = mark.forced.clone();
        match mark.open_until {
            Some(until) => self.stay_open(until),
            None => self.state = State::Closed,
        }
    }

    pub(crate) fn view(&self) -> BreakerView {
        let (state, next_probe) = match self.state {
            State::Closed => (BreakerState::Closed, None),
            State::Open { until } => (BreakerState::Open, Some(until).filter(|_| self.forced.is_none())),
            State::HalfOpen { .. } => (BreakerState::HalfOpen, None),
        };
        BreakerView {
            dependency: self.name.clone(),
            state,
            since: self.since,
            next_probe,
            steps: self.steps,
            forced: self.forced.clone(),
            sharers: 1,
        }
    }

    /// Calls of the window, and those of them that failed and that were slow.
    pub(crate) fn calls(&self, now: Timestamp) -> (u32, u32, u32) {
        self.window.calls(now, &self.policy)
    }
}

/// What a result makes of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing, or nothing yet.
    Stays,
    /// It is to open.
    Opens,
    /// It closed.
    Closed,
}

impl Turn {
    fn opens_if(yes: bool) -> Turn {
        if yes { Turn::Opens } else { Turn::Stays }
    }
}

#[cfg(test)]
mod tests;
