//! What a subscription is still owed of each partition, event by event: who keeps events aside
//! that wait for long asks for it before their topic lets go of them.
//!
//! Made on demand by one walk over the open events. A redriven event is not among them: it is read
//! by its dead letter. Invariant: what is not named and lies below `unread` has its outcome, and that
//! is durable, twins apart (they end with their first, and nothing but a count hangs on them).

use evenkeel_model::Shard;

use super::Subscription;

/// What is owed of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The partition.
    pub shard: Shard,
    /// The lowest offset that was not read yet; from there on all is owed.
    pub unread: u64,
    /// The offsets below it that have no outcome, ascending, and whether each waits durably: it is
    /// in a parked lane.
    pub open: Vec<(u64, bool)>,
}

impl Owed {
    /// The lowest offset that is owed and does not wait durably.
    pub fn moving(&self) -> u64 {
        self.open.iter().find(|(_, parked)| !parked).map_or(self.unread, |(offset, _)| *offset)
    }

    /// Those below `end` that wait durably, ascending.
    pub fn parked_below(&self, end: u64) -> impl Iterator<Item = u64> {
        self.open.iter().take_while(move |(offset, _)| *offset < end).filter(|(_, parked)| *parked).map(|(at, _)| *at)
    }

    /// True while that offset has no outcome.
    pub fn is_open(&self, offset: u64) -> bool {
        offset >= self.unread || self.open.binary_search_by_key(&offset, |(at, _)| *at).is_ok()
    }
}

impl Subscription {
    /// What is owed to it, of each partition.
    pub fn owed(&self) -> Vec<Owed> {
        let owed = |(shard, unread): (&Shard, u64)| Owed { shard: shard.clone(), unread, open: Vec::new() };
        let mut all: Vec<Owed> = self.offsets.unread().map(owed).collect();
        for event in self.events.iter().filter(|event| event.detour.redriven.is_none()) {
            let parked = self.lanes[event.lane].is_parked();
            all[event.shard()].open.push((event.offset, parked));
        }
        all.iter_mut().for_each(|owed| owed.open.sort_unstable());
        all
    }
}
