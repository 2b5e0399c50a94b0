//! The log: durable, ordered records on one disk, behind one call: "append this atomic set".
//!
//! A [`Set`] becomes part of a *group*; a group is one checksummed, padded, synchronous write to
//! the write-ahead log, and is there whole or not at all. Records are kept as Kafka v2 batches
//! from there to the segment files. `docs/format.md` has the bytes and the recovery rules.
//!
//! Invariants:
//! - nothing is acknowledged, and nothing is visible, before it is on the medium;
//! - a write or flush that fails stops the log for good, reads go on;
//! - offsets of a partition are dense, and a cut over all partitions never splits a group;
//! - every byte that is read back is checked, and every length is bounded before it is used.
//!
//! What it does not do: it knows no network, no protocol and no event, only records. Time,
//! randomness and the disk are arguments ([`Disk`], [`evenkeel_model::Clock`]).

mod set;
mod view;
mod topic;
mod error;
mod damage;
mod options;
mod safeguard;
mod log;
mod ticket;
pub mod batch;
mod sync;
mod handover;
mod queue;
mod engine;
mod wal;
mod machine;
mod state;
mod tail;
mod control;
mod write_back;
mod flusher;
mod segment;
mod checkpoint;
mod recovery;
mod verify;
mod dump;
mod repair;
mod read;
mod handles;
mod retention;
#[cfg(test)]
mod compaction;
mod stats;
pub mod disk;
#[cfg(test)]
mod tests;

pub use damage::{Damage, DamageKind, Offsets};
pub use disk::{Disk, RealDisk, sim};
pub use dump::{Dump, Dumped, Show, dump};
pub use error::{AppendError, OpenError, ReadError, TopicError};
pub use log::{Log, LogStatus};
pub use options::Options;
pub use repair::{Repair, Repaired};
pub use safeguard::Safeguard;
pub use set::{Append, Appended, Change, Data, Open, Placed, Producer, Retained, Set};
pub use ticket::{Appending, Beyond, Creating, Naming};
pub use topic::{AtLimit, Cleanup, Retention, Topic, TopicSettings};
pub use verify::{Extent, Note, Verified, verify};
pub use view::{Aborted, BatchLimit, Batches, Ends, Isolation, ReadLimit, Slice};
