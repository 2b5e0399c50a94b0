//! The events of the window with their bytes, so that a dispatch rarely reads the log again.
//!
//! A cache and no more: a miss is answered by the source. It holds at most `capacity` events; at
//! the limit the oldest of a partition make room, since those are mostly parked.

use std::collections::BTreeMap;
use std::sync::Arc;

use evenkeel_delivery::ports::Delivered;
use evenkeel_model::{Position, Shard};

pub(super) struct Payloads {
    shards: Vec<(Shard, BTreeMap<u64, Arc<Delivered>>)>,
    held: usize,
    capacity: usize,
}

impl Payloads {
    pub(super) fn new(capacity: usize) -> Payloads {
        Payloads { shards: Vec::new(), held: 0, capacity: capacity.max(1) }
    }

    pub(super) fn insert(&mut self, delivered: Arc<Delivered>) {
        let Position { shard, offset } = delivered.arrival.at.clone();
        let index = self.find(&shard).unwrap_or_else(|| {
            self.shards.push((shard, BTreeMap::new()));
            self.shards.len() - 1
        });
        if self.shards[index].1.insert(offset, delivered).is_none() {
            self.held += 1;
        }
        if self.held > self.capacity && self.shards[index].1.pop_first().is_some() {
            self.held -= 1;
        }
    }

    pub(super) fn get(&self, at: &Position) -> Option<Arc<Delivered>> {
        self.find(&at.shard).and_then(|i| self.shards[i].1.get(&at.offset).cloned())
    }

    pub(super) fn remove(&mut self, shard: &Shard, offset: u64) -> Option<Arc<Delivered>> {
        let index = self.find(shard)?;
        let removed = self.shards[index].1.remove(&offset)?;
        self.held -= 1;
        Some(removed)
    }

    /// A handful of partitions: comparing pointers first beats hashing names.
    fn find(&self, shard: &Shard) -> Option<usize> {
        self.shards.iter().position(|(known, _)| {
            known.partition == shard.partition
                && (Arc::ptr_eq(&known.topic, &shard.topic) || known.topic == shard.topic)
        })
    }
}
