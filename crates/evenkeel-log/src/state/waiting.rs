//! What waits to be written to segments, and what may leave memory once it is.

use std::collections::VecDeque;

use super::{Partition, Place, State};
use crate::segment::append::Note;
use crate::tail::Held;
use crate::write_back::merge;

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
}

impl State {
    /// Notes that a batch of that weight came into a partition's tail.
    pub(super) fn arrived(&mut self, place: Place, weight: usize) {
        let Some(partition) = self.at_mut(place) else { return };
        let first = partition.waiting == 0;
        partition.waiting += weight;
        if first {
            self.arrivals.fresh.push(place);
        }
        self.arrivals.order.push_back(place);
        self.arrivals.tail_bytes += weight;
        self.arrivals.unwritten += weight;
    }

    /// Notes that a partition is gone, with its tail.
    pub(super) fn left(&mut self, partition: &Partition) {
        self.arrivals.tail_bytes = self.arrivals.tail_bytes.saturating_sub(partition.tail.weight());
        self.arrivals.unwritten = self.arrivals.unwritten.saturating_sub(partition.waiting);
    }

    /// What is in memory only, beside the write-ahead log.
    pub(crate) fn unwritten(&self) -> usize {
        self.arrivals.unwritten
    }

    /// The partitions of which at least so many bytes wait.
    pub(crate) fn waiting(&self, bytes: usize) -> Vec<Place> {
        let waits = |place: &&Place| self.at(**place).is_some_and(|p| p.waiting >= bytes);
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
            partition.waiting = partition.waiting.saturating_sub(weight);
            self.arrivals.unwritten = self.arrivals.unwritten.saturating_sub(weight);
        }
        let mut fresh = std::mem::take(&mut self.arrivals.fresh);
        fresh.retain(|place| self.at(*place).is_some_and(|p| p.waiting > 0));
        self.arrivals.fresh = fresh;
    }

    /// Takes out the oldest batches that are written, down to `bytes`. Thousands of pieces of memory: whoever
    /// gets them lets go of them when the state is not locked any more.
    pub(crate) fn evict(&mut self, bytes: usize) -> Vec<Held> {
        let mut gone = Vec::new();
        while self.arrivals.tail_bytes > bytes {
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
