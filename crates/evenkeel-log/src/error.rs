//! What can go wrong, one variant for each thing that a caller does differently.

use std::fmt;

use evenkeel_model::Shard;

use crate::{Damage, Producer};

/// The log could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Somebody else has the folder.
    Locked {
        /// The folder.
        folder: String,
        /// Who has it, where that is known.
        pid: Option<u32>,
    },
    /// Records that were acknowledged are damaged: nothing is changed, the operator decides.
    /// [`Log::open_damaged`](crate::Log::open_damaged) serves what is whole.
    Corrupt {
        /// What is damaged, at least one place.
        damage: Vec<Damage>,
    },
    /// There is no log in the folder.
    Absent {
        /// The folder.
        folder: String,
    },
    /// The folder was written by a newer version.
    Version {
        /// The file.
        file: String,
        /// The version that was found.
        found: u16,
    },
    /// The disk refused.
    Io {
        /// What was being done, with the file's name.
        doing: String,
        /// What the system said.
        why: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked { folder, pid: Some(pid) } => {
                write!(f, "data folder `{folder}` is in use by process {pid}")
            }
            OpenError::Locked { folder, pid: None } => {
                write!(f, "data folder `{folder}` is in use by another process")
            }
            OpenError::Corrupt { damage } => {
                let places: Vec<String> = damage.iter().map(ToString::to_string).collect();
                write!(f, "the log is damaged at {}", places.join("; and at "))
            }
            OpenError::Absent { folder } => write!(f, "there is no log in `{folder}`"),
            OpenError::Version { file, found } => {
                write!(f, "`{file}` has format version {found}, which is newer than this program")
            }
            OpenError::Io { doing, why } => write!(f, "{doing}: {why}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// A set was not appended, or it is not known whether it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// No topic of that name. Nothing was written.
    UnknownTopic {
        /// The name.
        topic: String,
    },
    /// The topic has no such partition. Nothing was written.
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition that was asked for.
        partition: u32,
        /// How many it has.
        partitions: u32,
    },
    /// The set is larger than a group may be. Nothing was written.
    TooLarge {
        /// What the set takes.
        bytes: usize,
        /// What a group may take.
        max: usize,
    },
    /// The disk is full. Nothing was written; ask again later.
    DiskFull,
    /// The partition holds as much as it may, and all of it is owed. Nothing was written; ask again
    /// when somebody has read on.
    TopicFull {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// What it holds.
        bytes: u64,
        /// What it may hold.
        max: u64,
    },
    /// Not a batch that a producer may send. Nothing was written.
    InvalidBatch {
        /// What is wrong with it.
        why: String,
    },
    /// A batch before this one is missing. Nothing was written.
    OutOfOrder {
        /// The partition.
        shard: Shard,
        /// The producer.
        producer: Producer,
        /// The sequence that comes next.
        expected: i32,
        /// The one that came.
        got: i32,
    },
    /// A newer incarnation of the producer is at work. Nothing was written.
    Fenced {
        /// The producer that is fenced.
        producer: Producer,
        /// The epoch that counts.
        epoch: i16,
    },
    /// The sequence goes on where nothing is known of the producer: it was silent for too long.
    /// Nothing was written; it begins again with a new epoch, at sequence 0.
    UnknownProducer {
        /// The partition.
        shard: Shard,
        /// The producer.
        producer: Producer,
    },
    /// The producer's transaction is open, and this is not a part of it. Nothing was written.
    TransactionOpen {
        /// The producer, with the epoch of its transaction.
        producer: Producer,
    },
    /// The producer has no open transaction that could be ended; it may have ended already, if this
    /// is a repeat. Nothing was written.
    NoTransaction {
        /// The producer.
        producer: Producer,
    },
    /// A partition cannot begin beyond its end. Nothing was written.
    BeyondEnd {
        /// The partition.
        shard: Shard,
        /// Where it was to begin.
        offset: u64,
        /// Where it ends.
        end: u64,
    },
    /// The log is damaged, or was opened for reading only. Nothing was written.
    ReadOnly {
        /// What is damaged.
        why: String,
    },
    /// The log has stopped. The outcome is unknown: repeat with the same id.
    Stopped {
        /// Why it stopped.
        why: String,
    },
}

impl AppendError {
    /// Nothing of that name; `partitions` is what the topic has, if there is one.
    pub(crate) fn no_place(shard: &Shard, partitions: Option<u32>) -> AppendError {
        let topic = shard.topic.to_string();
        match partitions {
            Some(partitions) => AppendError::UnknownPartition { topic, partition: shard.partition, partitions },
            None => AppendError::UnknownTopic { topic },
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::UnknownTopic { topic } => write!(f, "there is no topic `{topic}`"),
            AppendError::UnknownPartition { topic, partition, partitions } => {
                write!(f, "topic `{topic}` has no partition {partition} (it has {partitions})")
            }
            AppendError::TooLarge { bytes, max } => {
                write!(f, "the set takes {bytes} bytes, and a group may take {max}")
            }
            AppendError::DiskFull => f.write_str("the disk is full; nothing was written"),
            AppendError::TopicFull { topic, partition, bytes, max } => {
                write!(
                    f,
                    "partition {partition} of topic `{topic}` holds {bytes} bytes that are still owed, and may hold {max}"
                )
            }
            AppendError::InvalidBatch { why } => write!(f, "this batch cannot be appended: {why}"),
            AppendError::OutOfOrder { shard, producer, expected, got } => write!(
                f,
                "producer {} (epoch {}) sent sequence {got} to {}-{}, and {expected} is next",
                producer.id, producer.epoch, shard.topic, shard.partition
            ),
            AppendError::Fenced { producer, epoch } => {
                write!(f, "producer {} with epoch {} is fenced by epoch {epoch}", producer.id, producer.epoch)
            }
            AppendError::UnknownProducer { shard, producer } => {
                write!(f, "{}-{} knows nothing of producer {} any more", shard.topic, shard.partition, producer.id)
            }
            AppendError::TransactionOpen { producer } => {
                write!(f, "producer {} has an open transaction of epoch {}", producer.id, producer.epoch)
            }
            AppendError::NoTransaction { producer } => write!(f, "producer {} has no open transaction", producer.id),
            AppendError::BeyondEnd { shard, offset, end } => {
                write!(f, "{}-{} ends at offset {end} and cannot begin at {offset}", shard.topic, shard.partition)
            }
            AppendError::ReadOnly { why } => write!(f, "the log is only read: {why}"),
            AppendError::Stopped { why } => write!(f, "the log has stopped: {why}"),
        }
    }
}

impl std::error::Error for AppendError {}

/// Records could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// No topic of that name.
    UnknownTopic {
        /// The name.
        topic: String,
    },
    /// The topic has no such partition.
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition that was asked for.
        partition: u32,
        /// How many it has.
        partitions: u32,
    },
    /// Retention took what was asked for.
    BelowStart {
        /// The first offset that is kept.
        start: u64,
    },
    /// Nothing is there yet, and the offset is not the next one either.
    Beyond {
        /// One beyond the last durable offset.
        end: u64,
    },
    /// The bytes on the disk are damaged.
    Corrupt {
        /// The file, and the place in it.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// The disk refused.
    Io {
        /// What was being done, with the file's name.
        doing: String,
        /// What the system said.
        why: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::UnknownTopic { topic } => write!(f, "there is no topic `{topic}`"),
            ReadError::UnknownPartition { topic, partition, partitions } => {
                write!(f, "topic `{topic}` has no partition {partition} (it has {partitions})")
            }
            ReadError::BelowStart { start } => write!(f, "the partition begins at offset {start}"),
            ReadError::Beyond { end } => write!(f, "the partition ends at offset {end}"),
            ReadError::Corrupt { place, what } => write!(f, "the log is damaged at {place}: {what}"),
            ReadError::Io { doing, why } => write!(f, "{doing}: {why}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// A topic could not be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicError {
    /// Not 1 to 249 of `a-z A-Z 0-9 . _ -`.
    BadName {
        /// The name.
        name: String,
    },
    /// No partitions, or more than 10,000.
    BadPartitions {
        /// The topic.
        name: String,
        /// How many were asked for.
        partitions: u32,
    },
    /// It is there already, with other settings.
    Differs {
        /// The topic.
        name: String,
        /// How many partitions it has.
        partitions: u32,
    },
    /// No topic of that name.
    Unknown {
        /// The name.
        name: String,
    },
    /// A topic cannot lose partitions.
    Fewer {
        /// The topic.
        name: String,
        /// How many partitions it has.
        partitions: u32,
    },
    /// The log keeps its own state there; nobody else changes it.
    Reserved {
        /// The topic.
        name: String,
    },
    /// Its record could not be appended.
    Append(AppendError),
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicError::BadName { name } => {
                write!(f, "`{name}` is no topic name: 1 to 249 of a-z, A-Z, 0-9, `.`, `_`, `-`")
            }
            TopicError::BadPartitions { name, partitions } => {
                write!(f, "topic `{name}` cannot have {partitions} partitions (1 to 10,000)")
            }
            TopicError::Differs { name, partitions } => {
                write!(f, "topic `{name}` is there already with other settings ({partitions} partitions)")
            }
            TopicError::Unknown { name } => write!(f, "there is no topic `{name}`"),
            TopicError::Fewer { name, partitions } => {
                write!(f, "topic `{name}` has {partitions} partitions and cannot get fewer")
            }
            TopicError::Reserved { name } => write!(f, "topic `{name}` belongs to the log itself"),
            TopicError::Append(e) => write!(f, "the topic could not be recorded: {e}"),
        }
    }
}

impl std::error::Error for TopicError {}
