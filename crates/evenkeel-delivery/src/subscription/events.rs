//! The events that were read and have no committed outcome yet.
//!
//! A table of plain state; who changes it when is told in the other files. A [`Slot`] is valid
//! from arrival until the round with the event's outcome is committed.

use std::cell::Cell;
use std::ops::{Deref, DerefMut, Index, IndexMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{FailureInfo, Timestamp};

use super::booking::Unbooked;
use super::labels::Label;
use super::lanes::LaneId;
use super::suspects::Opening;
use crate::{Counters, Mark, PendingWhy, Redriven};

/// An event's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(u32);

impl Slot {
    /// Before all others.
    pub(super) const FIRST: Slot = Slot(0);
    /// Behind all others.
    pub(super) const LAST: Slot = Slot(u32::MAX);

    #[cfg(test)]
    pub(super) fn of(place: u32) -> Slot {
        Slot(place)
    }
}

#[derive(Debug)]
pub(super) struct Open {
    /// Counts arrivals: lower is older.
    pub(super) serial: u64,
    pub(super) offset: u64,
    pub(super) mark: Mark,
    pub(super) created: Timestamp,
    pub(super) label: Label,
    pub(super) bytes: u32,
    /// The number of its partition among the offsets.
    pub(super) shard: u32,
    /// Its lane; for a twin, that of its first.
    pub(super) lane: LaneId,
    pub(super) state: State,
    /// The next of the overdue thresholds that it may pass.
    pub(super) overdue_next: u16,
    pub(super) overdue: bool,
    pub(super) priority: u8,
    /// `created` is its own word.
    pub(super) believed: bool,
    /// An operator skipped it while it was at the handler.
    pub(super) skip: bool,
    /// What a restart would know of it.
    pub(super) opening: Opening,
    pub(super) luggage: Luggage,
    /// What events have that came first in their lane.
    pub(super) course: Course,
    /// What only some events have.
    pub(super) detour: Detour,
}

/// What there is to know of some events only, while a million may wait: it lies apart. Read as if it
/// were always there; the first write makes it.
#[derive(Debug)]
pub(super) struct Apart<T>(Option<Box<T>>);

/// What lies apart is the same for all that have none of it.
pub(super) trait Blank: Sized + 'static {
    const BLANK: Self;
    fn blank() -> &'static Self;
}

/// What some events bring along.
pub(super) type Luggage = Apart<Brought>;
/// What became of an event at the handler.
pub(super) type Course = Apart<Been>;
/// What there is to know of an event that did not go straight from its lane to its end.
pub(super) type Detour = Apart<Taken>;

#[derive(Debug)]
pub(super) struct Brought {
    /// Its key, where that is not its lane's.
    pub(super) key: Option<Bytes>,
    /// Its version, and the mark of the key that it is a version of.
    pub(super) version: Option<(Mark, i128)>,
}

#[derive(Debug)]
pub(super) struct Been {
    pub(super) counters: Counters,
    /// Deliveries of a broker, before it came here.
    pub(super) given_before: u32,
    /// The reading of the age clock since which it ages; `None`: it does not age now.
    pub(super) ages_from: Option<Duration>,
    pub(super) last_took_us: u64,
    pub(super) last_version: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Taken {
    pub(super) expires: Option<Timestamp>,
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
    /// Duplicates that wait for this event's outcome.
    pub(super) twins: Vec<Slot>,
    /// It was dead, and is open again.
    pub(super) redriven: Option<Box<Redriven>>,
}

impl Blank for Brought {
    const BLANK: Brought = Brought { key: None, version: None };

    fn blank() -> &'static Brought {
        static BLANK: Brought = Brought::BLANK;
        &BLANK
    }
}

impl Blank for Been {
    const BLANK: Been =
        Been { counters: Counters::NONE, given_before: 0, ages_from: None, last_took_us: 0, last_version: None };

    fn blank() -> &'static Been {
        static BLANK: Been = Been::BLANK;
        &BLANK
    }
}

impl Blank for Taken {
    const BLANK: Taken = Taken {
        expires: None,
        tries: 0,
        unbooked: Vec::new(),
        failed_seq: 0,
        why: PendingWhy::Retry,
        next_at: Timestamp::EPOCH,
        not_before: Timestamp::EPOCH,
        failure: None,
        twins: Vec::new(),
        redriven: None,
    };

    fn blank() -> &'static Taken {
        static BLANK: Taken = Taken::BLANK;
        &BLANK
    }
}

impl Course {
    /// Of an event that has just come.
    pub(super) fn after(given_before: u32) -> Course {
        let mut course = Course::default();
        if given_before > 0 {
            course.given_before = given_before;
        }
        course
    }

    /// How often it was delivered: by a broker before it came here, and to the handler. 0 of an event that never went
    /// to the handler, however often a broker gave it.
    pub(super) fn deliveries(&self) -> u32 {
        let own = self.counters.deliveries;
        if own == 0 { 0 } else { own.saturating_add(self.given_before) }
    }
}

impl Luggage {
    /// Of an event with such a key, where that is not its lane's, and such a version.
    pub(super) fn of(key: Option<Bytes>, version: Option<(Mark, i128)>) -> Luggage {
        if key.is_none() && version.is_none() {
            Luggage::default()
        } else {
            Apart(Some(Box::new(Brought { key, version })))
        }
    }
}

impl Detour {
    /// Of an event that has just come.
    pub(super) fn until(expires: Option<Timestamp>) -> Detour {
        let mut detour = Detour::default();
        if expires.is_some() {
            detour.expires = expires;
        }
        detour
    }
}

impl<T> Default for Apart<T> {
    fn default() -> Apart<T> {
        Apart(None)
    }
}

impl<T: Blank> Deref for Apart<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::blank())
    }
}

impl<T: Blank> DerefMut for Apart<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::BLANK))
    }
}

/// Where a ready event stands: by rank (probes of this outage last), urgency, then age.
pub(super) type Turn = (u32, u8, u64, Slot);

impl Open {
    pub(super) fn turn(&self, rank: u32, slot: Slot) -> Turn {
        (rank, u8::MAX - self.priority, self.serial, slot)
    }

    pub(super) fn shard(&self) -> usize {
        self.shard as usize
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

/// How many events lie together: the table grows by so many, and moves none.
const TOGETHER: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Events {
    slots: Vec<Box<[Option<Open>]>>,
    free: Vec<u32>,
    live: usize,
    oldest: Cell<Oldest>,
}

/// When the oldest event without an outcome was created: it is looked for again only after that one ended.
#[derive(Clone, Copy, Debug, Default)]
enum Oldest {
    #[default]
    Nobody,
    Since(Timestamp),
    Unknown,
}

impl Events {
    pub(super) fn insert(&mut self, event: Open) -> Slot {
        if self.free.is_empty() {
            self.grow();
        }
        let free = self.free.pop().expect("it has just grown");
        self.live += 1;
        self.oldest.set(match self.oldest.get() {
            Oldest::Nobody => Oldest::Since(event.created),
            Oldest::Since(at) => Oldest::Since(at.min(event.created)),
            Oldest::Unknown => Oldest::Unknown,
        });
        *self.at_mut(free) = Some(event);
        Slot(free)
    }

    fn grow(&mut self) {
        let first = self.slots.len() * TOGETHER;
        let next = u32::try_from(first).ok().filter(|first| *first < u32::MAX - TOGETHER as u32);
        let first = next.expect("fewer than 2^32 events are open");
        self.slots.push((0..TOGETHER).map(|_| None).collect());
        // The lowest is taken first.
        self.free.extend((first..first + TOGETHER as u32).rev());
    }

    fn at(&self, place: u32) -> &Option<Open> {
        &self.slots[place as usize / TOGETHER][place as usize % TOGETHER]
    }

    fn at_mut(&mut self, place: u32) -> &mut Option<Open> {
        &mut self.slots[place as usize / TOGETHER][place as usize % TOGETHER]
    }

    /// It has its outcome, and stays until that is durable.
    pub(super) fn end(&mut self, slot: Slot) {
        self[slot].state = State::Ending;
        self.passed(self[slot].created);
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Open> {
        let event = self.at_mut(slot.0).take()?;
        self.free.push(slot.0);
        self.live -= 1;
        self.passed(event.created);
        Some(event)
    }

    fn passed(&self, created: Timestamp) {
        if matches!(self.oldest.get(), Oldest::Since(at) if at == created) {
            self.oldest.set(Oldest::Unknown);
        }
    }

    /// When the oldest event without an outcome was created; costs a walk over all if that one ended since it
    /// was asked last.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        if let Oldest::Unknown = self.oldest.get() {
            let open = self.iter().filter(|event| event.state != State::Ending);
            let found = open.map(|event| event.created).min();
            self.oldest.set(found.map_or(Oldest::Nobody, Oldest::Since));
        }
        match self.oldest.get() {
            Oldest::Since(at) => Some(at),
            Oldest::Nobody | Oldest::Unknown => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// The event at that place; costs a walk over all.
    pub(super) fn find(&self, shard: usize, offset: u64) -> Option<Slot> {
        let all = self.slots.iter().flatten();
        let same = |event: &Open| event.offset == offset && event.shard() == shard;
        let index = all.into_iter().position(|event| event.as_ref().is_some_and(same))?;
        u32::try_from(index).ok().map(Slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Open> {
        self.slots.iter().flatten().flatten()
    }
}

impl Index<Slot> for Events {
    type Output = Open;
    fn index(&self, slot: Slot) -> &Open {
        self.at(slot.0).as_ref().expect("a slot is valid until its outcome is committed")
    }
}

impl IndexMut<Slot> for Events {
    fn index_mut(&mut self, slot: Slot) -> &mut Open {
        self.at_mut(slot.0).as_mut().expect("a slot is valid until its outcome is committed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_only_waits_is_small() {
        // A million may be parked: each byte here is a megabyte.
        assert!(size_of::<Option<Open>>() <= 104, "{}", size_of::<Option<Open>>());
    }

    #[test]
    fn what_is_read_of_a_detour_that_was_not_taken_makes_none() {
        let mut detour = Detour::default();
        assert!(detour.unbooked.is_empty() && detour.redriven.is_none() && detour.0.is_none());
        detour.tries = 1;
        assert_eq!((detour.tries, detour.0.is_some(), Detour::default().tries), (1, true, 0));
    }
}
