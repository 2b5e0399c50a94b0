//! What one fetch passes over, offset by offset: records, and the offsets between them that hold
//! none, each as what it is. Retention took those below the partition's start: they expired. The
//! others, but for what is held aside, are transaction markers, records of transactions that were aborted, and what compaction
//! took before this subscription began: they are not events.
//!
//! Invariant: no offset is left out, so that the account of a subscription adds up; a fetch gives
//! no more than it was asked for, however wide a gap is.

use std::collections::BTreeMap;
use std::sync::Arc;

use evenkeel_delivery::ports::Delivered;
use evenkeel_delivery::{Arrival, Mark, Screen, Version};
use evenkeel_log::Ends;
use evenkeel_model::{Created, Position, Record, Shard, Timestamp};

use super::nameless;

const TAKEN: &str = "retention took it before it was read";
const NOTHING: &str = "the offset holds no event: a transaction's marker, an aborted record, or a compacted one";

/// The events of one fetch, as they gather.
pub(super) struct Passed<'a> {
    shard: &'a Shard,
    ends: Ends,
    next: u64,
    max: usize,
    /// What is held aside of those that are not there any more, by their offsets.
    pub(super) held: BTreeMap<u64, Delivered>,
    events: Vec<Arc<Delivered>>,
}

impl<'a> Passed<'a> {
    pub(super) fn from(shard: &'a Shard, ends: Ends, next: u64, max: usize) -> Passed<'a> {
        Passed { shard, ends, next, max, held: BTreeMap::new(), events: Vec::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.events.len() >= self.max
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn push(&mut self, delivered: Arc<Delivered>) {
        self.next = delivered.arrival.at.offset + 1;
        self.events.push(delivered);
    }

    /// The topic has nothing at the offsets before `end`, whose record was appended at `appended`.
    pub(super) fn gap_to(&mut self, end: u64, appended: Option<Timestamp>) {
        while self.next < end && !self.is_full() {
            let held = self.held.remove(&self.next);
            self.push(Arc::new(held.unwrap_or_else(|| self.nothing(appended))));
        }
    }

    /// The events, and the offset to go on from.
    pub(super) fn fetched(self) -> (Vec<Arc<Delivered>>, u64) {
        (self.events, self.next)
    }

    fn nothing(&self, appended: Option<Timestamp>) -> Delivered {
        let at = Position { shard: self.shard.clone(), offset: self.next };
        let expired = self.next < self.ends.start;
        let screen = if expired { Screen::Expired(TAKEN.to_owned()) } else { Screen::NotAnEvent(NOTHING.to_owned()) };
        absent(at, appended, screen)
    }
}

/// What stands for an offset that retention took before it was read: an event that expired.
pub fn taken(at: Position) -> Delivered {
    absent(at, None, Screen::Expired(TAKEN.to_owned()))
}

/// An offset without a record. How old what was there is, is not known; at least as old as what comes behind it.
fn absent(at: Position, appended: Option<Timestamp>, screen: Screen) -> Delivered {
    let event = nameless(&at);
    let appended = appended.unwrap_or(Timestamp::from_micros(i64::MAX));
    let arrival = Arrival {
        key: None,
        mark: Mark::of("", &event.id.source, &event.id.id),
        created: Created { at: appended, believed: false },
        expires: None,
        bytes: 0,
        priority: 4,
        kind: Arc::from(""),
        source: Arc::from(""),
        version: Version::None,
        given_before: 0,
        screen,
        at,
    };
    Delivered { arrival, appended, event, record: Record::default() }
}
