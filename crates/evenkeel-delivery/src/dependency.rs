//! A dependency that several subscriptions share: one breaker for all of them.
//!
//! Its state lives once. Each member is told it, reports what came of its calls, and asks for
//! leave to probe; at any time only as many probes are out, over all members, as the breaker lets
//! through. Pure: it reads no clock and does no I/O; who carries the messages is the caller's.
//!
//! Invariants: what was reported under an earlier generation decides nothing; leave to probe is
//! given in the order in which it was asked for, and comes back by a report, or when its holder
//! leaves; a member that joins with a newer state than the one at hand brings it along, so that
//! a restart finds an open breaker open.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::breaker::{Breaker, State, Turn};
use crate::random::Random;
use crate::{BreakerMark, BreakerPolicy, BreakerView};

/// Names a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub u64);

/// What an operator says of a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Force {
    /// Nothing passes, nothing probes.
    Open {
        /// Why, for the record.
        reason: String,
    },
    /// Everything passes, whatever fails.
    Closed {
        /// Why, for the record.
        reason: String,
    },
    /// It decides itself again; one that is open probes at once.
    Automatic,
}

/// What a member says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependencyReport {
    /// May I probe? `stale`: only with events that were probes of this outage before.
    Ask {
        /// True when there is no event that was no probe yet.
        stale: bool,
    },
    /// A call succeeded.
    Succeeded {
        /// What was told last when the call went out.
        generation: u64,
        /// Whose it was, if it was a slow one.
        slow: Option<u64>,
    },
    /// A call failed and accuses this dependency.
    Failed {
        /// As above.
        generation: u64,
        /// Which event it was: equal for one event in several subscriptions.
        event: u64,
    },
    /// A probe came back and says nothing of this dependency, or was not needed.
    Neither {
        /// As above.
        generation: u64,
    },
    /// A handler says that it is down.
    Down,
}

/// What a member is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DependencyNews {
    /// How things stand.
    State(DependencyState),
    /// One probe may go out.
    Probe {
        /// The generation that it is of.
        generation: u64,
        /// True when it worked before: the probe must be new to this outage.
        wide: bool,
    },
}

/// How a dependency stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyState {
    /// Counts changes.
    pub generation: u64,
    /// Who passes.
    pub standing: Standing,
    /// What to journal of it.
    pub mark: BreakerMark,
    /// How many members there are.
    pub sharers: u32,
}

/// Who passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everybody.
    Free,
    /// Nobody until then; then who asks. `None`: until an operator says so.
    Shut(Option<Timestamp>),
    /// Who asks.
    Asking,
}

/// The breaker of a shared dependency, and its members.
#[derive(Debug)]
pub struct Dependency {
    breaker: Breaker,
    generation: u64,
    random: Random,
    /// The probes that each member has out.
    members: BTreeMap<Member, u32>,
    /// Who waits for leave to probe, and whether all its events were probes before.
    waiting: VecDeque<(Member, bool)>,
}

impl Dependency {
    /// A dependency without members, closed. `seed` feeds the jitter of its open time.
    pub fn new(name: Arc<str>, policy: BreakerPolicy, seed: u64) -> Dependency {
        Dependency {
            breaker: Breaker::new(name, policy),
            generation: 0,
            random: Random::new(seed),
            members: BTreeMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Somebody joins, with the state that its journal remembers, if any.
    pub fn join(&mut self, member: Member, mark: Option<&BreakerMark>, out: &mut Vec<(Member, DependencyNews)>) {
        self.members.insert(member, 0);
        let own = self.breaker.mark();
        if let Some(mark) = mark.filter(|m| (m.since, m.open_until) > (own.since, own.open_until)) {
            self.breaker.restore(mark);
            self.changed();
        }
        self.tell_all(out);
    }

    /// Somebody leaves; the probes that it had out are given to others.
    pub fn leave(&mut self, now: Timestamp, member: Member, out: &mut Vec<(Member, DependencyNews)>) {
        let probes = self.members.remove(&member).unwrap_or(0);
        self.waiting.retain(|(m, _)| *m != member);
        (0..probes).for_each(|_| self.breaker.returned(self.generation));
        self.tell_all(out);
        self.grant(now, out);
    }

    /// A member reports.
    pub fn report(
        &mut self,
        now: Timestamp,
        member: Member,
        report: DependencyReport,
        out: &mut Vec<(Member, DependencyNews)>,
    ) {
        let generation = self.generation;
        let turn = match report {
            DependencyReport::Ask { stale } => return self.ask(now, member, stale, out),
            DependencyReport::Down if self.breaker.is_forced() || !self.may_open() => Turn::Stays,
            DependencyReport::Down => Turn::Opens,
            DependencyReport::Succeeded { generation: g, .. }
            | DependencyReport::Failed { generation: g, .. }
            | DependencyReport::Neither { generation: g }
                if g != generation =>
            {
                return;
            }
            DependencyReport::Succeeded { slow, .. } => {
                self.came_back(member);
                self.breaker.succeeded(now, generation, slow)
            }
            DependencyReport::Failed { event, .. } => {
                self.came_back(member);
                self.breaker.failed(now, generation, event)
            }
            DependencyReport::Neither { .. } => {
                self.came_back(member);
                Turn::Stays
            }
        };
        match turn {
            Turn::Opens => {
                self.breaker.open(now, generation + 1, &mut self.random);
                self.changed();
                self.tell_all(out);
            }
            Turn::Closed => {
                self.changed();
                self.waiting.clear();
                self.tell_all(out);
            }
            Turn::Stays => self.grant(now, out),
        }
    }

    /// An operator's word.
    pub fn force(&mut self, now: Timestamp, force: &Force, out: &mut Vec<(Member, DependencyNews)>) {
        self.breaker.force(now, self.generation + 1, force);
        self.changed();
        self.waiting.clear();
        self.tell_all(out);
    }

    /// True when a call that took so long is a slow one.
    pub fn is_slow(&self, took: Duration) -> bool {
        self.breaker.is_slow(took)
    }

    /// Another policy, from now on.
    pub fn set_policy(&mut self, policy: BreakerPolicy) {
        self.breaker.policy = policy;
    }

    /// What an operator sees: the breaker; and calls, failed ones and slow ones of the window.
    pub fn view(&self, now: Timestamp) -> (BreakerView, (u32, u32, u32)) {
        (BreakerView { sharers: self.sharers(), ..self.breaker.view() }, self.breaker.calls(now))
    }

    /// Asks without waiting. `None`: not now. Else the call may go out, and what came of it must
    /// be reported under this generation.
    pub fn admit(&mut self, now: Timestamp, member: Member) -> Option<u64> {
        if self.standing() == Standing::Free {
            return Some(self.generation);
        }
        if !self.has_room(now) {
            return None;
        }
        let generation = self.pass();
        *self.members.entry(member).or_insert(0) += 1;
        Some(generation)
    }

    fn may_open(&self) -> bool {
        !matches!(self.breaker.state(), State::Open { .. })
    }

    fn sharers(&self) -> u32 {
        u32::try_from(self.members.len()).unwrap_or(u32::MAX)
    }

    fn standing(&self) -> Standing {
        match self.breaker.state() {
            State::Closed => Standing::Free,
            State::Open { .. } if self.breaker.is_forced() => Standing::Shut(None),
            State::Open { until } => Standing::Shut(Some(until)),
            State::HalfOpen { .. } => Standing::Asking,
        }
    }

    /// Nobody's leave of an earlier generation counts any more.
    fn changed(&mut self) {
        self.generation += 1;
        self.members.values_mut().for_each(|probes| *probes = 0);
    }

    fn tell_all(&self, out: &mut Vec<(Member, DependencyNews)>) {
        let state = DependencyState {
            generation: self.generation,
            standing: self.standing(),
            mark: self.breaker.mark(),
            sharers: self.sharers(),
        };
        out.extend(self.members.keys().map(|member| (*member, DependencyNews::State(state.clone()))));
    }

    fn came_back(&mut self, member: Member) {
        if let Some(probes) = self.members.get_mut(&member).filter(|probes| **probes > 0) {
            *probes -= 1;
            self.breaker.returned(self.generation);
        }
    }

    fn ask(&mut self, now: Timestamp, member: Member, stale: bool, out: &mut Vec<(Member, DependencyNews)>) {
        // Who asks again keeps its place.
        match self.waiting.iter_mut().find(|(m, _)| *m == member) {
            Some((_, before)) => *before = stale,
            None => self.waiting.push_back((member, stale)),
        }
        if let Standing::Shut(Some(until)) = self.standing()
            && until <= now
        {
            self.changed();
            self.breaker.half_open(self.generation);
            self.tell_all(out);
        }
        self.grant(now, out);
    }

    /// Gives leave to those who wait for it, as far as there is room; and closes what has worked,
    /// when nobody is left to prove it further.
    fn grant(&mut self, now: Timestamp, out: &mut Vec<(Member, DependencyNews)>) {
        while let Some(place) = self.next_in_turn()
            && self.has_room(now)
        {
            let Some((member, _)) = self.waiting.remove(place) else { return };
            let wide = self.is_wide();
            let generation = self.pass();
            *self.members.entry(member).or_insert(0) += 1;
            out.push((member, DependencyNews::Probe { generation, wide }));
        }
        let only_stale = !self.waiting.is_empty() && self.waiting.iter().all(|(_, stale)| *stale);
        if only_stale && matches!(self.breaker.state(), State::HalfOpen { allowed: 2.., flying: 0, .. }) {
            self.breaker.close(now);
            self.changed();
            self.waiting.clear();
            self.tell_all(out);
        }
    }

    /// The first that probes anew; while it has not worked yet, anybody.
    fn next_in_turn(&self) -> Option<usize> {
        let fresh = self.waiting.iter().position(|(_, stale)| !*stale);
        fresh.or_else(|| (!self.is_wide() && !self.waiting.is_empty()).then_some(0))
    }

    fn is_wide(&self) -> bool {
        matches!(self.breaker.state(), State::HalfOpen { allowed: 2.., .. })
    }

    fn has_room(&self, now: Timestamp) -> bool {
        match self.breaker.state() {
            State::Closed => true,
            State::Open { until } => until <= now && !self.breaker.is_forced(),
            State::HalfOpen { allowed, flying, .. } => flying < allowed,
        }
    }

    fn pass(&mut self) -> u64 {
        if matches!(self.breaker.state(), State::Open { .. }) {
            self.changed();
        }
        self.breaker.admit(self.generation);
        self.generation
    }
}

#[cfg(test)]
mod tests;
