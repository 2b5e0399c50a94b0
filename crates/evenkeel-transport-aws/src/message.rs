//! Messages of SQS and SNS as records, and back.
//!
//! AWS has no CloudEvents binding of its own, and ten attributes at most: an event travels as
//! structured JSON in the body, with the attribute `content-type`, so that any CloudEvents library
//! reads it. What the JSON does not say (headers beyond the event, a key that is no attribute) is in
//! [`names::EXACT`]; bytes too many for base64 are in [`DATA`].
//!
//! Invariant: what we wrote comes back as the same record, but for the white space of JSON data.

use std::collections::BTreeMap;

use bytes::Bytes;
use evenkeel_cloudevents::kafka::{self, Read};
use evenkeel_cloudevents::{Limits, json};
use evenkeel_model::{Event, Position, Record, Shard, Timestamp, names};
use evenkeel_transport::{Parcel, Style};

use crate::envelope;

/// The largest message of SQS, its attributes included.
pub const SIZE_MAX: usize = 1 << 20;
/// Bytes that are no text, or too many for base64; or the word [`EMPTY`].
const DATA: &str = "evenkeel-data";
const EMPTY: &str = "empty";
/// The body of a message whose payload is in [`DATA`]: a body can't be empty.
const NO_BODY: &str = "-";
const CONTENT_TYPE: &str = "content-type";
const STRUCTURED: &str = "application/cloudevents+json";
/// AWS takes ten; three are ours.
const HEADERS_MAX: usize = 7;

/// An attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// Text, or a number.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
}

/// A message, as AWS knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Text, never empty.
    pub body: String,
    /// By name.
    pub attributes: BTreeMap<String, Attribute>,
}

/// What AWS says of a message beside it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) id: String,
    pub(crate) sent: Timestamp,
    pub(crate) group: Option<String>,
    /// The group orders, whatever key the event has.
    pub(crate) group_orders: bool,
    /// SNS's wrapping is taken off.
    pub(crate) unwrap: bool,
    /// The queue that it died in before it was moved here.
    pub(crate) died_in: Option<String>,
}

impl Message {
    /// A record as a message, whose group will be `group`.
    pub fn of(record: &Record, group: Option<&str>) -> Message {
        let nowhere = Position { shard: Shard::new("", 0), offset: 0 };
        let mut message = match kafka::from_record(record, &nowhere) {
            Read::Event(event) => structured(&event),
            Read::Plain(_) | Read::NotAnEvent(_) => bare(record),
        };
        let headers = record.headers.iter().filter(|header| !is_of_event(&header.name));
        for header in headers {
            let text = header.value.as_deref().and_then(|value| str::from_utf8(value).ok());
            let room = message.attributes.len() < HEADERS_MAX && !message.attributes.contains_key(&header.name);
            if !room || !is_name(&header.name) {
                continue;
            }
            let attribute = match (text, &header.value) {
                (Some(text), _) if is_text(text) => Attribute::Text(text.to_owned()),
                (None, Some(bytes)) => Attribute::Bytes(bytes.clone()),
                _ => continue,
            };
            message.attributes.insert(header.name.clone(), attribute);
        }
        let given = Given { group: group.map(str::to_owned), ..Given::default() };
        let read = message.clone().into_record(&given);
        if (&read.key, &read.headers, read.created) != (&record.key, &record.headers, record.created) {
            message.attributes.insert(names::EXACT.to_owned(), Attribute::Text(Parcel::exact(record)));
        }
        message
    }

    /// Its size, as AWS counts.
    pub fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| {
            name.len()
                + match value {
                    Attribute::Text(text) => "String".len() + text.len(),
                    Attribute::Bytes(bytes) => "Binary".len() + bytes.len(),
                }
        });
        self.body.len() + attributes.sum::<usize>()
    }

    pub(crate) fn into_record(self, given: &Given) -> Record {
        if given.unwrap
            && let Some(unwrapped) = envelope::unwrap(&self.body)
        {
            let given = Given { sent: unwrapped.created.unwrap_or(given.sent), unwrap: false, ..given.clone() };
            let notified = [
                ("aws-sns-topic", Some(unwrapped.topic)),
                ("aws-sns-message-id", Some(unwrapped.id)),
                ("aws-sns-subject", unwrapped.subject),
            ];
            return with_origin(unwrapped.message.into_record(&given), notified);
        }
        let died_in = given.died_in.clone();
        with_origin(self.into_sent(given), [("aws-died-in", died_in)])
    }

    /// The record, but for what happened to the message since it was sent.
    fn into_sent(self, given: &Given) -> Record {
        let text = |name: &str| match self.attributes.get(name) {
            Some(Attribute::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let (exact, content_type) = (text(names::EXACT), text(CONTENT_TYPE));
        let mut record = match self.event(content_type.as_deref()) {
            Some(event) => self.evented(&event, given),
            None => self.plain(given),
        };
        if let Some(exact) = exact.and_then(|text| Parcel::restored(&text, &record.value.clone().unwrap_or_default())) {
            return exact;
        }
        if let Some(group) = &given.group
            && (given.group_orders || record.key.is_none())
        {
            record.key = Some(Bytes::from(group.clone()));
        }
        record
    }

    /// The event in the body: one that is said to be there, or one that can't be anything else.
    fn event(&self, content_type: Option<&str>) -> Option<Event> {
        let claimed = content_type.is_some_and(|said| {
            said.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(STRUCTURED))
        });
        let guessed = content_type.is_none() && self.body.starts_with('{') && self.body.contains("\"specversion\"");
        if !claimed && !guessed {
            return None;
        }
        let mut event = json::decode(self.body.as_bytes(), &Limits::default()).ok()?;
        if let Some(Attribute::Bytes(data)) = self.attributes.get(DATA) {
            event.data = Some(data.clone());
        }
        Some(event)
    }

    fn evented(&self, event: &Event, given: &Given) -> Record {
        let mut record = kafka::to_record(event, given.sent);
        for (name, value) in self.attributes.iter().filter(|(name, _)| !is_ours(name) && *name != CONTENT_TYPE) {
            record.push_header(name.clone(), bytes(value));
        }
        record
    }

    /// A message that is no structured event: binary mode, where its attributes say so, or plain.
    fn plain(self, given: &Given) -> Record {
        let value = match self.attributes.get(DATA) {
            Some(Attribute::Bytes(data)) => data.clone(),
            Some(Attribute::Text(word)) if word == EMPTY => Bytes::new(),
            _ => Bytes::from(self.body),
        };
        let mut parcel = Parcel { headers: Vec::new(), body: value };
        let mut raw = Vec::new();
        for (name, value) in self.attributes.into_iter().filter(|(name, _)| !is_ours(name)) {
            match value {
                Attribute::Text(text) => parcel.headers.push((as_binding(name), text)),
                Attribute::Bytes(bytes) => raw.push((name, bytes)),
            }
        }
        let is_event = parcel.get("cloudEvents:id").is_some();
        let mut record = parcel.into_record(Style::Amqp, None, given.sent);
        for (name, bytes) in raw {
            record.push_header(name, bytes);
        }
        let own = [
            ("aws-message-id", Some(given.id.clone()).filter(|id| !is_event && !id.is_empty())),
            ("aws-message-group", given.group.clone().filter(|_| !is_event && !given.id.is_empty())),
        ];
        with_origin(record, own)
    }
}

fn with_origin<const N: usize>(mut record: Record, origin: [(&str, Option<String>); N]) -> Record {
    for (name, value) in origin {
        value.into_iter().for_each(|value| record.push_header(name, value));
    }
    record
}

fn structured(event: &Event) -> Message {
    let mut message = Message { body: escaped(json::encode_text(event)), attributes: BTreeMap::new() };
    message.attributes.insert(CONTENT_TYPE.to_owned(), Attribute::Text(STRUCTURED.to_owned()));
    let data = event.data.as_ref().filter(|data| !data.is_empty() && str::from_utf8(data).is_err());
    if let Some(data) = data.filter(|_| message.size() > SIZE_MAX) {
        let bare = Event { data: None, ..event.clone() };
        message.body = escaped(json::encode_text(&bare));
        message.attributes.insert(DATA.to_owned(), Attribute::Bytes(data.clone()));
    }
    message
}

/// What XML can't say, and SQS therefore refuses; in JSON it stands in strings alone.
fn escaped(json: String) -> String {
    if is_text(&json) { json } else { json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff") }
}

fn bare(record: &Record) -> Message {
    let mut message = Message { body: NO_BODY.to_owned(), attributes: BTreeMap::new() };
    let data = match record.value.as_deref() {
        None | Some([]) => Attribute::Text(EMPTY.to_owned()),
        Some(bytes) => match str::from_utf8(bytes) {
            Ok(text) if is_text(text) => {
                message.body = text.to_owned();
                return message;
            }
            _ => Attribute::Bytes(Bytes::copy_from_slice(bytes)),
        },
    };
    message.attributes.insert(DATA.to_owned(), data);
    message
}

/// Said by the event itself.
fn is_of_event(header: &str) -> bool {
    header.starts_with("ce_") || header == names::EXTENSION_TYPES || is_ours(header)
}

fn is_ours(name: &str) -> bool {
    name == DATA || name == names::EXACT
}

/// Others write attributes of events as headers of other protocols.
fn as_binding(name: String) -> String {
    let rest = ["ce_", "ce-", "cloudEvents_", "cloudEvents."].iter().find_map(|prefix| name.strip_prefix(prefix));
    match rest {
        Some("datacontenttype") => CONTENT_TYPE.to_owned(),
        Some(rest) => format!("cloudEvents:{rest}"),
        None => name,
    }
}

fn bytes(value: &Attribute) -> Bytes {
    match value {
        Attribute::Text(text) => Bytes::from(text.clone()),
        Attribute::Bytes(bytes) => bytes.clone(),
    }
}

/// What AWS takes as an attribute's name.
fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && !(name.starts_with('.') || name.ends_with('.') || name.contains(".."))
        && !(lower.starts_with("aws.") || lower.starts_with("amazon."))
}

/// What AWS takes as text.
fn is_text(text: &str) -> bool {
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    !text.is_empty() && text.chars().all(legal)
}

#[cfg(test)]
mod tests;
