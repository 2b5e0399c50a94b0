//! All breakers of a subscription, as one gate.
//!
//! `handler` stands first, then each of `depends_on`. An event needs all of them, so that one
//! open breaker shuts the gate. Says whom a failure accuses by a set of breaker numbers.

use std::sync::Arc;

use evenkeel_model::Timestamp;

use super::breaker::{Breaker, State};
use crate::random::Random;
use crate::{BreakerMark, BreakerView, Policy};

/// The name of the implicit dependency.
pub(super) const HANDLER: &str = "handler";

/// A set of breakers, by number; those beyond the 64th share the last bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Accused(u64);

impl Accused {
    pub(super) const NOBODY: Accused = Accused(0);
    pub(super) const HANDLER: Accused = Accused(1);

    fn one(index: usize) -> Accused {
        Accused(1 << index.min(63))
    }

    fn and(self, other: Accused) -> Accused {
        Accused(self.0 | other.0)
    }

    fn has(self, index: usize) -> bool {
        self.0 & Accused::one(index).0 != 0
    }

    pub(super) fn meets(self, other: Accused) -> bool {
        self.0 & other.0 != 0
    }
}

/// Who may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// Nobody.
    Shut,
    /// One event, to find out.
    Probe,
    /// A few events that were no probe of this outage.
    Widen,
    /// Everybody.
    Free,
}

#[derive(Debug)]
pub(super) struct Breakers {
    all: Vec<Breaker>,
    epoch: u64,
}

impl Breakers {
    pub(super) fn new(policy: &Policy) -> Breakers {
        let mut all = vec![Breaker::new(Arc::from(HANDLER), policy.handler_breaker)];
        let named = policy.depends_on.iter().filter(|(name, _)| &**name != HANDLER);
        all.extend(named.map(|(name, breaker)| Breaker::new(name.clone(), *breaker)));
        Breakers { all, epoch: 0 }
    }

    /// Whom a failure accuses that names nobody: each of `depends_on`, or the handler.
    pub(super) fn unnamed(&self) -> Accused {
        if self.all.len() == 1 {
            return Accused::HANDLER;
        }
        (1..self.all.len()).fold(Accused::NOBODY, |all, i| all.and(Accused::one(i)))
    }

    /// The breaker of that name; `handler` when there is none.
    pub(super) fn named(&self, dependency: &str) -> Accused {
        Accused::one(self.all.iter().position(|b| &**b.name() == dependency).unwrap_or(0))
    }

    /// The longest open time and window of the accused.
    pub(super) fn open_time(&self, accused: Accused) -> std::time::Duration {
        self.accused(accused).map(|b| b.policy.open).max().unwrap_or(self.all[0].policy.open)
    }

    pub(super) fn window(&self, accused: Accused) -> std::time::Duration {
        self.accused(accused).map(|b| b.policy.window).max().unwrap_or(self.all[0].policy.window)
    }

    fn accused(&self, accused: Accused) -> impl Iterator<Item = &Breaker> {
        self.all.iter().enumerate().filter(move |(i, _)| accused.has(*i)).map(|(_, b)| b)
    }

    /// True when all the accused have been closed since that epoch.
    pub(super) fn stayed_closed(&self, accused: Accused, admitted: u64) -> bool {
        self.accused(accused).all(|b| b.is_closed() && b.counts(admitted))
    }

    pub(super) fn all_closed(&self) -> bool {
        self.all.iter().all(Breaker::is_closed)
    }

    pub(super) fn gate(&self, now: Timestamp) -> Gate {
        let mut gate = Gate::Free;
        for breaker in &self.all {
            let this = match breaker.state() {
                State::Closed => continue,
                State::Open { until } if until > now => return Gate::Shut,
                State::HalfOpen { allowed, flying, .. } if flying >= allowed => return Gate::Shut,
                State::Open { .. } | State::HalfOpen { allowed: 1, .. } => Gate::Probe,
                State::HalfOpen { .. } => Gate::Widen,
            };
            gate = if gate == Gate::Probe { Gate::Probe } else { this };
        }
        gate
    }

    /// When the gate may open, if time alone opens it.
    pub(super) fn opens_at(&self) -> Option<Timestamp> {
        let until = |b: &Breaker| if let State::Open { until } = b.state() { Some(until) } else { None };
        self.all.iter().filter_map(until).max()
    }

    /// An attempt passes; gives its epoch.
    pub(super) fn admit(&mut self) -> u64 {
        if self.all.iter().any(|b| matches!(b.state(), State::Open { .. })) {
            self.epoch += 1;
        }
        let epoch = self.epoch;
        self.all.iter_mut().for_each(|b| b.admit(epoch));
        epoch
    }

    pub(super) fn returned(&mut self, admitted: u64) {
        self.all.iter_mut().for_each(|b| b.returned(admitted));
    }

    /// A success counts at all of them. Gives those that closed.
    pub(super) fn succeeded(&mut self, now: Timestamp, admitted: u64) -> Vec<BreakerMark> {
        let closed = |b: &mut Breaker| b.succeeded(now, admitted).then(|| b.mark());
        self.all.iter_mut().filter_map(closed).collect()
    }

    /// A failure counts at the accused. Gives those that opened.
    pub(super) fn failed(&mut self, now: Timestamp, admitted: u64, accused: Accused, event: u64) -> Accused {
        let mut opened = Accused::NOBODY;
        for (i, breaker) in self.all.iter_mut().enumerate() {
            if accused.has(i) && breaker.failed(now, admitted, event) {
                opened = opened.and(Accused::one(i));
            }
        }
        opened
    }

    /// Opens those that are not open yet, or half-open ones anew.
    pub(super) fn open(&mut self, now: Timestamp, which: Accused, random: &mut Random) -> Vec<BreakerMark> {
        self.epoch += 1;
        let mut marks = Vec::new();
        for (i, breaker) in self.all.iter_mut().enumerate() {
            if which.has(i) && !matches!(breaker.state(), State::Open { .. }) {
                breaker.open(now, self.epoch, random);
                marks.push(breaker.mark());
            }
        }
        marks
    }

    /// Closes the half-open ones that have seen a success and wait for nothing.
    pub(super) fn close_proven(&mut self, now: Timestamp) -> Vec<BreakerMark> {
        let proven = |b: &&mut Breaker| matches!(b.state(), State::HalfOpen { allowed: 2.., flying: 0, .. });
        self.all
            .iter_mut()
            .filter(proven)
            .map(|b| {
                b.close(now);
                b.mark()
            })
            .collect()
    }

    pub(super) fn restore(&mut self, mark: &BreakerMark) {
        if let Some(breaker) = self.all.iter_mut().find(|b| *b.name() == mark.dependency) {
            breaker.restore(mark);
        }
    }

    pub(super) fn view(&self) -> Vec<BreakerView> {
        self.all.iter().map(Breaker::view).collect()
    }
}
