//! Good and bad events by time, in slices of a second and of a minute.
//!
//! Does: keep exact integer counts for one objective over its whole window, and sum any window
//! that ends now. Late events land in the slice of their own time. Invariants: counts are never
//! estimated; a window is never shorter than asked for, and longer by less than one second while
//! it begins within [`FINE`], by less than one minute when it begins earlier. Empty slices take
//! no memory, and the number of kept ones is bounded whatever times the entries carry.

use std::time::Duration;

use evenkeel_model::Timestamp;

use level::{Level, Seen};

mod level;
#[cfg(test)]
mod tests;

/// For how long seconds are kept.
pub(crate) const FINE: Duration = Duration::from_secs(2 * 3600);
const SECOND_US: i64 = 1_000_000;
/// Widths of the levels, in seconds.
const WIDTHS: [i64; 2] = [1, 60];

/// Events counted as good and as bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that kept the objective.
    pub good: u64,
    /// Events that broke it.
    pub bad: u64,
}

impl Counts {
    /// Good and bad ones.
    pub fn valid(&self) -> u64 {
        self.good + self.bad
    }

    /// The share of bad ones as a multiple of `e`, the share that is allowed; none without events.
    pub fn burn(&self, e: f64) -> Option<f64> {
        (self.valid() > 0).then(|| self.bad as f64 / self.valid() as f64 / e)
    }

    pub(crate) fn add(&mut self, other: &Counts) {
        self.good += other.good;
        self.bad += other.bad;
    }

    fn less(&self, other: &Counts) -> Counts {
        Counts { good: self.good - other.good, bad: self.bad - other.bad }
    }
}

/// Events of one second on their way into the slices: a round's outcomes nearly all share one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Second {
    begins_us: i64,
    counts: Counts,
    first: Timestamp,
    last: Timestamp,
    /// The first and the last bad one.
    bad: Option<(Timestamp, Timestamp)>,
}

impl Second {
    fn of(at: Timestamp) -> Second {
        let begins_us = at.micros().div_euclid(SECOND_US).saturating_mul(SECOND_US);
        Second { begins_us, first: at, last: at, ..Second::default() }
    }

    fn holds(&self, at: Timestamp) -> bool {
        at.micros() >= self.begins_us && at.micros() - self.begins_us < SECOND_US
    }

    fn add(&mut self, at: Timestamp, good: bool) {
        (self.first, self.last) = (self.first.min(at), self.last.max(at));
        if good {
            self.counts.good += 1;
            return;
        }
        self.counts.bad += 1;
        self.bad = Some(self.bad.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
    }
}

/// The slices of one objective.
#[derive(Clone, Debug)]
pub struct Slices {
    levels: [Level; 2],
    /// How many slices of each level may be there.
    most: [usize; 2],
    keep: Duration,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    last_bad: Option<Timestamp>,
}

impl Slices {
    /// Slices that answer for windows up to `window`.
    pub fn new(window: Duration) -> Slices {
        let keep = window.max(FINE) + Duration::from_secs(7200);
        let seconds = usize::try_from(keep.as_secs()).unwrap_or(usize::MAX);
        let fine = usize::try_from(2 * FINE.as_secs()).unwrap_or(usize::MAX);
        Slices {
            levels: Default::default(),
            most: [fine, seconds / 60 + 1],
            keep,
            first: None,
            last: None,
            last_bad: None,
        }
    }

    /// Counts one event at its own time.
    pub fn add(&mut self, at: Timestamp, good: bool) {
        let mut open = None;
        self.add_to(&mut open, at, good);
        self.close(open);
    }

    /// Counts one event at its own time, gathering those of one second in `open`; [`Slices::close`]
    /// must follow before anybody asks.
    pub(crate) fn add_to(&mut self, open: &mut Option<Second>, at: Timestamp, good: bool) {
        if !open.is_some_and(|second| second.holds(at)) {
            self.close(open.replace(Second::of(at)));
        }
        if let Some(second) = open {
            second.add(at, good);
        }
    }

    /// Counts what was gathered.
    pub(crate) fn close(&mut self, open: Option<Second>) {
        let Some(second) = open else { return };
        self.first = Some(self.first.map_or(second.first, |first| first.min(second.first)));
        self.last = self.last.max(Some(second.last));
        self.last_bad = self.last_bad.max(second.bad.map(|(_, last)| last));
        let number = second.begins_us.div_euclid(SECOND_US);
        for (level, width) in WIDTHS.iter().enumerate() {
            self.levels[level].add(number.div_euclid(*width), &second, self.most[level]);
        }
    }

    /// The window of this length that ends now, the running second included.
    pub fn window(&self, now: Timestamp, length: Duration) -> Counts {
        self.between(now, now - length, now)
    }

    /// What was counted from `from` to `to`, seen from `now`, which says how fine the edges are.
    pub fn between(&self, now: Timestamp, from: Timestamp, to: Timestamp) -> Counts {
        let mut start = from.micros().div_euclid(SECOND_US);
        let fine_from = (now - FINE).micros().div_euclid(SECOND_US);
        if start < fine_from {
            start = start.div_euclid(60) * 60;
        }
        let mut end = to.micros().div_euclid(SECOND_US).saturating_add(1);
        if end < fine_from {
            end = end.div_euclid(60) * 60;
        }
        self.sum(start, end)
    }

    /// The minutes of `[from, to]` that are not empty: when each began, and its counts.
    pub(crate) fn minutes(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Timestamp, Counts)> {
        let minute = |at: Timestamp| at.micros().div_euclid(60 * SECOND_US);
        let began = |slice: &Seen| Timestamp::from_micros(slice.number.saturating_mul(60 * SECOND_US));
        let range = self.levels[1].range(minute(from), minute(to).saturating_add(1));
        range.map(move |slice| (began(&slice), slice.counts))
    }

    /// Sums seconds `[start, end)`: whole minutes, and seconds at the edges.
    fn sum(&self, start: i64, end: i64) -> Counts {
        let [seconds, minutes] = &self.levels;
        let first = start.div_euclid(60).saturating_add(i64::from(start.rem_euclid(60) != 0));
        let last = end.div_euclid(60);
        if first >= last {
            return seconds.sum(start, end);
        }
        let mut sum = minutes.sum(first, last);
        sum.add(&seconds.sum(start, first.saturating_mul(60)));
        sum.add(&seconds.sum(last.saturating_mul(60), end));
        sum
    }

    /// When the present run of bad events began: looking back from now as far as `most`, up to
    /// the first stretch longer than `gap` that had good events and no bad one.
    pub fn bad_since(&self, now: Timestamp, most: Duration, gap: Duration) -> Option<Timestamp> {
        let level = usize::from(most > FINE);
        let slice = |at: Timestamp| at.micros().div_euclid(SECOND_US).div_euclid(WIDTHS[level]);
        let mut began: Option<Timestamp> = None;
        let mut good_since = false;
        let range = self.levels[level].range(slice(now - most), slice(now).saturating_add(1));
        for slice in range.rev() {
            let Some(first_bad) = slice.first_bad else {
                good_since |= slice.counts.good > 0;
                continue;
            };
            if began.is_some_and(|began| good_since && began.since(first_bad) > gap) {
                break;
            }
            began = Some(first_bad);
            good_since = false;
        }
        began
    }

    /// The time of the earliest event that was ever counted.
    pub fn first(&self) -> Option<Timestamp> {
        self.first
    }

    /// The time of the latest event that was ever counted.
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// The time of the latest bad event that was ever counted.
    pub fn last_bad(&self) -> Option<Timestamp> {
        self.last_bad
    }

    /// Lets go of what no window reaches any more, and makes questions cheap that follow.
    pub fn forget(&mut self, now: Timestamp) {
        for (level, width) in WIDTHS.iter().enumerate() {
            let keep = if level == 0 { FINE + Duration::from_secs(120) } else { self.keep };
            let oldest = (now - keep).micros().div_euclid(SECOND_US).div_euclid(*width);
            self.levels[level].forget(oldest);
            self.levels[level].settle();
        }
    }

    /// How many slices are kept.
    pub fn kept(&self) -> usize {
        self.levels.iter().map(Level::kept).sum()
    }
}
