//! The aborted transactions of a partition: shared by reference count with whoever reads.

use std::sync::Arc;

use crate::Aborted;

/// In the order of their markers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aborts(Arc<Vec<Abort>>);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abort {
    pub(super) range: Aborted,
    /// The last stable offset behind its marker: no later one of these begins before it.
    pub(super) stable: u64,
}

impl Aborts {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when what that producer wrote at `offset` in a transaction does not count.
    pub(crate) fn covers(&self, producer: i64, offset: u64) -> bool {
        let mut behind = self.touching(offset, offset + 1);
        behind.find(|range| range.producer == producer).is_some_and(|range| range.first <= offset)
    }

    /// Those that touch offsets from `from` to before `end`, by their first offset.
    pub(crate) fn within(&self, from: u64, end: u64) -> Vec<Aborted> {
        let mut found: Vec<Aborted> = self.touching(from, end).filter(|range| range.first < end).collect();
        found.sort_unstable_by_key(|range| range.first);
        found
    }

    /// All that touch these offsets, and perhaps a few that only stand between such.
    fn touching(&self, from: u64, end: u64) -> impl Iterator<Item = Aborted> {
        let first = self.0.partition_point(|abort| abort.range.last < from);
        let mut beyond = false;
        let more = move |abort: &&Abort| !std::mem::replace(&mut beyond, abort.stable >= end);
        self.0[first..].iter().take_while(more).map(|abort| abort.range)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Abort> {
        self.0.iter()
    }

    pub(super) fn push(&mut self, abort: Abort) {
        Arc::make_mut(&mut self.0).push(abort);
    }

    /// Forgets those of which nothing is kept.
    pub(super) fn forget_before(&mut self, start: u64) {
        if self.0.first().is_some_and(|abort| abort.range.last < start) {
            Arc::make_mut(&mut self.0).retain(|abort| abort.range.last >= start);
        }
    }
}
