//! What waits to be written to segments, and what may leave memory once it is.

use std::collections::VecDeque;

use super::{Partition, Place, State};
use crate::segment::append::Note;
use crate::tail::Held;
use crate::write_back::merge;

/// How much of a partition is worth a write of its own.
pub(crate) const WORTH: usize = 512 << 10;

/// So many batches are taken out of memory at once.
const EVICTED: usize = 1024;

/// The batches in memory, over all partitions.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Which partition got each batch that is in a tail, oldest first.
    order: VecDeque<Place>,
    /// What the tails take.
    tail_bytes: usize,
    /// The partitions of which something is not written.
    fresh: Vec<Place>,
    /// What is not written, by weight.
    unwritten: usize,
    /// How many partitions are worth a write.
    worthy: usize,
}

impl Arrivals {
    /// What waits of a partition has changed.
    fn changed(&mut self, before: usize, now: usize) {
        self.unwritten = (self.unwritten + now).saturating_sub(before);
        self.worthy = (self.worthy + usize::from(now >= WORTH)).saturating_sub(usize::from(before >= WORTH));
    }
}

impl State {
    /// Notes that a batch of that weight came into a partition's tail.
    pub(super) fn arrived(&mut self, place: Place, weight: usize) {
        let Some(partition) = self.at_mut(place) else { return };
        let before = partition.waiting;
        partition.waiting += weight;
        self.arrivals.changed(before, before + weight);
        if before == 0 {
            self.arrivals.fresh.push(place);
        }
        self.arrivals.order.push_back(place);
        self.arrivals.tail_bytes += weight;
    }

    /// Notes that a partition is gone, with its tail.
    pub(super) fn left(&mut self, partition: &Partition) {
        self.arrivals.tail_bytes = self.arrivals.tail_bytes.saturating_sub(partition.tail.weight());
        self.arrivals.changed(partition.waiting, 0);
    }

    /// What is in memory only, beside the write-ahead log.
    pub(crate) fn unwritten(&self) -> usize {
        self.arrivals.unwritten
    }

    /// True when a partition is worth a write.
    pub(crate) fn has_worthy(&self) -> bool {
        self.arrivals.worthy > 0
    }

    /// The partitions of which something waits.
    pub(crate) fn waiting(&self) -> Vec<Place> {
        let waits = |place: &&Place| self.at(**place).is_some_and(|p| p.waiting > 0);
        self.arrivals.fresh.iter().filter(waits).copied().collect()
    }

    /// What of a partition waits.
    pub(crate) fn weight(&self, place: Place) -> usize {
        self.at(place).map_or(0, |p| p.waiting)
    }

    /// Has segments as they are now written.
    pub(crate) fn note_written(&mut self, notes: Vec<Note>) {
        for Note { place, segments, weight } in notes {
            let Some(partition) = self.at_mut(place) else { continue };
            merge(&mut partition.segments, &segments);
            partition.written = segments.last().map_or(partition.written, |s| s.end);
            let before = partition.waiting;
            partition.waiting = before.saturating_sub(weight);
            let now = partition.waiting;
            self.arrivals.changed(before, now);
        }
        let mut fresh = std::mem::take(&mut self.arrivals.fresh);
        fresh.retain(|place| self.at(*place).is_some_and(|p| p.waiting > 0));
        self.arrivals.fresh = fresh;
    }

    /// What is in memory, written or not, by weight.
    #[cfg(test)]
    pub(crate) fn tail_bytes(&self) -> usize {
        self.arrivals.tail_bytes
    }

    /// True when [`State::evict`] would take something out.
    pub(crate) fn evicts(&self, bytes: usize) -> bool {
        let goes = |place| self.at(place).is_none_or(|p| p.tail.has_before(p.written));
        self.arrivals.tail_bytes > bytes && self.arrivals.order.front().copied().is_some_and(goes)
    }

    /// Takes out the oldest batches that are written, down to `bytes`, but not more than [`EVICTED`] at once: whoever
    /// appends waits meanwhile. Whoever gets them lets go of them when the state is not locked any more.
    pub(crate) fn evict(&mut self, bytes: usize) -> Vec<Held> {
        let mut gone = Vec::with_capacity(EVICTED);
        while self.arrivals.tail_bytes > bytes && gone.len() < EVICTED {
            let Some(place) = self.arrivals.order.front().copied() else { break };
            if let Some(partition) = self.at_mut(place) {
                let Some(held) = partition.tail.evict(partition.written) else { break };
                self.arrivals.tail_bytes = self.arrivals.tail_bytes.saturating_sub(held.weight());
                gone.push(held);
            }
            self.arrivals.order.pop_front();
        }
        gone
    }
}
