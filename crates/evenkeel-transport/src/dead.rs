//! Dead letters, as plain values: what lies in `<subscription>.dead`, or in any topic that another framework
//! keeps them in (`foreign`).
//!
//! Reads only, but for letters of others that go back to where they came from (`returning`); what is
//! to be done with our own is a redrive's business. A record of that topic that
//! carries no dead-letter headers (somebody else put it there) is shown with empty ones.

mod filter;
mod foreign;
mod groups;
mod returning;

use bytes::Bytes;
use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_delivery::fingerprint;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::Log;
use evenkeel_model::{Event, FailureClass, Position, Record, Shard, Stored, Timestamp, names};

use crate::pages::{Pages, unreadable};

pub use filter::{CONDITIONS, Filter, FilterError};
pub use groups::{Group, Groups, KEYS_MAX};
pub use returning::{Abroad, AtHome, Belongs, GivenBack, Place, Returns, Wanted};

/// One dead letter.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Where it lies: `<subscription>.dead`.
    pub at: Position,
    /// When it died.
    pub appended: Timestamp,
    /// The event's `source`.
    pub source: String,
    /// The event's `id`.
    pub id: String,
    /// The CloudEvents `type`.
    pub kind: String,
    /// The ordering key.
    pub key: Option<Bytes>,
    /// Where the event itself is; `None` when the record does not say so.
    pub origin: Option<Position>,
    /// The subscription in which it died.
    pub subscription: String,
    /// Why it ended: `rejected`, `attempts_exhausted`, …
    pub reason: String,
    /// The class of its last failure.
    pub class: String,
    /// Failures alike share it.
    pub fingerprint: String,
    /// The last failure's message.
    pub message: String,
    /// Attempts that counted.
    pub attempts: u32,
    /// RFC 3339.
    pub first_failed_at: String,
    /// RFC 3339.
    pub last_failed_at: String,
    /// Who wrote it: `evenkeel`, another framework's name, or nobody (empty) who says so.
    pub written_by: &'static str,
    /// Where the event came from in the words of another framework: a topic, a queue, an address.
    pub from: String,
    /// The handler's version; empty when none was told.
    pub handler_version: String,
    /// The event; `None` when the record cannot be read as one.
    pub event: Option<Event>,
    /// The whole record.
    pub record: Record,
}

/// A page of dead letters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeadPage {
    /// In the order in which they died.
    pub items: Vec<DeadLetter>,
    /// Where to go on, when there may be more.
    pub next: Option<u64>,
}

/// The dead letters of a subscription that `filter` means, from offset `from` on, at most `limit`.
pub fn list(log: &Log, subscription: &str, filter: &Filter, from: u64, limit: usize) -> Result<DeadPage, PortError> {
    let mut found = DeadPage::default();
    each(log, subscription, from, |letter| {
        if found.items.len() == limit {
            found.next = Some(letter.at.offset);
            return false;
        }
        if filter.matches(&letter) {
            found.items.push(letter);
        }
        true
    })?;
    Ok(found)
}

/// Shows each dead letter of a subscription from offset `from` on, up to the end that it has now,
/// until `see` says that it has seen enough.
pub fn each(
    log: &Log,
    subscription: &str,
    from: u64,
    mut see: impl FnMut(DeadLetter) -> bool,
) -> Result<(), PortError> {
    let shard = shard_of(subscription);
    if log.topic(&shard.topic).is_none() {
        return Ok(());
    }
    each_in(log, shard, from, &mut see).map(|_| ())
}

/// As [`each`], for the records of a topic, partition by partition from a place on (a partition and an offset): dead
/// letters of whatever framework, and records that are none.
pub fn each_of_topic(
    log: &Log,
    topic: &str,
    from: (u32, u64),
    mut see: impl FnMut(DeadLetter) -> bool,
) -> Result<(), PortError> {
    let partitions = log.topic(topic).map_or(0, |topic| topic.partitions);
    for partition in from.0..partitions {
        let offset = if partition == from.0 { from.1 } else { 0 };
        if !each_in(log, Shard::new(topic, partition), offset, &mut see)? {
            return Ok(());
        }
    }
    Ok(())
}

/// False when `see` has seen enough.
fn each_in(log: &Log, shard: Shard, from: u64, see: &mut impl FnMut(DeadLetter) -> bool) -> Result<bool, PortError> {
    let ends = log.ends(&shard).map_err(|e| unreadable(&shard, &e))?;
    let mut pages = Pages::new(log, shard, from.max(ends.start), ends.high_watermark);
    loop {
        let page = pages.next()?;
        if page.is_empty() {
            return Ok(true);
        }
        for stored in page {
            if !see(read(stored.at, stored.appended, stored.record)) {
                return Ok(false);
            }
        }
    }
}

/// The letters below `until` that a redrive of `filter` means: the places of their events, in order,
/// each with the offset of its newest letter.
pub fn select(log: &Log, subscription: &str, filter: &Filter, until: u64) -> Result<Vec<(Position, u64)>, PortError> {
    let mut found: Vec<(Position, u64)> = Vec::new();
    each(log, subscription, 0, |letter| {
        if letter.at.offset >= until {
            return false;
        }
        if letter.subscription == subscription && filter.matches(&letter) {
            found.extend(letter.origin.map(|origin| (origin, letter.at.offset)));
        }
        true
    })?;
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    found.dedup_by(|later, first| later.0 == first.0);
    Ok(found)
}

/// The dead letter of a subscription at an offset of its dead-letter topic.
pub fn show(log: &Log, subscription: &str, offset: u64) -> Result<Option<DeadLetter>, PortError> {
    let page = list(log, subscription, &Filter::default(), offset, 1)?;
    Ok(page.items.into_iter().find(|d| d.at.offset == offset))
}

/// Where the dead letters of a subscription lie.
pub fn shard_of(subscription: &str) -> Shard {
    Shard::new(format!("{subscription}{}", names::DEAD_SUFFIX), 0)
}

/// A position from `topic;partition;offset`.
pub(crate) fn position(text: &str) -> Option<Position> {
    let mut parts = text.rsplitn(3, ';');
    let offset = parts.next()?.parse().ok()?;
    let partition = parts.next()?.parse().ok()?;
    Some(Position { shard: Shard::new(parts.next()?, partition), offset })
}

/// The record of a dead letter as it was before it died, at its own place; `None` when the letter
/// does not say where that was, or the record was gone already.
pub fn original(letter: Stored) -> Option<Stored> {
    let Stored { appended, mut record, .. } = letter;
    let at = position(std::str::from_utf8(record.header(names::dead::ORIGIN)?).ok()?)?;
    if record.header(names::dead::RECORD_GONE).is_some() {
        return None;
    }
    record.headers.retain(|h| !h.name.starts_with(names::dead::PREFIX));
    Some(Stored { at, appended, record })
}

/// What a record of a dead-letter topic says, whoever wrote it.
pub fn letter(stored: Stored) -> DeadLetter {
    let Stored { at, appended, record } = stored;
    read(at, appended, record)
}

fn read(at: Position, appended: Timestamp, record: Record) -> DeadLetter {
    let event = match from_record(&record, &at) {
        Read::Event(event) | Read::Plain(event) => Some(event),
        Read::NotAnEvent(_) => None,
    };
    let text = |name: &str| record.header(name).map(|v| String::from_utf8_lossy(v).into_owned()).unwrap_or_default();
    let own = record.header(names::dead::SUBSCRIPTION).is_some();
    let said = if own { None } else { foreign::read(&record) };
    let letter = DeadLetter {
        appended,
        source: event.as_ref().map(|e| e.id.source.clone()).unwrap_or_default(),
        id: event.as_ref().map(|e| e.id.id.clone()).unwrap_or_default(),
        kind: event.as_ref().map(|e| e.kind.clone()).unwrap_or_default(),
        key: record.key.clone(),
        origin: position(&text(names::dead::ORIGIN)),
        subscription: text(names::dead::SUBSCRIPTION),
        reason: text(names::dead::REASON),
        class: text(names::dead::CLASS),
        fingerprint: text(names::dead::FINGERPRINT),
        message: text(names::dead::MESSAGE),
        attempts: text(names::dead::ATTEMPTS).parse().unwrap_or(0),
        first_failed_at: text(names::dead::FIRST_FAILED_AT),
        last_failed_at: text(names::dead::LAST_FAILED_AT),
        handler_version: text(names::dead::HANDLER_VERSION),
        written_by: if own { "evenkeel" } else { "" },
        from: String::new(),
        at,
        event,
        record,
    };
    match said {
        Some(said) => told_by(letter, said),
        None => letter,
    }
}

/// What another framework says of it; its words for a reason are the class of what was thrown.
fn told_by(letter: DeadLetter, said: foreign::Said) -> DeadLetter {
    let alike = fingerprint(FailureClass::Failed, None, &format!("{}: {}", said.thrown, said.message));
    DeadLetter {
        origin: said.origin,
        subscription: said.who,
        reason: said.thrown,
        fingerprint: alike,
        message: said.message,
        attempts: said.attempts,
        last_failed_at: said.failed_at,
        written_by: said.writer,
        from: said.from,
        ..letter
    }
}

#[cfg(test)]
mod tests;
