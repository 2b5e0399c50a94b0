//! What the slices of a part say over a window, by its budgeting method.
//!
//! Invariants: `error` lies in [0, 1]; it is none where nobody can tell; `failures` of `trials`
//! are what the binomial gate may reason about: events, or slices where slices are counted.

use evenkeel_model::Timestamp;

use crate::exclusion::Hidden;
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
    /// What the error is a share of: events, slices, or slices whose shares are a mean.
    pub(crate) units: u64,
}

impl Tally {
    /// The error as a multiple of the share that is allowed.
    pub(crate) fn burn(&self, part: &Part) -> Option<f64> {
        Some(self.error? / part.allowed())
    }
}

/// A part with what it counted and what of that is hidden.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) part: &'a Part,
    pub(crate) slices: &'a Slices,
    pub(crate) hidden: &'a Hidden,
}

/// What was counted from `from` to `to`, seen from `now`.
pub(crate) fn tally(seen: Seen<'_>, now: Timestamp, from: Timestamp, to: Timestamp) -> Tally {
    let Seen { part, slices, hidden } = seen;
    let mut events = slices.between(now, from, to);
    for (from, to) in hidden.within(from, to) {
        let excluded = slices.between(now, from, to);
        events.good = events.good.saturating_sub(excluded.good);
        events.bad = events.bad.saturating_sub(excluded.bad);
    }
    let valid = events.valid();
    let by_events = Tally {
        events,
        error: (valid > 0).then(|| events.bad as f64 / valid as f64),
        trials: valid,
        failures: events.bad,
        units: valid,
    };
    match part.method {
        Method::Occurrences => by_events,
        Method::Timeslices { slice, target, empty } => {
            let width = i64::try_from(slice.as_micros()).unwrap_or(i64::MAX);
            let (mut seen, mut bad) = (0, 0);
            each_slice(slices, hidden, width, from, to, |counts| {
                seen += 1;
                bad += u64::from((counts.good as f64) < target * counts.valid() as f64);
            });
            let empties = slices_of(slices, hidden, width, from, to).saturating_sub(seen);
            let (trials, failures) = match empty {
                Empty::Good => (seen + empties, bad),
                Empty::Bad => (seen + empties, bad + empties),
                Empty::Skipped => (seen, bad),
            };
            let error = (trials > 0).then(|| failures as f64 / trials as f64);
            Tally { error, trials, failures, units: trials, ..by_events }
        }
        Method::RatioTimeslices { slice, empty } => {
            let width = i64::try_from(slice.as_micros()).unwrap_or(i64::MAX);
            let (mut seen, mut shortfall) = (0, 0.0);
            each_slice(slices, hidden, width, from, to, |counts| {
                seen += 1;
                shortfall += counts.bad as f64 / counts.valid() as f64;
            });
            let empties = slices_of(slices, hidden, width, from, to).saturating_sub(seen);
            let (count, shortfall) = match empty {
                Empty::Good => (seen + empties, shortfall),
                Empty::Bad => (seen + empties, shortfall + empties as f64),
                Empty::Skipped => (seen, shortfall),
            };
            Tally { error: (count > 0).then(|| shortfall / count as f64), units: count, ..by_events }
        }
    }
}

fn each_slice(
    slices: &Slices,
    hidden: &Hidden,
    width: i64,
    from: Timestamp,
    to: Timestamp,
    mut see: impl FnMut(&Counts),
) {
    let number = |at: Timestamp| at.micros().div_euclid(width);
    let mut open: Option<(i64, Counts)> = None;
    // Whole slices: the one in which the window begins counts from its own beginning.
    let whole_from = Timestamp::from_micros(number(from).saturating_mul(width));
    let minutes = slices.minutes(whole_from, to).filter(|(began, _)| hidden.is_empty() || !hidden.holds(*began));
    for (began, counts) in minutes {
        match &mut open {
            Some((current, sum)) if *current == number(began) => sum.add(&counts),
            _ => {
                if let Some((_, sum)) = open.replace((number(began), counts)) {
                    see(&sum);
                }
            }
        }
    }
    if let Some((_, sum)) = open {
        see(&sum);
    }
}

/// Slices of the window since the first event ever, those that are hidden left out.
fn slices_of(slices: &Slices, hidden: &Hidden, width: i64, from: Timestamp, to: Timestamp) -> u64 {
    let Some(first) = slices.first() else { return 0 };
    let number = |at: Timestamp| at.micros().div_euclid(width);
    let from = from.max(first);
    let all = u64::try_from(number(to).saturating_sub(number(from)).saturating_add(1)).unwrap_or(0);
    all.saturating_sub(hidden.slices(width, from, to))
}
