//! The events of the window with their bytes, so that a dispatch rarely reads the log again.
//!
//! A cache and no more: a miss is answered by the source. It holds at most `capacity` events; at
//! the limit the oldest make room, since those are mostly parked.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use evenkeel_delivery::ports::Delivered;
use evenkeel_model::{Position, Shard};

/// The number of a partition in this cache, and an offset.
type Place = (u32, u64);

pub(super) struct Payloads {
    shards: Vec<Shard>,
    events: HashMap<Place, Arc<Delivered>, BuildHasherDefault<PlaceHasher>>,
    /// Every place that came, oldest first; some are gone again.
    came: VecDeque<Place>,
    capacity: usize,
}

/// Places are chosen by nobody outside: one multiplication spreads them well enough.
#[derive(Default)]
struct PlaceHasher(u64);

impl Hasher for PlaceHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(29) ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

impl Payloads {
    pub(super) fn new(capacity: usize) -> Payloads {
        Payloads { shards: Vec::new(), events: HashMap::default(), came: VecDeque::new(), capacity: capacity.max(1) }
    }

    pub(super) fn insert(&mut self, delivered: Arc<Delivered>) {
        let Position { shard, offset } = &delivered.arrival.at;
        let index = self.find(shard).unwrap_or_else(|| {
            self.shards.push(shard.clone());
            u32::try_from(self.shards.len() - 1).expect("fewer than 2^32 partitions")
        });
        let place = (index, *offset);
        if self.events.insert(place, delivered).is_none() {
            self.came.push_back(place);
        }
        while self.events.len() > self.capacity
            && let Some(oldest) = self.came.pop_front()
        {
            self.events.remove(&oldest);
        }
        self.tidy();
    }

    /// Forgets the places of those that are gone, when they are most of them.
    fn tidy(&mut self) {
        if self.came.len() > 2 * self.capacity.max(self.events.len()) {
            let events = &self.events;
            self.came.retain(|place| events.contains_key(place));
        }
    }

    pub(super) fn get(&self, at: &Position) -> Option<Arc<Delivered>> {
        self.events.get(&(self.find(&at.shard)?, at.offset)).cloned()
    }

    pub(super) fn remove(&mut self, shard: &Shard, offset: u64) -> Option<Arc<Delivered>> {
        self.events.remove(&(self.find(shard)?, offset))
    }

    /// A handful of partitions: comparing pointers first beats hashing names.
    fn find(&self, shard: &Shard) -> Option<u32> {
        let same = |known: &Shard| {
            known.partition == shard.partition
                && (Arc::ptr_eq(&known.topic, &shard.topic) || known.topic == shard.topic)
        };
        self.shards.iter().position(same).and_then(|index| u32::try_from(index).ok())
    }
}
