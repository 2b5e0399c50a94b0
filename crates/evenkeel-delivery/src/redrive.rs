//! A redrive: dead events are taken up again, as a job with a plan and a report.
//!
//! Plain values; who paces the job is `subscription/redrives`. An event that is taken up keeps its
//! place, its identity and its idempotency key; its dead letter is closed, and its last outcome
//! counts. Invariant: the counts of a [`Redrive`] in a round are those of the facts up to its end.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{Position, Shard, Timestamp};

use crate::{Arrival, Mark};

/// What a redrive is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedrivePlan {
    /// Its name, unique in its subscription.
    pub id: Arc<str>,
    /// Which letters, in the terms of who keeps them; the core does not read it.
    pub selection: Arc<str>,
    /// Where the letters lie.
    pub letters: Shard,
    /// Letters below this offset are meant: those that were there when it was planned.
    pub until: u64,
    /// How many letters were meant when it was planned.
    pub selected: u64,
    /// Why, in the words of who asked for it.
    pub reason: String,
    /// So many events go first, and the others only when these did not fail; 0: no canary.
    pub canary: u32,
    /// Between two events; zero: as fast as the subscription goes.
    pub every: Duration,
    /// Events that may be open at once.
    pub at_once: u32,
    /// It stops when more than this share of its events fail, in thousandths.
    pub stop_permille: u32,
    /// The share counts from so many events on.
    pub stop_min: u32,
    /// True: calls carry a key of this redrive's own, for receivers that store error answers.
    pub new_key: bool,
    /// When it was asked for.
    pub started_at: Timestamp,
}

/// Offsets of letters take so many bits of their numbers, which so stay exact in JSON.
const OFFSET_BITS: u32 = 40;

/// One number for a dead letter, wherever it lies: its offset, with its partition above.
pub fn letter_number(partition: u32, offset: u64) -> u64 {
    u64::from(partition) << OFFSET_BITS | offset
}

/// The partition and the offset of a letter's number.
pub fn letter_place(number: u64) -> (u32, u64) {
    let partition = u32::try_from(number >> OFFSET_BITS).unwrap_or(u32::MAX);
    (partition, number & ((1 << OFFSET_BITS) - 1))
}

/// Where a redrive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedriveState {
    /// Events are taken up.
    Running,
    /// An operator paused it.
    Paused,
    /// It stopped by itself, since its events failed again.
    Stopped,
    /// An operator ended it.
    Cancelled,
    /// All that was meant has its outcome.
    Done,
}

impl RedriveState {
    /// All of them, in the order of their numbers in the journal.
    pub const ALL: [RedriveState; 5] = [
        RedriveState::Running,
        RedriveState::Paused,
        RedriveState::Stopped,
        RedriveState::Cancelled,
        RedriveState::Done,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            RedriveState::Running => "running",
            RedriveState::Paused => "paused",
            RedriveState::Stopped => "stopped",
            RedriveState::Cancelled => "cancelled",
            RedriveState::Done => "done",
        }
    }

    /// True when nothing will be taken up any more.
    pub fn is_over(self) -> bool {
        matches!(self, RedriveState::Cancelled | RedriveState::Done)
    }
}

/// A redrive, as it is journaled and as it is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// What it is to do.
    pub plan: RedrivePlan,
    /// Where it stands.
    pub state: RedriveState,
    /// Why it stands there, where somebody or something decided so.
    pub why: String,
    /// The place of the last event that was taken up: they are taken in the order of their places.
    pub after: Option<Position>,
    /// True when its canary did well, or it has none.
    pub proven: bool,
    /// Events that were taken up.
    pub taken: u64,
    /// Of those: completed.
    pub completed: u64,
    /// Of those: dead again.
    pub dead: u64,
    /// Of those: ended otherwise (dropped, expired, duplicate).
    pub otherwise: u64,
    /// Letters that were passed over: closed meanwhile, gone, or open already.
    pub skipped: u64,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

impl Redrive {
    pub(crate) fn new(plan: RedrivePlan) -> Redrive {
        Redrive {
            proven: plan.canary == 0,
            plan,
            state: RedriveState::Running,
            why: String::new(),
            after: None,
            taken: 0,
            completed: 0,
            dead: 0,
            otherwise: 0,
            skipped: 0,
            ended_at: None,
        }
    }

    /// Events that were taken up and have no outcome.
    pub fn open(&self) -> u64 {
        self.taken.saturating_sub(self.completed + self.dead + self.otherwise)
    }
}

/// A dead event is taken up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redriven {
    /// The event's place.
    pub at: Position,
    /// Its dead letter's place.
    pub letter: Position,
    /// The redrive that took it up.
    pub job: Arc<str>,
    /// True when calls carry a key of that redrive's own.
    pub new_key: bool,
    /// When it was taken up.
    pub when: Timestamp,
}

impl Redriven {
    /// The key that calls carry for an event of this identity.
    pub(crate) fn key(&self, mark: Mark) -> Mark {
        if self.new_key { Mark::of(&mark.to_hex(), "redrive", &self.job) } else { mark }
    }
}

/// Dead letters that are dealt with: redriven, or dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LettersClosed {
    /// Where they lie.
    pub letters: Shard,
    /// The first.
    pub from: u64,
    /// Behind the last.
    pub until: u64,
    /// Why, when an operator dropped them.
    pub reason: Option<String>,
}

/// What an operator may ask of a redrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedriveCommand {
    /// Begin one; without effect while another one is not over.
    Start(RedrivePlan),
    /// Take up no more until it is resumed; what was taken up goes on.
    Pause,
    /// Go on, with a fresh look at failures.
    Resume,
    /// Take up no more at all.
    Cancel {
        /// Why.
        reason: String,
    },
}

/// Letters that the core asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bring {
    /// The next of a selection, in the order of their events' places.
    Next {
        /// See [`RedrivePlan::selection`].
        selection: Arc<str>,
        /// Where the letters lie.
        letters: Shard,
        /// Below this offset.
        until: u64,
        /// Behind the event at this place.
        after: Option<Position>,
        /// At most so many.
        max: usize,
    },
    /// These, by the places of letter and event: they were open when the process ended.
    Again(Vec<(Position, Position)>),
}

/// A letter that was brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Where it lies.
    pub at: Position,
    /// Where its event was.
    pub origin: Position,
    /// The event; `None` when nothing is left of it.
    pub arrival: Option<Arrival>,
}
