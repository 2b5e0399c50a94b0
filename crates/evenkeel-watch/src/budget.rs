//! The error budget of an objective: how much may go wrong, how much did, how long it lasts.
//!
//! Formulas as in the SRE Workbook, chapter 5, with e = 1 − target, P the period, and integer
//! counts: burn = error / e, remaining = 1 − burn over the whole window = 1 − bad / (e · valid),
//! never clamped; exhaustion at a constant burn after remaining · P / burn. Where slices are
//! counted, and empty ones too, all slices of the whole window share the budget: it is known
//! beforehand how many there are. A composite burns as the weighted sum of its parts.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::exclusion::Hidden;
use crate::objective::{Empty, Method, Objective, Part, Window};
use crate::slices::{Counts, Slices};
use crate::tally::{Seen, Tally, tally};

#[cfg(test)]
mod tests;

/// The error budget of an objective over its window.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// The objective.
    pub objective: Arc<str>,
    /// Its target.
    pub target: f64,
    /// How long its window is.
    pub window: Duration,
    /// Where the window begins now.
    pub from: Timestamp,
    /// Where the window ends: now, or the end of the calendar's.
    pub until: Timestamp,
    /// Events that kept the objective, in the window.
    pub good: u64,
    /// Events that broke it, in the window.
    pub bad: u64,
    /// Both.
    pub valid: u64,
    /// Where slices are counted: bad ones, and all that share the budget.
    pub slices: Option<(u64, u64)>,
    /// The share of good ones, by the budgeting method; none without events.
    pub indicator: Option<f64>,
    /// How many of the valid events, or of the slices, may be bad.
    pub allowed: f64,
    /// The share of the budget that is left: 1 when nothing is bad, below 0 when overspent.
    pub remaining: f64,
    /// The burn rate over several windows, shortest first; none for a window without events.
    pub burn: Vec<(Duration, Option<f64>)>,
    /// When the budget is spent if it goes on as in the last hour (or the longest shown window
    /// below that), not counting on old bad events leaving the window. Zero when it is spent; none
    /// when a calendar's window ends before.
    pub exhausted_in: Option<Duration>,
}

/// What was counted in one stretch of an objective's window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Where the stretch ends.
    pub until: Timestamp,
    /// Good events in it.
    pub good: u64,
    /// Bad events in it.
    pub bad: u64,
    /// What was left at its end of the budget that the whole window has now; none before the first event.
    pub left: Option<f64>,
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Over which stretch the pace is taken, at most.
const PACE: Duration = HOUR;

/// An objective with what its parts counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<'a> {
    pub(crate) objective: &'a Objective,
    /// One for each part.
    pub(crate) slices: &'a [Slices],
    /// What is excluded.
    pub(crate) hidden: &'a Hidden,
}

impl<'a> Counted<'a> {
    fn parts(self) -> impl Iterator<Item = (&'a Part, &'a Slices)> {
        self.objective.parts.iter().zip(self.slices)
    }

    pub(crate) fn tallies(self, now: Timestamp, from: Timestamp, to: Timestamp) -> Vec<(&'a Part, Tally)> {
        let seen = |(part, slices)| (part, tally(Seen { part, slices, hidden: self.hidden }, now, from, to));
        self.parts().map(seen).collect()
    }

    /// The burn rate from `from` to `to`; none where no part can tell.
    pub(crate) fn burn(self, now: Timestamp, from: Timestamp, to: Timestamp) -> Option<f64> {
        burn_of(&self.tallies(now, from, to))
    }

    /// The burn rate over the last `window`, corrected for a history that is shorter: as if the
    /// time before had been good at the same rate.
    pub(crate) fn known_burn(self, now: Timestamp, window: Duration) -> Option<f64> {
        Some(self.burn(now, now - window, now)? * self.known_share(now, window))
    }

    /// How much of a window there is any history of, in (0, 1].
    pub(crate) fn known_share(self, now: Timestamp, window: Duration) -> f64 {
        let first = self.slices.iter().filter_map(Slices::first).min();
        if window <= NEVER_CORRECTED {
            return 1.0;
        }
        let known = first.map_or(Duration::ZERO, |first| now.since(first)).max(HISTORY_MIN);
        known.min(window).as_secs_f64() / window.as_secs_f64()
    }

    /// The time of the latest event that counted.
    pub(crate) fn last(self) -> Option<Timestamp> {
        self.slices.iter().filter_map(Slices::last).max()
    }

    /// The time of the latest bad event.
    pub(crate) fn last_bad(self) -> Option<Timestamp> {
        self.slices.iter().filter_map(Slices::last_bad).max()
    }

    /// The share of the budget that was spent in the window of this moment; above 1 when overspent.
    pub(crate) fn consumed(self, now: Timestamp) -> f64 {
        let (from, until) = self.objective.window.around(now);
        let spent = |(part, tally): (&Part, Tally)| part.weight * consumed(part, &tally, self.hidden, (from, until));
        self.tallies(now, from, now).into_iter().map(spent).sum()
    }
}

/// Windows up to this length are taken as they are, however short the history.
const NEVER_CORRECTED: Duration = Duration::from_secs(60);
/// What the shortest history counts as: a slice.
const HISTORY_MIN: Duration = Duration::from_secs(10);

/// The weighted sum of what the parts burn; none where no part can tell.
pub(crate) fn burn_of(tallies: &[(&Part, Tally)]) -> Option<f64> {
    let burns = tallies.iter().filter_map(|(part, tally)| Some(part.weight * tally.burn(part)?));
    burns.fold(None, |sum, burn| Some(sum.unwrap_or(0.0) + burn))
}

fn consumed(part: &Part, tally: &Tally, hidden: &Hidden, window: (Timestamp, Timestamp)) -> f64 {
    match slices_in(part, hidden, window) {
        Some(all) => tally.failures as f64 / (part.allowed() * all as f64),
        None => tally.burn(part).unwrap_or(0.0),
    }
}

/// All slices of the window, where it is known beforehand how many share the budget.
fn slices_in(part: &Part, hidden: &Hidden, (from, until): (Timestamp, Timestamp)) -> Option<u64> {
    match part.method {
        Method::Timeslices { slice, empty: Empty::Good | Empty::Bad, .. } => {
            let all =
                u64::try_from(until.since(from).as_micros().div_ceil(slice.as_micros().max(1))).unwrap_or(u64::MAX);
            let width = i64::try_from(slice.as_micros()).unwrap_or(i64::MAX);
            Some(all.saturating_sub(hidden.slices(width, from, until)).max(1))
        }
        _ => None,
    }
}

pub(crate) fn budget(counted: Counted<'_>, now: Timestamp) -> Budget {
    let objective = counted.objective;
    let (from, until) = objective.window.around(now);
    let tallies = counted.tallies(now, from, now);
    let mut counts = Counts::default();
    tallies.iter().for_each(|(_, tally)| counts.add(&tally.events));
    let burn: Vec<_> = burn_windows(objective).into_iter().map(|w| (w, counted.burn(now, now - w, now))).collect();
    let pace = burn.iter().rev().find(|(window, _)| *window <= PACE).or(burn.first()).and_then(|(_, burn)| *burn);
    let spent: f64 =
        tallies.iter().map(|(part, tally)| part.weight * consumed(part, tally, counted.hidden, (from, until))).sum();
    let remaining = 1.0 - spent;
    let slices = match tallies.as_slice() {
        [(part, tally)] if matches!(part.method, Method::Timeslices { .. }) => {
            Some((tally.failures, slices_in(part, counted.hidden, (from, until)).unwrap_or(tally.trials)))
        }
        _ => None,
    };
    let units = slices.map_or(counts.valid(), |(_, all)| all);
    Budget {
        objective: Arc::clone(&objective.name),
        target: objective.target(),
        window: objective.window.length(),
        from,
        until,
        good: counts.good,
        bad: counts.bad,
        valid: counts.valid(),
        slices,
        indicator: burn_of(&tallies).map(|burn| 1.0 - burn * objective.allowed()),
        allowed: objective.allowed() * units as f64,
        remaining,
        burn,
        exhausted_in: exhausted_in(remaining, objective, pace, until.since(now)),
    }
}

/// When the budget is spent at this pace; `left` is what is left of a calendar's window.
pub(crate) fn exhausted_in(
    remaining: f64,
    objective: &Objective,
    burn: Option<f64>,
    left: Duration,
) -> Option<Duration> {
    if remaining <= 0.0 {
        return Some(Duration::ZERO);
    }
    let burn = burn.filter(|&burn| burn > 0.0)?;
    let lasts = Duration::try_from_secs_f64(remaining * objective.window.length().as_secs_f64() / burn).ok()?;
    match objective.window {
        Window::Calendar(_) if lasts > left => None,
        _ => Some(lasts),
    }
}

/// The windows of the objective's alerts, and those of the Workbook that fit.
pub(crate) fn burn_windows(objective: &Objective) -> Vec<Duration> {
    let length = objective.window.length();
    let usual = [HOUR / 12, HOUR / 2, HOUR, 2 * HOUR, 6 * HOUR, 24 * HOUR, 72 * HOUR, length];
    let own = objective.alerts.iter().flat_map(crate::rule::AlertRule::windows);
    let mut windows: Vec<Duration> = own.chain(usual).filter(|&window| window <= length).collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

/// The window in at most `points` stretches, oldest first: from its beginning, or from the first event ever. Slices are
/// not cut in two, so that what is spent in the stretches is what is spent in the window.
pub(crate) fn history(counted: Counted<'_>, now: Timestamp, points: u32) -> Vec<Point> {
    let (begins, until) = counted.objective.window.around(now);
    let Some(first) = counted.slices.iter().filter_map(Slices::first).min() else { return Vec::new() };
    let whole: Vec<Tally> = counted.tallies(now, begins, now).into_iter().map(|(_, tally)| tally).collect();
    let grain = grain(counted.objective);
    let down = |at: Timestamp| Timestamp::from_micros(at.micros().div_euclid(grain).saturating_mul(grain));
    let from = down(begins.max(first));
    let known = now.micros().saturating_sub(from.micros()).max(1);
    let step = (known.saturating_add(i64::from(points.max(1)) - 1) / i64::from(points.max(1))).max(1);
    let step = (step.saturating_add(grain - 1) / grain).saturating_mul(grain).max(grain);
    let (mut line, mut at, mut spent, mut any) = (Vec::new(), from, 0.0, false);
    while at < now {
        let next = Timestamp::from_micros(at.micros().saturating_add(step)).min(now);
        // A slice belongs to the stretch that it ends in; the instant of the end to the next one.
        let last = if next < now { Timestamp::from_micros(next.micros() - 1) } else { now };
        let mut sum = Counts::default();
        for ((part, tally), whole) in counted.tallies(now, at.max(begins), last).iter().zip(&whole) {
            sum.add(&tally.events);
            let all = slices_in(part, counted.hidden, (begins, until)).unwrap_or(whole.units).max(1);
            spent += part.weight * tally.error.unwrap_or(0.0) * tally.units as f64 / (part.allowed() * all as f64);
        }
        any |= sum.valid() > 0;
        line.push(Point { until: next, good: sum.good, bad: sum.bad, left: any.then_some(1.0 - spent) });
        at = next;
    }
    line
}

/// The least stretch that cuts no slice in two, in microseconds; ten seconds where none are counted.
fn grain(objective: &Objective) -> i64 {
    let widths = objective.parts.iter().filter_map(|part| i64::try_from(part.method.slice()?.as_micros()).ok());
    let longest = widths.max().unwrap_or(0).max(10_000_000);
    let window = i64::try_from(objective.window.length().as_micros()).unwrap_or(i64::MAX);
    if window > 3_600_000_000 { longest.max(60_000_000) } else { longest }
}
