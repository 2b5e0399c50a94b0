//! A partitioned log whose partitions are given to nodes, and taken from them.
//!
//! Invariants: a partition has one owner at a time, whose fence is the newest; a commit of
//! anybody else is refused, whatever it holds; what below a settled floor lies is gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evenkeel_delivery::ports::{BoxFuture, Commit, Fetched, Journal, News, PortError, Source};
use evenkeel_delivery::{Fact, Remembered};
use evenkeel_model::{Position, Record, Shard, Stored, Timestamp, partition_for_key};

use super::bell::{Bell, Ear};
use super::books::{Books, TOPIC, given};

/// The log, and what its consumers wrote beside it; a clone is the same one.
#[derive(Clone)]
pub struct Cluster(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Rings when something is appended.
    bell: Bell,
}

struct State {
    partitions: Vec<Partition>,
    books: Books,
}

#[derive(Default)]
struct Partition {
    records: BTreeMap<u64, Stored>,
    next: u64,
    /// Grows with each change of owner.
    fence: u64,
}

impl Cluster {
    /// An empty log.
    pub fn new(partitions: u32) -> Cluster {
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        let state = Mutex::new(State { partitions, books: Books::default() });
        Cluster(Arc::new(Shared { state, bell: Bell::new() }))
    }

    /// Appends a record to the partition of its key.
    pub fn publish(&self, record: Record, now: Timestamp) -> Position {
        let mut state = self.0.state();
        let count = u32::try_from(state.partitions.len()).unwrap_or(1);
        let number = partition_for_key(record.key.as_deref().unwrap_or_default(), count);
        let partition = &mut state.partitions[number as usize];
        let at = Position { shard: Shard::new(TOPIC, number), offset: partition.next };
        partition.next += 1;
        partition.records.insert(at.offset, Stored { at: at.clone(), appended: now, record });
        drop(state);
        self.0.bell.ring();
        at
    }

    /// Gives these partitions to a node. Whoever had one of them can't commit any more.
    pub fn assign(&self, partitions: impl IntoIterator<Item = u32>) -> Node {
        let mut state = self.0.state();
        let mut fences = BTreeMap::new();
        for number in partitions {
            let partition = &mut state.partitions[number as usize];
            partition.fence += 1;
            fences.insert(number, partition.fence);
        }
        drop(state);
        Node { shared: self.0.clone(), fences, ear: Ear::default() }
    }

    /// All that was committed, in order.
    pub fn facts(&self) -> Vec<Fact> {
        self.0.state().books.facts()
    }

    /// How many outcomes were committed.
    pub fn ended(&self) -> usize {
        self.0.state().books.ended()
    }

    /// All events that were returned and committed.
    pub fn effects(&self) -> Vec<Record> {
        self.0.state().books.effects.clone()
    }

    /// All dead letters.
    pub fn dead(&self) -> Vec<Record> {
        self.0.state().books.dead.clone()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a node has of the cluster: a source and a journal in one.
pub struct Node {
    shared: Arc<Shared>,
    /// What it was given, each with the fence under which it may write.
    fences: BTreeMap<u32, u64>,
    ear: Ear,
}

impl Node {
    fn owns(&self, state: &State) -> Result<(), PortError> {
        let lost = self.fences.iter().find(|(number, fence)| state.partitions[**number as usize].fence != **fence);
        match lost {
            None => Ok(()),
            Some((number, _)) => Err(PortError(format!("fenced: partition {number} has another owner"))),
        }
    }
}

impl Source for Node {
    fn shards(&self) -> BoxFuture<'_, Result<Vec<(Shard, u64)>, PortError>> {
        let state = self.shared.state();
        let oldest = |p: &Partition| p.records.keys().next().copied().unwrap_or(p.next);
        let begin = |number: &u32| (Shard::new(TOPIC, *number), oldest(&state.partitions[*number as usize]));
        let shards = self.fences.keys().map(begin).collect();
        Box::pin(std::future::ready(Ok(shards)))
    }

    fn fetch(&self, shard: &Shard, from: u64, max: usize) -> BoxFuture<'_, Result<Fetched, PortError>> {
        let state = self.shared.state();
        let partition = &state.partitions[shard.partition as usize];
        let events: Vec<_> =
            partition.records.range(from..).take(max).map(|(_, r)| Arc::new(given(r.clone()))).collect();
        let next = events.last().map_or(from, |last| last.arrival.at.offset + 1);
        Box::pin(std::future::ready(Ok((events, next))))
    }

    fn get(&self, at: &Position) -> BoxFuture<'_, Result<Option<Arc<evenkeel_delivery::ports::Delivered>>, PortError>> {
        let state = self.shared.state();
        let partition = state.partitions.get(at.shard.partition as usize);
        let found = partition.and_then(|p| p.records.get(&at.offset)).map(|r| Arc::new(given(r.clone())));
        Box::pin(std::future::ready(Ok(found)))
    }

    fn changed(&self) -> BoxFuture<'_, News> {
        Box::pin(self.ear.hear(&self.shared.bell))
    }

    fn settle(&self, floors: &[(Shard, u64)]) {
        let mut state = self.shared.state();
        if self.owns(&state).is_err() {
            return;
        }
        for (shard, floor) in floors {
            let records = &mut state.partitions[shard.partition as usize].records;
            *records = records.split_off(floor);
        }
    }
}

impl Journal for Node {
    fn load(&self) -> BoxFuture<'_, Result<Vec<Remembered>, PortError>> {
        let state = self.shared.state();
        let loaded = state.books.load(|shard| self.fences.contains_key(&shard.partition));
        Box::pin(std::future::ready(loaded))
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), PortError>> {
        let mut state = self.shared.state();
        let done = self.owns(&state).and_then(|()| state.books.enter(&commit));
        Box::pin(std::future::ready(done))
    }
}
