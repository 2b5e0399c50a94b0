//! An event: a CloudEvent 1.0, independent of the form in which it arrived.
//!
//! This is the noun only. Parsing, validation and every wire form live in
//! `evenkeel-cloudevents`; an [`Event`] made by hand is not validated.

use bytes::Bytes;

use crate::Timestamp;

/// What identifies an event: its source and its id together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId {
    /// The CloudEvents `source`.
    pub source: String,
    /// The CloudEvents `id`.
    pub id: String,
}

/// The value of an extension attribute, with the type that it arrived in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// A CloudEvents String (also URI, URI-reference, Timestamp and Binary in text form).
    String(String),
    /// A CloudEvents Integer.
    Integer(i32),
    /// A CloudEvents Boolean.
    Boolean(bool),
}

impl AttributeValue {
    /// The canonical string form, as header bindings carry it.
    pub fn to_text(&self) -> String {
        match self {
            AttributeValue::String(s) => s.clone(),
            AttributeValue::Integer(i) => i.to_string(),
            AttributeValue::Boolean(b) => b.to_string(),
        }
    }
}

/// A CloudEvent 1.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Identity: `source` and `id`.
    pub id: EventId,
    /// The CloudEvents `type`.
    pub kind: String,
    /// The CloudEvents `subject`.
    pub subject: Option<String>,
    /// The CloudEvents `time`, as text: it is kept as it came.
    pub time: Option<String>,
    /// The CloudEvents `datacontenttype`.
    pub datacontenttype: Option<String>,
    /// The CloudEvents `dataschema`.
    pub dataschema: Option<String>,
    /// Extension attributes, in the order in which they came.
    pub extensions: Vec<(String, AttributeValue)>,
    /// The payload; `None` differs from empty.
    pub data: Option<Bytes>,
}

impl Event {
    /// An event with the required attributes and nothing else.
    pub fn new(source: impl Into<String>, id: impl Into<String>, kind: impl Into<String>) -> Event {
        Event {
            id: EventId { source: source.into(), id: id.into() },
            kind: kind.into(),
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: Vec::new(),
            data: None,
        }
    }

    /// The extension of that name, in text form.
    pub fn extension(&self, name: &str) -> Option<String> {
        self.extensions.iter().find(|(n, _)| n == name).map(|(_, v)| v.to_text())
    }

    /// Sets an extension, replacing one of the same name.
    pub fn set_extension(&mut self, name: &str, value: AttributeValue) {
        match self.extensions.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => self.extensions.push((name.to_owned(), value)),
        }
    }

    /// The ordering key: `partitionkey`, else `subject`; an event without either has none.
    pub fn ordering_key(&self) -> Option<String> {
        self.extension("partitionkey").or_else(|| self.subject.clone())
    }
}

/// When an event was created, and whether that was believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// The creation time that counts for latency.
    pub at: Timestamp,
    /// False when the event's own claim was not believed and append time counts instead.
    pub believed: bool,
}
