//! Where events go that leave: a topic, a queue or an exchange of whatever broker.

use bytes::Bytes;
use evenkeel_model::{Event, Header, Position, Timestamp};

use super::BoxFuture;
use crate::Mark;

/// Publishes events durably at a place of its own.
///
/// Each event is answered by itself, in the order in which they were given. `Ok` means that the
/// broker has it as durably as it has anything. Events of one key are published in their order; when
/// one of them fails, those of its key behind it in the same call fail as well, so that none
/// overtakes it.
pub trait Sink: Send + Sync + 'static {
    /// Publishes; one answer for each, in order. Returns within a time of its own: a broker that does
    /// not answer is [`Unsent::Unreachable`] or [`Unsent::Unknown`].
    fn publish(&self, events: Vec<Outgoing>) -> BoxFuture<'_, Vec<Result<Placed, SinkError>>>;
}

/// An event on its way out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The event; the sink writes it in the CloudEvents binding of its protocol.
    pub event: Event,
    /// Its ordering key.
    pub key: Option<Bytes>,
    /// Headers beyond the event's attributes, for protocols that have headers.
    pub headers: Vec<Header>,
    /// When it was created, for protocols that say so.
    pub created: Timestamp,
    /// The identity of this effect, equal over attempts, restarts and nodes: what a broker that
    /// drops repeats is given as its id.
    pub id: Mark,
}

/// Where an event went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Its place, where the broker tells.
    pub at: Option<Position>,
    /// The broker had it already, and says so.
    pub duplicate: bool,
}

/// Why an event was not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkError {
    /// What that means for another try.
    pub unsent: Unsent,
    /// The fact and the name, in words.
    pub message: String,
}

/// What a failure to publish means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// Nobody answered, and nothing was published.
    Unreachable,
    /// The broker wants less, or is full: later.
    Overload,
    /// It is not known whether it was published: the same again, with the same id.
    Unknown,
    /// It never will: too large, or malformed for this broker.
    Never,
    /// An operator must act: credentials, permissions, a topic that does not exist.
    Denied,
}

impl std::fmt::Display for SinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SinkError {}
