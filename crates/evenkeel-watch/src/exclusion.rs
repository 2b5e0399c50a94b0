//! Stretches of time that count for nobody: maintenance, said by a person, with a reason.
//!
//! An exclusion holds for the past as for the future, and can be taken back: it takes nothing out
//! of the counts, it only hides whole minutes of them, rounded outwards. Invariant: what two
//! exclusions hide both is hidden once.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::objective::Objective;

#[cfg(test)]
mod tests;

const MINUTE_US: i64 = 60_000_000;

/// A stretch of time that counts for nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// Its name.
    pub id: Arc<str>,
    /// Of which objectives; what is left out holds for all.
    pub of: Excluded,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: Arc<str>,
    /// Who said so.
    pub by: Arc<str>,
    /// When it was said.
    pub said_at: Timestamp,
}

/// Which objectives are excluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excluded {
    /// Of this service.
    pub service: Option<Arc<str>>,
    /// With a part of this subscription.
    pub subscription: Option<Arc<str>>,
    /// Of this name.
    pub objective: Option<Arc<str>>,
}

impl Exclusion {
    /// Whether it holds for this objective.
    pub fn holds(&self, objective: &Objective) -> bool {
        let of = &self.of;
        of.service.as_ref().is_none_or(|service| *service == objective.service)
            && of.objective.as_ref().is_none_or(|name| *name == objective.name)
            && of
                .subscription
                .as_ref()
                .is_none_or(|subscription| objective.parts.iter().any(|part| part.scope.subscription == *subscription))
    }
}

/// Minutes that are hidden, as stretches `[from, until)` in order that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hidden(Vec<(Timestamp, Timestamp)>);

impl Hidden {
    pub(crate) fn of<'a>(exclusions: impl Iterator<Item = &'a Exclusion>) -> Hidden {
        let minute = |at: Timestamp| at.micros().div_euclid(MINUTE_US);
        let mut spans: Vec<(i64, i64)> = exclusions
            .filter(|exclusion| exclusion.from < exclusion.until)
            .map(|e| (minute(e.from), minute(e.until) + i64::from(e.until.micros().rem_euclid(MINUTE_US) != 0)))
            .collect();
        spans.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (from, until) in spans {
            match joined.last_mut() {
                Some((_, end)) if from <= *end => *end = (*end).max(until),
                _ => joined.push((from, until)),
            }
        }
        let time = |minute: i64| Timestamp::from_micros(minute.saturating_mul(MINUTE_US));
        Hidden(joined.into_iter().map(|(from, until)| (time(from), time(until))).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the minute that begins here is hidden.
    pub(crate) fn holds(&self, at: Timestamp) -> bool {
        self.0.iter().any(|(from, until)| (*from..*until).contains(&at))
    }

    /// What is hidden of `[from, to]`, each stretch with its last instant that belongs to it.
    pub(crate) fn within(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let last = |until: Timestamp| until - Duration::from_micros(1);
        self.0
            .iter()
            .filter(move |(begin, end)| *begin <= to && *end > from)
            .map(move |(begin, end)| ((*begin).max(from), last(*end).min(to)))
    }

    /// How many whole slices of `[from, to]` are hidden.
    pub(crate) fn slices(&self, width_us: i64, from: Timestamp, to: Timestamp) -> u64 {
        let whole = |(begin, end): &(Timestamp, Timestamp)| {
            let first = (*begin).max(from).micros().saturating_add(width_us - 1).div_euclid(width_us);
            let last = end.micros().min(to.micros().saturating_add(1)).div_euclid(width_us);
            u64::try_from(last - first).unwrap_or(0)
        };
        self.0.iter().map(whole).sum()
    }
}
