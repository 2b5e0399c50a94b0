//! The events that were read and have no committed outcome yet.
//!
//! A table of plain state; who changes it when is told in the other files. A [`Slot`] is valid
//! from arrival until the round with the event's outcome is committed.

use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{Created, FailureInfo, Position, Timestamp};

use super::booking::Unbooked;
use super::lanes::LaneId;
use super::stale::Versioned;
use super::suspects::Opening;
use crate::{Counters, Mark, PendingWhy, Redriven};

/// An event's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(u32);

impl Slot {
    /// Behind all others.
    pub(super) const LAST: Slot = Slot(u32::MAX);
}

#[derive(Debug)]
pub(super) struct Open {
    /// Counts arrivals: lower is older.
    pub(super) serial: u64,
    pub(super) at: Position,
    pub(super) key: Option<Bytes>,
    pub(super) mark: Mark,
    pub(super) created: Created,
    pub(super) expires: Option<Timestamp>,
    pub(super) bytes: u32,
    pub(super) priority: u8,
    pub(super) kind: Arc<str>,
    pub(super) source: Arc<str>,
    /// The number of its partition among the offsets.
    pub(super) shard: usize,
    /// Its lane; for a twin, that of its first.
    pub(super) lane: LaneId,
    pub(super) state: State,
    pub(super) counters: Counters,
    /// The reading of the age clock since which it ages; `None`: it does not age now.
    pub(super) ages_from: Option<Duration>,
    /// Failed tries in a row: the exponent of the delay.
    pub(super) tries: u32,
    /// Failed attempts that are not booked yet, oldest first.
    pub(super) unbooked: Vec<Unbooked>,
    /// When it failed last, in the subscription's count of happenings.
    pub(super) failed_seq: u64,
    pub(super) why: PendingWhy,
    pub(super) next_at: Timestamp,
    /// `Retry-After`, `defer`: it must not be tried before.
    pub(super) not_before: Timestamp,
    pub(super) failure: Option<Box<FailureInfo>>,
    pub(super) last_took_us: u64,
    pub(super) last_version: Option<Arc<str>>,
    /// The next of the overdue thresholds that it may pass, and when.
    pub(super) overdue_next: usize,
    pub(super) overdue_at: Option<Timestamp>,
    pub(super) overdue: bool,
    /// Duplicates that wait for this event's outcome.
    pub(super) twins: Vec<Slot>,
    /// An operator skipped it while it was at the handler.
    pub(super) skip: bool,
    /// It was dead, and is open again.
    pub(super) redriven: Option<Box<Redriven>>,
    /// Its key and version.
    pub(super) version: Versioned,
    /// What a restart would know of it.
    pub(super) opening: Opening,
    /// It may have crashed the process, and runs alone.
    pub(super) suspect: bool,
}

/// Where a ready event stands: by rank (probes of this outage last), urgency, then age.
pub(super) type Turn = (u32, u8, u64, Slot);

impl Open {
    pub(super) fn turn(&self, rank: u32, slot: Slot) -> Turn {
        (rank, u8::MAX - self.priority, self.serial, slot)
    }
}

/// What an event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Behind others in its lane.
    Queued,
    /// First in its lane, and may be handed out; the rank in which it stands among the ready.
    Ready { rank: u32 },
    /// First in its lane, until `next_at`.
    Waiting,
    /// First in its lane, until the retry budget can pay for its next try.
    Unpaid,
    /// First in its lane, until an operator acts.
    Held,
    /// At the handler.
    Flying,
    /// It has its outcome; the round with it is not committed yet.
    Ending,
    /// A duplicate that waits for the outcome of its first.
    Twin,
}

#[derive(Debug, Default)]
pub(super) struct Events {
    slots: Vec<Option<Open>>,
    free: Vec<u32>,
    live: usize,
}

impl Events {
    pub(super) fn insert(&mut self, event: Open) -> Slot {
        self.live += 1;
        if let Some(free) = self.free.pop() {
            self.slots[free as usize] = Some(event);
            return Slot(free);
        }
        self.slots.push(Some(event));
        Slot(u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 events are open"))
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Open> {
        let event = self.slots[slot.0 as usize].take();
        if event.is_some() {
            self.free.push(slot.0);
            self.live -= 1;
        }
        event
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// The event at that place; costs a walk over all.
    pub(super) fn find(&self, at: &Position) -> Option<Slot> {
        let index = self.slots.iter().position(|e| e.as_ref().is_some_and(|e| e.at == *at))?;
        u32::try_from(index).ok().map(Slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Open> {
        self.slots.iter().flatten()
    }
}

impl Index<Slot> for Events {
    type Output = Open;
    fn index(&self, slot: Slot) -> &Open {
        self.slots[slot.0 as usize].as_ref().expect("a slot is valid until its outcome is committed")
    }
}

impl IndexMut<Slot> for Events {
    fn index_mut(&mut self, slot: Slot) -> &mut Open {
        self.slots[slot.0 as usize].as_mut().expect("a slot is valid until its outcome is committed")
    }
}
