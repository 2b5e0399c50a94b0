//! Who is in line: those that may go out, those of which that is to be on record first, and suspects.
//!
//! Invariant: an event that may be handed out stands in exactly one of the three, or is in the round
//! that puts it on record.

use evenkeel_model::Timestamp;

use super::{Opening, Stage};
use crate::subscription::Subscription;
use crate::subscription::breakers::Gate;
use crate::subscription::events::{Slot, State, Turn};

impl Subscription {
    /// It may be handed out from now on; in its turn among those of which that is on record.
    pub(in crate::subscription) fn stand_in_line(&mut self, turn: Turn) {
        let Subscription { suspects, events, ready, .. } = self;
        let event = &events[turn.3];
        match event.opening {
            _ if !suspects.here => drop(ready.insert(turn)),
            _ if suspects.has(turn.3) => drop(suspects.waiting.insert(turn)),
            Opening::Known => drop(ready.insert(turn)),
            Opening::Unsaid | Opening::Alone => drop(suspects.unsaid.insert(turn)),
            // It gets its place when the round is durable.
            Opening::Said => {}
        }
    }

    pub(in crate::subscription) fn leave_line(&mut self, turn: Turn) {
        self.ready.remove(&turn);
        if self.suspects.here {
            self.suspects.unsaid.remove(&turn);
            self.suspects.waiting.remove(&turn);
            let lone = self.suspects.lone.take_if(|lone| lone.slot == turn.3 && lone.stage != Stage::Flying);
            if lone.is_some_and(|lone| lone.counts) {
                self.say_spared(turn.3);
            }
        }
    }

    /// Who is next; `None`: nobody may go now, since a suspect runs, or waits to run alone.
    pub(in crate::subscription) fn next_in_line(&self, now: Timestamp) -> Option<Option<Turn>> {
        let suspects = &self.suspects;
        if !suspects.here {
            return Some(self.ready.first().copied());
        }
        match &suspects.lone {
            Some(lone) if lone.stage == Stage::Known => return Some(self.turn_of(lone.slot)),
            Some(_) => return None,
            None if self.suspect_in_turn().is_some() => return None,
            None => {}
        }
        let first = self.ready.first().copied();
        // Behind a breaker who comes first matters: nobody is passed over for not being on record.
        let passed_over = self.wants_back(&suspects.unsaid)
            || suspects.first_unsaid().is_some_and(|unsaid| first.is_none_or(|first| unsaid < first));
        (!passed_over || self.breakers.gate(now) == Gate::Free).then_some(first)
    }

    /// The suspect that is to run alone before anybody else goes. Behind a breaker that is not closed, where
    /// each probe is to be another event, it lets those go that were probes of this outage less often.
    pub(super) fn suspect_in_turn(&self) -> Option<Turn> {
        let first = self.suspects.waiting.first().copied()?;
        let others = [self.ready.first().copied(), self.suspects.first_unsaid()];
        let rarer = others.into_iter().flatten().any(|other| other.0 < first.0);
        (self.breakers.all_closed() || !rarer).then_some(first)
    }

    /// True when nobody is in line, on record or not.
    pub(in crate::subscription) fn line_is_empty(&self) -> bool {
        self.ready.is_empty() && self.suspects.waiting.is_empty()
    }

    /// True when everybody in line was a probe of this outage.
    pub(in crate::subscription) fn line_is_stale(&self) -> bool {
        let stale = |turn: Option<Turn>| turn.is_none_or(|(rank, ..)| rank > 0);
        stale(self.ready.first().copied()) && stale(self.suspects.first_unsaid())
    }

    pub(super) fn turn_of(&self, slot: Slot) -> Option<Turn> {
        match self.events[slot].state {
            State::Ready { rank } => Some(self.events[slot].turn(rank, slot)),
            _ => None,
        }
    }
}
