//! Lanes: which events wait for which, and which lanes are parked.
//!
//! In `key` a lane is (topic, key), in `partition` a partition; an event without a key, and any
//! event in `none`, is a lane of its own. Invariants: only the head of a lane is ever handed
//! out; a lane moves on only when the round with its head's outcome is committed; what is parked
//! is counted apart from what is merely queued.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use bytes::Bytes;
use evenkeel_model::{Shard, Timestamp};

use super::events::Slot;
use crate::{Arrival, Order, Parking};

/// A lane's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneId(u32);

/// What several events share that wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum LaneKey {
    Key(Arc<str>, Bytes),
    Partition(Shard),
}

impl LaneKey {
    /// The same, with bytes of its own: those that came are a part of all that was read with them.
    fn apart(self) -> LaneKey {
        match self {
            LaneKey::Key(topic, key) => LaneKey::Key(topic, Bytes::copy_from_slice(&key)),
            partition => partition,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    key: Option<LaneKey>,
    head: Option<Slot>,
    behind: VecDeque<Slot>,
    /// Duplicates of its events, which wait beside them.
    twins: usize,
    parked: bool,
    /// Until when its events waited for one that gave way to others.
    held_up: Timestamp,
    /// Probes of the present outage that were events of this lane.
    pub(super) probes: u32,
}

impl Lane {
    pub(super) fn head(&self) -> Option<Slot> {
        self.head
    }

    pub(super) fn behind(&self) -> usize {
        self.behind.len() + self.twins
    }

    pub(super) fn is_parked(&self) -> bool {
        self.parked
    }

    /// Until when its events waited for one that gave way to others.
    pub(super) fn held_up(&self) -> Timestamp {
        self.held_up
    }

    /// Those behind the first, in order.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Slot> {
        self.behind.iter().copied()
    }

    fn size(&self) -> usize {
        usize::from(self.head.is_some()) + self.behind()
    }
}

#[derive(Debug)]
pub(super) struct Lanes {
    order: Order,
    limits: Parking,
    lanes: Vec<Lane>,
    free: Vec<u32>,
    by_key: HashMap<LaneKey, LaneId>,
    parked: BTreeSet<LaneId>,
    parked_events: usize,
    /// Parked lanes that reached the limit of events and have not fallen below 80 % of it.
    long: BTreeSet<LaneId>,
    /// The limit of keys was reached, and they have not fallen below 80 % of it.
    many: bool,
}

impl Lanes {
    pub(super) fn new(order: Order, limits: Parking) -> Lanes {
        Lanes {
            order,
            limits,
            lanes: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            parked: BTreeSet::new(),
            parked_events: 0,
            long: BTreeSet::new(),
            many: false,
        }
    }

    /// The lane that this event belongs to; made if need be.
    pub(super) fn of(&mut self, arrival: &Arrival) -> LaneId {
        let key = match (self.order, &arrival.key) {
            (Order::Key, Some(key)) => LaneKey::Key(arrival.at.shard.topic.clone(), key.clone()),
            (Order::Partition, _) => LaneKey::Partition(arrival.at.shard.clone()),
            (Order::Key, None) | (Order::None, _) => return self.fresh(None),
        };
        if let Some(lane) = self.by_key.get(&key) {
            return *lane;
        }
        let key = key.apart();
        let lane = self.fresh(Some(key.clone()));
        self.by_key.insert(key, lane);
        lane
    }

    /// The key of the lane, which all its events share.
    pub(super) fn key(&self, id: LaneId) -> Option<&Bytes> {
        match &self[id].key {
            Some(LaneKey::Key(_, key)) => Some(key),
            _ => None,
        }
    }

    fn fresh(&mut self, key: Option<LaneKey>) -> LaneId {
        let lane = Lane { key, ..Lane::default() };
        if let Some(free) = self.free.pop() {
            self.lanes[free as usize] = lane;
            return LaneId(free);
        }
        self.lanes.push(lane);
        LaneId(u32::try_from(self.lanes.len() - 1).expect("fewer than 2^32 lanes are open"))
    }

    /// Adds an event; true when it is the head now.
    pub(super) fn push(&mut self, id: LaneId, slot: Slot) -> bool {
        let lane = &mut self[id];
        if lane.head.is_none() {
            lane.head = Some(slot);
            return true;
        }
        lane.behind.push_back(slot);
        self.grown(id);
        false
    }

    /// Puts an event behind the first, at that place among those that wait; at the end without one.
    pub(super) fn insert(&mut self, id: LaneId, place: Option<usize>, slot: Slot) {
        let behind = &mut self[id].behind;
        behind.insert(place.unwrap_or(behind.len()), slot);
        self.grown(id);
    }

    /// Puts an event before the first.
    pub(super) fn lead(&mut self, id: LaneId, slot: Slot) {
        let lane = &mut self[id];
        if let Some(first) = lane.head.replace(slot) {
            lane.behind.push_front(first);
            self.grown(id);
        }
    }

    pub(super) fn push_twin(&mut self, id: LaneId) {
        self[id].twins += 1;
        self.grown(id);
    }

    fn grown(&mut self, id: LaneId) {
        if self[id].parked {
            self.parked_events += 1;
            self.measure(id);
        }
    }

    pub(super) fn drop_twin(&mut self, id: LaneId) {
        self[id].twins -= 1;
        if self[id].parked {
            self.parked_events -= 1;
            self.measure(id);
        }
    }

    /// The head has its committed outcome: gives the next one, or frees the lane.
    pub(super) fn advance(&mut self, id: LaneId) -> Option<Slot> {
        self.unpark(id);
        let lane = &mut self[id];
        lane.head = lane.behind.pop_front();
        if lane.head.is_none() {
            let key = self[id].key.take();
            if let Some(key) = key {
                self.by_key.remove(&key);
            }
            self.free.push(id.0);
        }
        self[id].head
    }

    /// True when the lane was not parked before.
    pub(super) fn park(&mut self, id: LaneId) -> bool {
        if self[id].parked {
            return false;
        }
        self[id].parked = true;
        self.parked.insert(id);
        self.parked_events += self[id].size();
        self.many |= self.parked.len() >= self.limits.keys;
        self.measure(id);
        true
    }

    fn unpark(&mut self, id: LaneId) {
        if !self[id].parked {
            return;
        }
        self[id].parked = false;
        self.parked.remove(&id);
        self.long.remove(&id);
        self.parked_events -= self[id].size();
        self.many &= !below_four_fifths(self.parked.len(), self.limits.keys);
    }

    fn measure(&mut self, id: LaneId) {
        let behind = self[id].behind();
        if behind >= self.limits.per_key {
            self.long.insert(id);
        } else if below_four_fifths(behind, self.limits.per_key) {
            self.long.remove(&id);
        }
    }

    /// True from when a limit of parking is reached until it is below 80 % again. A partition that is a
    /// lane of its own stops only its own reading.
    pub(super) fn are_full(&self) -> bool {
        self.many || self.order != Order::Partition && !self.long.is_empty()
    }

    /// Its first gives way to others until then, and so does what is behind it.
    pub(super) fn hold_up(&mut self, lane: LaneId, until: Timestamp) {
        self[lane].held_up = until;
    }

    /// How many more lanes may be parked of those that could wait as well: they never fill the parking,
    /// of which half is left to those that must.
    pub(super) fn room_to_put_off(&self) -> usize {
        (self.limits.keys / 2).saturating_sub(self.parked.len())
    }

    /// True for a partition that is a lane, and has reached the limit of events behind its first.
    pub(super) fn is_long(&self, shard: &Shard) -> bool {
        if self.order != Order::Partition || self.long.is_empty() {
            return false;
        }
        let lane = self.by_key.get(&LaneKey::Partition(shard.clone()));
        lane.is_some_and(|lane| self.long.contains(lane))
    }

    pub(super) fn parked(&self) -> impl Iterator<Item = &Lane> {
        self.parked.iter().map(|id| &self[*id])
    }

    pub(super) fn parked_keys(&self) -> usize {
        self.parked.len()
    }

    pub(super) fn parked_events(&self) -> usize {
        self.parked_events
    }
}

/// A limit of zero counts as one here, so that what is full can become free again.
fn below_four_fifths(n: usize, limit: usize) -> bool {
    n.saturating_mul(5) < limit.max(1).saturating_mul(4)
}

impl Index<LaneId> for Lanes {
    type Output = Lane;
    fn index(&self, id: LaneId) -> &Lane {
        &self.lanes[id.0 as usize]
    }
}

impl IndexMut<LaneId> for Lanes {
    fn index_mut(&mut self, id: LaneId) -> &mut Lane {
        &mut self.lanes[id.0 as usize]
    }
}
