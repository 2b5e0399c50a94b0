//! Events arrive: passed over, known already, or queued in their lane.
//!
//! What is not for the handler ends at once, through a round, without waiting for its lane: only
//! what handlers did is kept in order. A duplicate of an event that is still open waits for that
//! event's outcome and then ends as a duplicate, whatever the outcome was.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::ledger::Ended;
use evenkeel_model::{FailureClass, FailureInfo, Outcome, Position, Shard, Timestamp};

use super::Subscription;
use super::dispatch::URGENT;
use super::endings::micros;
use super::events::{Course, Detour, Luggage, Open, Slot, State};
use super::lanes::LaneId;
use super::rounds::End;
use super::suspects::Opening;
use crate::{Arrival, Fact, Screen};

impl Subscription {
    /// Where partitions without progress begin is journaled, so that it stays.
    pub(super) fn started(&mut self, shards: &[(Shard, u64)]) {
        for (shard, from) in shards {
            self.shard_index(shard, *from);
        }
    }

    fn shard_index(&mut self, shard: &Shard, from: u64) -> usize {
        if let Some(index) = self.offsets.find(shard) {
            return index;
        }
        self.rounds.say(Fact::Progress { shard: shard.clone(), below: from });
        self.offsets.begin(shard, from)
    }

    pub(super) fn arrived(&mut self, now: Timestamp, arrivals: Vec<Arrival>) {
        self.inbox.forget(now);
        for arrival in arrivals {
            self.arrive(now, arrival);
        }
    }

    fn arrive(&mut self, now: Timestamp, mut arrival: Arrival) {
        let shard = self.shard_index(&arrival.at.shard, arrival.at.offset);
        if !self.offsets.arrive(shard, arrival.at.offset) {
            return;
        }
        self.offsets.owe(shard, arrival.at.offset);
        let screen = std::mem::replace(&mut arrival.screen, Screen::Wanted);
        match screen {
            Screen::Filtered => self.end_unhandled(now, &arrival, shard, Outcome::Filtered, None),
            Screen::NotAnEvent(why) => {
                let failure = not_an_event(now, why);
                self.end_unhandled(now, &arrival, shard, Outcome::NotAnEvent, Some(failure));
            }
            Screen::Expired(why) => {
                self.end_unhandled(now, &arrival, shard, Outcome::Expired, Some(super::attempts::expired(now, why)));
            }
            Screen::Seen(when) if now.since(when) < self.policy.inbox => {
                self.end_unhandled(now, &arrival, shard, Outcome::Duplicate, None);
            }
            Screen::Wanted | Screen::Seen(_) if self.inbox.knows(arrival.mark, now) => {
                self.end_unhandled(now, &arrival, shard, Outcome::Duplicate, None);
            }
            Screen::Wanted | Screen::Seen(_) => self.queue(now, arrival, shard),
        }
    }

    fn queue(&mut self, now: Timestamp, arrival: Arrival, shard: usize) {
        self.witnesses = self.witnesses.saturating_sub(1);
        self.shedding.came(now, arrival.priority.min(URGENT));
        if let Some(first) = self.marks.find(&arrival.mark, &self.events) {
            let lane = self.events[first].lane;
            let twin = self.open(arrival, shard, lane, State::Twin);
            self.events[first].detour.twins.push(twin);
            self.lanes.push_twin(lane);
            return;
        }
        let (lane, mark) = (self.lanes.of(&arrival), arrival.mark);
        let slot = self.open(arrival, shard, lane, State::Queued);
        self.marks.insert(&mark, slot);
        self.expect_overdue(now, slot);
        if self.lanes.push(lane, slot) {
            self.come_first(now, slot);
        }
    }

    pub(super) fn open(&mut self, mut arrival: Arrival, shard: usize, lane: LaneId, state: State) -> Slot {
        self.serial += 1;
        let version = self.versioned(self.now, &mut arrival);
        let own = arrival.key.filter(|key| self.lanes.key(lane) != Some(key));
        // An event that waits for long must not hold the page that it was read with.
        let own = own.map(|key| Bytes::copy_from_slice(&key));
        let overdue = match self.restored_overdue.is_empty() {
            true => None,
            false => self.restored_overdue.remove(&arrival.at),
        };
        self.events.insert(Open {
            serial: self.serial,
            offset: arrival.at.offset,
            mark: arrival.mark,
            created: arrival.created.at,
            label: self.labels.of(arrival.kind, arrival.source),
            bytes: arrival.bytes,
            shard: u32::try_from(shard).expect("fewer than 2^32 partitions"),
            lane,
            state,
            overdue_next: u16::try_from(overdue.unwrap_or(0)).unwrap_or(u16::MAX),
            overdue: overdue.is_some(),
            priority: arrival.priority.min(URGENT),
            believed: arrival.created.believed,
            skip: false,
            opening: Opening::default(),
            luggage: Luggage::of(own, version),
            course: Course::after(arrival.given_before),
            detour: Detour::until(arrival.expires),
        })
    }

    /// The partition of an open event.
    pub(super) fn shard_of(&self, slot: Slot) -> &Shard {
        self.offsets.shard(self.events[slot].shard())
    }

    /// The place of an open event.
    pub(super) fn position(&self, slot: Slot) -> Position {
        Position { shard: self.shard_of(slot).clone(), offset: self.events[slot].offset }
    }

    /// The key of an open event.
    pub(super) fn key_of(&self, slot: Slot) -> Option<&Bytes> {
        let event = &self.events[slot];
        event.luggage.key.as_ref().or_else(|| self.lanes.key(event.lane))
    }

    fn end_unhandled(
        &mut self,
        now: Timestamp,
        arrival: &Arrival,
        shard: usize,
        outcome: Outcome,
        failure: Option<FailureInfo>,
    ) {
        let entry = Ended {
            offset: arrival.at.offset,
            outcome,
            kind: arrival.kind.clone(),
            source: arrival.source.clone(),
            handler_version: Arc::from(""),
            at: now,
            created_to_ended_us: micros(now.since(arrival.created.at)),
            handler_us: 0,
            created_believed: arrival.created.believed,
            overdue: self.restored_overdue.remove(&arrival.at).is_some(),
            attempts: 0,
            deliveries: 0,
            deferrals: 0,
            crashes: 0,
            emitted: 0,
            failure,
        };
        self.restored.remove(&arrival.at);
        self.suspects.forget(&arrival.at);
        let fact = Fact::Ended { shard: arrival.at.shard.clone(), mark: None, entry };
        let end = End { shard, offset: arrival.at.offset, head: None, acked: None, records: 0, redriven: None };
        self.rounds.say_end(fact, end);
    }

    /// The next of the objectives' thresholds that this event may pass.
    pub(super) fn expect_overdue(&mut self, now: Timestamp, slot: Slot) {
        let Some((at, threshold)) = self.next_overdue(slot) else { return };
        if at <= now {
            self.become_overdue(now, slot, threshold);
            self.expect_overdue(now, slot);
        } else {
            self.timers.set(at, super::timers::Timer::Overdue(slot));
        }
    }

    /// When it passes the next threshold, and which that is.
    pub(super) fn next_overdue(&self, slot: Slot) -> Option<(Timestamp, Duration)> {
        let event = &self.events[slot];
        let threshold = *self.policy.overdue_after.get(usize::from(event.overdue_next))?;
        Some((event.created + threshold, threshold))
    }

    fn become_overdue(&mut self, now: Timestamp, slot: Slot, threshold: Duration) {
        let event = &mut self.events[slot];
        event.overdue_next += 1;
        event.overdue = true;
        let entry = evenkeel_model::ledger::Overdue { offset: event.offset, at: now, threshold_us: micros(threshold) };
        let fact = Fact::Overdue { shard: self.shard_of(slot).clone(), entry };
        self.rounds.say(fact);
    }
}

fn not_an_event(now: Timestamp, why: String) -> FailureInfo {
    FailureInfo {
        class: FailureClass::Rejected,
        status: None,
        fingerprint: crate::fingerprint(FailureClass::Rejected, None, &why),
        message: super::endings::bounded(why),
        reason: "not_an_event".to_owned(),
        first_failed_at: now,
        last_failed_at: now,
    }
}
