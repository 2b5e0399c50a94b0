//! Rounds: facts gather while one commit is outstanding, then go out together.
//!
//! Invariants: at most one `Commit` is outstanding; facts keep their order; a round is bounded,
//! since its journal takes it whole or not at all; each partition that was touched says its
//! floor at the end of the round, and no floor passes an outcome that is not in a round; lanes
//! move on when their round is committed, never before.

use std::collections::VecDeque;
use std::sync::Arc;

use evenkeel_model::{Outcome, Position, Timestamp};

use super::Subscription;
use super::events::{Slot, State};
use crate::{Action, AttemptId, Fact, Round};

/// How many facts a round holds at most.
const FACTS_MAX: usize = 2048;
/// How many records may go along with a round: returned events and dead letters. One outcome
/// always fits, whatever goes with it.
const RECORDS_MAX: u64 = 64;

#[derive(Debug, Default)]
pub(super) struct Rounds {
    number: u64,
    gathered: VecDeque<(Fact, Option<End>)>,
    /// Ended events that are in no table, gathered or outstanding.
    others: usize,
    outstanding: Option<Outstanding>,
    /// None goes out.
    held: bool,
}

/// What hangs on an outcome.
#[derive(Debug)]
pub(super) struct End {
    /// The number of its partition.
    pub(super) shard: usize,
    pub(super) offset: u64,
    /// The head of a lane; `None`: it never was in a lane, or beside it.
    pub(super) head: Option<Slot>,
    /// The attempt whose returned events go along.
    pub(super) acked: Option<AttemptId>,
    /// How many records go along.
    pub(super) records: u64,
    /// The redrive that it belongs to, and its outcome.
    pub(super) redriven: Option<(Arc<str>, Outcome)>,
}

#[derive(Debug)]
struct Outstanding {
    heads: Vec<Slot>,
    others: usize,
    floors: Vec<(usize, u64)>,
    /// Events that are open again.
    reopened: Vec<Position>,
    /// Events that may go out when it is durable.
    opened: Vec<Slot>,
}

impl Rounds {
    pub(super) fn say(&mut self, fact: Fact) {
        self.gathered.push_back((fact, None));
    }

    pub(super) fn say_end(&mut self, fact: Fact, end: End) {
        self.others += usize::from(end.head.is_none());
        self.gathered.push_back((fact, Some(end)));
    }

    /// Ended events that are in no table, until they are committed.
    pub(super) fn others(&self) -> usize {
        self.others
    }

    pub(super) fn is_idle(&self) -> bool {
        self.outstanding.is_none() && self.gathered.is_empty()
    }

    /// How many of the gathered facts go into the next round.
    fn portion(&self) -> usize {
        let mut records = 0;
        for (n, (_, end)) in self.gathered.iter().enumerate().take(FACTS_MAX) {
            records += end.as_ref().map_or(0, |e| e.records);
            if records > RECORDS_MAX && n > 0 {
                return n;
            }
        }
        self.gathered.len().min(FACTS_MAX)
    }
}

impl Subscription {
    /// While they are held no round goes out, and facts gather; for a moment, by whoever knows that
    /// more is about to come. What was gathered goes with the next step after it.
    pub fn hold_rounds(&mut self, held: bool) {
        self.rounds.held = held;
    }

    /// Sends what was gathered, unless a round is outstanding.
    pub(super) fn commit_gathered(&mut self, actions: &mut Vec<Action>) {
        let news = !self.rounds.gathered.is_empty() || self.redrives.has_news();
        if self.rounds.held || self.rounds.outstanding.is_some() || !(news || self.has_to_open()) {
            return;
        }
        let portion = self.rounds.portion();
        let mut facts = Vec::with_capacity(portion + 4);
        let (mut acked, mut heads, mut others, mut touched) = (Vec::new(), Vec::new(), 0, Vec::new());
        let mut reopened = Vec::new();
        let mut marks = 0;
        for (fact, end) in self.rounds.gathered.drain(..portion) {
            marks += u64::from(matches!(fact, Fact::Ended { mark: Some(_), .. }));
            if let Some(end) = end {
                self.offsets.end(end.shard, end.offset);
                if let Some((job, outcome)) = &end.redriven {
                    self.redrives.counted(job, *outcome);
                }
                if touched.last() != Some(&end.shard) {
                    touched.push(end.shard);
                }
                if let Some(slot) = end.head {
                    heads.push(slot);
                    let at = || Position { shard: self.offsets.shard(end.shard).clone(), offset: end.offset };
                    acked.extend(end.acked.map(|attempt| (at(), attempt)));
                } else {
                    others += 1;
                }
            }
            self.redrives.said(&fact, &mut reopened);
            facts.push(fact);
        }
        facts.extend(self.redrives.news());
        let opened = self.say_open(&mut facts);
        let floors = self.say_floors(touched, &mut facts);
        self.rounds.number += 1;
        self.inbox.sent(self.rounds.number, marks);
        self.rounds.outstanding = Some(Outstanding { heads, others, floors, reopened, opened });
        actions.push(Action::Commit(Round { number: self.rounds.number, facts, acked }));
    }

    fn say_floors(&mut self, mut touched: Vec<usize>, facts: &mut Vec<Fact>) -> Vec<(usize, u64)> {
        touched.sort_unstable();
        touched.dedup();
        for index in &touched {
            if let Some((shard, below)) = self.offsets.moved(*index) {
                facts.push(Fact::Progress { shard, below });
            }
        }
        touched.into_iter().map(|index| (index, self.offsets.said(index))).collect()
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
        self.rounds.others -= outstanding.others;
        self.opened(outstanding.opened);
        for slot in outstanding.heads {
            let Some(event) = self.events.remove(slot) else { continue };
            if let Some(next) = self.lanes.advance(event.lane) {
                self.come_first(now, next);
            }
        }
        for (redriven, arrival) in self.redrives.durable(outstanding.reopened) {
            self.reopen(now, redriven, arrival);
        }
    }

    /// An event is the first of its lane now.
    pub(super) fn come_first(&mut self, now: Timestamp, slot: Slot) {
        let restored = match self.restored.is_empty() {
            true => None,
            false => self.restored.remove(&self.position(slot)),
        };
        let crashes = match self.suspects.missing() {
            0 => None,
            _ => self.suspects.take(&self.position(slot)),
        };
        match restored {
            Some(pending) => self.take_up(now, slot, pending, crashes),
            None if crashes.is_some() && self.suspect(now, slot, crashes) => {}
            None => self.make_ready(slot),
        }
    }

    pub(super) fn make_ready(&mut self, slot: Slot) {
        let rank = self.lanes[self.events[slot].lane].probes;
        self.events[slot].state = State::Ready { rank };
        self.stand_in_line(self.events[slot].turn(rank, slot));
    }

    pub(super) fn leave_ready(&mut self, slot: Slot) {
        if let State::Ready { rank } = self.events[slot].state {
            self.leave_line(self.events[slot].turn(rank, slot));
        }
    }
}
