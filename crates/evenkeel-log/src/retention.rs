//! Retention: what a partition may hold, by age, by size and by a hard limit, beside what is owed.
//!
//! [`plan`] decides, purely; here it gets the present state, and what it decides becomes a set of
//! [`Change::Start`], appended like anything else: so what goes is gone at one moment, whatever
//! breaks. The files go when no checkpoint slot names them any more.

mod plan;

use std::collections::HashMap;

use evenkeel_model::Shard;

pub(crate) use plan::{Weighed, cut, segment_bytes};

use crate::engine::Shared;
use crate::state::{Partition, Place};
use crate::{Change, Cleanup, Fill, Removal, Retained, Retention, Set};
use plan::Cut;

/// Sets what `holder` owes from now on.
pub(crate) fn owe(shared: &Shared, holder: &str, floors: &[(Shard, u64)]) {
    let mut state = shared.state_mut();
    let owed = state.owed.entry(holder.to_owned()).or_default();
    for (shard, floor) in floors {
        owed.insert(shard.clone(), *floor);
    }
}

/// The lowest offset that is owed, of each partition of which anything is.
pub(crate) fn lowest(owed: &HashMap<String, HashMap<Shard, u64>>) -> HashMap<Shard, u64> {
    let mut lowest = HashMap::new();
    for (shard, floor) in owed.values().flatten() {
        let entry = lowest.entry(shard.clone()).or_insert(*floor);
        *entry = (*entry).min(*floor);
    }
    lowest
}

/// What every topic's retention would take away now.
pub(crate) fn removals(shared: &Shared) -> Vec<Removal> {
    let now = shared.clock.now();
    let state = shared.state();
    let floors = lowest(&state.owed);
    let limited = state.places().filter(|(_, topic, ..)| topic.settings.retention != Retention::default());
    let removal = limited.filter_map(|(place, topic, ends, partition)| {
        let shard = Shard::new(topic.name.clone(), place.partition);
        let owed = floors.get(&shard).copied().unwrap_or(u64::MAX);
        let retention = &topic.settings.retention;
        // A limit that expires keeps some room ahead, so that an append seldom has to wait for it.
        let room = retention.limit.map_or(0, |limit| limit / 8);
        let cut = plan::cut(weighed(partition, owed), retention, now, room).filter(|cut| cut.start > ends.start)?;
        Some(removal(shard, cut))
    });
    removal.collect()
}

/// Up to where each partition might be emptied or compacted now, were nothing of it owed.
pub(crate) fn wanted(shared: &Shared) -> Vec<(Shard, u64)> {
    let now = shared.clock.now();
    let state = shared.state();
    let wanted = |(place, topic, ends, partition): (Place, &crate::Topic, crate::Ends, &Partition)| {
        let retention = &topic.settings.retention;
        // Where the oldest may expire at any append, long before it comes to that.
        let room = retention.limit.map_or(0, |limit| limit / 2);
        let cut = plan::cut(weighed(partition, u64::MAX), retention, now, room).map_or(0, |cut| cut.start);
        let compacted = match topic.settings.cleanup {
            Cleanup::Compact { .. } => partition.segments.iter().rev().nth(1).map_or(0, |sealed| sealed.end),
            Cleanup::Delete => 0,
        };
        let upto = cut.max(compacted);
        (upto > ends.start).then(|| (Shard::new(topic.name.clone(), place.partition), upto))
    };
    state.places().filter_map(wanted).collect()
}

fn weighed(partition: &Partition, owed: u64) -> Weighed<'_> {
    Weighed { segments: &partition.segments, bytes: partition.bytes, owed }
}

fn removal(shard: Shard, cut: Cut) -> Removal {
    let Cut { start, segments, bytes, expires, .. } = cut;
    Removal { shard, start, segments, bytes, expires }
}

/// The set that makes it so.
pub(crate) fn set(removals: &[Removal]) -> Set {
    let change = |r: &Removal| Change::Start { shard: r.shard.clone(), offset: r.start };
    Set { appends: Vec::new(), changes: removals.iter().map(change).collect() }
}

/// What they take away together.
pub(crate) fn sum(removals: &[Removal]) -> Retained {
    let (segments, bytes) = (removals.iter().map(|r| r.segments).sum(), removals.iter().map(|r| r.bytes).sum());
    Retained { segments, bytes, expired: removals.iter().filter(|r| r.expires).count() as u64 }
}

/// Who owes something of a partition.
pub(crate) fn owed(shared: &Shared, shard: &Shard) -> Vec<(String, u64)> {
    let state = shared.state();
    state.owed.iter().filter_map(|(holder, floors)| Some((holder.clone(), *floors.get(shard)?))).collect()
}

/// What each partition holds.
pub(crate) fn sizes(shared: &Shared) -> Vec<(Shard, u64)> {
    let state = shared.state();
    let size = |(place, topic, _, partition): (crate::state::Place, &crate::Topic, _, &Partition)| {
        (Shard::new(topic.name.clone(), place.partition), partition.bytes)
    };
    state.places().map(size).collect()
}

/// Partitions near their hard limit.
pub(crate) fn nearly_full(shared: &Shared) -> Vec<Fill> {
    let state = shared.state();
    let fill = |(place, topic, _, partition): (crate::state::Place, &crate::Topic, _, &Partition)| {
        let (bytes, max) = (partition.bytes, topic.settings.retention.limit?);
        let shard = Shard::new(topic.name.clone(), place.partition);
        plan::is_nearly_full(bytes, max).then_some(Fill { shard, bytes, max })
    };
    state.places().filter_map(fill).collect()
}
