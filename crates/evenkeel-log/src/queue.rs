//! Something for the writer to do, and whom to tell. How it waits is [`crate::handover`]'s.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_model::Shard;

use crate::batch::Head;
use crate::handover::Load;
use crate::machine::Machine;
use crate::state::Place;
use crate::ticket::Promise;
use crate::{AppendError, Appended, Change, Topic, TopicError, TopicSettings};

/// Something for the writer to do.
pub(crate) struct Job {
    pub(crate) work: Work,
    /// What it takes in a group, but for the markers that it brings.
    pub(crate) bytes: usize,
    /// True when it touches one of the node's own topics, which may use the headroom.
    pub(crate) own: bool,
}

/// What is to be done, and whom to tell.
pub(crate) enum Work {
    /// Append these, together.
    Append(Vec<Part>, Vec<Change>, Promise<Result<Appended, AppendError>>),
    /// Say something of a topic.
    Topic(Box<Declaration>, Promise<Result<Topic, TopicError>>),
    /// Give a producer its id.
    Producer(Promise<Result<i64, AppendError>>),
}

/// What is to be said of a topic.
pub(crate) enum Declaration {
    /// It is there, with these settings.
    Create(Arc<str>, TopicSettings),
    /// It has these settings from now on.
    Configure(Arc<str>, TopicSettings),
    /// It has so many partitions from now on.
    Grow(Arc<str>, u32),
    /// It is gone, and all that it held.
    Delete(Arc<str>),
}

impl Declaration {
    /// The topic's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        match self {
            Declaration::Create(name, _)
            | Declaration::Configure(name, _)
            | Declaration::Grow(name, _)
            | Declaration::Delete(name) => name,
        }
    }
}

/// A batch without its offset.
pub(crate) struct Part {
    pub(crate) place: Place,
    pub(crate) shard: Shard,
    /// That of `batch`; `None` when there are no records.
    pub(crate) head: Option<Head>,
    pub(crate) batch: Bytes,
}

impl Job {
    /// What it takes in the group that comes after what `machine` has taken.
    pub(crate) fn takes(&self, machine: &Machine) -> usize {
        match &self.work {
            Work::Append(_, changes, _) => self.bytes + machine.marker_bytes(changes),
            Work::Topic(..) | Work::Producer(_) => self.bytes,
        }
    }

    /// Says that nothing was written, or that nobody knows.
    pub(crate) fn refuse(self, error: AppendError) {
        match self.work {
            Work::Append(_, _, promise) => promise.keep(Err(error)),
            Work::Topic(_, promise) => promise.keep(Err(TopicError::Append(error))),
            Work::Producer(promise) => promise.keep(Err(error)),
        }
    }
}

impl Load for Job {
    fn bytes(&self) -> usize {
        self.bytes.max(1)
    }

    /// That of the producer, whose batches must stay in order whatever partitions they are for;
    /// without one, that of the first part's partition.
    fn lane(&self) -> u64 {
        let Work::Append(parts, changes, _) = &self.work else { return 0 };
        let sends = parts.iter().find_map(|part| part.head?.producer);
        let ends = changes.iter().find_map(|change| match change {
            Change::End { producer, .. } => Some(*producer),
            Change::Start { .. } => None,
        });
        match (sends.or(ends), parts.first()) {
            (Some(producer), _) => 1 << 63 | producer.id.unsigned_abs(),
            (None, Some(part)) => u64::from(part.place.topic) << 32 | u64::from(part.place.partition),
            (None, None) => 0,
        }
    }
}
