//! A record: what a topic holds, in Kafka's terms.

use std::sync::Arc;

use bytes::Bytes;

use crate::Timestamp;

/// A record header; Kafka allows a null value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The header's name; names may repeat.
    pub name: String,
    /// The header's value.
    pub value: Option<Bytes>,
}

/// A record that has no place in the log yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The ordering key.
    pub key: Option<Bytes>,
    /// The payload; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Headers, in order.
    pub headers: Vec<Header>,
    /// Kafka's CreateTime, in milliseconds on the medium.
    pub created: Timestamp,
}

impl Record {
    /// The value of the first header of that name, if it is there and not null.
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers.iter().find(|h| h.name == name).and_then(|h| h.value.as_ref())
    }

    /// Adds a header with text for a value.
    pub fn push_header(&mut self, name: impl Into<String>, value: impl Into<Bytes>) {
        self.headers.push(Header { name: name.into(), value: Some(value.into()) });
    }
}

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number, from 0.
    pub partition: u32,
}

impl Shard {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: u32) -> Shard {
        Shard { topic: topic.into(), partition }
    }
}

/// Where a record is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The partition.
    pub shard: Shard,
    /// The offset in it.
    pub offset: u64,
}

/// A record that is durable at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub at: Position,
    /// When the log took it.
    pub appended: Timestamp,
    /// What it is.
    pub record: Record,
}
