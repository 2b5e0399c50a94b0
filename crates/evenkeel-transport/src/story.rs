//! The story of an event by its id: its records, and what each subscription did with it.
//!
//! Found by reading, not by sampling: topics, ledger and dead letters are scanned in pages up to
//! one cut. It blocks while it reads, and takes as long as the log is large.

mod search;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Ends, Log};
use evenkeel_model::{EventId, FailureClass, Outcome, Position, Shard, Timestamp};

/// All that is known of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Which event.
    pub event: EventId,
    /// Its records, by topic and offset; dead letters are among them.
    pub records: Vec<StoryRecord>,
    /// What each subscription did with each of its records.
    pub subscriptions: Vec<StorySubscription>,
    /// Events that its handlers returned.
    pub caused: Vec<StoryCaused>,
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
    /// Times it was handed to a handler.
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

/// An event that a handler returned.
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
    /// The subscription whose handler returned it.
    pub subscription: String,
}

/// The stories of all events with this id: one for each source, unless `source` names it.
pub fn story(log: &Log, id: &str, source: Option<&str>) -> Result<Vec<Story>, PortError> {
    let cut: Vec<(Shard, Ends)> = log.cut();
    let mut stories = search::records(log, &cut, id, source)?;
    search::deliveries(log, &cut, &mut stories)?;
    search::caused(log, &cut, &mut stories)?;
    Ok(stories)
}

#[cfg(test)]
mod tests;
