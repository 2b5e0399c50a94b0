//! Retention: whole sealed segments go from the front, by age or by size, and never past what
//! anybody owes. It decides and hides; the flusher takes the files away when no checkpoint slot
//! names them any more.

use std::collections::HashMap;

use evenkeel_model::{Shard, Timestamp};

use crate::engine::Shared;
use crate::segment::Segment;
use crate::state::Condemned;
use crate::{Retained, Retention};

/// Sets what `holder` owes from now on.
pub(crate) fn owe(shared: &Shared, holder: &str, floors: &[(Shard, u64)]) {
    let mut state = shared.state_mut();
    let owed = state.owed.entry(holder.to_owned()).or_default();
    for (shard, floor) in floors {
        owed.insert(shard.clone(), *floor);
    }
}

/// Applies every topic's retention.
pub(crate) fn retain(shared: &Shared) -> Retained {
    let now = shared.clock.now();
    let mut retained = Retained::default();
    let mut condemned = Vec::new();
    {
        let mut state = shared.state_mut();
        let floors = lowest(&state.owed);
        let places: Vec<_> = state.places().map(|(place, topic, ..)| (place, topic.clone())).collect();
        for (place, topic) in places {
            let shard = Shard::new(topic.name.clone(), place.partition);
            let floor = floors.get(&shard).copied().unwrap_or(u64::MAX);
            let Some(partition) = state.at_mut(place) else { continue };
            let gone = beyond(&partition.segments, topic.settings.retention, floor, now);
            let Some(start) = gone.checked_sub(1).map(|last| partition.segments[last].end) else { continue };
            for segment in partition.segments.drain(..gone) {
                retained.segments += 1;
                retained.bytes += segment.log_bytes + segment.index_bytes;
                condemned.push(Condemned { place, base: segment.base, revision: segment.revision, since: None });
            }
            if let Some(partition) = state.machine.at_mut(place) {
                partition.start = start;
            }
        }
        state.condemned.extend(&condemned);
    }
    for gone in &condemned {
        shared.handles.close(gone.place, gone.base, gone.revision);
    }
    if !condemned.is_empty() {
        shared.bell.ring(|wanted| wanted.flush = true);
    }
    retained
}

/// How many segments from the front may go. The last one still grows and never goes.
fn beyond(segments: &[Segment], retention: Retention, floor: u64, now: Timestamp) -> usize {
    let mut total: u64 = segments.iter().map(|s| s.log_bytes).sum();
    let sealed = segments.len().saturating_sub(1);
    let may_go = |segment: &&Segment| {
        let old = retention.age.is_some_and(|age| now.since(segment.last_at) > age);
        let large = retention.bytes.is_some_and(|max| total > max);
        total -= segment.log_bytes;
        segment.end <= floor && (old || large)
    };
    segments[..sealed].iter().take_while(may_go).count()
}

fn lowest(owed: &HashMap<String, HashMap<Shard, u64>>) -> HashMap<Shard, u64> {
    let mut lowest = HashMap::new();
    for (shard, floor) in owed.values().flatten() {
        let entry = lowest.entry(shard.clone()).or_insert(*floor);
        *entry = (*entry).min(*floor);
    }
    lowest
}
