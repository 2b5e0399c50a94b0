//! Good and bad events by time, in slices of a second, a minute and an hour.
//!
//! Does: keep exact integer counts for one objective over its whole window, and sum any window
//! that ends now. Late events land in the slice of their own time. Invariants: counts are never
//! estimated; a window is never shorter than asked for, and longer by less than one second while
//! it begins within [`FINE`], by less than one minute when it begins earlier. Empty slices take
//! no memory, and the number of kept ones is bounded whatever times the entries carry.

use std::collections::VecDeque;
use std::time::Duration;

use evenkeel_model::Timestamp;

#[cfg(test)]
mod tests;

/// For how long seconds are kept.
pub(crate) const FINE: Duration = Duration::from_secs(2 * 3600);
const SECOND_US: i64 = 1_000_000;
/// Widths of the levels, in seconds.
const WIDTHS: [i64; 3] = [1, 60, 3600];

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

/// One slice that is not empty.
#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    number: i64,
    counts: Counts,
    /// What was counted up to its end, slices that were let go included: a stretch is a difference.
    /// Known only of the first [`Level::summed`] slices.
    up_to: Counts,
    first_bad: Option<Timestamp>,
}

/// The slices of one width that are not empty, in order.
#[derive(Clone, Debug, Default)]
struct Level {
    slices: VecDeque<Slice>,
    /// How many slices know their sum: an event that comes late takes it from those behind its own.
    summed: usize,
    /// What was counted in slices that were let go.
    gone: Counts,
}

impl Level {
    fn add(&mut self, number: i64, second: &Second) {
        let index = self.index(number);
        let is_last = index + 1 == self.slices.len() && index + 1 == self.summed;
        let slice = &mut self.slices[index];
        slice.counts.add(&second.counts);
        slice.first_bad = match (slice.first_bad, second.bad) {
            (Some(first), Some((other, _))) => Some(first.min(other)),
            (first, bad) => first.or(bad.map(|(first, _)| first)),
        };
        if is_last {
            slice.up_to.add(&second.counts);
        } else {
            self.summed = self.summed.min(index);
        }
    }

    /// The index of the slice of this number, which is made where there is none.
    fn index(&mut self, number: i64) -> usize {
        let index = match self.slices.back() {
            Some(last) if last.number == number => return self.slices.len() - 1,
            Some(last) if last.number > number => self.begin(number),
            _ => self.slices.len(),
        };
        if self.slices.get(index).is_none_or(|slice| slice.number != number) {
            let is_summed = index == self.slices.len() && index == self.summed;
            let up_to = if is_summed { self.before(index) } else { Counts::default() };
            self.slices.insert(index, Slice { number, up_to, ..Slice::default() });
            self.summed = if is_summed { index + 1 } else { self.summed.min(index) };
        }
        index
    }

    fn let_go(&mut self) {
        if let Some(slice) = self.slices.pop_front() {
            self.gone.add(&slice.counts);
            self.summed = self.summed.saturating_sub(1);
        }
    }

    /// Sums what late events left unsummed.
    fn settle(&mut self) {
        let mut sum = self.before(self.summed);
        for slice in self.slices.range_mut(self.summed..) {
            sum.add(&slice.counts);
            slice.up_to = sum;
        }
        self.summed = self.slices.len();
    }

    /// The index of the first slice at or after this number.
    fn begin(&self, number: i64) -> usize {
        self.slices.partition_point(|slice| slice.number < number)
    }

    /// What was counted before the slice of this index.
    fn before(&self, index: usize) -> Counts {
        let known = index.min(self.summed);
        let mut sum =
            known.checked_sub(1).and_then(|last| self.slices.get(last)).map_or(self.gone, |slice| slice.up_to);
        self.slices.range(known..index).for_each(|slice| sum.add(&slice.counts));
        sum
    }

    /// What was counted in slices `[from, to)`.
    fn sum(&self, from: i64, to: i64) -> Counts {
        let begin = self.begin(from);
        let end = self.begin(to).max(begin);
        self.before(end).less(&self.before(begin))
    }

    fn range(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = &Slice> {
        let begin = self.begin(from);
        let end = self.begin(to).max(begin);
        self.slices.range(begin..end)
    }
}

/// The slices of one objective.
#[derive(Clone, Debug)]
pub struct Slices {
    levels: [Level; 3],
    /// How many slices of each level may be there.
    most: [usize; 3],
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
            most: [fine, seconds / 60 + 1, seconds / 3600 + 1],
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
            let slices = &mut self.levels[level];
            slices.add(number.div_euclid(*width), &second);
            if slices.slices.len() > self.most[level] {
                slices.let_go();
            }
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
        let mut sum = Counts::default();
        self.sum(0, start, end, &mut sum);
        sum
    }

    /// The minutes of `[from, to]` that are not empty: when each began, and its counts.
    pub(crate) fn minutes(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Timestamp, &Counts)> {
        let minute = |at: Timestamp| at.micros().div_euclid(60 * SECOND_US);
        let began = |slice: &Slice| Timestamp::from_micros(slice.number.saturating_mul(60 * SECOND_US));
        let range = self.levels[1].range(minute(from), minute(to).saturating_add(1));
        range.map(move |slice| (began(slice), &slice.counts))
    }

    /// Sums seconds `[start, end)` with the widest slices that fit, finer ones at the edges.
    fn sum(&self, level: usize, start: i64, end: i64, into: &mut Counts) {
        if start >= end {
            return;
        }
        let width = WIDTHS[level];
        let mut own = |from: i64, to: i64| {
            if from < to {
                into.add(&self.levels[level].sum(from.div_euclid(width), to.div_euclid(width)));
            }
        };
        let Some(&wider) = WIDTHS.get(level + 1) else {
            return own(start, end);
        };
        let inner_start = start.div_euclid(wider).saturating_add(i64::from(start.rem_euclid(wider) != 0)) * wider;
        let inner_end = end.div_euclid(wider) * wider;
        if inner_start >= inner_end {
            return own(start, end);
        }
        own(start, inner_start);
        own(inner_end, end);
        self.sum(level + 1, inner_start, inner_end, into);
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
            let level = &mut self.levels[level];
            while level.slices.front().is_some_and(|slice| slice.number < oldest) {
                level.let_go();
            }
            level.settle();
        }
    }

    /// How many slices are kept.
    pub fn kept(&self) -> usize {
        self.levels.iter().map(|level| level.slices.len()).sum()
    }
}
