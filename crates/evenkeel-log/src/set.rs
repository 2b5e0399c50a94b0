//! What goes into the log and what is said of it: nouns only.

use bytes::Bytes;
use evenkeel_model::{Record, Shard, Timestamp};

/// Data for any number of partitions and changes of control state that become durable and visible
/// together, or not at all. The appends come first, in order; then the changes, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The parts, in order; a partition may occur more than once.
    pub appends: Vec<Append>,
    /// What changes with them.
    pub changes: Vec<Change>,
}

impl Set {
    /// A set of one append.
    pub fn of(shard: Shard, records: Vec<Record>) -> Set {
        Set::appends(vec![Append::records(shard, records)])
    }

    /// A set that changes nothing beside what it appends.
    pub fn appends(appends: Vec<Append>) -> Set {
        Set { appends, changes: Vec::new() }
    }

    /// A set of one change.
    pub fn change(change: Change) -> Set {
        Set { appends: Vec::new(), changes: vec![change] }
    }
}

/// Data for one partition; its records get consecutive offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Where to.
    pub shard: Shard,
    /// What.
    pub data: Data,
}

impl Append {
    /// Records, in order.
    pub fn records(shard: Shard, records: Vec<Record>) -> Append {
        Append { shard, data: Data::Records(records) }
    }

    /// A batch as a producer sent it.
    pub fn batch(shard: Shard, batch: Bytes) -> Append {
        Append { shard, data: Data::Batch(batch) }
    }
}

/// What an [`Append`] brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Records, in order.
    Records(Vec<Record>),
    /// One Kafka v2 batch as a producer sent it, uncompressed. It may carry a producer's id, epoch
    /// and sequence, and the transactional bit. Its base offset and leader epoch are patched in
    /// place, nothing else.
    Batch(Bytes),
}

/// A change of control state, appended with the data that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The partition begins here from now on; what lies before is gone for readers at once.
    Start {
        /// The partition.
        shard: Shard,
        /// Its first offset from now on. One that lies before the present start changes nothing.
        offset: u64,
    },
    /// Ends the producer's open transaction: the markers of all its partitions, in this group. A
    /// newer epoch than the transaction's own ends it too, and fences the older one.
    End {
        /// Whose transaction.
        producer: Producer,
        /// Whether what it wrote counts.
        commit: bool,
    },
}

/// A producer: its id, and which incarnation of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Producer {
    /// Unique for ever within a log.
    pub id: i64,
    /// Grows with each incarnation; a newer one fences an older one.
    pub epoch: i16,
}

/// A set is on the medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// When the log took it; never earlier than that of an earlier group.
    pub at: Timestamp,
    /// One for each [`Append`] of the set, in its order.
    pub placed: Vec<Placed>,
}

/// Where the records of one [`Append`] are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The partition.
    pub shard: Shard,
    /// The offset of the first record.
    pub base: u64,
    /// How many there are.
    pub count: u32,
    /// True for a repeat of a batch that is there already: `base` is the original's, and nothing
    /// was appended.
    pub duplicate: bool,
}

/// A transaction that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Whose.
    pub producer: Producer,
    /// When its first batch was appended.
    pub since: Timestamp,
    /// Where it wrote, and the first offset there.
    pub partitions: Vec<(Shard, u64)>,
}
