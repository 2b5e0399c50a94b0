//! What an intake needs of a broker whose messages have no lasting offsets: take, settle, renew,
//! give back. Each adapter implements it over its client; connections are its own business.

use std::time::Duration;

use evenkeel_delivery::ports::{BoxFuture, PortError};
use evenkeel_model::Record;

/// What settles, renews or gives back one message in one delivery of it. Only its adapter reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket(pub Box<str>);

/// A message as the broker gave it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The record that it becomes.
    pub record: Record,
    /// What names it at the broker in every delivery of it; `None` where the broker has no such
    /// name: then a message that is given again is known by its content.
    pub id: Option<Box<str>>,
    /// For this delivery.
    pub ticket: Ticket,
    /// True when the broker says, or can't rule out, that it was given before.
    pub again: bool,
    /// True when the broker would not give it once more, but throw it away or put it elsewhere.
    pub last: bool,
}

/// How a broker lends its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// A message that is not renewed for so long is given again; `None`: it is lent as long as the
    /// connection lives.
    pub lease: Option<Duration>,
    /// The longest that it is lent in all, however often it is renewed.
    pub hold_max: Option<Duration>,
    /// True where a ticket outlives the connection that it came over.
    pub tickets_outlive_connections: bool,
}

/// A broker's queue, as one consumer has it.
pub trait Queue: Send + Sync + 'static {
    /// How it lends.
    fn terms(&self) -> Terms;
    /// Up to `max` messages, in the order in which they are to be handled. Waits a while for the
    /// first one; none is no error. After an error it is asked again, and connects again by itself;
    /// where tickets don't outlive the connection every loss of it shows as an error first.
    fn receive(&self, max: usize) -> BoxFuture<'_, Result<Vec<Taken>, PortError>>;
    /// They are done with. Gives back the tickets that should be tried again; one that has become
    /// void is not: its message comes again, and is known then.
    fn settle(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, Vec<Ticket>>;
    /// They are still worked on. Best effort: one that comes too late is given again, and known.
    fn renew(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()>;
    /// They won't be worked on here: whoever asks may have them now. Best effort. The last call, with or without
    /// tickets: whoever lends should know then that we take nothing any more.
    fn give_back(&self, tickets: Vec<Ticket>) -> BoxFuture<'_, ()>;
}
