//! Why an event, or a key, is where it is: what holds it up, what waits behind it, what comes next.
//!
//! Made on demand by one walk over the open events. It decides nothing, and says nothing in words:
//! those are made where times have a form.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{FailureInfo, Position, Timestamp};

use super::Subscription;
use super::events::{Open, Slot, State};
use crate::{BreakerView, Counters, Exhausted, PendingWhy};

/// So many of those that wait are named.
const NEXT_SHOWN: usize = 20;

/// Of what it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyAsked {
    /// The oldest event of this key that has no outcome.
    Key(Bytes),
    /// The event at this place.
    At(Position),
}

/// What holds up an event or a key.
#[derive(Clone, Debug, Default)]
pub struct Why {
    /// Why the subscription hands out nothing.
    pub paused: Option<String>,
    /// True while the subscription goes down.
    pub draining: bool,
    /// Events that were open when the process died, and run alone before anything else goes out.
    pub suspects: usize,
    /// The handler shed load: nothing goes out before.
    pub shed_until: Option<Timestamp>,
    /// Breakers that are not closed.
    pub breakers: Vec<BreakerView>,
    /// The first of the lane; `None`: nothing of what was asked for is open.
    pub first: Option<WhyEvent>,
    /// The event that was asked for, when it is not the first.
    pub event: Option<WhyEvent>,
    /// Events before that one in its lane, the first included.
    pub ahead: usize,
    /// Events behind the first.
    pub behind: usize,
    /// The first few of them.
    pub next: Vec<Position>,
    /// True when the event that was asked for was not read yet.
    pub unread: bool,
}

/// An open event.
#[derive(Clone, Debug)]
pub struct WhyEvent {
    /// Its place.
    pub at: Position,
    /// Its key.
    pub key: Option<Bytes>,
    /// What it does.
    pub state: WhyState,
    /// When it may go out, where it waits for a time.
    pub next_at: Option<Timestamp>,
    /// Its four counters; `aged` up to now.
    pub counters: Counters,
    /// Deliveries of a broker before it came here, which its counter of deliveries leaves out.
    pub given_before: u32,
    /// Failed attempts that are not booked yet.
    pub unbooked: usize,
    /// How many booked attempts end it.
    pub attempts_max: u32,
    /// The age that ends it.
    pub age_max: Duration,
    /// What then happens.
    pub when_exhausted: Exhausted,
    /// When it was created.
    pub created: Timestamp,
    /// Its last failure.
    pub failure: Option<FailureInfo>,
    /// Duplicates that wait for its outcome.
    pub duplicates: usize,
    /// How many crashes of its own end it.
    pub crashes_max: u32,
    /// It was open when the process died, and runs alone.
    pub suspect: bool,
    /// The redrive that took it up.
    pub redrive: Option<Arc<str>>,
}

/// What an open event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyState {
    /// It waits behind others of its lane.
    Queued,
    /// It may go out.
    Ready,
    /// It waits for a time.
    Waiting(PendingWhy),
    /// It waits for an operator.
    Held,
    /// It is at the handler.
    AtHandler,
    /// It has its outcome, which is not durable yet.
    Ending,
    /// It is a duplicate, and waits for the outcome of the other one.
    Duplicate,
}

impl Subscription {
    /// What holds it up.
    pub fn why(&self, now: Timestamp, asked: &WhyAsked) -> Why {
        let hold = self.limiter.hold_until();
        let mut why = Why {
            paused: self.paused.clone(),
            draining: self.draining,
            suspects: self.suspects_open(),
            shed_until: (hold > now).then_some(hold),
            breakers: self.breakers.view().into_iter().filter(|b| b.state != crate::BreakerState::Closed).collect(),
            ..Why::default()
        };
        let Some(slot) = self.asked_for(asked) else {
            why.unread = matches!(asked, WhyAsked::At(at) if self.offsets.is_unread(at));
            return why;
        };
        let lane = &self.lanes[self.events[slot].lane];
        let Some(head) = lane.head() else { return why };
        why.first = Some(self.why_event(head));
        why.behind = lane.behind();
        why.next = lane.waiting().take(NEXT_SHOWN).map(|next| self.position(next)).collect();
        if matches!(asked, WhyAsked::At(_)) && slot != head {
            why.event = Some(self.why_event(slot));
            why.ahead = lane.waiting().position(|next| next == slot).map_or(1, |before| before + 1);
        }
        why
    }

    fn asked_for(&self, asked: &WhyAsked) -> Option<Slot> {
        match asked {
            WhyAsked::At(at) => self.offsets.find(&at.shard).and_then(|shard| self.events.find(shard, at.offset)),
            WhyAsked::Key(key) => {
                let is_of = |e: &Open| e.luggage.key.as_ref().or_else(|| self.lanes.key(e.lane)) == Some(key);
                let of_key = self.events.iter().filter(|e| e.state != State::Twin && is_of(e));
                of_key.min_by_key(|e| e.serial).and_then(|oldest| self.events.find(oldest.shard(), oldest.offset))
            }
        }
    }

    fn why_event(&self, slot: Slot) -> WhyEvent {
        let event = &self.events[slot];
        let state = match event.state {
            State::Queued => WhyState::Queued,
            State::Ready { .. } => WhyState::Ready,
            State::Waiting | State::Unpaid => WhyState::Waiting(event.detour.why),
            State::Held => WhyState::Held,
            State::Flying => WhyState::AtHandler,
            State::Ending => WhyState::Ending,
            State::Twin => WhyState::Duplicate,
        };
        WhyEvent {
            at: self.position(slot),
            key: self.key_of(slot).cloned(),
            state,
            next_at: (event.state == State::Waiting).then_some(event.detour.next_at),
            counters: Counters { aged: self.aged(slot), ..event.course.counters },
            given_before: event.course.given_before,
            unbooked: event.detour.unbooked.len(),
            attempts_max: self.attempts_max(),
            age_max: self.policy.retry.age,
            when_exhausted: self.policy.when_exhausted,
            created: event.created,
            failure: event.detour.failure.as_deref().cloned(),
            duplicates: event.detour.twins.len(),
            crashes_max: self.policy.crashes,
            suspect: self.suspects.has(slot),
            redrive: event.detour.redriven.as_ref().map(|r| r.job.clone()),
        }
    }
}
