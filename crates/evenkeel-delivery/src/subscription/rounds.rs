//! Rounds: facts gather while one commit is outstanding, then go out together.
//!
//! Invariants: at most one `Commit` is outstanding; the facts of one event keep their order;
//! each partition that was touched says its floor at the end of the round; lanes move on when
//! their round is committed, never before.

use evenkeel_model::{Position, Timestamp};

use super::Subscription;
use super::events::{Slot, State};
use crate::{Action, AttemptId, Fact, Round};

#[derive(Debug, Default)]
pub(super) struct Rounds {
    number: u64,
    next: Gathering,
    outstanding: Option<Outstanding>,
}

#[derive(Debug, Default)]
struct Gathering {
    facts: Vec<Fact>,
    acked: Vec<(Position, AttemptId)>,
    ended: Ended,
    touched: Vec<usize>,
}

/// What ended in a round.
#[derive(Debug, Default)]
struct Ended {
    /// Heads of lanes.
    heads: Vec<Slot>,
    /// Events that never were in a lane, or were beside it: they only count.
    others: usize,
}

#[derive(Debug)]
struct Outstanding {
    ended: Ended,
    floors: Vec<(usize, u64)>,
}

impl Rounds {
    pub(super) fn say(&mut self, fact: Fact) {
        self.next.facts.push(fact);
    }

    pub(super) fn acked(&mut self, at: Position, attempt: AttemptId) {
        self.next.acked.push((at, attempt));
    }

    pub(super) fn head_ended(&mut self, slot: Slot) {
        self.next.ended.heads.push(slot);
    }

    pub(super) fn other_ended(&mut self) {
        self.next.ended.others += 1;
    }

    /// The partition has news; its floor is said at the end of the round.
    pub(super) fn touch(&mut self, shard: usize) {
        if self.next.touched.last() != Some(&shard) {
            self.next.touched.push(shard);
        }
    }

    /// Ended events that are in no table, until they are committed.
    pub(super) fn others(&self) -> usize {
        self.next.ended.others + self.outstanding.as_ref().map_or(0, |o| o.ended.others)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.outstanding.is_none() && self.next.facts.is_empty()
    }
}

impl Subscription {
    /// Sends the gathered facts, unless a round is outstanding.
    pub(super) fn commit_gathered(&mut self, actions: &mut Vec<Action>) {
        if self.rounds.outstanding.is_some() || self.rounds.next.facts.is_empty() {
            return;
        }
        let mut gathered = std::mem::take(&mut self.rounds.next);
        gathered.touched.sort_unstable();
        gathered.touched.dedup();
        let mut floors = Vec::with_capacity(gathered.touched.len());
        for index in gathered.touched {
            if let Some((shard, below)) = self.offsets.moved(index) {
                gathered.facts.push(Fact::Progress { shard, below });
            }
            floors.push((index, self.offsets.said(index)));
        }
        self.rounds.number += 1;
        self.rounds.outstanding = Some(Outstanding { ended: gathered.ended, floors });
        let round = Round { number: self.rounds.number, facts: gathered.facts, acked: gathered.acked };
        actions.push(Action::Commit(round));
    }

    /// The round is durable: floors rise, lanes move on.
    pub(super) fn committed(&mut self, now: Timestamp, round: u64) {
        if round != self.rounds.number {
            return;
        }
        let Some(outstanding) = self.rounds.outstanding.take() else { return };
        for (index, floor) in outstanding.floors {
            self.offsets.commit(index, floor);
        }
        for slot in outstanding.ended.heads {
            let Some(event) = self.events.remove(slot) else { continue };
            if let Some(next) = self.lanes.advance(event.lane) {
                self.come_first(now, next);
            }
        }
    }

    /// An event is the first of its lane now.
    pub(super) fn come_first(&mut self, now: Timestamp, slot: Slot) {
        let restored = match self.restored.is_empty() {
            true => None,
            false => self.restored.remove(&self.events[slot].at),
        };
        match restored {
            Some(pending) => self.take_up(now, slot, pending),
            None => self.make_ready(slot),
        }
    }

    pub(super) fn make_ready(&mut self, slot: Slot) {
        let rank = self.lanes[self.events[slot].lane].probes;
        self.events[slot].state = State::Ready { rank };
        self.ready.insert((rank, self.events[slot].serial, slot));
    }

    pub(super) fn leave_ready(&mut self, slot: Slot) {
        if let State::Ready { rank } = self.events[slot].state {
            self.ready.remove(&(rank, self.events[slot].serial, slot));
        }
    }
}
