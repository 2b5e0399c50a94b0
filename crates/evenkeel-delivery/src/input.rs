//! What the core is told, and what it asks for: two closed sets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_model::{Created, Position, Shard, Timestamp, Verdict};

use crate::{Bring, DependencyNews, DependencyReport, Fact, Force, Letter, Mark, RedriveCommand};

/// An event that was read, without its payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// Where it is.
    pub at: Position,
    /// Its ordering key.
    pub key: Option<Bytes>,
    /// Its identity in this subscription.
    pub mark: Mark,
    /// When it was created.
    pub created: Created,
    /// After this it is not worth handling: the extension `expirytime`.
    pub expires: Option<Timestamp>,
    /// The size of its payload.
    pub bytes: u32,
    /// 0 to 9, 9 being the most urgent: the extension `priority`.
    pub priority: u8,
    /// The CloudEvents `type`.
    pub kind: Arc<str>,
    /// The CloudEvents `source`.
    pub source: Arc<str>,
    /// Which version of its key it is.
    pub version: Version,
    /// Times that a broker gave it, to whomever, before it got the place where it is.
    pub given_before: u32,
    /// Whether the subscription wants it.
    pub screen: Screen,
}

/// Which version of its key an event is, where the subscription looks at that.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Version {
    /// It is not looked at, or there is none.
    #[default]
    None,
    /// The greater, the newer.
    Known(i128),
    /// There should be one, and none can be read; why.
    Unreadable(String),
}

/// What the source found when it looked at a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    /// For the handler.
    Wanted,
    /// Its identity had its outcome at that time, as the journal says: the core itself does not
    /// remember it any more ([`Input::Sealed`]). A duplicate within the inbox's window, else wanted.
    Seen(Timestamp),
    /// The filter passes it over.
    Filtered,
    /// The record cannot be read as an event; why.
    NotAnEvent(String),
    /// Nothing is left to be handled: retention took the record before it was read; in words.
    Expired(String),
}

/// Names one attempt of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(pub u64);

/// What the core is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Where reading begins in each partition that has no progress yet. Said after
    /// [`crate::Subscription::restore`] and before the first arrival, and again when partitions
    /// were added, so that the beginning is journaled: a restart before the first outcome then
    /// begins at the same offset.
    Started(Vec<(Shard, u64)>),
    /// The identities that ended in rounds up to this one are sealed: from now on whoever reads
    /// looks them up and says [`Screen::Seen`], so the core need not keep them. Said only when no
    /// event is on its way that was looked up before.
    Sealed {
        /// The round.
        round: u64,
    },
    /// Events were read, in the order of their offsets within a partition.
    Arrived(Vec<Arrival>),
    /// An attempt came back.
    Finished {
        /// Which.
        attempt: AttemptId,
        /// What came of it.
        verdict: Verdict,
        /// How many events the handler returned.
        emitted: u32,
        /// The handler's version, where it was told.
        handler_version: Option<Arc<str>>,
        /// What it took.
        took: Duration,
    },
    /// An attempt could not be made: retention took the event's record before it was handled.
    Gone {
        /// Which.
        attempt: AttemptId,
        /// What is gone, in words.
        why: String,
    },
    /// Letters that an [`Action::Bring`] asked for.
    Brought {
        /// What was found, in the order that was asked for.
        letters: Vec<Letter>,
        /// True when the selection has no more.
        over: bool,
        /// What went wrong, in words: then it is asked again later.
        problem: Option<String>,
    },
    /// That round is durable.
    Committed {
        /// Its number.
        round: u64,
    },
    /// The time that a `Wake` named has come (or earlier: a wake-up for nothing is harmless).
    Timer,
    /// A shared dependency: how it stands, or leave to probe.
    Dependency {
        /// Which.
        name: Arc<str>,
        /// What is told.
        news: DependencyNews,
    },
    /// An operator's wish.
    Command(Command),
}

/// What an operator may ask of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stop dispatching; attempts in flight finish.
    Pause {
        /// Why, for the record.
        reason: String,
    },
    /// Dispatch again; an event that paused the subscription gets fresh attempts.
    Resume,
    /// A breaker of this subscription's own (`handler`) opens, closes, or decides itself again.
    Breaker {
        /// Which.
        dependency: String,
        /// What it is to do.
        force: Force,
    },
    /// Stop dispatching for good: the node is going down. All that is journaled for it is that no open
    /// attempt is suspected of a crash.
    Drain,
    /// A parked key gets fresh attempts now. `None`: all of them.
    Release {
        /// The key.
        key: Option<Bytes>,
    },
    /// The first event of a parked key is dead-lettered, and its lane goes on.
    Skip {
        /// The key.
        key: Bytes,
    },
    /// As [`Command::Skip`], for the event at this place, if it is the first of its lane: parked
    /// or not, with a key or without.
    SkipAt(Position),
    /// Something about the redrive of dead letters.
    Redrive(RedriveCommand),
    /// These dead letters are dropped: they are no longer offered, and no redrive takes them.
    DropLetters {
        /// Where they lie.
        letters: Shard,
        /// Their offsets.
        offsets: Vec<u64>,
        /// Why.
        reason: String,
    },
}

/// What the core asks for.
#[derive(Clone, Debug)]
pub enum Action {
    /// Hand this event to the handler.
    Dispatch(Dispatch),
    /// Make this durable, then say [`Input::Committed`]. At most one is outstanding.
    Commit(Round),
    /// Say [`Input::Timer`] at this time; a later `Wake` replaces an earlier one.
    Wake(Timestamp),
    /// Tell a shared dependency.
    Dependency {
        /// Which.
        name: Arc<str>,
        /// What.
        report: DependencyReport,
    },
    /// Tell the operator.
    Alarm(Alarm),
    /// Read these dead letters, then say [`Input::Brought`]. At most one is outstanding.
    Bring(Bring),
}

/// One attempt to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Its name.
    pub attempt: AttemptId,
    /// The event.
    pub at: Position,
    /// The key that the call carries: the event's identity in this subscription.
    pub mark: Mark,
    /// Its number among those that count, from 1.
    pub number: u32,
    /// How often the event was handed out, this time included.
    pub delivery: u32,
    /// When it is given up.
    pub timeout: Duration,
    /// Where its dead letter lies, when it was redriven: the record itself may be gone.
    pub letter: Option<Position>,
    /// True when it goes to the fallback, not to the handler.
    pub fallback: bool,
}

/// What one dispatch round decided: one atomic set.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Counts the rounds of this process from 1.
    pub number: u64,
    /// What happened, in order.
    pub facts: Vec<Fact>,
    /// Attempts that ended with `Ack` in this round: what they returned is committed with it.
    pub acked: Vec<(Position, AttemptId)>,
}

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// A stable name: `endpoint_gone`, `endpoint_refuses`, `parking_full`, `undecided`, …
    pub code: &'static str,
    /// What, in words.
    pub message: String,
}
