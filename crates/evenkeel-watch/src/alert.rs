//! The state of each burn-rate alert: quiet or firing.
//!
//! Rules (multi-window, multi-burn-rate; SRE Workbook, chapter 5): an alert fires when both its
//! windows burn above its factor *and* that many bad events are too rare to be chance ([`crate::tail`]
//! below alpha). It clears when the short window burns at or below the factor. While the short
//! window is empty nobody knows: the last state holds as long as the long window still burns, or
//! the subscription's oldest event is older than a latency objective's threshold.
//!
//! A window that begins before the first event ever counted is taken as if the time before had
//! been good at the same rate: else ten bad seconds in the first minute of a new objective would
//! look like two per cent of a month's budget, and page for hours. The first minute of history
//! counts as a whole one, so windows of up to a minute are never corrected.
//!
//! Invariant: `Firing` and `Resolved` alternate, beginning with `Firing`.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::gate::ln_tail;
use crate::openslo::{BurnAlert, Objective, Severity};
use crate::slices::{Counts, Slices};

#[cfg(test)]
mod tests;

/// An alert that fires, or fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The objective.
    pub objective: Arc<str>,
    /// Its service.
    pub service: Arc<str>,
    /// Its subscription.
    pub subscription: Arc<str>,
    /// The alert's name within the objective.
    pub name: Arc<str>,
    /// Who must act.
    pub severity: Severity,
    /// The share of the budget that is spent in `long` at `factor`.
    pub budget_share: f64,
    /// The long window.
    pub long: Duration,
    /// The short window.
    pub short: Duration,
    /// The burn rate above which it fires.
    pub factor: f64,
    /// The burn rate of the long window, when it fired or was resolved; like the short one's
    /// corrected for a history that is shorter than the window.
    pub burn_long: f64,
    /// The burn rate of the short window, when it fired or was resolved; 0 when it was empty.
    pub burn_short: f64,
    /// Bad events in the long window.
    pub bad: u64,
    /// Valid events in the long window.
    pub valid: u64,
    /// When it fired.
    pub started_at: Timestamp,
    /// When the run of bad events that made it fire began.
    pub first_bad_at: Timestamp,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
}

impl Alert {
    /// One sentence for people.
    pub fn summary(&self) -> String {
        format!(
            "{} burns its error budget {:.1} times as fast as it may ({} of {} events bad in {:?})",
            self.objective, self.burn_long, self.bad, self.valid, self.long
        )
    }
}

/// An alert changed.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertEvent {
    /// It began.
    Firing(Alert),
    /// It is over.
    Resolved(Alert),
}

impl AlertEvent {
    /// The alert.
    pub fn alert(&self) -> &Alert {
        match self {
            AlertEvent::Firing(alert) | AlertEvent::Resolved(alert) => alert,
        }
    }
}

/// One alert of one objective.
#[derive(Clone, Debug)]
pub(crate) struct Tier {
    alert: BurnAlert,
    firing: Option<Alert>,
}

impl Tier {
    pub(crate) fn new(alert: BurnAlert) -> Tier {
        Tier { alert, firing: None }
    }

    pub(crate) fn firing(&self) -> Option<&Alert> {
        self.firing.as_ref()
    }

    /// Takes over an alert that fired before a restart.
    pub(crate) fn adopt(&mut self, alert: &Alert) {
        if self.alert.name == alert.name {
            self.firing = Some(alert.clone());
        }
    }

    /// `lagging`: the subscription's oldest event has broken the objective already.
    pub(crate) fn step(
        &mut self,
        now: Timestamp,
        objective: &Objective,
        slices: &Slices,
        lagging: bool,
    ) -> Option<AlertEvent> {
        let factor = self.alert.factor(objective.window);
        let burn = |window, counts: &Counts| Some(counts.burn(objective.allowed())? * known_share(now, slices, window));
        let short = burn(self.alert.short, &slices.window(now, self.alert.short));
        // An idle alert costs one short window.
        if self.firing.is_none() && short.is_none_or(|burn| burn <= factor) {
            return None;
        }
        let long_counts = slices.window(now, self.alert.long);
        let long = burn(self.alert.long, &long_counts);
        let burns = |burn: Option<f64>| burn.is_some_and(|burn| burn > factor);
        match &mut self.firing {
            Some(_) if burns(short) || (short.is_none() && (burns(long) || lagging)) => None,
            Some(firing) => {
                firing.burn_long = long.unwrap_or(0.0);
                firing.burn_short = short.unwrap_or(0.0);
                (firing.bad, firing.valid) = (long_counts.bad, long_counts.valid());
                firing.resolved_at = Some(now);
                self.firing.take().map(AlertEvent::Resolved)
            }
            None if burns(long) && is_evidence(&long_counts, objective) => {
                let first_bad_at = slices.bad_since(now, self.alert.long, self.alert.short).unwrap_or(now);
                let burns = (long.unwrap_or(0.0), short.unwrap_or(0.0));
                let alert = self.describe(now, objective, &long_counts, burns, first_bad_at);
                self.firing = Some(alert.clone());
                Some(AlertEvent::Firing(alert))
            }
            None => None,
        }
    }

    fn describe(
        &self,
        now: Timestamp,
        objective: &Objective,
        long: &Counts,
        (burn_long, burn_short): (f64, f64),
        first_bad_at: Timestamp,
    ) -> Alert {
        Alert {
            objective: Arc::clone(&objective.name),
            service: Arc::clone(&objective.service),
            subscription: Arc::clone(&objective.subscription),
            name: Arc::clone(&self.alert.name),
            severity: self.alert.severity,
            budget_share: self.alert.budget_share,
            long: self.alert.long,
            short: self.alert.short,
            factor: self.alert.factor(objective.window),
            burn_long,
            burn_short,
            bad: long.bad,
            valid: long.valid(),
            started_at: now,
            first_bad_at,
            resolved_at: None,
        }
    }
}

/// How much of a window there is any history of, in (0, 1].
fn known_share(now: Timestamp, slices: &Slices, window: Duration) -> f64 {
    let known = slices.first().map_or(Duration::ZERO, |first| now.since(first)).max(HISTORY_MIN);
    known.min(window).as_secs_f64() / window.as_secs_f64()
}

/// What the shortest history counts as.
const HISTORY_MIN: Duration = Duration::from_secs(60);

/// Too many bad events to be chance, if the objective were just met.
fn is_evidence(long: &Counts, objective: &Objective) -> bool {
    long.bad >= objective.bad_min && ln_tail(long.valid(), long.bad, objective.allowed()) < objective.alpha.ln()
}
