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

/// What a record says of an event, as far as objectives care.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact<'r> {
    /// It ended; the largest threshold for which it was counted as overdue, in microseconds.
    Ended(&'r Ended, u64),
    /// It became overdue; the largest threshold that it had passed before, in microseconds.
    Overdue(&'r Overdue, u64),
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

    /// Counts what a record says for one of the parts.
    pub(crate) fn count_all(&mut self, part: usize, shard: &Shard, facts: &[Fact<'_>]) {
        let mut open = None;
        for fact in facts {
            let Some((offset, when, good, outcome)) = self.judge(part, fact) else { continue };
            self.slices[part].add_to(&mut open, when, good);
            if !good {
                self.remember(BadEvent { at: Position { shard: shard.clone(), offset }, when, outcome });
            }
        }
        self.slices[part].close(open);
    }

    /// Whether a fact counts for a part, and as what.
    fn judge(&self, part: usize, fact: &Fact<'_>) -> Option<(u64, Timestamp, bool, Option<Outcome>)> {
        let counted = &self.objective.parts[part];
        match *fact {
            Fact::Overdue(overdue, before_us) => {
                let threshold = counted.overdue_us()?;
                let newly = before_us < threshold && threshold <= overdue.threshold_us;
                newly.then_some((overdue.offset, overdue.at, false, None))
            }
            Fact::Ended(ended, overdue_for_us) => {
                let is_counted = overdue_for_us > 0 && counted.overdue_us().is_some_and(|at| at <= overdue_for_us);
                if is_counted || !counted.scope.holds(ended) {
                    return None;
                }
                let took_us = match counted.indicator {
                    Indicator::Latency { .. } => ended.created_to_ended_us,
                    Indicator::Handler { .. } => ended.handler_us,
                    Indicator::Success => 0,
                };
                let in_time =
                    || counted.indicator.threshold().is_none_or(|most| u128::from(took_us) <= most.as_micros());
                let good = match ended.outcome {
                    Outcome::Completed => in_time(),
                    Outcome::Dead | Outcome::Expired => false,
                    Outcome::Duplicate
                    | Outcome::Stale
                    | Outcome::Filtered
                    | Outcome::Dropped
                    | Outcome::NotAnEvent => return None,
                };
                Some((ended.offset, ended.at, good, Some(ended.outcome)))
            }
        }
    }

    fn remember(&mut self, bad: BadEvent) {
        if self.bad.len() == BAD_KEPT {
            self.bad.pop_front();
        }
        self.bad.push_back(bad);
    }
}
