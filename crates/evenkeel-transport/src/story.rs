//! The story of an event by its id: its records, and what each subscription did with it.
//!
//! Found by reading, not by sampling: topics, ledger and dead letters are read in pages up to one
//! cut. An index ([`StoryIndex`]) says where; it can be deleted, is always a little behind, and changes no
//! answer. It blocks while it reads; without the index it takes as long as the log is large.

mod index;
mod zones;
mod search;
mod telling;

use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::Log;
use evenkeel_model::{EventId, FailureClass, Outcome, Position, Stored, Timestamp, names};

use index::Index;
use search::Search;
use zones::Zones;

pub use telling::Telling;

/// All that is known of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Which event.
    pub event: EventId,
    /// Its records, by topic and offset; dead letters are among them.
    pub records: Vec<StoryRecord>,
    /// What each subscription did with each of its records.
    pub subscriptions: Vec<StorySubscription>,
    /// Events that its handlers returned, and those that name it as their cause (`causationid`).
    pub caused: Vec<StoryCaused>,
    /// The chain that it belongs to: its `correlationid`, or its own id where it has none.
    pub chain: String,
    /// The other events of that chain, oldest first, so many at most ([`RELATED_MAX`]).
    pub related: Vec<StoryRelated>,
}

/// Other events of a chain that are told.
pub const RELATED_MAX: usize = 1_000;

/// Another event of the same chain.
#[derive(Clone, Debug, PartialEq)]
pub struct StoryRelated {
    /// Which event.
    pub event: EventId,
    /// The CloudEvents `type`.
    pub kind: String,
    /// Where it is.
    pub at: Position,
    /// When the log took it.
    pub appended: Timestamp,
}

/// A record of the event.
#[derive(Clone, Debug, PartialEq)]
pub struct StoryRecord {
    /// Where it is.
    pub at: Position,
    /// When the log took it.
    pub appended: Timestamp,
    /// The CloudEvents `type`.
    pub kind: String,
    /// The ordering key.
    pub key: Option<Bytes>,
    /// Bytes of its payload.
    pub bytes: usize,
    /// `subscription;topic;partition;offset` of the event that caused it, if one did.
    pub caused_by: Option<String>,
}

/// The event in one subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct StorySubscription {
    /// The subscription's name.
    pub name: Arc<str>,
    /// The record that it read.
    pub at: Position,
    /// How it ended; `None` while it has not.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// From creation to outcome.
    pub created_to_ended: Option<Duration>,
    /// When it became overdue.
    pub overdue_at: Option<Timestamp>,
    /// Attempts that counted.
    pub attempts_counted: u32,
    /// Times it was handed to a handler, and those that its broker gave it before it came here.
    pub deliveries: u32,
    /// The handler's version; empty when none was told.
    pub handler_version: Arc<str>,
    /// Why it ended, where it ended badly.
    pub reason: Option<String>,
    /// When it was redriven, and by which job.
    pub redriven: Vec<StoryRedrive>,
    /// Every attempt that came back, in order; the last one is that of the outcome.
    pub attempts: Vec<StoryAttempt>,
}

/// A dead event was taken up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryRedrive {
    /// When.
    pub at: Timestamp,
    /// By which redrive.
    pub job: String,
    /// How many attempts came back before.
    pub attempts_before: usize,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct StoryAttempt {
    /// Which delivery of the event it was, from 1.
    pub delivery: u32,
    /// When it came back.
    pub at: Timestamp,
    /// What it took.
    pub took: Duration,
    /// The failure's class; `None` when it did not fail.
    pub class: Option<FailureClass>,
    /// The HTTP status of a failure, where there was one.
    pub status: Option<u16>,
    /// What happened; empty when it did not fail.
    pub message: String,
    /// When the event was to come again.
    pub next_at: Option<Timestamp>,
}

/// An event that was caused.
#[derive(Clone, Debug, PartialEq)]
pub struct StoryCaused {
    /// Which event.
    pub event: EventId,
    /// The CloudEvents `type`.
    pub kind: String,
    /// Where it is.
    pub at: Position,
    /// When it was committed, together with the outcome that caused it.
    pub appended: Timestamp,
    /// The subscription whose handler returned it; `None`: it was published, and names the event as its cause.
    pub subscription: Option<String>,
}

impl Story {
    /// What is known of an event by its first record.
    fn of(event: EventId, record: StoryRecord) -> Story {
        let chain = event.id.clone();
        Story {
            event,
            records: vec![record],
            subscriptions: Vec::new(),
            caused: Vec::new(),
            chain,
            related: Vec::new(),
        }
    }
}

impl StoryRecord {
    fn of(stored: &Stored, kind: String) -> StoryRecord {
        let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
        StoryRecord {
            at: stored.at.clone(),
            appended: stored.appended,
            kind,
            key: stored.record.key.clone(),
            bytes: stored.record.value.as_ref().map_or(0, Bytes::len),
            caused_by: stored.record.header(names::CAUSED_BY).map(text),
        }
    }
}

/// The stories of all events with this id: one for each source, unless `source` names it.
pub fn story(log: &Log, id: &str, source: Option<&str>) -> Result<Vec<Story>, PortError> {
    search::all(&Search { log, cut: log.cut(), index: None, zones: None }, id, source)
}

/// Where the records of events are, so that a story need not read everything. It can be deleted.
pub struct StoryIndex {
    log: Log,
    index: Option<Index>,
    zones: RwLock<Zones>,
}

impl StoryIndex {
    /// Opens what is there. Where it can't be opened there is none, and stories take longer.
    pub fn open(log: Log) -> (StoryIndex, Option<PortError>) {
        let (index, problem) = match Index::open(log.clone()) {
            Ok(index) => (Some(index), None),
            Err(problem) => (None, Some(problem)),
        };
        (StoryIndex { log, index, zones: RwLock::default() }, problem)
    }

    /// Takes in what came since the last time. Blocks, for seconds where millions of events came.
    pub fn catch_up(&self) -> Result<(), PortError> {
        if let Some(index) = &self.index {
            index.catch_up()?;
        }
        search::read_zones(&self.log, &self.zones)
    }

    /// As [`story()`]. Blocks.
    pub fn story(&self, id: &str, source: Option<&str>) -> Result<Vec<Story>, PortError> {
        let log = &self.log;
        let search = Search { log, cut: log.cut(), index: self.index.as_ref(), zones: Some(&self.zones) };
        search::all(&search, id, source)
    }
}

#[cfg(test)]
mod tests;
