//! Dead letters, as plain values: what lies in `<subscription>.dead`.
//!
//! Reads only; what is to be done with them is a redrive's business. A record of that topic that
//! carries no dead-letter headers (somebody else put it there) is shown with empty ones.

use bytes::Bytes;
use evenkeel_cloudevents::kafka::{Read, from_record};
use evenkeel_delivery::ports::PortError;
use evenkeel_log::Log;
use evenkeel_model::{Event, Position, Record, Shard, Timestamp, names};

use crate::pages::{Pages, unreadable};

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

/// The dead letters of a subscription from offset `from` on, at most `limit`.
pub fn list(log: &Log, subscription: &str, from: u64, limit: usize) -> Result<DeadPage, PortError> {
    let shard = shard_of(subscription);
    if log.topic(&shard.topic).is_none() {
        return Ok(DeadPage::default());
    }
    let ends = log.ends(&shard).map_err(|e| unreadable(&shard, &e))?;
    let mut pages = Pages::new(log, shard, from.max(ends.start), ends.high_watermark);
    let mut found = DeadPage::default();
    loop {
        let page = pages.next()?;
        if page.is_empty() {
            return Ok(found);
        }
        for stored in page {
            if found.items.len() == limit {
                found.next = Some(stored.at.offset);
                return Ok(found);
            }
            found.items.push(read(stored.at, stored.appended, stored.record));
        }
    }
}

/// The dead letter of a subscription at an offset of its dead-letter topic.
pub fn show(log: &Log, subscription: &str, offset: u64) -> Result<Option<DeadLetter>, PortError> {
    let page = list(log, subscription, offset, 1)?;
    Ok(page.items.into_iter().find(|d| d.at.offset == offset))
}

/// Where the dead letters of a subscription lie.
pub(crate) fn shard_of(subscription: &str) -> Shard {
    Shard::new(format!("{subscription}{}", names::DEAD_SUFFIX), 0)
}

/// A position from `topic;partition;offset`.
pub(crate) fn position(text: &str) -> Option<Position> {
    let mut parts = text.rsplitn(3, ';');
    let offset = parts.next()?.parse().ok()?;
    let partition = parts.next()?.parse().ok()?;
    Some(Position { shard: Shard::new(parts.next()?, partition), offset })
}

fn read(at: Position, appended: Timestamp, record: Record) -> DeadLetter {
    let event = match from_record(&record, &at) {
        Read::Event(event) | Read::Plain(event) => Some(event),
        Read::NotAnEvent(_) => None,
    };
    let text = |name: &str| record.header(name).map(|v| String::from_utf8_lossy(v).into_owned()).unwrap_or_default();
    DeadLetter {
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
        at,
        event,
        record,
    }
}
