//! The slices of one width that are not empty, in order, gathered in chunks.
//!
//! A chunk is [`SPAN`] neighbouring slices; each slice knows what its chunk counted up to its end,
//! and each chunk what was counted before it, so that any stretch is a difference. An event that
//! comes late changes its own chunk, and takes only the chunks behind it the sum before them, which
//! [`Level::settle`] makes again: however events are ordered, one costs no more than a chunk.

use std::collections::VecDeque;

use evenkeel_model::Timestamp;

use super::{Counts, Second};

/// Slices of a chunk.
const SPAN: i64 = 60;
/// A slice without a bad event.
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// One slice that is not empty.
#[derive(Clone, Copy, Debug)]
struct Slice {
    /// Its place in the chunk, below [`SPAN`].
    place: i8,
    /// What the chunk counted up to its end.
    up_to: Counts,
    /// When its first bad event counted, or [`NEVER`].
    first_bad: Timestamp,
}

/// A slice as others see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) number: i64,
    pub(super) counts: Counts,
    pub(super) first_bad: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Chunk {
    /// Its slices are those from `number * SPAN` on.
    number: i64,
    /// What was counted before it, as a difference to other chunks; of the first [`Level::summed`] only.
    before: Counts,
    slices: Vec<Slice>,
}

impl Chunk {
    fn total(&self) -> Counts {
        self.slices.last().map(|last| last.up_to).unwrap_or_default()
    }

    fn add(&mut self, place: i8, second: &Second) {
        let index = match self.slices.last() {
            Some(last) if last.place == place => self.slices.len() - 1,
            Some(last) if last.place > place => self.slices.partition_point(|slice| slice.place < place),
            _ => self.slices.len(),
        };
        if self.slices.get(index).is_none_or(|slice| slice.place != place) {
            self.slices.insert(index, Slice { place, up_to: self.up_to(index), first_bad: NEVER });
        }
        self.slices[index..].iter_mut().for_each(|slice| slice.up_to.add(&second.counts));
        if let Some((first, _)) = second.bad {
            self.slices[index].first_bad = self.slices[index].first_bad.min(first);
        }
    }

    /// What it counted before the slice of this index.
    fn up_to(&self, index: usize) -> Counts {
        index.checked_sub(1).map(|last| self.slices[last].up_to).unwrap_or_default()
    }

    fn seen(&self, index: usize) -> Seen {
        let slice = self.slices[index];
        Seen {
            number: self.number.saturating_mul(SPAN).saturating_add(i64::from(slice.place)),
            counts: slice.up_to.less(&self.up_to(index)),
            first_bad: (slice.first_bad < NEVER).then_some(slice.first_bad),
        }
    }
}

/// The slices of one width.
#[derive(Clone, Debug, Default)]
pub(super) struct Level {
    chunks: VecDeque<Chunk>,
    /// How many chunks know what was counted before them.
    summed: usize,
    /// How many slices there are.
    kept: usize,
}

impl Level {
    /// Counts into the slice of this number; beyond `most` slices the oldest are let go, by chunks.
    pub(super) fn add(&mut self, number: i64, second: &Second, most: usize) {
        let (of, place) = (number.div_euclid(SPAN), number.rem_euclid(SPAN) as i8);
        if self.kept >= most && self.chunks.front().is_some_and(|oldest| of < oldest.number) {
            return;
        }
        let index = self.chunk(of);
        let chunk = &mut self.chunks[index];
        let before = chunk.slices.len();
        chunk.add(place, second);
        self.kept += chunk.slices.len() - before;
        self.summed = self.summed.min(index + 1);
        while self.kept > most && self.chunks.len() > 1 {
            self.let_go();
        }
    }

    /// The index of the chunk of this number, which is made where there is none.
    fn chunk(&mut self, number: i64) -> usize {
        let index = match self.chunks.back() {
            Some(last) if last.number == number => return self.chunks.len() - 1,
            Some(last) if last.number > number => self.begin(number),
            _ => self.chunks.len(),
        };
        if self.chunks.get(index).is_none_or(|chunk| chunk.number != number) {
            let follows = index <= self.summed;
            let before = if follows { self.before(index) } else { Counts::default() };
            self.chunks.insert(index, Chunk { number, before, slices: Vec::new() });
            self.summed = if follows { index + 1 } else { self.summed };
        }
        index
    }

    fn let_go(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.kept -= chunk.slices.len();
            self.summed = self.summed.saturating_sub(1);
        }
    }

    /// Lets go of the chunks whose slices all lie before this one.
    pub(super) fn forget(&mut self, oldest: i64) {
        while self.chunks.front().is_some_and(|chunk| chunk.number < oldest.div_euclid(SPAN)) {
            self.let_go();
        }
    }

    /// Sums what late events left unsummed.
    pub(super) fn settle(&mut self) {
        let mut sum = self.before(self.summed);
        for chunk in self.chunks.range_mut(self.summed..) {
            chunk.before = sum;
            sum.add(&chunk.total());
        }
        self.summed = self.chunks.len();
    }

    /// The index of the first chunk at or after this number: looked up where it is if none is empty, then searched.
    fn begin(&self, number: i64) -> usize {
        let Some(last) = self.chunks.back() else { return 0 };
        let back = usize::try_from(last.number.saturating_sub(number)).unwrap_or(0);
        let guess = self.chunks.len().saturating_sub(1).saturating_sub(back);
        if self.chunks[guess].number == number {
            return guess;
        }
        self.chunks.partition_point(|chunk| chunk.number < number)
    }

    /// What was counted before the chunk of this index.
    fn before(&self, index: usize) -> Counts {
        if index < self.summed {
            return self.chunks[index].before;
        }
        let known = self.summed.saturating_sub(1);
        let mut sum = self.chunks.get(known).filter(|_| self.summed > 0).map(|chunk| chunk.before).unwrap_or_default();
        self.chunks.range(known..index).for_each(|chunk| sum.add(&chunk.total()));
        sum
    }

    /// What was counted before the slice of this number.
    fn before_slice(&self, number: i64) -> Counts {
        let (of, place) = (number.div_euclid(SPAN), number.rem_euclid(SPAN) as i8);
        let index = self.begin(of);
        let mut sum = self.before(index);
        if let Some(chunk) = self.chunks.get(index).filter(|chunk| chunk.number == of) {
            sum.add(&chunk.up_to(chunk.slices.partition_point(|slice| slice.place < place)));
        }
        sum
    }

    /// What was counted in slices `[from, to)`.
    pub(super) fn sum(&self, from: i64, to: i64) -> Counts {
        if from >= to { Counts::default() } else { self.before_slice(to).less(&self.before_slice(from)) }
    }

    /// Slices `[from, to)`, those that are not empty.
    pub(super) fn range(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = Seen> {
        let begin = self.begin(from.div_euclid(SPAN));
        let end = self.begin(to.div_euclid(SPAN).saturating_add(1)).max(begin);
        let all = self.chunks.range(begin..end).flat_map(|chunk| (0..chunk.slices.len()).map(|at| chunk.seen(at)));
        all.filter(move |slice| from <= slice.number && slice.number < to)
    }

    pub(super) fn kept(&self) -> usize {
        self.kept
    }
}
