//! The nouns of Evenkeel, told in the order in which an event's story meets them.
//!
//! `Event → Record → Delivery → Verdict → Outcome → LedgerEntry`. The nouns after them
//! (indicator, alert, incident, action) live with the crates that make them.
//!
//! This crate does no I/O, awaits nothing, reads no clock of its own accord, and is not
//! serialisable: each edge owns its wire form. The one byte format that it does own is that of
//! ledger entries, since every other crate reads them.

mod time;
mod event;
mod record;
mod partition;
mod verdict;
mod outcome;
pub mod ledger;
pub mod varint;
pub mod names;

pub use event::{AttributeValue, Created, Event, EventId};
pub use outcome::{FailureClass, FailureInfo, Outcome};
pub use partition::{murmur2, partition_for_key};
pub use record::{Header, Position, Record, Shard, Stored};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use verdict::{Failure, Verdict};
