//! What the slices of a part say over a window, by its budgeting method.
//!
//! Invariants: `error` lies in [0, 1]; it is none where nobody can tell; `failures` of `trials`
//! are what the binomial gate may reason about: events, or slices where slices are counted.

use evenkeel_model::Timestamp;

use crate::objective::{Empty, Method, Part};
use crate::slices::{Counts, Slices};

#[cfg(test)]
mod tests;

/// What the slices of a part say over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Events.
    pub(crate) events: Counts,
    /// The share of the budget's unit that was bad.
    pub(crate) error: Option<f64>,
    /// Events, or slices.
    pub(crate) trials: u64,
    /// Of those, bad ones.
    pub(crate) failures: u64,
}

impl Tally {
    /// The error as a multiple of the share that is allowed.
    pub(crate) fn burn(&self, part: &Part) -> Option<f64> {
        Some(self.error? / part.allowed())
    }
}

/// What was counted from `from` to `to`, seen from `now`.
pub(crate) fn tally(part: &Part, slices: &Slices, now: Timestamp, from: Timestamp, to: Timestamp) -> Tally {
    let events = slices.between(now, from, to);
    let valid = events.valid();
    let by_events = Tally {
        events,
        error: (valid > 0).then(|| events.bad as f64 / valid as f64),
        trials: valid,
        failures: events.bad,
    };
    match part.method {
        Method::Occurrences => by_events,
        Method::Timeslices { slice, target, empty } => {
            let width = i64::try_from(slice.as_micros()).unwrap_or(i64::MAX);
            let (mut seen, mut bad) = (0, 0);
            each_slice(slices, width, from, to, |counts| {
                seen += 1;
                bad += u64::from((counts.good as f64) < target * counts.valid() as f64);
            });
            let empties = empties(slices, width, from, to, seen);
            let (trials, failures) = match empty {
                Empty::Good => (seen + empties, bad),
                Empty::Bad => (seen + empties, bad + empties),
                Empty::Skipped => (seen, bad),
            };
            let error = (trials > 0).then(|| failures as f64 / trials as f64);
            Tally { error, trials, failures, ..by_events }
        }
        Method::RatioTimeslices { slice, empty } => {
            let width = i64::try_from(slice.as_micros()).unwrap_or(i64::MAX);
            let (mut seen, mut shortfall) = (0, 0.0);
            each_slice(slices, width, from, to, |counts| {
                seen += 1;
                shortfall += counts.bad as f64 / counts.valid() as f64;
            });
            let empties = empties(slices, width, from, to, seen);
            let (count, shortfall) = match empty {
                Empty::Good => (seen + empties, shortfall),
                Empty::Bad => (seen + empties, shortfall + empties as f64),
                Empty::Skipped => (seen, shortfall),
            };
            Tally { error: (count > 0).then(|| shortfall / count as f64), ..by_events }
        }
    }
}

fn each_slice(slices: &Slices, width: i64, from: Timestamp, to: Timestamp, mut see: impl FnMut(&Counts)) {
    let number = |at: Timestamp| at.micros().div_euclid(width);
    let mut open: Option<(i64, Counts)> = None;
    // Whole slices: the one in which the window begins counts from its own beginning.
    let whole_from = Timestamp::from_micros(number(from).saturating_mul(width));
    for (began, counts) in slices.minutes(whole_from, to) {
        match &mut open {
            Some((current, sum)) if *current == number(began) => sum.add(counts),
            _ => {
                if let Some((_, sum)) = open.replace((number(began), *counts)) {
                    see(&sum);
                }
            }
        }
    }
    if let Some((_, sum)) = open {
        see(&sum);
    }
}

/// Slices of the window without events, since the first event ever.
fn empties(slices: &Slices, width: i64, from: Timestamp, to: Timestamp, seen: u64) -> u64 {
    let Some(first) = slices.first() else { return 0 };
    let number = |at: Timestamp| at.micros().div_euclid(width);
    let all = number(to).saturating_sub(number(from.max(first))).saturating_add(1);
    u64::try_from(all).unwrap_or(0).saturating_sub(seen)
}
