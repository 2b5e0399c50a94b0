//! Shedding: while the handler cannot keep up, what matters least gives way to what matters more.
//!
//! Priorities are ten classes. They are shed from the bottom up: while calls are shed by a handler at
//! its lowest concurrency, or the most urgent event that waits is older than `backlog`, one more class
//! each second is put off, as far as a more urgent class is there to gain by it. What is shed is put off
//! for some seconds, on the record and durably, so that it leaves the window to others; it spends no
//! attempt and does not age. Freshness is here too: which of one class goes first.
//!
//! Invariants: the most urgent class of what waits or came lately is never shed, so a subscription
//! whose events are all alike sheds nothing; nor is an event that holds up a more urgent one of its
//! lane; and shedding fills no more than half of the parking, since reading stops when it is full. Without fresh evidence of overload nothing is shed.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use evenkeel_model::Timestamp;

use super::Subscription;
use super::dispatch::URGENT;
use super::events::{Slot, State, Turn};
use super::verdicts::put_off;
use crate::{Freshness, Order, PendingWhy, Policy};

/// One more class is shed after this long.
const STEP: Duration = Duration::from_secs(1);
/// Without overload for so long nothing is shed any more.
const CALM: Duration = Duration::from_secs(5);
/// A class that came so long ago may come again at any moment.
const LATELY: Duration = Duration::from_secs(10);
/// What is shed comes again after this, and up to as much again.
const PUT_OFF: Duration = Duration::from_secs(5);
/// After parking has stopped reading, no age counts for so long.
const FULL: Duration = Duration::from_secs(20);
/// So many are shed in one step.
const AT_ONCE: usize = 256;

#[derive(Debug)]
pub(super) struct Shedding {
    backlog: Option<Duration>,
    freshness: Freshness,
    /// Classes below this one are shed.
    below: u8,
    changed: Timestamp,
    overloaded: Timestamp,
    /// When parking last stopped reading: what waited for that says nothing of the handler.
    full_at: Timestamp,
    /// When an event of each class arrived last.
    came: [Timestamp; URGENT as usize + 1],
    /// Until when what was put off held up what comes behind it in its partition, where the order is that of partitions.
    held_up: HashMap<usize, Timestamp>,
    /// Events that were shed, since the process began.
    shed: u64,
}

impl Shedding {
    pub(super) fn new(policy: &Policy) -> Shedding {
        Shedding {
            backlog: policy.backlog,
            freshness: policy.freshness,
            below: 0,
            changed: Timestamp::EPOCH,
            overloaded: Timestamp::EPOCH,
            full_at: Timestamp::EPOCH,
            came: [Timestamp::EPOCH; URGENT as usize + 1],
            held_up: HashMap::new(),
            shed: 0,
        }
    }

    pub(super) fn came(&mut self, now: Timestamp, class: u8) {
        self.came[usize::from(class)] = now;
    }

    /// Classes below this one are shed now; 0: none is.
    pub(super) fn below(&self, now: Timestamp) -> u8 {
        if now.since(self.overloaded) < CALM { self.below } else { 0 }
    }

    pub(super) fn shed(&self) -> u64 {
        self.shed
    }

    /// The most urgent class that came lately.
    fn lately(&self, now: Timestamp) -> u8 {
        let class = self.came.iter().rposition(|at| now.since(*at) < LATELY);
        class.and_then(|class| u8::try_from(class).ok()).unwrap_or(0)
    }
}

impl Subscription {
    /// Puts off what is to give way.
    pub(super) fn shed_load(&mut self, now: Timestamp) {
        if self.shedding.below == 0 && !self.limiter.is_overloaded(now) && self.shedding.backlog.is_none() {
            return;
        }
        if !self.breakers.all_closed() {
            return;
        }
        let full = self.lanes.are_full();
        if full {
            self.shedding.full_at = now;
        }
        self.weigh_load(now);
        let below = self.shedding.below;
        if below > 0 && !full {
            for slot in self.least_urgent(below) {
                self.shed(now, slot);
            }
        }
    }

    /// Whether one class more is shed, or none any more.
    fn weigh_load(&mut self, now: Timestamp) {
        let unsaid = self.suspects.unsaid();
        let first = self.ready.first().into_iter().chain(unsaid.first()).min().copied();
        let last = self.ready.last().into_iter().chain(unsaid.last()).max().copied();
        let (Some(first), Some(last)) = (first, last) else { return self.calm_down(now) };
        let was_full = now.since(self.shedding.full_at) < FULL;
        let late = !was_full && self.shedding.backlog.is_some_and(|bound| self.waits_longer(now, first, bound));
        if !late && !self.limiter.is_overloaded(now) {
            return self.calm_down(now);
        }
        let top = class(first).max(self.shedding.lately(now));
        let (wanted, below) = ((class(last) + 1).min(top), self.shedding.below);
        self.shedding.overloaded = now;
        // What was urgent may be over: then what is left is not held back for its sake.
        self.shedding.below = below.min(top);
        if wanted > below && now.since(self.shedding.changed) >= STEP {
            (self.shedding.below, self.shedding.changed) = (wanted, now);
            let why = if late { "events wait for too long" } else { "the handler sheds at its lowest concurrency" };
            self.alarm_rarely(now, "shedding", format!("{why}: events with a priority below {wanted} are put off"));
        }
    }

    fn calm_down(&mut self, now: Timestamp) {
        if self.shedding.below > 0 && now.since(self.shedding.overloaded) >= CALM {
            (self.shedding.below, self.shedding.changed) = (0, now);
        }
    }

    /// Some of those in line that are less urgent than `below`, the least urgent first.
    fn least_urgent(&self, below: u8) -> Vec<Slot> {
        let alone = |slot: &Slot| {
            let lane = &self.lanes[self.events[*slot].lane];
            lane.waiting().all(|behind| self.events[behind].priority < below)
        };
        let lines = [&self.ready, self.suspects.unsaid()];
        let less = lines.into_iter().flat_map(|line| line.iter().rev().take_while(|turn| class(**turn) < below));
        let room = self.lanes.room_to_put_off().min(AT_ONCE);
        less.map(|(.., slot)| *slot).take(AT_ONCE).filter(alone).take(room).collect()
    }

    fn shed(&mut self, now: Timestamp, slot: Slot) {
        self.leave_ready(slot);
        self.stop_ageing(slot);
        self.shedding.shed += 1;
        let next_at = now + PUT_OFF + self.random.up_to(PUT_OFF);
        let again = put_off(format!("shed: events with a priority below {} give way", self.shedding.below));
        self.note_failure(now, slot, again.class, None, again.message.clone());
        let event = &mut self.events[slot];
        event.course.counters.deferrals += 1;
        // It stands in no line from here on, whoever asks meanwhile.
        event.state = State::Queued;
        event.detour.why = PendingWhy::Deferred;
        event.detour.not_before = next_at;
        self.lanes.hold_up(event.lane, next_at);
        if self.policy.order == Order::Partition {
            self.shedding.held_up.insert(event.shard(), next_at);
        }
        event.course.last_took_us = 0;
        self.say_attempt(now, slot, &again, Some(next_at));
        self.wait(now, slot, next_at);
    }

    /// Who of a line goes first, of the most urgent there: the oldest or, in a backlog where that was
    /// chosen, the newest.
    pub(super) fn next_of(&self, now: Timestamp, line: &BTreeSet<Turn>) -> Option<Turn> {
        let first = *line.first()?;
        let backlogged = match self.shedding.freshness {
            Freshness::Fifo => false,
            Freshness::LifoWhenBacklogged { after } => self.is_older(now, first, after),
        };
        let (rank, urgency, ..) = first;
        let newest = backlogged.then(|| line.range(..(rank, urgency, u64::MAX, Slot::LAST)).next_back());
        newest.flatten().copied().or(Some(first))
    }

    /// What was put off has not waited since it was created, but since it might go again, and so has what comes
    /// behind it, read or unread: else what is shed would be the evidence for shedding more.
    fn waits_longer(&self, now: Timestamp, turn: Turn, bound: Duration) -> bool {
        let event = &self.events[turn.3];
        let own = event.created.max(event.detour.not_before);
        let behind = self.shedding.held_up.get(&event.shard()).copied().unwrap_or(Timestamp::EPOCH);
        now.since(own.max(self.lanes[event.lane].held_up()).max(behind)) > bound
    }

    fn is_older(&self, now: Timestamp, turn: Turn, bound: Duration) -> bool {
        now.since(self.events[turn.3].created) > bound
    }
}

fn class(turn: Turn) -> u8 {
    u8::MAX - turn.1
}
