//! A dependency that is shared, as one subscription sees it: what it was told last, and what it
//! may do of it. The state itself lives once per node ([`crate::Dependency`]).
//!
//! Invariant: a report names the generation under which its call went out; a call from before
//! the last news reports nothing, since its generation is over.

use std::sync::Arc;

use evenkeel_model::Timestamp;

use super::breakers::Gate;
use crate::{
    BreakerMark, BreakerPolicy, BreakerState, BreakerView, DependencyNews, DependencyReport, DependencyState, Standing,
};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) policy: BreakerPolicy,
    mark: BreakerMark,
    standing: Standing,
    generation: u64,
    sharers: u32,
    /// Calls that were admitted in an earlier epoch say nothing.
    epoch: u64,
    /// Probes that may go out, and whether they must be new to this outage.
    leave: u32,
    wide: bool,
    /// What was asked for and not answered yet: leave, for events that were probes before or not.
    asked: Option<bool>,
}

/// What news make of a subscription's gate.
#[derive(Debug, PartialEq)]
pub(super) enum Changed {
    /// Nothing that is to be journaled.
    No,
    /// It opened, or opened anew.
    Opened(BreakerMark),
    /// It closed.
    Closed(BreakerMark),
}

impl Shared {
    pub(super) fn new(policy: BreakerPolicy, mark: BreakerMark) -> Shared {
        let mut shared = Shared {
            policy,
            standing: Standing::Free,
            mark: mark.clone(),
            generation: 0,
            sharers: 1,
            epoch: 0,
            leave: 0,
            wide: false,
            asked: None,
        };
        shared.restore(&mark);
        shared
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.mark.dependency
    }

    /// Until it is told how things stand, nobody passes that did not before.
    pub(super) fn restore(&mut self, mark: &BreakerMark) {
        self.mark = mark.clone();
        self.standing = match mark.open_until {
            Some(_) => Standing::Shut(None),
            None => Standing::Free,
        };
    }

    pub(super) fn mark(&self) -> &BreakerMark {
        &self.mark
    }

    pub(super) fn is_closed(&self) -> bool {
        self.standing == Standing::Free
    }

    pub(super) fn counts(&self, admitted: u64) -> bool {
        admitted >= self.epoch
    }

    /// True when several subscriptions name it: then only what names it accuses it.
    pub(super) fn is_shared(&self) -> bool {
        self.sharers > 1
    }

    pub(super) fn gate(&self, now: Timestamp) -> Gate {
        match self.standing {
            Standing::Free => Gate::Free,
            Standing::Shut(until) if until.is_none_or(|at| at > now) => Gate::Shut,
            _ if self.leave == 0 => Gate::Ask,
            _ if self.wide => Gate::Widen,
            _ => Gate::Probe,
        }
    }

    pub(super) fn opens_at(&self) -> Option<Timestamp> {
        if let Standing::Shut(until) = self.standing { until } else { None }
    }

    /// What to ask for, unless that was asked for already.
    pub(super) fn ask(&mut self, stale: bool) -> Option<DependencyReport> {
        // Who asked with old events only asks again when there is a new one.
        let known = self.asked.is_some_and(|before| before == stale || !before);
        self.asked = self.asked.map_or(Some(stale), |before| Some(before && stale));
        (!known).then_some(DependencyReport::Ask { stale })
    }

    pub(super) fn admit(&mut self) {
        self.leave = self.leave.saturating_sub(1);
    }

    /// Leave that is of no use now.
    pub(super) fn give_back(&mut self) -> Vec<DependencyReport> {
        let unused = std::mem::take(&mut self.leave);
        (0..unused).map(|_| DependencyReport::Neither { generation: self.generation }).collect()
    }

    pub(super) fn succeeded(&self, admitted: u64, slow: Option<u64>) -> Option<DependencyReport> {
        self.counts(admitted).then_some(DependencyReport::Succeeded { generation: self.generation, slow })
    }

    /// A call failed: it accuses this dependency, or says nothing of it.
    pub(super) fn failed(&self, admitted: u64, event: Option<u64>) -> Option<DependencyReport> {
        let generation = self.generation;
        match event {
            _ if !self.counts(admitted) => None,
            Some(event) => Some(DependencyReport::Failed { generation, event }),
            None if self.is_closed() => None,
            None => Some(DependencyReport::Neither { generation }),
        }
    }

    /// How things stand now; `epoch` is that of the calls from now on.
    pub(super) fn told(&mut self, news: DependencyNews, epoch: u64) -> Changed {
        match news {
            DependencyNews::Probe { generation, wide } => {
                if generation == self.generation {
                    (self.leave, self.wide, self.asked) = (self.leave + 1, wide, None);
                }
                Changed::No
            }
            DependencyNews::State(state) => self.stands(state, epoch),
        }
    }

    fn stands(&mut self, state: DependencyState, epoch: u64) -> Changed {
        self.sharers = state.sharers;
        if state.generation == self.generation && self.epoch > 0 {
            return Changed::No;
        }
        (self.generation, self.standing, self.epoch) = (state.generation, state.standing, epoch);
        // Who asked stays in the queue when the open time is over.
        if state.standing != Standing::Asking {
            self.asked = None;
        }
        self.leave = 0;
        let before = std::mem::replace(&mut self.mark, state.mark);
        match (self.mark == before, self.mark.open_until) {
            (true, _) => Changed::No,
            (false, Some(_)) => Changed::Opened(self.mark.clone()),
            (false, None) => Changed::Closed(self.mark.clone()),
        }
    }

    pub(super) fn view(&self) -> BreakerView {
        let (state, next_probe) = match self.standing {
            Standing::Free => (BreakerState::Closed, None),
            Standing::Shut(until) => (BreakerState::Open, until),
            Standing::Asking => (BreakerState::HalfOpen, None),
        };
        BreakerView {
            dependency: self.mark.dependency.clone(),
            state,
            since: self.mark.since,
            next_probe,
            steps: self.mark.steps,
            forced: self.mark.forced.clone(),
            sharers: self.sharers,
        }
    }
}
