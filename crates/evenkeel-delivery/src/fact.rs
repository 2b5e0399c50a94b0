//! What the core decides and must remember, and what it gets back after a restart.
//!
//! A [`Fact`] goes into a round; what a restart needs of it comes back as [`Remembered`]. The
//! bytes between the two are in `bytes`. Who stores them, and beside what, is the journal's.

mod bytes;
mod again;
mod identities;
mod mark;
mod open;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use ::bytes::Bytes;
use evenkeel_model::ledger::{AttemptFailed, Ended, Overdue};
use evenkeel_model::{FailureInfo, Position, Shard, Timestamp};

pub use self::bytes::{JournalUnreadable, decode_journal, encode_journal};
pub use again::encode_remembered;
pub use identities::{decode_identities, encode_identities};
pub use mark::Mark;
pub use open::{Open, Opened};
pub use versions::{VersionMark, Versions};

use crate::{LettersClosed, Redrive, Redriven};

/// One decision, as it goes into a round.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// An event has its outcome.
    Ended {
        /// The partition.
        shard: Shard,
        /// The event's identity, remembered in the inbox; `None` when it is not to be (a
        /// duplicate, a filtered record, not an event).
        mark: Option<Mark>,
        /// The ledger's entry.
        entry: Ended,
    },
    /// An attempt did not end its event.
    Attempt {
        /// The partition.
        shard: Shard,
        /// The ledger's entry.
        entry: AttemptFailed,
    },
    /// An event is overdue.
    Overdue {
        /// The partition.
        shard: Shard,
        /// The ledger's entry.
        entry: Overdue,
    },
    /// The carried state of an event without an outcome; replaces what was said of it before.
    Pending(Pending),
    /// Everything below this offset of the partition has its outcome.
    Progress {
        /// The partition.
        shard: Shard,
        /// The lowest offset without an outcome.
        below: u64,
    },
    /// A breaker changed.
    Breaker(BreakerMark),
    /// The subscription was paused, or resumed (`None`).
    Paused(Option<String>),
    /// A dead event is taken up again: it is open from here on, and ends once more.
    Redriven(Redriven),
    /// A redrive changed; replaces what was said of it before.
    Redrive(Redrive),
    /// Dead letters are dealt with.
    LettersClosed(LettersClosed),
    /// Attempts inside this process are about to begin.
    Open(Open),
    /// A version of a key was completed, or a key is forgotten.
    Version(VersionMark),
}

/// What a journal gives back.
#[derive(Clone, Debug, PartialEq)]
pub enum Remembered {
    /// That event has its outcome.
    Done {
        /// Where it is.
        at: Position,
        /// Its identity, where it is remembered.
        mark: Option<Mark>,
        /// When it ended.
        when: Timestamp,
    },
    /// As in [`Fact::Pending`].
    Pending(Pending),
    /// That event was journaled as overdue.
    Overdue {
        /// Where it is.
        at: Position,
        /// The threshold that it passed.
        threshold: Duration,
    },
    /// As in [`Fact::Progress`].
    Progress {
        /// The partition.
        shard: Shard,
        /// The lowest offset without an outcome.
        below: u64,
    },
    /// As in [`Fact::Breaker`].
    Breaker(BreakerMark),
    /// As in [`Fact::Paused`].
    Paused(Option<String>),
    /// As in [`Fact::Redriven`]; a journal may leave out those that ended since.
    Redriven(Redriven),
    /// As in [`Fact::Redrive`].
    Redrive(Redrive),
    /// As in [`Fact::LettersClosed`]; a redriven event closes its letter as well.
    LettersClosed(LettersClosed),
    /// As in [`Fact::Open`]; a journal may say what several come to ([`Opened`]).
    Open(Open),
    /// As in [`Fact::Version`]; a journal may say what several come to ([`Versions`]).
    Version(VersionMark),
}

/// The four counters of an event, and its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Attempts that are booked.
    pub attempts: u32,
    /// Times it was handed out.
    pub deliveries: u32,
    /// Times it was put off at no cost.
    pub deferrals: u32,
    /// Crashes while it ran alone.
    pub crashes: u32,
    /// How much of `retry.age` is used up.
    pub aged: Duration,
}

impl Counters {
    /// Of an event that nothing happened to yet.
    pub(crate) const NONE: Counters =
        Counters { attempts: 0, deliveries: 0, deferrals: 0, crashes: 0, aged: Duration::ZERO };
}

impl Default for Counters {
    fn default() -> Counters {
        Counters::NONE
    }
}

/// An event without an outcome whose state must outlive the process.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Where it is.
    pub at: Position,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its counters.
    pub counters: Counters,
    /// When it may be tried again.
    pub next_at: Timestamp,
    /// Why it waits.
    pub why: PendingWhy,
    /// True once it was journaled as overdue.
    pub overdue: bool,
    /// Its last failure.
    pub failure: Option<FailureInfo>,
}

/// Why an event waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingWhy {
    /// For its next try.
    Retry,
    /// The handler said `defer`, or shed it.
    Deferred,
    /// Its attempts ran out and the policy keeps its key: an operator must act.
    Exhausted,
    /// Nobody can tell an outage from poison.
    Undecided,
}

/// A breaker's state, as it is journaled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerMark {
    /// The dependency.
    pub dependency: Arc<str>,
    /// Open, and until when the next probe waits; `None`: closed.
    pub open_until: Option<Timestamp>,
    /// Since when it has been open, or closed.
    pub since: Timestamp,
    /// Times in a row that it opened without having closed in between.
    pub steps: u32,
    /// An operator's word, where one stands.
    pub forced: Option<Forced>,
}

/// An operator's word that a breaker obeys until it is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forced {
    /// Open, or closed.
    pub open: bool,
    /// Why, for the record.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}
