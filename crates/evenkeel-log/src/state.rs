//! What readers see: topics, partitions, tails and segments as of the newest durable group.
//!
//! Invariant: it changes under one write lock per group, so a reader that holds the read lock
//! sees whole groups only. It does no I/O.

mod waiting;

use std::collections::HashMap;
use std::sync::Arc;

use evenkeel_model::names::CONTROL_TOPIC;
use evenkeel_model::{Shard, Timestamp};

use crate::segment::Segment;
use crate::tail::{Held, Tail};
use crate::wal::Position;
use crate::{Ends, ReadError, Topic, TopicSettings};

/// A partition by the numbers that the disk knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) topic: u32,
    pub(crate) partition: u32,
}

/// The control topic: topics as records.
pub(crate) const CONTROL: Place = Place { topic: 0, partition: 0 };

/// One topic and its partitions.
#[derive(Debug)]
pub(crate) struct TopicState {
    pub(crate) topic: Topic,
    pub(crate) partitions: Vec<Partition>,
}

/// One partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) ends: Ends,
    /// Raised when an operator cut the partition.
    pub(crate) leader_epoch: u32,
    pub(crate) tail: Tail,
    /// As they are written, oldest first; the last one still grows. A checkpoint counts what is
    /// flushed of it.
    pub(crate) segments: Vec<Segment>,
    /// One beyond the last offset that was written to a segment.
    pub(crate) written: u64,
    /// What the batches behind it take in memory.
    pub(crate) waiting: usize,
}

/// A segment that retention took, or a revision that another one replaced: its files go when no slot names it any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condemned {
    pub(crate) place: Place,
    pub(crate) base: u64,
    pub(crate) revision: u64,
    /// The first checkpoint that does not name it.
    pub(crate) since: Option<u64>,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct State {
    /// By topic number.
    pub(crate) topics: Vec<TopicState>,
    by_name: HashMap<Arc<str>, u32>,
    /// Where the write-ahead log goes on after the newest group in here.
    pub(crate) wal: Position,
    /// When that group was taken.
    pub(crate) last_at: Timestamp,
    /// The newest durable checkpoint.
    pub(crate) generation: u64,
    pub(crate) condemned: Vec<Condemned>,
    arrivals: waiting::Arrivals,
    /// holder → partition → lowest offset that it owes.
    pub(crate) owed: HashMap<String, HashMap<Shard, u64>>,
}

impl State {
    /// A log that has only the control topic.
    pub(crate) fn new() -> State {
        let mut state = State {
            topics: Vec::new(),
            by_name: HashMap::new(),
            wal: Position::default(),
            last_at: Timestamp::EPOCH,
            generation: 0,
            condemned: Vec::new(),
            arrivals: waiting::Arrivals::default(),
            owed: HashMap::new(),
        };
        let settings = TopicSettings::partitions(1);
        state.add_topic(Topic { name: CONTROL_TOPIC.into(), partitions: 1, settings });
        state
    }

    /// Adds a topic under the next number.
    pub(crate) fn add_topic(&mut self, topic: Topic) {
        let number = u32::try_from(self.topics.len()).unwrap_or(u32::MAX);
        self.by_name.insert(topic.name.clone(), number);
        let partitions = (0..topic.partitions).map(|_| Partition::default()).collect();
        self.topics.push(TopicState { topic, partitions });
    }

    /// The topic's number.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The topic of that name.
    pub(crate) fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(self.number(name)? as usize).map(|t| &t.topic)
    }

    /// The partition of that place.
    pub(crate) fn at(&self, place: Place) -> Option<&Partition> {
        self.topics.get(place.topic as usize)?.partitions.get(place.partition as usize)
    }

    /// The partition of that place.
    pub(crate) fn at_mut(&mut self, place: Place) -> Option<&mut Partition> {
        self.topics.get_mut(place.topic as usize)?.partitions.get_mut(place.partition as usize)
    }

    /// The partition of that name, for a reader.
    pub(crate) fn find(&self, shard: &Shard) -> Result<(Place, &Partition), ReadError> {
        let Some(number) = self.number(&shard.topic) else {
            return Err(ReadError::UnknownTopic { topic: shard.topic.to_string() });
        };
        let place = Place { topic: number, partition: shard.partition };
        match self.at(place) {
            Some(partition) => Ok((place, partition)),
            None => Err(ReadError::UnknownPartition {
                topic: shard.topic.to_string(),
                partition: shard.partition,
                partitions: self.topics[number as usize].topic.partitions,
            }),
        }
    }

    /// All partitions, with their numbers.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Place, &TopicState, &Partition)> {
        (0_u32..).zip(&self.topics).flat_map(|(topic, state)| {
            (0_u32..).zip(&state.partitions).map(move |(partition, p)| (Place { topic, partition }, state, p))
        })
    }

    /// Makes a durable batch visible. The caller knows that the partition is there.
    pub(crate) fn push(&mut self, place: Place, held: Held) {
        let weight = held.weight();
        if let Some(partition) = self.at_mut(place) {
            partition.ends.high_watermark = held.end();
            partition.tail.push(held);
            self.arrived(place, weight);
        }
    }

    /// The name of the topic of that number.
    pub(crate) fn name(&self, topic: u32) -> &str {
        self.topics.get(topic as usize).map_or("", |t| &t.topic.name)
    }
}
