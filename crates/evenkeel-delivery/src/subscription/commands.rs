//! What an operator may do: pause and resume, drain, release and skip.
//!
//! Invariant: a command is journaled (but for `drain`, which is the process's own business) and
//! ends no event but the one that `skip` names.

use bytes::Bytes;
use evenkeel_model::Timestamp;

use super::Subscription;
use super::events::{Slot, State};
use crate::{Command, Exhausted, Fact, PendingWhy};

impl Subscription {
    pub(super) fn command(&mut self, now: Timestamp, command: Command) {
        match command {
            Command::Pause { reason } => self.pause(reason),
            Command::Resume => self.resume(now),
            Command::Drain => {
                self.draining = true;
                self.accuse_nobody();
            }
            Command::Breaker { dependency, force } => {
                let mark = self.breakers.force(now, &dependency, &force);
                self.say_breakers(mark.into_iter().collect());
            }
            Command::Release { key } => {
                for slot in self.parked_heads(key.as_ref()) {
                    self.release(now, slot);
                }
            }
            Command::Skip { key } => {
                for slot in self.parked_heads(Some(&key)) {
                    self.skip(now, slot);
                }
            }
            Command::Redrive(command) => self.redrive(now, command),
            Command::DropLetters { letters, offsets, reason } => self.drop_letters(&letters, offsets, &reason),
            Command::SkipAt(at) => {
                let shard = self.offsets.find(&at.shard);
                let found = shard.and_then(|shard| self.events.find(shard, at.offset));
                if let Some(slot) = found.filter(|slot| self.is_head(*slot)) {
                    self.skip(now, slot);
                }
            }
        }
    }

    pub(super) fn pause(&mut self, reason: String) {
        self.rounds.say(Fact::Paused(Some(reason.clone())));
        self.paused = Some(reason);
    }

    fn resume(&mut self, now: Timestamp) {
        if self.paused.take().is_some() {
            self.rounds.say(Fact::Paused(None));
        }
        self.deaths.begin_anew();
        if self.policy.when_exhausted == Exhausted::Pause {
            for slot in self.held.clone() {
                self.release(now, slot);
            }
        }
    }

    fn parked_heads(&self, key: Option<&Bytes>) -> Vec<Slot> {
        let named = |slot: &Slot| key.is_none() || self.key_of(*slot) == key;
        self.lanes.parked().filter_map(super::lanes::Lane::head).filter(named).collect()
    }

    fn is_head(&self, slot: Slot) -> bool {
        self.lanes[self.events[slot].lane].head() == Some(slot)
    }

    /// Fresh attempts, now.
    fn release(&mut self, now: Timestamp, slot: Slot) {
        if self.events[slot].state == State::Ending {
            return;
        }
        self.drop_unbooked(slot);
        self.stop_waiting(slot);
        self.leave_ready(slot);
        self.leave_unpaid(slot);
        self.held.remove(&slot);
        self.undecided.remove(&slot);
        let event = &mut self.events[slot];
        event.course.counters.deferrals += event.course.counters.attempts;
        event.course.counters.attempts = 0;
        event.course.counters.aged = std::time::Duration::ZERO;
        event.course.ages_from = event.course.ages_from.map(|_| self.age.reading());
        event.detour.tries = 0;
        event.detour.why = PendingWhy::Retry;
        event.detour.next_at = now;
        event.detour.not_before = now;
        let flying = event.state == State::Flying;
        self.say_pending(slot);
        if !flying {
            self.make_ready(slot);
        }
    }

    fn skip(&mut self, now: Timestamp, slot: Slot) {
        match self.events[slot].state {
            State::Flying => self.events[slot].skip = true,
            State::Ending => {}
            _ => self.dead(now, slot, "operator"),
        }
    }
}
