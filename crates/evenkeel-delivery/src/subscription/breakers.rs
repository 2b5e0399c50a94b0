//! All breakers of a subscription, as one gate.
//!
//! `handler` stands first, then each of `depends_on`. An event needs all of them, so that one
//! open breaker shuts the gate. Says whom a failure accuses by a set of breaker numbers.
//!
//! A breaker is this subscription's own, or stands for a shared dependency: then what happens is
//! reported, and how things stand is told. Leave to probe is asked of one shared dependency at a
//! time, in the order of their names, so that no two subscriptions wait for what the other holds.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Shard, Timestamp};

pub(super) use super::accused::Accused;
use super::shared::{Changed, Shared};
use crate::breaker::{Breaker, State, Turn};
use crate::random::Random;
use crate::{BreakerMark, BreakerPolicy, BreakerView, DependencyNews, DependencyReport, Force, Policy};

/// The implicit dependency: whoever handles the events.
pub const HANDLER: &str = "handler";

/// Who may pass; a later one is the stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gate {
    /// Everybody.
    Free,
    /// A few events that were no probe of this outage.
    Widen,
    /// One event, to find out.
    Probe,
    /// Who has leave to probe; it must be asked for.
    Ask,
    /// Nobody.
    Shut,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a subscription has a handful, and asks them for each event")]
enum One {
    Own(Breaker),
    Shared(Shared),
}

/// An event, as breakers know it: by its number here, and by a name that other subscriptions
/// have for it too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'a> {
    pub(super) serial: u64,
    pub(super) shard: &'a Shard,
    pub(super) offset: u64,
}

impl Whose<'_> {
    fn everywhere(self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.shard, self.offset).hash(&mut hasher);
        hasher.finish()
    }
}

#[derive(Debug)]
pub(super) struct Breakers {
    all: Vec<One>,
    epoch: u64,
    /// What shared dependencies are to be told.
    reports: Vec<(Arc<str>, DependencyReport)>,
}

impl Breakers {
    pub(super) fn new(policy: &Policy) -> Breakers {
        let mut named: Vec<_> = policy.depends_on.iter().filter(|(name, _)| &**name != HANDLER).collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        let mut all = vec![One::Own(Breaker::new(Arc::from(HANDLER), policy.handler_breaker))];
        all.extend(named.into_iter().map(|(name, breaker)| One::Own(Breaker::new(name.clone(), *breaker))));
        Breakers { all, epoch: 0, reports: Vec::new() }
    }

    /// From now on its dependencies are shared: their state is told. `handler` is where several of us
    /// have one handler.
    pub(super) fn share(&mut self, handler: bool) {
        for one in self.all.iter_mut().skip(usize::from(!handler)) {
            if let One::Own(own) = one {
                *one = One::Shared(Shared::new(own.policy, own.mark()));
            }
        }
    }

    /// The shared dependencies, with what the journal remembered of each.
    pub(super) fn shared(&self) -> Vec<(Arc<str>, BreakerPolicy, BreakerMark)> {
        let of = |one: &One| match one {
            One::Shared(shared) => Some((shared.name().clone(), shared.policy, shared.mark().clone())),
            One::Own(_) => None,
        };
        self.all.iter().filter_map(of).collect()
    }

    pub(super) fn take_reports(&mut self) -> std::vec::Drain<'_, (Arc<str>, DependencyReport)> {
        self.reports.drain(..)
    }

    /// Whom a failure accuses that names nobody: each of `depends_on` that nobody else shares,
    /// or the handler.
    pub(super) fn unnamed(&self) -> Accused {
        let own = |one: &One| !matches!(one, One::Shared(shared) if shared.is_shared());
        let accused = (1..self.all.len()).filter(|i| own(&self.all[*i]));
        let accused = accused.fold(Accused::NOBODY, |all, i| all.and(Accused::one(i)));
        if accused == Accused::NOBODY { Accused::HANDLER } else { accused }
    }

    /// The breaker of that name; `handler` when there is none.
    pub(super) fn named(&self, dependency: &str) -> Accused {
        Accused::one(self.all.iter().position(|b| &**b.name() == dependency).unwrap_or(0))
    }

    /// The longest open time of the accused.
    pub(super) fn open_time(&self, accused: Accused) -> Duration {
        self.accused(accused).map(|b| b.policy().open).max().unwrap_or(self.all[0].policy().open)
    }

    pub(super) fn window(&self, accused: Accused) -> Duration {
        self.accused(accused).map(|b| b.policy().window).max().unwrap_or(self.all[0].policy().window)
    }

    fn accused(&self, accused: Accused) -> impl Iterator<Item = &One> {
        self.all.iter().enumerate().filter(move |(i, _)| accused.has(*i)).map(|(_, b)| b)
    }

    /// True when all the accused have been closed since that epoch.
    pub(super) fn stayed_closed(&self, accused: Accused, admitted: u64) -> bool {
        self.accused(accused).all(|b| b.is_closed() && b.counts(admitted))
    }

    /// How near so many failures more would bring one of them to its opening: 1 opens it.
    pub(super) fn strain(&self, now: Timestamp, failures: u32) -> f64 {
        let own = self.all.iter().filter_map(|one| if let One::Own(own) = one { Some(own) } else { None });
        own.map(|breaker| breaker.strain(now, failures)).fold(0.0, f64::max)
    }

    pub(super) fn all_closed(&self) -> bool {
        self.all.iter().all(One::is_closed)
    }

    /// Since when the first of those has been open that are not closed.
    pub(super) fn open_since(&self) -> Option<Timestamp> {
        self.all.iter().filter(|one| !one.is_closed()).map(One::since).min()
    }

    pub(super) fn gate(&self, now: Timestamp) -> Gate {
        self.all.iter().map(|one| one.gate(now)).max().unwrap_or(Gate::Free)
    }

    /// When the gate may open, if time alone opens it.
    pub(super) fn opens_at(&self) -> Option<Timestamp> {
        self.all.iter().filter_map(One::opens_at).max()
    }

    /// Asks for leave to probe, of the first that wants to be asked.
    pub(super) fn ask(&mut self, now: Timestamp, stale: bool) {
        for one in &mut self.all {
            if one.gate(now) == Gate::Ask
                && let One::Shared(shared) = one
            {
                let name = shared.name().clone();
                self.reports.extend(shared.ask(stale).map(|report| (name, report)));
                return;
            }
        }
    }

    /// Leave that was given and cannot be used is given back, unless more is waited for.
    pub(super) fn give_back(&mut self, now: Timestamp) {
        if self.gate(now) == Gate::Ask {
            return;
        }
        self.give_back_all();
    }

    pub(super) fn give_back_all(&mut self) {
        for one in &mut self.all {
            if let One::Shared(shared) = one {
                let name = shared.name().clone();
                self.reports.extend(shared.give_back().into_iter().map(|report| (name.clone(), report)));
            }
        }
    }

    /// An attempt passes; gives its epoch.
    pub(super) fn admit(&mut self) -> u64 {
        let probes = |one: &One| matches!(one, One::Own(b) if matches!(b.state(), State::Open { .. }));
        if self.all.iter().any(probes) {
            self.epoch += 1;
        }
        let epoch = self.epoch;
        for one in &mut self.all {
            match one {
                One::Own(breaker) => breaker.admit(epoch),
                One::Shared(shared) => shared.admit(),
            }
        }
        epoch
    }

    pub(super) fn returned(&mut self, admitted: u64) {
        for one in &mut self.all {
            if let One::Own(breaker) = one {
                breaker.returned(admitted);
            }
        }
    }

    /// A success counts at all of them, and against those for which it took too long. Gives those
    /// that closed, and those that are to open.
    pub(super) fn succeeded(
        &mut self,
        now: Timestamp,
        admitted: u64,
        took: Duration,
        whose: Whose<'_>,
    ) -> (Vec<BreakerMark>, Accused) {
        let (mut closed, mut opens) = (Vec::new(), Accused::NOBODY);
        for (i, one) in self.all.iter_mut().enumerate() {
            match one {
                One::Own(breaker) => {
                    let slow = breaker.is_slow(took).then_some(whose.serial);
                    match breaker.succeeded(now, admitted, slow) {
                        Turn::Closed => closed.push(breaker.mark()),
                        Turn::Opens => opens = opens.and(Accused::one(i)),
                        Turn::Stays => {}
                    }
                }
                One::Shared(shared) => {
                    // All who share the handler call it alike.
                    let alike = i == 0 || !shared.is_shared();
                    let slow = alike && shared.policy.slow_call.is_some_and(|bound| took >= bound);
                    let report = shared.succeeded(admitted, slow.then(|| whose.everywhere()));
                    self.reports.extend(report.map(|report| (shared.name().clone(), report)));
                }
            }
        }
        (closed, opens)
    }

    /// A failure counts at the accused. Gives those that are to open.
    pub(super) fn failed(&mut self, now: Timestamp, admitted: u64, accused: Accused, whose: Whose<'_>) -> Accused {
        let mut opens = Accused::NOBODY;
        for (i, one) in self.all.iter_mut().enumerate() {
            match one {
                One::Own(breaker) => {
                    if accused.has(i) && breaker.failed(now, admitted, whose.serial) == Turn::Opens {
                        opens = opens.and(Accused::one(i));
                    }
                }
                One::Shared(shared) => {
                    let event = accused.has(i).then(|| whose.everywhere());
                    let report = shared.failed(admitted, event);
                    self.reports.extend(report.map(|report| (shared.name().clone(), report)));
                }
            }
        }
        opens
    }

    /// Opens those that are not open yet, or half-open ones anew; a shared one is reported down.
    pub(super) fn open(&mut self, now: Timestamp, which: Accused, random: &mut Random) -> Vec<BreakerMark> {
        self.epoch += 1;
        let mut marks = Vec::new();
        for (i, one) in self.all.iter_mut().enumerate() {
            match one {
                _ if !which.has(i) => {}
                One::Own(breaker) if !matches!(breaker.state(), State::Open { .. }) && !breaker.is_forced() => {
                    breaker.open(now, self.epoch, random);
                    marks.push(breaker.mark());
                }
                One::Own(_) => {}
                One::Shared(shared) => self.reports.push((shared.name().clone(), DependencyReport::Down)),
            }
        }
        marks
    }

    /// Closes the half-open ones that have seen a success and wait for nothing.
    pub(super) fn close_proven(&mut self, now: Timestamp) -> Vec<BreakerMark> {
        let mut marks = Vec::new();
        for one in &mut self.all {
            if let One::Own(breaker) = one
                && matches!(breaker.state(), State::HalfOpen { allowed: 2.., flying: 0, .. })
            {
                breaker.close(now);
                marks.push(breaker.mark());
            }
        }
        marks
    }

    /// A shared dependency is told of: what changed, and whom that concerns.
    pub(super) fn told(&mut self, name: &str, news: DependencyNews) -> (Changed, Accused) {
        self.epoch += 1;
        let epoch = self.epoch;
        let found = self.all.iter_mut().enumerate().find(|(_, one)| &**one.name() == name);
        match found {
            Some((i, One::Shared(shared))) => (shared.told(news, epoch), Accused::one(i)),
            _ => (Changed::No, Accused::NOBODY),
        }
    }

    /// An operator's word on a breaker of this subscription's own; `None` when it has none.
    pub(super) fn force(&mut self, now: Timestamp, name: &str, force: &Force) -> Option<BreakerMark> {
        let epoch = self.epoch + 1;
        let one = self.all.iter_mut().find(|one| &**one.name() == name)?;
        let One::Own(breaker) = one else { return None };
        breaker.force(now, epoch, force);
        self.epoch = epoch;
        Some(breaker.mark())
    }

    pub(super) fn restore(&mut self, mark: &BreakerMark) {
        if let Some(one) = self.all.iter_mut().find(|one| *one.name() == mark.dependency) {
            match one {
                One::Own(breaker) => breaker.restore(mark),
                One::Shared(shared) => shared.restore(mark),
            }
        }
    }

    pub(super) fn view(&self) -> Vec<BreakerView> {
        self.all.iter().map(One::view).collect()
    }
}

impl One {
    fn name(&self) -> &Arc<str> {
        match self {
            One::Own(breaker) => breaker.name(),
            One::Shared(shared) => shared.name(),
        }
    }

    fn policy(&self) -> &BreakerPolicy {
        match self {
            One::Own(breaker) => &breaker.policy,
            One::Shared(shared) => &shared.policy,
        }
    }

    fn since(&self) -> Timestamp {
        match self {
            One::Own(breaker) => breaker.since(),
            One::Shared(shared) => shared.mark().since,
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            One::Own(breaker) => breaker.is_closed(),
            One::Shared(shared) => shared.is_closed(),
        }
    }

    fn counts(&self, admitted: u64) -> bool {
        match self {
            One::Own(breaker) => breaker.counts(admitted),
            One::Shared(shared) => shared.counts(admitted),
        }
    }

    fn gate(&self, now: Timestamp) -> Gate {
        let breaker = match self {
            One::Own(breaker) => breaker,
            One::Shared(shared) => return shared.gate(now),
        };
        match breaker.state() {
            State::Closed => Gate::Free,
            State::Open { until } if until > now || breaker.is_forced() => Gate::Shut,
            State::HalfOpen { allowed, flying, .. } if flying >= allowed => Gate::Shut,
            State::Open { .. } | State::HalfOpen { allowed: 1, .. } => Gate::Probe,
            State::HalfOpen { .. } => Gate::Widen,
        }
    }

    fn opens_at(&self) -> Option<Timestamp> {
        match self {
            One::Own(breaker) => match breaker.state() {
                State::Open { until } if !breaker.is_forced() => Some(until),
                _ => None,
            },
            One::Shared(shared) => shared.opens_at(),
        }
    }

    fn view(&self) -> BreakerView {
        match self {
            One::Own(breaker) => breaker.view(),
            One::Shared(shared) => shared.view(),
        }
    }
}
