//! The log: durable, ordered records on one disk, behind one call: "append this atomic set".
//!
//! ```
//! use std::sync::Arc;
//! use evenkeel_log::{Log, Options, ReadLimit, RealDisk, Set, TopicSettings};
//! use evenkeel_model::{Record, Shard, SystemClock};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let log = Log::open(Arc::new(RealDisk::new(folder.path())), Options::default(), Arc::new(SystemClock::new()))?;
//! log.create_topic("orders", TopicSettings::partitions(6))?.wait()?;
//!
//! let shard = Shard::new("orders", 0);
//! let record = Record { value: Some("first".into()), ..Record::default() };
//! let appended = log.append(Set::of(shard.clone(), vec![record])).wait()?; // on the medium
//!
//! let read = log.read(&shard, appended.placed[0].base, ReadLimit::default())?;
//! assert_eq!(read[0].record.value.as_deref(), Some(&b"first"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! # Append
//! A [`Set`] holds data for any number of partitions, and [`Change`]s of control state. It becomes
//! part of a *group*: one checksummed, padded, synchronous write to the write-ahead log, which is
//! there whole or not at all. [`Log::append`] hands back a future (any executor, or
//! [`Appending::wait`] on a thread); it completes when the group is on the medium, and nobody can
//! read the set before. Whatever arrives while one group is written makes up the next: that is all
//! there is to group commit, and there is no timer in it.
//!
//! So an output, an outcome and the progress of whoever made them are one fact:
//!
//! ```
//! # use std::sync::Arc;
//! # use evenkeel_log::{Append, Log, Options, RealDisk, Set, TopicSettings};
//! # use evenkeel_model::{Record, Shard, SystemClock};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let log = Log::open(Arc::new(RealDisk::new(folder.path())), Options::default(), Arc::new(SystemClock::new()))?;
//! # for topic in ["invoices", "progress"] { log.create_topic(topic, TopicSettings::partitions(1))?.wait()?; }
//! # let record = |value: &'static str| Record { value: Some(value.into()), ..Record::default() };
//! let set = Set::appends(vec![
//!     Append::records(Shard::new("invoices", 0), vec![record("invoice 7")]),
//!     Append::records(Shard::new("progress", 0), vec![record("orders-0 is done up to 41")]),
//! ]);
//! let appended = log.append(set).wait()?;
//! assert_eq!(appended.placed.len(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! **Waiting is the backpressure.** What waits for the writer is bounded
//! ([`Options::pending_bytes_max`]), and so is what waits to be written to its segment; a set that
//! finds no room waits in its own future. A future that is dropped there was never appended; dropped
//! later, its set may be. A set larger than [`Options::group_bytes_max`] is refused.
//!
//! **Errors say what was done.** Every variant of [`AppendError`] but one means that nothing was
//! written. [`AppendError::Stopped`] means that nobody knows: a write or a flush failed, the log
//! acknowledges nothing any more, reads go on, and the next [`Log::open`] tells what is there.
//!
//! # Read
//! [`Log::read`] gives records from an offset on, committed ones only; [`Log::offset_at`] finds the
//! offset of a time; [`Log::ends`] says where a partition begins and ends, [`Log::cut`] says so of all
//! of them at one moment between two groups. Only what is durable is ever seen. The newest records
//! come from memory, the others from their segments, through the page cache. To follow the end, ask
//! for the [`Log::version`] first, read, and wait for what is [`beyond`](Log::beyond) it:
//!
//! ```
//! # use std::sync::Arc;
//! # use evenkeel_log::{Log, Options, ReadLimit, RealDisk, Set, TopicSettings};
//! # use evenkeel_model::{Record, Shard, SystemClock};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let log = Log::open(Arc::new(RealDisk::new(folder.path())), Options::default(), Arc::new(SystemClock::new()))?;
//! # log.create_topic("orders", TopicSettings::partitions(1))?.wait()?;
//! # let shard = Shard::new("orders", 0);
//! # let producer = { let (log, shard) = (log.clone(), shard.clone()); std::thread::spawn(move || {
//! #     log.append(Set::of(shard, vec![Record::default(); 3])).wait().map(|_| ()) }) };
//! let mut next = 0;
//! while next < 3 {
//!     let version = log.version();
//!     for stored in log.read(&shard, next, ReadLimit::records(100))? {
//!         next = stored.at.offset + 1;
//!     }
//!     if next < 3 {
//!         log.beyond(version).wait(); // or .await
//!     }
//! }
//! # producer.join().expect("no panic")?;
//! # Ok(())
//! # }
//! ```
//!
//! # Batches, producers and transactions
//! Records are kept as Kafka v2 batches from the first write on. A batch that a producer sent goes
//! in as it is ([`Append::batch`]; base offset and leader epoch are patched in place), and comes out
//! as it is. It may carry a producer's id, epoch and sequence: a repeat is answered with the
//! original's offset ([`Placed::duplicate`]), a gap is refused, a newer epoch fences an older one, all
//! of it exactly so after a restart. Transactional batches have their offsets at once, and are hidden
//! from [`Log::read`] until [`Change::End`] appends the markers of all their partitions in one group,
//! beside whatever else its set appends. Users of this crate need none of that: their transaction is
//! the set.
//!
//! # Keep
//! [`TopicSettings`] say what a topic keeps: by age, by size, to a hard limit, newest per key. What
//! [`Log::owe`] names is never taken, up to that limit. [`Change::Start`] takes what lies before an
//! offset. None of it is on the way of an append.
//!
//! # Crashes and damage
//! An unwritten end is cut at the next open; damage before it is never passed over:
//! [`OpenError::Corrupt`] names the file, the place and the offsets, [`Log::open_damaged`] serves what
//! is whole, and damage that a read meets later makes the log read-only likewise ([`Log::damage`]).
//! [`verify()`] and [`dump()`] look without changing anything, [`Repair`] gives up what is lost if an
//! operator says so. `docs/format.md` has the bytes and the rules, `docs/semantics.md` what holds
//! on which file system.
//!
//! # Invariants
//! - nothing is acknowledged, and nothing is visible, before it is on the medium;
//! - a write or flush that fails stops the log for good, reads go on;
//! - offsets of a partition are dense until it is compacted, and a cut over all partitions never
//!   splits a group;
//! - the state (ends, producers, transactions) is what replaying the log gives, literally;
//! - every byte that is read back is checked, and every length is bounded before it is used.
//!
//! What it does not do: it knows no network, no protocol and no event, only records. Time,
//! randomness and the disk are arguments ([`Disk`], [`evenkeel_model::Clock`]); [`sim`] is a disk that
//! loses power.

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
mod pen;
mod depth;
mod wal;
mod numbered;
mod machine;
mod state;
mod tail;
mod control;
mod write_back;
mod flusher;
mod segment;
mod calendar;
mod checkpoint;
mod recovery;
mod verify;
mod dump;
mod repair;
mod read;
mod handles;
mod retention;
mod upkeep;
mod compaction;
mod stats;
mod warning;
mod times;
pub mod seen;
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
pub use set::{Append, Appended, Change, Data, Open, Placed, Producer, Set};
pub use ticket::{Appending, Beyond, Creating, Naming};
pub use times::Times;
pub use topic::{AtLimit, Cleanup, Retention, Topic, TopicSettings};
pub use upkeep::{Cleaned, Fill, Removal, Retained};
pub use verify::{Extent, Note, Verified, verify};
pub use view::{Aborted, BatchLimit, Batches, Ends, Isolation, ReadLimit, Slice};
pub use warning::Warning;
