//! What a handler says of an event, whichever way it was reached.

use std::time::Duration;

use crate::{FailureClass, Timestamp};

/// The answer to one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Ack,
    /// Failed, try again, not before `after`.
    Retry {
        /// The handler's wish; the schedule may be later, never earlier.
        after: Option<Duration>,
        /// What the handler said of it.
        message: String,
        /// The dependency whose fault it is, where the handler named one.
        dependency: Option<String>,
    },
    /// Not now: no attempt is spent.
    Defer {
        /// When to come again.
        until: Timestamp,
    },
    /// Overloaded: no attempt is spent, and the concurrency falls.
    Busy {
        /// When to come again, if the handler said so.
        after: Option<Duration>,
    },
    /// It never will: dead-letter now.
    Reject {
        /// Why.
        reason: String,
    },
    /// Not wanted, on the record.
    Drop {
        /// Why.
        reason: String,
    },
    /// That dependency is down: open its breaker.
    Pause {
        /// The dependency's name.
        dependency: String,
    },
    /// No verdict was given: the attempt failed, and this is what is known of it.
    Failed(Failure),
}

/// A failed attempt that came without a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its class, which decides what it spends and whom it accuses.
    pub class: FailureClass,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// True when no answer came at all (no connection, or a time-out): such a failure accuses
    /// the handler only, never what the handler depends on.
    pub unanswered: bool,
    /// `Retry-After`, where it was given.
    pub retry_after: Option<Duration>,
    /// What happened, in words, at most 1 KiB.
    pub message: String,
}
