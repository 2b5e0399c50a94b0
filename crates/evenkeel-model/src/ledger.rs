//! The ledger: what became of each event, in bytes that are cheap enough to keep for every one.
//!
//! One [`LedgerRecord`] holds what one dispatch round found out about one partition of one
//! subscription. Invariants: `sequence` counts the records of a (subscription, topic, partition)
//! from 0 without a gap; each offset has at most one [`Ended`] over all records, and one more after
//! each [`Redriven`]; the entries stand in the order in which they happened. `docs/format.md` has the bytes.

mod bytes;

use std::sync::Arc;

pub use bytes::{DecodeError, decode, encode};

use crate::{FailureInfo, Outcome, Timestamp};

/// One record of the ledger topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRecord {
    /// The subscription's name.
    pub subscription: Arc<str>,
    /// The topic that was read.
    pub topic: Arc<str>,
    /// The partition that was read.
    pub partition: u32,
    /// Counts the records of this (subscription, topic, partition) from 0.
    pub sequence: u64,
    /// When the round was journaled.
    pub at: Timestamp,
    /// What happened, in order.
    pub entries: Vec<LedgerEntry>,
}

/// One fact about one event of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerEntry {
    /// The event has its outcome.
    Ended(Ended),
    /// An attempt came back without ending the event.
    Attempt(AttemptFailed),
    /// The event's age passed an objective's threshold before it had an outcome.
    Overdue(Overdue),
    /// A dead event was taken up again: what it ended as before counts no longer, and another
    /// outcome follows.
    Redriven(Redriven),
}

/// How an event ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The event's offset.
    pub offset: u64,
    /// Its outcome.
    pub outcome: Outcome,
    /// The CloudEvents `type`; empty for what is not an event.
    pub kind: Arc<str>,
    /// The CloudEvents `source`; empty for what is not an event.
    pub source: Arc<str>,
    /// The handler's version; empty when none was told or no handler was asked.
    pub handler_version: Arc<str>,
    /// When it ended.
    pub at: Timestamp,
    /// From creation to outcome, in microseconds.
    pub created_to_ended_us: u64,
    /// What the last attempt took, in microseconds; 0 when no handler was asked.
    pub handler_us: u64,
    /// False when the event's own creation time was not believed.
    pub created_believed: bool,
    /// True when an [`Overdue`] entry of this event went before.
    pub overdue: bool,
    /// Attempts that count.
    pub attempts: u32,
    /// Times it was handed to a handler, whatever came of it, and those that its broker gave it before it came here; 0 of
    /// one that never went to a handler here.
    pub deliveries: u32,
    /// Times it was put off at no cost.
    pub deferrals: u32,
    /// Crashes of the node while it ran alone.
    pub crashes: u32,
    /// Events that the handler returned, committed with this outcome.
    pub emitted: u32,
    /// Why it failed, when it is dead; why it was dropped.
    pub failure: Option<FailureInfo>,
}

impl Ended {
    /// One that no handler was asked about: nothing is known but what is given, and its creation time is not
    /// believed.
    pub fn unhandled(offset: u64, outcome: Outcome, at: Timestamp) -> Ended {
        Ended {
            offset,
            outcome,
            kind: Arc::from(""),
            source: Arc::from(""),
            handler_version: Arc::from(""),
            at,
            created_to_ended_us: 0,
            handler_us: 0,
            created_believed: false,
            overdue: false,
            attempts: 0,
            deliveries: 0,
            deferrals: 0,
            crashes: 0,
            emitted: 0,
            failure: None,
        }
    }

    /// One that ended at its first attempt, and took no time.
    pub fn at_once(offset: u64, outcome: Outcome, kind: &str, source: &str, at: Timestamp) -> Ended {
        Ended {
            kind: Arc::from(kind),
            source: Arc::from(source),
            created_believed: true,
            attempts: 1,
            deliveries: 1,
            ..Ended::unhandled(offset, outcome, at)
        }
    }
}

/// An attempt that did not end the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptFailed {
    /// The event's offset.
    pub offset: u64,
    /// Which delivery of the event it was, from 1.
    pub delivery: u32,
    /// When the attempt came back.
    pub at: Timestamp,
    /// What it took, in microseconds.
    pub took_us: u64,
    /// The failure's class.
    pub class: crate::FailureClass,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// Failures alike share it.
    pub fingerprint: String,
    /// What happened, at most 1 KiB.
    pub message: String,
    /// When the event comes again, if that is known.
    pub next_at: Option<Timestamp>,
}

/// An event became overdue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// The event's offset.
    pub offset: u64,
    /// When it became so.
    pub at: Timestamp,
    /// The threshold that it passed, in microseconds.
    pub threshold_us: u64,
}

/// A dead event was redriven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redriven {
    /// The event's offset.
    pub offset: u64,
    /// When it was taken up again.
    pub at: Timestamp,
    /// The offset of its dead letter.
    pub letter: u64,
    /// The redrive that took it up.
    pub job: String,
}
