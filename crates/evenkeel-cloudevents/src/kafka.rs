//! CloudEvents as records (the Kafka protocol binding 1.0): how they lie on every topic.
//!
//! Written in binary mode; read in binary and structured mode. A record without any of these
//! headers is still an event: its topic, partition and offset are its identity. Header values
//! are UTF-8 as they are, without percent-encoding. Since headers know only text, the header
//! `evenkeel-extension-types` keeps which extensions were integers or booleans.

mod types;

use bytes::Bytes;
use evenkeel_model::{AttributeValue, Event, Header, Position, Record, Timestamp, names};

use crate::draft::Draft;
use crate::http::STRUCTURED_JSON;
use crate::time::{format_rfc3339, parse_rfc3339};
use crate::{Limits, Problem, json, media_type};

/// What a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A CloudEvent.
    Event(Event),
    /// A record that does not claim to be one: the event is made from its place. Its source is
    /// `/topic/partition`, its id the offset, its type [`PLAIN_TYPE`].
    Plain(Event),
    /// A record that claims to be a CloudEvent, and is none.
    NotAnEvent(Problem),
}

/// The type of an event that was made from a record's place.
pub const PLAIN_TYPE: &str = "evenkeel.record";

const CONTENT_TYPE: &str = "content-type";

/// The event as a record: `ce_*` headers and `content-type`, the data as the value, the ordering
/// key as the key. Its CreateTime is the event's `time`, else `now`.
pub fn to_record(event: &Event, now: Timestamp) -> Record {
    let created = event.time.as_deref().and_then(parse_rfc3339).unwrap_or(now);
    let mut record = Record {
        key: event.ordering_key().map(Bytes::from),
        value: event.data.clone(),
        headers: Vec::with_capacity(8 + event.extensions.len()),
        created,
    };
    let mut put = |name: &str, value: &str| record.push_header(format!("ce_{name}"), value.to_owned());
    put("specversion", "1.0");
    put("id", &event.id.id);
    put("source", &event.id.source);
    put("type", &event.kind);
    for (name, value) in [("subject", &event.subject), ("time", &event.time), ("dataschema", &event.dataschema)] {
        value.iter().for_each(|v| put(name, v));
    }
    event.extensions.iter().for_each(|(name, value)| put(name, &value.to_text()));
    if let Some(content_type) = &event.datacontenttype {
        record.push_header(CONTENT_TYPE, content_type.clone());
    }
    if let Some(types) = types::write(&event.extensions) {
        record.push_header(names::EXTENSION_TYPES, types);
    }
    record
}

/// Reads a record that lies at `at`. What is on the medium was within the limits of its way in,
/// so only the nesting of structured JSON is bounded here.
pub fn from_record(record: &Record, at: &Position) -> Read {
    let unlimited = Limits {
        body_bytes_max: usize::MAX,
        batch_events_max: usize::MAX,
        attributes_max: usize::MAX,
        attribute_bytes_max: usize::MAX,
    };
    let content_type = content_type(record);
    let essence = content_type.as_ref().ok().and_then(|text| text.map(media_type::essence)).unwrap_or_default();
    let read = match content_type {
        Err(problem) if claims(record) => Err(problem),
        Ok(Some(_)) if essence == STRUCTURED_JSON => structured(record, &unlimited),
        Ok(Some(text)) if essence.starts_with("application/cloudevents") => {
            Err(Problem::new(CONTENT_TYPE, text, format!("must be `{STRUCTURED_JSON}`, if it is structured")))
        }
        Ok(content_type) if claims(record) => binary(record, content_type, &unlimited),
        other => return Read::Plain(plain(record, at, other.unwrap_or(None))),
    };
    read.map_or_else(Read::NotAnEvent, Read::Event)
}

fn claims(record: &Record) -> bool {
    record.headers.iter().any(|h| h.name.starts_with("ce_"))
}

fn content_type(record: &Record) -> Result<Option<&str>, Problem> {
    let header = record.headers.iter().find(|h| h.name.eq_ignore_ascii_case(CONTENT_TYPE));
    header.and_then(|h| h.value.as_deref()).map(|value| utf8(CONTENT_TYPE, value)).transpose()
}

fn utf8<'r>(field: &str, value: &'r [u8]) -> Result<&'r str, Problem> {
    str::from_utf8(value).map_err(|_| Problem::of_bytes(field, value, "must be UTF-8"))
}

fn structured(record: &Record, limits: &Limits) -> Result<Event, Problem> {
    json::decode(record.value.as_deref().unwrap_or_default(), limits)
}

fn binary(record: &Record, content_type: Option<&str>, limits: &Limits) -> Result<Event, Problem> {
    let mut draft = Draft::new(limits);
    let types = record.header(names::EXTENSION_TYPES).map(Bytes::as_ref).unwrap_or_default();
    for Header { name, value } in &record.headers {
        let (Some(attribute), Some(value)) = (name.strip_prefix("ce_"), value) else { continue };
        if attribute == "datacontenttype" {
            let rule = "must not be a header: in binary mode `content-type` says it";
            return Err(Problem::of_bytes(name.as_str(), value, rule));
        }
        let text = utf8(attribute, value)?;
        match types::read(types, attribute, text) {
            Some(typed) => draft.set_extension(attribute, typed)?,
            None => draft.set_text(attribute, text.to_owned())?,
        }
    }
    if let Some(content_type) = content_type {
        draft.set_text("datacontenttype", content_type.to_owned())?;
    }
    draft.finish(record.value.clone())
}

fn plain(record: &Record, at: &Position, content_type: Option<&str>) -> Event {
    let source = format!("/{}/{}", at.shard.topic, at.shard.partition);
    let mut event = Event::new(source, at.offset.to_string(), PLAIN_TYPE);
    if record.created > Timestamp::EPOCH {
        event.time = Some(format_rfc3339(record.created));
    }
    event.datacontenttype = content_type.filter(|c| media_type::is_valid(c)).map(str::to_owned);
    event.data = record.value.clone();
    if let Some(key) = record.key.as_deref().and_then(|k| str::from_utf8(k).ok()).filter(|k| !k.is_empty()) {
        event.set_extension("partitionkey", AttributeValue::String(key.to_owned()));
    }
    event
}

#[cfg(test)]
mod tests;
