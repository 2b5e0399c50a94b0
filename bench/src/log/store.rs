//! What the appenders append to: the log as its user has it, or a peer behind its committing thread.

use std::path::Path;
use std::sync::Arc;

use evenkeel::SystemClock;
use evenkeel_log::{Log, Options, RealDisk, Retention, Set, TopicSettings};
use evenkeel_model::{Record, Shard};

use super::committer::{Committer, Entry};
use super::peer;
use super::row::Who;
use crate::Outcome;

/// A store that takes appends from many.
#[derive(Clone)]
pub(crate) enum Store {
    Evenkeel(Lanes),
    Peer(Committer),
}

/// The log, and the partitions of one topic.
#[derive(Clone)]
pub(crate) struct Lanes {
    pub(crate) log: Log,
    pub(crate) shards: Arc<[Shard]>,
}

impl Store {
    /// Opens it in an empty folder; of the log, only `kept` bytes stay on the disk where it says so.
    pub(crate) fn open(who: Who, folder: &Path, partitions: usize, kept: Option<u64>) -> Outcome<Store> {
        match who {
            Who::Evenkeel => Ok(Store::Evenkeel(Lanes::open(folder, partitions, kept)?)),
            peer => Ok(Store::Peer(Committer::start(peer::open(peer, folder)?)?)),
        }
    }

    pub(crate) async fn append(&self, entry: Entry) -> Outcome<()> {
        match self {
            Store::Evenkeel(lanes) => {
                lanes.log.append(lanes.set(entry)).await?;
                Ok(())
            }
            Store::Peer(committer) => committer.append(entry).await,
        }
    }

    pub(crate) fn log(&self) -> Option<&Log> {
        match self {
            Store::Evenkeel(lanes) => Some(&lanes.log),
            Store::Peer(_) => None,
        }
    }

    /// Groups (commits) so far.
    pub(crate) fn groups(&self) -> u64 {
        match self {
            Store::Evenkeel(lanes) => lanes.log.status().groups,
            Store::Peer(committer) => committer.commits(),
        }
    }
}

impl Lanes {
    pub(crate) fn open(folder: &Path, partitions: usize, kept: Option<u64>) -> Outcome<Lanes> {
        let log = Log::open(Arc::new(RealDisk::new(folder)), Options::default(), Arc::new(SystemClock::new()))?;
        let mut settings = TopicSettings::partitions(u32::try_from(partitions)?);
        settings.retention = Retention { bytes: kept.map(|k| k / partitions as u64), ..settings.retention };
        Lanes::on(log, "bench", settings)
    }

    /// The partitions of a topic, which is created.
    pub(crate) fn on(log: Log, topic: &str, settings: TopicSettings) -> Outcome<Lanes> {
        log.create_topic(topic, settings)?.wait()?;
        let shards = (0..settings.partitions).map(|p| Shard::new(topic, p)).collect();
        Ok(Lanes { log, shards })
    }

    pub(crate) fn set(&self, entry: Entry) -> Set {
        let record = Record { value: Some(entry.value), ..Record::default() };
        Set::of(self.shards[entry.partition].clone(), vec![record])
    }
}
