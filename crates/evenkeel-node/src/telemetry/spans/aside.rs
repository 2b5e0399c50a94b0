//! What went well so far of stories that nobody asked for: kept aside, in case something fails yet.
//!
//! Bounded, and the oldest makes room: a failure that comes after so many other events finds no more than itself.

use std::sync::{Arc, Mutex, PoisonError};

use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::Call;
use evenkeel_model::{Outcome, Position, Timestamp};

use super::super::recent::Recent;
use super::Went;
use super::noted::Noted;

/// Events of which something is kept aside.
pub(super) const ASIDE_MAX: usize = 10_000;
/// Events that failed, remembered so that what they told of once is not told again.
const FAILED_MAX: usize = 50_000;

/// An attempt that came back.
pub(super) struct Attempt {
    pub(super) subscription: Arc<str>,
    pub(super) noted: Noted,
    pub(super) at: Position,
    pub(super) key: Mark,
    pub(super) attempt: u32,
    pub(super) delivery: u32,
    pub(super) appended: Timestamp,
    pub(super) went: Went,
}

/// The end of an event at a subscription.
#[derive(Clone)]
pub(super) struct End {
    pub(super) subscription: Arc<str>,
    pub(super) at: Position,
    pub(super) outcome: Outcome,
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
}

/// A piece of a story.
pub(super) enum Past {
    Attempt(Box<Attempt>),
    End(End),
}

/// The stories, by the places of their events.
pub(super) struct Aside {
    /// Held while a piece is kept or a story fails, so that no piece falls between the two.
    turn: Mutex<()>,
    past: Recent<Position, Vec<Past>>,
    failed: Recent<Position, ()>,
}

impl Attempt {
    pub(super) fn of(subscription: &Arc<str>, call: &Call, went: Went) -> Attempt {
        let at = call.delivered.arrival.at.clone();
        Attempt {
            subscription: subscription.clone(),
            noted: Noted::of(&at.shard.topic, &call.delivered.event),
            at,
            key: call.key,
            attempt: call.attempt,
            delivery: call.delivery,
            appended: call.delivered.appended,
            went,
        }
    }
}

impl Aside {
    pub(super) fn new() -> Aside {
        Aside { turn: Mutex::new(()), past: Recent::new(ASIDE_MAX), failed: Recent::new(FAILED_MAX) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.past.is_empty()
    }

    /// Keeps an attempt that went well, or gives it back: its event failed elsewhere, and it is to be told.
    pub(super) fn keep(&self, attempt: Box<Attempt>) -> Option<Box<Attempt>> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.failed.has(&attempt.at) {
            return Some(attempt);
        }
        let at = attempt.at.clone();
        let mut piece = Some(Past::Attempt(attempt));
        self.past.alter(&at, |past| past.extend(piece.take()));
        if let Some(first) = piece {
            self.past.put(at, vec![first]);
        }
        None
    }

    /// Keeps an end, where there is a story that it belongs to.
    pub(super) fn end(&self, end: End) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let at = end.at.clone();
        self.past.alter(&at, |past| past.push(Past::End(end)));
    }

    /// Something of this event failed: for the first time, what is to be told of it before.
    pub(super) fn fail(&self, at: &Position) -> Option<Vec<Past>> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.failed.put(at.clone(), ()).then(|| self.past.take(at).unwrap_or_default())
    }
}
