//! How an event's story in one subscription ends, and how an attempt fails.

use crate::Timestamp;

/// The one way in which an event ends in a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The handler did it.
    Completed,
    /// Its identity had its outcome already.
    Duplicate,
    /// Older than the last completed event of its key.
    Stale,
    /// The subscription's filter passed it over.
    Filtered,
    /// In the dead letters.
    Dead,
    /// Not wanted, on the record.
    Dropped,
    /// Its time passed before it could be handled.
    Expired,
    /// The record could not be read as an event.
    NotAnEvent,
}

impl Outcome {
    /// All of them, in the order of their numbers on the medium.
    pub const ALL: [Outcome; 8] = [
        Outcome::Completed,
        Outcome::Duplicate,
        Outcome::Stale,
        Outcome::Filtered,
        Outcome::Dead,
        Outcome::Dropped,
        Outcome::Expired,
        Outcome::NotAnEvent,
    ];

    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Completed => "completed",
            Outcome::Duplicate => "duplicate",
            Outcome::Stale => "stale",
            Outcome::Filtered => "filtered",
            Outcome::Dead => "dead",
            Outcome::Dropped => "dropped",
            Outcome::Expired => "expired",
            Outcome::NotAnEvent => "not_an_event",
        }
    }

    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_number(n: u8) -> Option<Outcome> {
        Outcome::ALL.get(usize::from(n)).copied()
    }
}

/// The class of a failed attempt: what it spends and whom it accuses (docs/semantics.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureClass {
    /// No connection: refused, DNS, TLS, connect time-out. Spends nothing.
    Unreachable,
    /// 429, 503, `busy`. Spends nothing.
    Overload,
    /// 5xx, time-out, connection lost, panic, `retry`. Spends an attempt, provisionally.
    Failed,
    /// 400, 413, 415, 422, `reject`. Dead-letters now.
    Rejected,
    /// 410: the endpoint is disabled; spends nothing.
    Gone,
    /// 401, 403, 404, other 3xx and 4xx: like `Failed`, and an alarm.
    Refused,
    /// `defer` or `pause`: the handler asked for it; spends nothing.
    Deferred,
    /// The node died while the event ran alone, three times.
    SuspectedCrash,
}

impl FailureClass {
    /// All of them, in the order of their numbers on the medium.
    pub const ALL: [FailureClass; 8] = [
        FailureClass::Unreachable,
        FailureClass::Overload,
        FailureClass::Failed,
        FailureClass::Rejected,
        FailureClass::Gone,
        FailureClass::Refused,
        FailureClass::Deferred,
        FailureClass::SuspectedCrash,
    ];

    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            FailureClass::Unreachable => "unreachable",
            FailureClass::Overload => "overload",
            FailureClass::Failed => "failed",
            FailureClass::Rejected => "rejected",
            FailureClass::Gone => "gone",
            FailureClass::Refused => "refused",
            FailureClass::Deferred => "deferred",
            FailureClass::SuspectedCrash => "suspected_crash",
        }
    }

    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_number(n: u8) -> Option<FailureClass> {
        FailureClass::ALL.get(usize::from(n)).copied()
    }
}

/// What is known of the failure that ended, or held up, an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureInfo {
    /// Its class.
    pub class: FailureClass,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// Failures alike share a fingerprint: 16 hex digits of the class, status and message
    /// with its numbers taken out.
    pub fingerprint: String,
    /// What happened, in words, at most 1 KiB.
    pub message: String,
    /// Why the event ended (`rejected`, `attempts_exhausted`, `max_age`, …); empty while it has not.
    pub reason: String,
    /// When the event failed first.
    pub first_failed_at: Timestamp,
    /// When it failed last.
    pub last_failed_at: Timestamp,
}
