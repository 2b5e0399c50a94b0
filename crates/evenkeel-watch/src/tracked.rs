//! One objective with what its parts counted.
//!
//! Invariant: an event that was overdue for a latency objective is bad at that time, and is not
//! counted for it again when it ends.

use std::collections::VecDeque;
use std::time::Duration;

use evenkeel_model::ledger::{Ended, Overdue};
use evenkeel_model::{Outcome, Position, Shard, Timestamp};

use crate::alert::Tier;
use crate::budget::Counted;
use crate::exclusion::Hidden;
use crate::objective::{Indicator, Objective};
use crate::slices::Slices;

/// Bad events that an objective remembers by position.
const BAD_KEPT: usize = 16;
/// By how much a calendar's window may be longer than its unit usually is: four quarters have a
/// leap year's 366 days, a month 31.
const CALENDAR_SLACK: Duration = Duration::from_secs(6 * 86_400);

/// One event that broke an objective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEvent {
    /// Where it is.
    pub at: Position,
    /// When it counted.
    pub when: Timestamp,
    /// Its outcome; none while it is overdue.
    pub outcome: Option<Outcome>,
}

#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    pub(crate) objective: Objective,
    /// One for each part.
    pub(crate) slices: Vec<Slices>,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) hidden: Hidden,
    pub(crate) bad: VecDeque<BadEvent>,
}

impl Tracked {
    pub(crate) fn new(objective: Objective) -> Tracked {
        // A calendar's window is at times longer than its unit usually is: 366 days, or an hour more.
        let keep =
            objective.window.length() + if objective.window.is_calendar() { CALENDAR_SLACK } else { Duration::ZERO };
        Tracked {
            slices: objective.parts.iter().map(|_| Slices::new(keep)).collect(),
            tiers: objective.alerts.iter().cloned().map(Tier::new).collect(),
            hidden: Hidden::default(),
            bad: VecDeque::new(),
            objective,
        }
    }

    pub(crate) fn counted(&self) -> Counted<'_> {
        Counted { objective: &self.objective, slices: &self.slices, hidden: &self.hidden }
    }

    pub(crate) fn overdue(&mut self, part: usize, shard: &Shard, overdue: &Overdue, before_us: u64) {
        let newly = |threshold: u64| before_us < threshold && threshold <= overdue.threshold_us;
        if self.objective.parts[part].overdue_us().is_some_and(newly) {
            self.count(part, shard, overdue.offset, overdue.at, false, None);
        }
    }

    pub(crate) fn ended(&mut self, part: usize, shard: &Shard, ended: &Ended, overdue_for_us: u64) {
        let counted = &self.objective.parts[part];
        if !counted.scope.holds(ended) || counted.overdue_us().is_some_and(|threshold| threshold <= overdue_for_us) {
            return;
        }
        let took_us = match counted.indicator {
            Indicator::Latency { .. } => ended.created_to_ended_us,
            Indicator::Handler { .. } => ended.handler_us,
            Indicator::Success => 0,
        };
        let in_time = counted.indicator.threshold().is_none_or(|most| u128::from(took_us) <= most.as_micros());
        match ended.outcome {
            Outcome::Completed => self.count(part, shard, ended.offset, ended.at, in_time, Some(ended.outcome)),
            Outcome::Dead | Outcome::Expired => {
                self.count(part, shard, ended.offset, ended.at, false, Some(ended.outcome));
            }
            Outcome::Duplicate | Outcome::Stale | Outcome::Filtered | Outcome::Dropped | Outcome::NotAnEvent => {}
        }
    }

    fn count(
        &mut self,
        part: usize,
        shard: &Shard,
        offset: u64,
        when: Timestamp,
        good: bool,
        outcome: Option<Outcome>,
    ) {
        self.slices[part].add(when, good);
        if good {
            return;
        }
        if self.bad.len() == BAD_KEPT {
            self.bad.pop_front();
        }
        let at = Position { shard: shard.clone(), offset };
        self.bad.push_back(BadEvent { at, when, outcome });
    }
}
