//! Hard limits, where offsets are assigned: what a partition may hold is never exceeded, not even by
//! groups that are on their way to the medium.
//!
//! Where the topic says so, the oldest goes in the same group, before what needs the room;
//! otherwise the set is refused, and clears up by itself when retention has made room.

use std::collections::{HashMap, VecDeque};

use evenkeel_model::Timestamp;

use crate::engine::Shared;
use crate::machine::{Machine, Repeats};
use crate::queue::Part;
use crate::retention::{self, Weighed};
use crate::state::{Place, State};
use crate::{AppendError, Retention};

/// Bytes that have offsets and are not visible yet, by group, of partitions that have a limit.
#[derive(Debug, Default)]
pub(super) struct OnTheWay(HashMap<Place, VecDeque<(u64, u64)>>);

/// A partition that is to begin later, so that a set finds room.
pub(super) type Starts = Vec<(Place, u64)>;

/// What a group's admission needs to know of limits.
pub(super) struct Limits<'a> {
    pub(super) shared: &'a Shared,
    pub(super) on_the_way: &'a mut OnTheWay,
}

impl Limits<'_> {
    /// Refuses a set that would take a partition beyond its limit. Says what goes first, if
    /// something may.
    pub(super) fn admit(
        &mut self,
        machine: &Machine,
        parts: &[Part],
        repeats: &Repeats,
        now: Timestamp,
    ) -> Result<Starts, AppendError> {
        let mut wanted: Vec<(&Part, u64, &Retention)> = Vec::new();
        let is_new = |(index, part): &(usize, &Part)| part.head.is_some() && !repeats.iter().any(|(at, _)| at == index);
        for (_, part) in parts.iter().enumerate().filter(is_new) {
            let Some(entry) = machine.topics.get(part.place.topic) else { continue };
            if entry.topic.settings.retention.limit.is_none() {
                continue;
            }
            match wanted.iter_mut().find(|(of, ..)| of.place == part.place) {
                Some((_, bytes, _)) => *bytes += part.batch.len() as u64,
                None => wanted.push((part, part.batch.len() as u64, &entry.topic.settings.retention)),
            }
        }
        let mut starts = Starts::new();
        if wanted.is_empty() {
            return Ok(starts);
        }
        let state = self.shared.state();
        for (part, bytes, retention) in wanted {
            let begins = machine.at(part.place).map_or(0, |p| p.start);
            let coming = self.on_the_way.of(part.place, state.wal.lsn) + bytes;
            match room(&state, part, begins, coming, retention, now) {
                Ok(start) => starts.extend(start.map(|start| (part.place, start))),
                Err(bytes) => return Err(self.full(part, bytes, retention)),
            }
        }
        Ok(starts)
    }

    /// Write-back and retention could make room, once they are done with what waits.
    fn full(&self, part: &Part, bytes: u64, retention: &Retention) -> AppendError {
        self.shared.bell.ring(|wanted| wanted.flush = true);
        let (topic, partition) = (part.shard.topic.to_string(), part.place.partition);
        AppendError::TopicFull { topic, partition, bytes, max: retention.limit.unwrap_or(u64::MAX) }
    }

    /// Notes what was given offsets in a group.
    pub(super) fn add(&mut self, machine: &Machine, place: Place, lsn: u64, bytes: u64) {
        let limited = machine.topics.get(place.topic).is_some_and(|e| e.topic.settings.retention.limit.is_some());
        if limited {
            self.on_the_way.0.entry(place).or_default().push_back((lsn, bytes));
        }
    }
}

/// Whether `coming` bytes find room in a partition that begins at `begins`: if need be by letting it
/// begin later. `Err` says what it holds.
fn room(
    state: &State,
    part: &Part,
    begins: u64,
    coming: u64,
    retention: &Retention,
    now: Timestamp,
) -> Result<Option<u64>, u64> {
    let (Some(max), Some(kept)) = (retention.limit, state.at(part.place)) else { return Ok(None) };
    let going = kept.ended(begins);
    let gone: u64 = kept.segments[..going].iter().map(|s| s.log_bytes).sum();
    let held = kept.bytes.saturating_sub(gone);
    if held + coming <= max {
        return Ok(None);
    }
    let weighed = Weighed { segments: &kept.segments[going..], bytes: held, owed: state.owed_from(&part.shard) };
    match retention::cut(weighed, retention, now, coming) {
        Some(cut) if cut.left + coming <= max => Ok(Some(cut.start)),
        _ => Err(held),
    }
}

impl OnTheWay {
    /// What groups from number `visible` on bring.
    fn of(&mut self, place: Place, visible: u64) -> u64 {
        let Some(groups) = self.0.get_mut(&place) else { return 0 };
        while groups.front().is_some_and(|(lsn, _)| *lsn < visible) {
            groups.pop_front();
        }
        groups.iter().map(|(_, bytes)| bytes).sum()
    }
}
