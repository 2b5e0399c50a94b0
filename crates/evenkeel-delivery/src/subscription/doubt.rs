//! After an outage: what was read before a breaker opened may be what opened it.
//!
//! A breaker opens in an outage, and just so when a producer publishes fifty events in a row that no handler can
//! handle. Which it was only the time afterwards tells, so those that were there when it opened are in doubt: so many of
//! them go out at once as may fail without bringing a breaker near its opening again, and more with each that succeeds.
//! Poison lies together: so the line is taken from both ends, the probe from one of them each time that a breaker
//! opens, and what an end yields speaks for that end only. What came later is in no doubt, and goes in between.
//!
//! Invariants: those in doubt open no breaker again as long as others succeed; none of them waits longer than a breath
//! for a success that does not come.

use std::collections::BTreeSet;
use std::time::Duration;

use evenkeel_model::Timestamp;

use super::Subscription;
use super::dispatch::URGENT;
use super::events::{Slot, Turn};

/// Nobody is held for longer: perhaps nobody else comes who could succeed.
const BREATH: Duration = Duration::from_secs(1);
/// Of what opens a breaker: from here on every other one is less like those that failed.
const OTHERS_TOO: f64 = 0.5;
/// And from here on those in doubt are held.
const HOLDS: f64 = 0.8;

/// From where in line an event in doubt was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In its turn.
    Front,
    /// The newest.
    Back,
}

#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// Those that came up to here are in doubt.
    below: u64,
    front: Yield,
    back: Yield,
    /// Who goes next is taken from the back.
    from_back: bool,
    /// Probes come from the back now, and some of those there are on record, where that comes first.
    probes_back: bool,
    said_back: bool,
    /// It was the turn of others.
    others: bool,
    /// Some of them are held.
    held: bool,
    /// When one goes whatever may come of it.
    until: Timestamp,
}

/// What comes of one end of the line.
#[derive(Debug, Default)]
struct Yield {
    flying: u32,
    /// So many of those are not expected to fail, since others did not.
    trust: u32,
}

impl Yield {
    fn at_stake(&self, more: u32) -> u32 {
        (self.flying + more).saturating_sub(self.trust)
    }
}

impl Doubt {
    /// A breaker opened, the newest event then being that one.
    pub(super) fn opened(&mut self, newest: u64) {
        self.below = newest;
        (self.front.trust, self.back.trust) = (0, 0);
        self.probes_back = !self.probes_back;
        self.said_back = false;
    }

    fn end(&mut self, end: End) -> &mut Yield {
        match end {
            End::Front => &mut self.front,
            End::Back => &mut self.back,
        }
    }

    pub(super) fn landed(&mut self, end: End) {
        self.end(end).flying -= 1;
    }

    /// One of that end came back from a handler that works: two may go in its place.
    pub(super) fn succeeded(&mut self, end: End) {
        let end = self.end(end);
        end.trust = end.trust.saturating_add(2);
    }

    pub(super) fn failed(&mut self, end: End) {
        self.end(end).trust = 0;
    }

    /// Some of those at the back are on record from now on.
    pub(super) fn note_said(&mut self) {
        self.said_back = true;
    }

    pub(super) fn holds(&self) -> bool {
        self.held
    }

    /// When one of those that are held goes at the latest.
    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        self.held.then_some(self.until)
    }

    /// How many may fail if one more of that end goes.
    fn at_stake(&self, end: End) -> u32 {
        let (front, back) = if end == End::Front { (1, 0) } else { (0, 1) };
        (self.front.at_stake(front) + self.back.at_stake(back)).max(1)
    }
}

impl Subscription {
    fn in_doubt(&self, slot: Slot) -> bool {
        self.events[slot].serial <= self.doubt.below
    }

    /// It goes to the handler; from where, if it is in doubt.
    pub(super) fn goes_in_doubt(&mut self, now: Timestamp, slot: Slot) -> Option<End> {
        let end = if std::mem::take(&mut self.doubt.from_back) { End::Back } else { End::Front };
        if !self.in_doubt(slot) {
            return None;
        }
        self.doubt.end(end).flying += 1;
        self.doubt.until = now + BREATH;
        Some(end)
    }

    /// Who goes while that one is next in turn; `None`: nobody may go now.
    pub(super) fn instead(&mut self, now: Timestamp, slot: Slot) -> Option<Slot> {
        (self.doubt.held, self.doubt.from_back) = (false, false);
        if !self.in_doubt(slot) {
            return Some(slot);
        }
        let strain = |end| self.breakers.strain(now, self.doubt.at_stake(end));
        let (front, back) = (strain(End::Front), strain(End::Back));
        if front < OTHERS_TOO || self.doubt.until <= now {
            return Some(slot);
        }
        // Half of them, as long as that is no risk: what is new may never end.
        self.doubt.others = !self.doubt.others;
        if front < HOLDS && !self.doubt.others {
            return Some(slot);
        }
        if let Some(later) = self.first_beyond_doubt(&self.ready) {
            return Some(later.3);
        }
        if let Some(newest) = self.newest_unseen().filter(|_| back < HOLDS) {
            self.doubt.from_back = true;
            return Some(newest);
        }
        self.doubt.held = front >= HOLDS;
        (!self.doubt.held).then_some(slot)
    }

    /// The first of a line, by urgency and age, that came after a breaker opened last.
    fn first_beyond_doubt(&self, line: &BTreeSet<Turn>) -> Option<Turn> {
        let first = |urgency: u8| {
            let from = (0, urgency, self.doubt.below + 1, Slot::FIRST);
            line.range(from..=(0, urgency, u64::MAX, Slot::LAST)).next().copied()
        };
        (u8::MAX - URGENT..=u8::MAX).find_map(first)
    }

    /// The newest in line, if it never was at the handler.
    fn newest_unseen(&self) -> Option<Slot> {
        let newest = self.last_like(*self.ready.first()?)?;
        (self.events[newest].course.counters.deliveries == 0).then_some(newest)
    }

    /// Who probes, or widens the gate, while that one is first in line.
    pub(super) fn probe_of(&mut self, first: Turn) -> Slot {
        let newest = self.last_like(first).filter(|_| self.doubt.probes_back && self.ready.contains(&first));
        self.doubt.from_back = newest.is_some();
        newest.unwrap_or(first.3)
    }

    /// The newest of those in line who are as urgent, and were probes as often.
    fn last_like(&self, first: Turn) -> Option<Slot> {
        last_of(&self.ready, first).map(|turn| turn.3)
    }

    /// True when the next probe is to come from the back, and nobody there is on record yet.
    pub(super) fn wants_back(&self, unsaid: &BTreeSet<Turn>) -> bool {
        let fresh = unsaid.first().is_some_and(|(rank, ..)| *rank == 0);
        fresh && self.doubt.probes_back && !self.doubt.said_back && !self.breakers.all_closed()
    }

    /// Who is to be on record next while those in doubt are held, or the next probe is to come from the back.
    pub(super) fn next_from_back(&self, unsaid: &BTreeSet<Turn>) -> Option<Turn> {
        let later = self.first_beyond_doubt(unsaid).filter(|_| self.breakers.all_closed());
        later.or_else(|| last_of(unsaid, *unsaid.first()?))
    }
}

/// The newest of a line who is as urgent, and was a probe as often, as that one.
fn last_of(line: &BTreeSet<Turn>, (rank, urgency, ..): Turn) -> Option<Turn> {
    let like = (rank, urgency, 0, Slot::FIRST)..=(rank, urgency, u64::MAX, Slot::LAST);
    line.range(like).next_back().copied()
}
