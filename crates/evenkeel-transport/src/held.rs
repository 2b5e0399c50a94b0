//! What waits durably and would be taken by retention, compaction or a deletion of records: it is
//! copied to `<subscription>.held` first, and read from there afterwards.
//!
//! The topic tells all by itself: a record is the event's own, with its place and the time of its
//! append in headers. What is known of it here is an index, filled by reading the topic on; the
//! newest copy of an event counts. It decides nothing about events, and starts no task.
//!
//! Invariants: an event is owed by its own topic until its copy is on the medium; a copy goes only
//! when its event has its outcome; the copies that count stay within `bytes_max`, and what finds no
//! room stays owed by its own topic. The topic holds at most about twice as many records as count.

mod copying;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evenkeel_delivery::Owed;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Append, AppendError, Change, Log, ReadLimit, Set, TopicSettings};
use evenkeel_model::{Position, Shard, Stored, names};

use crate::pages::{Pages, unreadable};
use copying::{original, weight};

/// Records more than count twice may lie in the topic before it is put in order.
const SLACK: u64 = 1024;
/// So many copies are moved to the end in one set, to put it in order.
const MOVED: usize = 256;

/// The events that are held aside for one subscription.
pub struct Held {
    log: Log,
    subscription: Arc<str>,
    shard: Shard,
    bytes_max: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the event's place: its newest copy.
    copies: BTreeMap<Shard, BTreeMap<u64, Copy>>,
    count: u64,
    bytes: u64,
    /// The topic was read up to here.
    read: u64,
    /// Everything open below these offsets has a copy.
    safe: HashMap<Shard, u64>,
}

/// Where a copy is, and how large.
#[derive(Clone, Copy)]
struct Copy {
    offset: u64,
    bytes: u64,
}

/// How much is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldSize {
    /// Events.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What they may come to.
    pub bytes_max: u64,
}

/// What came of holding events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Events that were copied.
    pub copied: u64,
    /// True when an event found no room: its own topic keeps it.
    pub full: bool,
}

impl Held {
    /// Reads what is held already. Nothing is created before the first copy.
    pub fn open(log: Log, subscription: Arc<str>, bytes_max: u64) -> Result<Held, PortError> {
        let shard = Shard::new(format!("{subscription}{}", names::HELD_SUFFIX), 0);
        let held = Held { log, subscription, shard, bytes_max, state: Mutex::default() };
        held.read_on(&mut held.state())?;
        Ok(held)
    }

    /// How much is held.
    pub fn size(&self) -> HeldSize {
        let state = self.state();
        HeldSize { events: state.count, bytes: state.bytes, bytes_max: self.bytes_max }
    }

    /// The event of that place, if it is held.
    pub fn get(&self, at: &Position) -> Result<Option<Stored>, PortError> {
        let copy = {
            let mut state = self.state();
            self.read_on(&mut state)?;
            state.copies.get(&at.shard).and_then(|copies| copies.get(&at.offset)).copied()
        };
        copy.map_or(Ok(None), |copy| self.copy_at(copy.offset))
    }

    /// The events of a partition that are held, of these offsets.
    pub(crate) fn between(&self, shard: &Shard, offsets: Range<u64>) -> Result<BTreeMap<u64, Stored>, PortError> {
        let copies: Vec<(u64, Copy)> = {
            let mut state = self.state();
            self.read_on(&mut state)?;
            let copies = state.copies.get(shard);
            copies.map_or_else(Vec::new, |copies| copies.range(offsets).map(|(at, copy)| (*at, *copy)).collect())
        };
        let read = |(at, copy): (u64, Copy)| Ok(self.copy_at(copy.offset)?.map(|stored| (at, stored)));
        copies.into_iter().filter_map(|copy| read(copy).transpose()).collect()
    }

    /// From which offset on the partition itself must keep what is owed, when `floor` is the lowest
    /// offset without an outcome.
    pub(crate) fn floor(&self, shard: &Shard, floor: u64) -> u64 {
        self.state().safe.get(shard).map_or(floor, |safe| floor.max(*safe))
    }

    /// Copies what waits durably below `wanted`, and lets its topic go of it; lets go of the copies
    /// whose events have ended. Blocks while it reads and writes.
    pub fn tend(&self, owed: &[Owed], wanted: &[(Shard, u64)]) -> Result<Tended, PortError> {
        self.let_go(owed)?;
        self.copy(owed, wanted, false)
    }

    /// Copies all that waits durably below `wanted`, though what lies between is owed and moves: for
    /// a deletion that takes that as well.
    pub fn save(&self, owed: &[Owed], wanted: &[(Shard, u64)]) -> Result<Tended, PortError> {
        self.copy(owed, wanted, true)
    }

    fn copy(&self, owed: &[Owed], wanted: &[(Shard, u64)], beyond: bool) -> Result<Tended, PortError> {
        let mut tended = Tended::default();
        for (shard, upto) in wanted {
            let Some(owed) = owed.iter().find(|owed| owed.shard == *shard) else { continue };
            let reached = self.keep(owed, if beyond { *upto } else { (*upto).min(owed.moving()) }, &mut tended)?;
            let safe = {
                let mut state = self.state();
                let safe = state.safe.entry(shard.clone()).or_default();
                *safe = (*safe).max(reached.min(owed.moving()));
                *safe
            };
            self.owe_no_more(shard, safe);
        }
        Ok(tended)
    }

    fn owe_no_more(&self, shard: &Shard, safe: u64) {
        let owed = self.log.owed(shard).into_iter().find(|(holder, _)| **holder == *self.subscription);
        if owed.is_some_and(|(_, floor)| floor < safe) {
            self.log.owe(&self.subscription, &[(shard.clone(), safe)]);
        }
    }

    /// Forgets copies whose events have ended, and lets the topic begin with the first that counts.
    fn let_go(&self, owed: &[Owed]) -> Result<(), PortError> {
        let mut state = self.state();
        self.read_on(&mut state)?;
        if state.read == 0 {
            return Ok(());
        }
        let State { copies, count, bytes, .. } = &mut *state;
        for owed in owed {
            let Some(copies) = copies.get_mut(&owed.shard) else { continue };
            copies.retain(|offset, copy| {
                let stays = owed.is_open(*offset);
                if !stays {
                    *count -= 1;
                    *bytes -= copy.bytes;
                }
                stays
            });
        }
        self.put_in_order(&mut state)
    }

    /// Lets the topic begin with the first copy that counts. Where few of many count, the first ones
    /// are copied to the end, so that it can begin later.
    fn put_in_order(&self, state: &mut State) -> Result<(), PortError> {
        let start = self.log.ends(&self.shard).map_err(|e| unreadable(&self.shard, &e))?.start;
        let mut live: Vec<u64> = state.copies.values().flat_map(BTreeMap::values).map(|copy| copy.offset).collect();
        live.sort_unstable();
        let mut set = Set::default();
        let sparse = state.read.saturating_sub(start) > 2 * state.count + SLACK;
        let moved = if sparse { live.len().min(MOVED) } else { 0 };
        let mut records = Vec::new();
        for offset in &live[..moved] {
            let read = self.log.read(&self.shard, *offset, ReadLimit::records(1));
            records.extend(read.map_err(|e| unreadable(&self.shard, &e))?.into_iter().map(|stored| stored.record));
        }
        if !records.is_empty() {
            set.appends.push(Append::records(self.shard.clone(), records));
        }
        let begin = live.get(moved).copied().unwrap_or(state.read);
        if begin <= start {
            return Ok(());
        }
        set.changes.push(Change::Start { shard: self.shard.clone(), offset: begin });
        match self.log.append(set).wait() {
            // They are too large to be moved together: they go by and by, as their events end.
            Err(AppendError::TooLarge { .. }) => Ok(()),
            Err(e) => Err(self.failed(&e)),
            Ok(_) => self.read_on(state),
        }
    }

    /// Reads what the topic has more, of whoever's hand.
    fn read_on(&self, state: &mut State) -> Result<(), PortError> {
        let Ok(ends) = self.log.ends(&self.shard) else { return Ok(()) };
        if ends.high_watermark <= state.read {
            return Ok(());
        }
        Pages::new(&self.log, self.shard.clone(), state.read.max(ends.start), ends.high_watermark).each(|stored| {
            let copy = Copy { offset: stored.at.offset, bytes: weight(&stored.record) };
            if let Some(Stored { at, .. }) = original(stored.clone()) {
                let before = state.copies.entry(at.shard).or_default().insert(at.offset, copy);
                state.count += u64::from(before.is_none());
                state.bytes = state.bytes + copy.bytes - before.map_or(0, |before| before.bytes);
            }
            Ok(())
        })?;
        state.read = ends.high_watermark;
        Ok(())
    }

    fn copy_at(&self, offset: u64) -> Result<Option<Stored>, PortError> {
        let read = self.log.read(&self.shard, offset, ReadLimit::records(1));
        let records = read.map_err(|e| unreadable(&self.shard, &e))?;
        Ok(records.into_iter().next().filter(|stored| stored.at.offset == offset).and_then(original))
    }

    fn create(&self) -> Result<(), PortError> {
        if self.log.topic(&self.shard.topic).is_some() {
            return Ok(());
        }
        let created = self.log.create_topic(&self.shard.topic, TopicSettings::partitions(1));
        created.and_then(evenkeel_log::Creating::wait).map(drop).map_err(|e| PortError(e.to_string()))
    }

    fn failed(&self, error: &AppendError) -> PortError {
        PortError(format!("holding events of `{}` aside: {error}", self.subscription))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The events of a partition that are held aside for a subscription, and lie before `start`.
pub(crate) fn below(log: &Log, subscription: &str, shard: &Shard, start: u64) -> Result<Vec<Stored>, PortError> {
    if start == 0 {
        return Ok(Vec::new());
    }
    let held = Held::open(log.clone(), Arc::from(subscription), 0)?;
    Ok(held.between(shard, 0..start)?.into_values().collect())
}

#[cfg(test)]
mod tests;
