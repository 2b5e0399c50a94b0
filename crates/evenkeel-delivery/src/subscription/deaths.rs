//! The dead-letter budget: too many dead letters of one handler version pause the subscription.
//!
//! It counts what handlers decided or wore out, per version, so that a bad version is told from
//! the one before; what an operator skips doesn't count. The counts live in memory: a restart
//! begins anew, but a pause is journaled and stays. Invariant: once spent it stays spent until
//! the subscription is resumed, and meanwhile no verdict dead-letters anything.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Outcome, Timestamp};

use super::Subscription;
use super::endings::Ending;
use super::events::Slot;
use crate::{DeadBudget, FALLBACK};

/// So begins why a subscription is paused, when its budget is spent.
pub(super) const SPENT: &str = "the dead-letter budget is spent";
/// Versions that are told apart; the one seen longest ago goes first.
const VERSIONS_MAX: usize = 4;
/// A window is counted in so many slices.
const SLICES: u32 = 10;

#[derive(Debug)]
pub(super) struct Deaths {
    budget: DeadBudget,
    versions: VecDeque<Version>,
    spent: bool,
}

/// What became of the events of one handler version.
#[derive(Debug)]
struct Version {
    name: Arc<str>,
    run: u32,
    /// Since when, how many ended, how many of them dead.
    slices: VecDeque<(Timestamp, u32, u32)>,
}

impl Deaths {
    pub(super) fn new(budget: DeadBudget) -> Deaths {
        Deaths { budget, versions: VecDeque::new(), spent: false }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.spent
    }

    pub(super) fn begin_anew(&mut self) {
        (self.spent, self.versions) = (false, VecDeque::new());
    }

    /// An event ended at that version. Says why, when that spends the budget.
    fn note(&mut self, now: Timestamp, version: &Arc<str>, dead: bool) -> Option<String> {
        if self.spent {
            return None;
        }
        let budget = self.budget;
        let counted = self.version(version);
        counted.count(now, budget.window, dead);
        let why = counted.verdict(&budget)?;
        self.spent = true;
        let at = if version.is_empty() { String::new() } else { format!(" at handler version `{version}`") };
        Some(format!("{SPENT}: {why}{at}"))
    }

    fn version(&mut self, name: &Arc<str>) -> &mut Version {
        let known = self.versions.iter().position(|v| v.name == *name);
        let index = known.unwrap_or_else(|| {
            if self.versions.len() == VERSIONS_MAX {
                self.versions.pop_front();
            }
            self.versions.push_back(Version { name: name.clone(), run: 0, slices: VecDeque::new() });
            self.versions.len() - 1
        });
        &mut self.versions[index]
    }
}

impl Version {
    fn count(&mut self, now: Timestamp, window: Duration, dead: bool) {
        self.run = if dead { self.run + 1 } else { 0 };
        while self.slices.front().is_some_and(|(since, ..)| now.since(*since) >= window) {
            self.slices.pop_front();
        }
        match self.slices.back_mut() {
            Some((since, ended, died)) if now.since(*since) < window / SLICES => {
                (*ended, *died) = (*ended + 1, *died + u32::from(dead));
            }
            _ => self.slices.push_back((now, 1, u32::from(dead))),
        }
    }

    fn verdict(&self, budget: &DeadBudget) -> Option<String> {
        if self.run >= budget.run {
            return Some(format!("{} events in a row died", self.run));
        }
        let (ended, died) = self.slices.iter().fold((0, 0), |(e, d), (_, ended, died)| (e + ended, d + died));
        let too_many = ended >= budget.min && f64::from(died) > budget.share * f64::from(ended);
        too_many.then(|| format!("{died} of the last {ended} events died"))
    }
}

impl Subscription {
    /// What an ending costs, if anything; at the end of the budget the subscription pauses.
    pub(super) fn count_death(&mut self, now: Timestamp, slot: Slot, ending: &Ending) {
        let event = &self.events[slot];
        // What an operator decided, or the fallback did, says nothing of the version.
        let by_operator = ending.failure.as_ref().is_some_and(|f| f.reason == "operator" || f.reason == FALLBACK);
        let handled = matches!(ending.outcome, Outcome::Completed | Outcome::Dropped | Outcome::Dead);
        // A redrive has a stop of its own, and must not stop what is new.
        if event.course.counters.deliveries == 0 || by_operator || !handled || event.detour.redriven.is_some() {
            return;
        }
        let version = event.course.last_version.as_ref().unwrap_or(&self.policy.handler_version).clone();
        if let Some(why) = self.deaths.note(now, &version, ending.outcome == Outcome::Dead) {
            let hint = "the subscription is paused; when the handler is mended, `dead rewind` redrives what this version killed and resumes, and `resume` alone goes on";
            self.alarm("dead_letter_budget", format!("{why}; {hint}"));
            self.pause(why);
        }
    }
}
