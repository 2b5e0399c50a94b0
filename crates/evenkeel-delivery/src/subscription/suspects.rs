//! Crash suspects: attempts inside this process are on record before they begin, so that a restart
//! knows what was open when the process died.
//!
//! Among several nobody is guilty: they are suspects, and count nothing. A suspect runs alone in its
//! subscription, before what is new; if the process dies then, that crash is its own, and with the
//! last one that the policy allows it is dead. A suspect that comes back is none any more, unless it crashed
//! the process before. Attempts elsewhere (HTTP) can crash nothing here, and none of this is done for them.
//!
//! Invariants: nothing is handed out before a durable round says so; what is said is twice as much as
//! went out during the last round, so that one part goes out while the round with the other is on its
//! way; beside a suspect nothing is at the handler; while a breaker is not closed, or when it could not
//! go out at once, nothing is counted.

mod line;

use std::collections::{BTreeSet, HashMap};

use evenkeel_model::{FailureClass, FailureInfo, Position, Timestamp};

use super::Subscription;
use super::breakers::Gate;
use super::credit::WITNESSES;
use super::events::{Slot, Turn};
use crate::{Fact, Open, Opened, fingerprint};

/// What is said beyond what may go out at once, at most.
const AHEAD_MAX: usize = 2048;

/// Whether a restart would know that an event was at the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Opening {
    /// It would not.
    #[default]
    Unsaid,
    /// The round that says so is outstanding.
    Said,
    /// It would.
    Known,
    /// It would, and that it was there alone.
    Alone,
}

/// A suspect whose turn it is.
#[derive(Debug)]
struct Lone {
    slot: Slot,
    stage: Stage,
    /// A crash is its own.
    counts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Said,
    Known,
    Flying,
}

#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// Attempts run in this process, and crashes are looked for.
    here: bool,
    /// What the journal says, while it is taken back.
    opened: Opened,
    /// Suspects that did not arrive again yet, and how often each crashed alone.
    restored: HashMap<Position, u32>,
    /// Those that may be handed out once that is said.
    pub(super) unsaid: BTreeSet<Turn>,
    /// Those of them that are open here.
    open: BTreeSet<Slot>,
    /// Suspects that may be handed out, each in its turn.
    waiting: BTreeSet<Turn>,
    lone: Option<Lone>,
    /// How many were handed out since the last round was sent.
    handed_out: usize,
    /// The journal has something to take back.
    said: bool,
}

impl Suspects {
    pub(super) fn look_here(&mut self) {
        self.here = true;
    }

    pub(super) fn opened(&mut self) -> &mut Opened {
        &mut self.opened
    }

    /// All was taken back; gives how many are suspect.
    pub(super) fn restored(&mut self, open: impl Fn(&Position) -> bool) -> usize {
        let mut opened = std::mem::take(&mut self.opened);
        if self.here {
            opened.retain(open);
            self.restored = opened.suspects().collect();
            self.said = !self.restored.is_empty();
        }
        self.restored.len()
    }

    /// It ended without having been in a lane.
    pub(super) fn forget(&mut self, at: &Position) {
        if !self.restored.is_empty() {
            self.restored.remove(at);
        }
    }

    /// It arrived again.
    pub(super) fn take(&mut self, at: &Position) -> Option<u32> {
        self.restored.remove(at)
    }

    /// Suspects that did not arrive again yet.
    pub(super) fn missing(&self) -> usize {
        self.restored.len()
    }

    /// Those in line of which that is not on record.
    pub(super) fn unsaid(&self) -> &BTreeSet<Turn> {
        &self.unsaid
    }

    /// True while one has its turn to run alone.
    pub(super) fn has_lone(&self) -> bool {
        self.lone.is_some()
    }

    /// True when it may have crashed the process, and runs alone.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.open.contains(&slot)
    }

    /// It is suspect no more.
    pub(super) fn spare(&mut self, slot: Slot) {
        self.open.remove(&slot);
    }

    fn first_unsaid(&self) -> Option<Turn> {
        self.unsaid.first().copied()
    }
}

impl Subscription {
    /// From now on its attempts run inside this process, so that one of them may crash it: they are on
    /// record before they begin. Said before [`Subscription::restore`]; without effect where the
    /// policy's `crashes` is 0.
    pub fn runs_here(&mut self) {
        if self.policy.crashes > 0 {
            self.suspects.look_here();
        }
    }

    /// It goes to the handler.
    pub(super) fn note_hand_out(&mut self, slot: Slot) {
        self.suspects.handed_out += 1;
        if let Some(lone) = self.suspects.lone.as_mut().filter(|lone| lone.slot == slot) {
            lone.stage = Stage::Flying;
        }
    }

    /// It came back: a suspect that never crashed alone is none any more.
    pub(super) fn note_return(&mut self, slot: Slot) {
        let was_alone = self.suspects.lone.take_if(|lone| lone.slot == slot).is_some();
        if was_alone && self.events[slot].course.counters.crashes == 0 {
            self.suspects.spare(slot);
        }
    }

    /// Its state is carried, so that a restart knows that it was not at the handler.
    pub(super) fn note_carried(&mut self, slot: Slot) {
        if !self.suspects.here || self.events[slot].opening == Opening::Unsaid {
            return;
        }
        let turn = self.turn_of(slot);
        if let Some(turn) = turn {
            self.leave_line(turn);
        }
        self.events[slot].opening = Opening::Unsaid;
        if let Some(turn) = turn {
            self.stand_in_line(turn);
        }
    }

    /// It comes first in its lane after a restart: true when its crashes ended it.
    pub(super) fn suspect(&mut self, now: Timestamp, slot: Slot, crashes: Option<u32>) -> bool {
        if !self.suspects.here {
            return false;
        }
        let event = &mut self.events[slot];
        let known = event.course.counters.crashes;
        event.course.counters.crashes = crashes.unwrap_or(0).max(known);
        event.course.counters.deliveries += event.course.counters.crashes - known;
        if crashes.is_some() || event.course.counters.crashes > 0 {
            self.suspects.open.insert(slot);
        }
        let crashes = event.course.counters.crashes;
        if crashes < self.policy.crashes {
            return false;
        }
        let class = FailureClass::SuspectedCrash;
        let message = format!("the process died {crashes} times while this event alone was at the handler");
        let first_failed_at = event.detour.failure.as_ref().map_or(now, |f| f.first_failed_at);
        let failure = FailureInfo {
            class,
            status: None,
            fingerprint: fingerprint(class, None, &message),
            message,
            reason: String::new(),
            first_failed_at,
            last_failed_at: now,
        };
        event.detour.failure = Some(Box::new(failure));
        self.dead(now, slot, "suspected_crash");
        true
    }

    /// How many are suspect.
    pub(super) fn suspects_open(&self) -> usize {
        self.suspects.missing() + self.suspects.open.len()
    }

    /// What is to be on record before it begins; gives the events that go with it.
    pub(super) fn say_open(&mut self, facts: &mut Vec<Fact>) -> Vec<Slot> {
        let gone_out = std::mem::take(&mut self.suspects.handed_out);
        if !self.suspects.here || !self.hands_out() || self.suspects.lone.is_some() {
            return Vec::new();
        }
        let slots = match self.suspect_in_turn() {
            Some((.., slot)) => self.say_lone(slot, facts),
            None => self.say_among(gone_out, facts),
        };
        self.suspects.said |= !slots.is_empty();
        slots
    }

    /// True when [`Subscription::say_open`] has something to say.
    pub(super) fn has_to_open(&self) -> bool {
        let suspects = &self.suspects;
        if !suspects.here || !self.hands_out() || suspects.lone.is_some() {
            return false;
        }
        match self.suspect_in_turn() {
            None => self.room_to_open(suspects.handed_out) > 0,
            Some(_) => self.may_run_alone(),
        }
    }

    fn hands_out(&self) -> bool {
        !self.draining && self.paused.is_none() && !self.redrives.are_missing()
    }

    /// How many more may be said to begin.
    fn room_to_open(&self, gone_out: usize) -> usize {
        let Some(first) = self.suspects.first_unsaid() else { return 0 };
        if self.wants_back(&self.suspects.unsaid) {
            return WITNESSES;
        }
        let free = (self.limiter.limit() as usize).saturating_sub(self.flights.len());
        let most = match self.breakers.all_closed() {
            true => free + (2 * gone_out).min(AHEAD_MAX),
            false => free.min(WITNESSES),
        };
        let most = most + if self.doubt.holds() { WITNESSES } else { 0 };
        // Whoever goes before all that are said is not kept waiting by them.
        let urgent = self.ready.first().is_some_and(|ready| first < *ready);
        most.saturating_sub(self.ready.len()).max(usize::from(urgent))
    }

    fn say_among(&mut self, gone_out: usize, facts: &mut Vec<Fact>) -> Vec<Slot> {
        let room = self.room_to_open(gone_out);
        let wanted = self.wants_back(&self.suspects.unsaid);
        let back = wanted || self.doubt.holds();
        let mut by_shard: Vec<(usize, Vec<u64>)> = Vec::new();
        let mut slots = Vec::with_capacity(room.min(self.suspects.unsaid.len()));
        for _ in 0..room {
            let unsaid = &self.suspects.unsaid;
            let next = if back { self.next_from_back(unsaid) } else { self.next_of(self.now, unsaid) };
            let Some(turn) = next else { break };
            self.suspects.unsaid.remove(&turn);
            let slot = turn.3;
            self.events[slot].opening = Opening::Said;
            slots.push(slot);
        }
        if wanted {
            self.doubt.note_said();
        }
        for slot in &slots {
            let event = &self.events[*slot];
            match by_shard.iter_mut().find(|(shard, _)| *shard == event.shard()) {
                Some((_, offsets)) => offsets.push(event.offset),
                None => by_shard.push((event.shard(), vec![event.offset])),
            }
        }
        for (shard, offsets) in by_shard {
            facts.push(Fact::Open(Open::Among { shard: self.offsets.shard(shard).clone(), offsets }));
        }
        slots
    }

    /// True when nothing is at the handler, and the suspect could go out at once.
    fn may_run_alone(&self) -> bool {
        let now = self.now;
        let gate = self.breakers.gate(now);
        let shed = gate == Gate::Free && self.limiter.hold_until() > now;
        let slow = self.rate_opens_at().is_some_and(|at| at > now);
        self.flights.is_empty() && gate != Gate::Shut && !shed && !slow
    }

    fn say_lone(&mut self, slot: Slot, facts: &mut Vec<Fact>) -> Vec<Slot> {
        if !self.may_run_alone() {
            return Vec::new();
        }
        // What an outage did is not the event's fault.
        let counts = self.breakers.all_closed();
        let (at, crashes) = (self.position(slot), self.events[slot].course.counters.crashes);
        facts.push(Fact::Open(if counts { Open::Alone { at, crashes } } else { Open::Suspect { at, crashes } }));
        self.suspects.lone = Some(Lone { slot, stage: Stage::Said, counts });
        vec![slot]
    }

    /// The round is durable: they may go out.
    pub(super) fn opened(&mut self, slots: Vec<Slot>) {
        for slot in slots {
            if let Some(lone) = self.suspects.lone.as_mut().filter(|lone| lone.slot == slot) {
                lone.stage = Stage::Known;
                self.events[slot].opening = Opening::Alone;
            } else if self.events[slot].opening == Opening::Said {
                self.events[slot].opening = Opening::Known;
                if let Some(turn) = self.turn_of(slot) {
                    self.stand_in_line(turn);
                }
            }
        }
    }

    /// A suspect that could not go out at once: a crash would not be its own.
    pub(super) fn spare_lone(&mut self) {
        if let Some(lone) = self.suspects.lone.as_mut().filter(|lone| lone.stage == Stage::Known && lone.counts) {
            lone.counts = false;
            let slot = lone.slot;
            self.say_spared(slot);
        }
    }

    fn say_spared(&mut self, slot: Slot) {
        let (at, crashes) = (self.position(slot), self.events[slot].course.counters.crashes);
        self.rounds.say(Fact::Open(Open::Suspect { at, crashes }));
    }

    /// The process goes down of its own will: only who was suspect before stays so.
    pub(super) fn accuse_nobody(&mut self) {
        if !self.suspects.here || !self.suspects.said {
            return;
        }
        self.rounds.say(Fact::Open(Open::Nobody));
        let restored = self.suspects.restored.iter().map(|(at, crashes)| (at.clone(), *crashes));
        let open = self.suspects.open.iter();
        let open = open.map(|slot| (self.position(*slot), self.events[*slot].course.counters.crashes));
        let mut all: Vec<_> = restored.chain(open).collect();
        all.sort_unstable();
        for (at, crashes) in all {
            self.rounds.say(Fact::Open(Open::Suspect { at, crashes }));
        }
    }
}
