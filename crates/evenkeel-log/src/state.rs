//! What readers see: the machine as of the newest durable group, and where its data is kept, in
//! tails and segments.
//!
//! Invariant: it changes under one write lock per group, so a reader that holds the read lock
//! sees whole groups only. It does no I/O.

mod waiting;

use std::collections::HashMap;
use std::ops::Range;

use evenkeel_model::{Shard, Timestamp};

use crate::batch::Head;
use crate::calendar::Extent;
use crate::checkpoint::PartitionAt;
use crate::control::Fact;
use crate::machine::{self, Machine, Memory};
use crate::numbered::Numbered;
use crate::segment::{Segment, folder, plain_folder};
use crate::tail::{Held, Tail};
use crate::wal::Position;
use crate::{Ends, ReadError, Topic};

pub(crate) use self::waiting::WORTH;

/// A partition by the numbers that the disk knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) topic: u32,
    pub(crate) partition: u32,
}

/// The control topic: topics as records.
pub(crate) const CONTROL: Place = Place { topic: 0, partition: 0 };

/// What is kept of one partition, and where.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) tail: Tail,
    /// As they are written, oldest first; the last one still grows. A checkpoint counts what is
    /// flushed of it.
    pub(crate) segments: Vec<Segment>,
    /// One beyond the last offset that was written to a segment.
    pub(crate) written: u64,
    /// What the batches behind it take in memory.
    pub(crate) waiting: usize,
    /// The bytes of all its batches, written or not.
    pub(crate) bytes: u64,
    /// Compaction has been over everything before this offset.
    pub(crate) cleaned: u64,
    /// Its folder is named as version 1 did.
    pub(crate) plain: bool,
}

impl Partition {
    /// Has these segments, as a checkpoint says.
    pub(crate) fn restore(&mut self, at: &PartitionAt) {
        self.segments.clone_from(&at.segments);
        self.written = at.ends.high_watermark;
        self.bytes = at.segments.iter().map(|s| s.log_bytes).sum();
        self.cleaned = at.cleaned;
        self.plain = at.plain;
    }

    /// How many sealed segments, from the first on, end at `start` or before it.
    pub(crate) fn ended(&self, start: u64) -> usize {
        self.segments[..self.segments.len().saturating_sub(1)].partition_point(|s| s.end <= start)
    }
}

/// What is kept for no reader any more: it goes when no slot names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Condemned {
    pub(crate) place: Place,
    pub(crate) folder: String,
    pub(crate) what: Gone,
    /// The first checkpoint that does not name it.
    pub(crate) since: Option<u64>,
}

/// What of a partition is condemned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gone {
    /// A segment that retention took, or a revision that another one replaced.
    Segment { base: u64, revision: u64 },
    /// All of it: its topic was deleted.
    Partition,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct State {
    /// What the durable groups have made of the log.
    pub(crate) machine: Machine,
    /// By topic number, then by partition; nothing for topics that are gone.
    kept: Numbered<Vec<Partition>>,
    /// Where the write-ahead log goes on after the newest group in here.
    pub(crate) wal: Position,
    /// When that group was taken.
    pub(crate) last_at: Timestamp,
    /// The newest durable checkpoint.
    pub(crate) generation: u64,
    /// How far its files of append times count.
    pub(crate) times: Extent,
    pub(crate) condemned: Vec<Condemned>,
    arrivals: waiting::Arrivals,
    /// holder → partition → lowest offset that it owes.
    pub(crate) owed: HashMap<String, HashMap<Shard, u64>>,
}

impl State {
    /// A log that has only the control topic.
    pub(crate) fn new(memory: Memory) -> State {
        State {
            machine: Machine::new(memory),
            kept: Numbered::first(vec![Partition::default()]),
            wal: Position::default(),
            last_at: Timestamp::EPOCH,
            generation: 0,
            times: Extent::default(),
            condemned: Vec::new(),
            arrivals: waiting::Arrivals::default(),
            owed: HashMap::new(),
        }
    }

    /// The topic of that name.
    pub(crate) fn topic(&self, name: &str) -> Option<&Topic> {
        self.machine.topics.named(name)
    }

    /// What is kept of the partition of that place.
    pub(crate) fn at(&self, place: Place) -> Option<&Partition> {
        self.kept.get(place.topic)?.get(place.partition as usize)
    }

    /// What is kept of the partition of that place.
    pub(crate) fn at_mut(&mut self, place: Place) -> Option<&mut Partition> {
        self.kept.get_mut(place.topic)?.get_mut(place.partition as usize)
    }

    /// The ends of the partition of that place.
    pub(crate) fn ends(&self, place: Place) -> Ends {
        self.machine.at(place).map(machine::Partition::ends).unwrap_or_default()
    }

    /// The partition of that name, for a reader.
    pub(crate) fn find(&self, shard: &Shard) -> Result<(Place, Ends, &Partition), ReadError> {
        let topic = || shard.topic.to_string();
        let place = self.machine.find(shard).map_err(|partitions| match partitions {
            None => ReadError::UnknownTopic { topic: topic() },
            Some(partitions) => ReadError::UnknownPartition { topic: topic(), partition: shard.partition, partitions },
        })?;
        let partition = self.at(place).ok_or_else(|| ReadError::UnknownTopic { topic: topic() })?;
        Ok((place, self.ends(place), partition))
    }

    /// All partitions, with their topics, ends and what is kept of them.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Place, &Topic, Ends, &Partition)> {
        self.machine
            .topics
            .places()
            .filter_map(|(place, topic, partition)| Some((place, topic, partition.ends(), self.at(place)?)))
    }

    /// Takes the next entry of a durable group: the machine's turn first, then what is kept.
    /// `head` is that of its batch.
    pub(crate) fn apply(&mut self, place: Place, head: &Head, held: Held) -> Result<(), String> {
        for fact in self.machine.apply(place, head, &held.bytes, held.appended)? {
            self.follow(&fact);
        }
        let weight = held.weight();
        if let Some(partition) = self.at_mut(place) {
            partition.bytes += held.bytes.len() as u64;
            partition.tail.push(held);
            self.arrived(place, weight);
        }
        Ok(())
    }

    /// Takes what the control topic said before a checkpoint.
    pub(crate) fn learn(&mut self, fact: &Fact) -> Result<(), String> {
        self.machine.learn(fact)?;
        self.follow(fact);
        Ok(())
    }

    /// Does for what is kept what the control topic says.
    fn follow(&mut self, fact: &Fact) {
        match fact {
            Fact::Created { number, topic } | Fact::Configured { number, topic } => {
                self.make_room(*number, topic.partitions);
            }
            Fact::Started { place, offset } => self.condemn_before(*place, *offset),
            Fact::Deleted { number, name } => self.condemn_topic(*number, name),
            Fact::Producers { .. } | Fact::Epoch { .. } => {}
        }
    }

    /// Has a place for what is kept of each partition of a topic.
    fn make_room(&mut self, number: u32, partitions: u32) {
        let mut kept = self.kept.remove(number).unwrap_or_default();
        kept.resize_with(partitions as usize, Partition::default);
        self.kept.insert(number, kept);
    }

    fn condemn_before(&mut self, place: Place, start: u64) {
        if let Some(gone) = self.at(place).map(|partition| partition.ended(start)) {
            self.replace(place, 0..gone, None);
        }
    }

    /// Puts `new` in the place of some sealed segments, which are condemned.
    pub(crate) fn replace(&mut self, place: Place, range: Range<usize>, new: Option<Segment>) {
        let folder = self.folder(place);
        let Some(partition) = self.at_mut(place) else { return };
        partition.bytes += new.as_ref().map_or(0, |s| s.log_bytes);
        let gone: Vec<Segment> = partition.segments.splice(range, new).collect();
        partition.bytes = partition.bytes.saturating_sub(gone.iter().map(|s| s.log_bytes).sum());
        let what = |s: &Segment| Gone::Segment { base: s.base, revision: s.revision };
        let condemned = |s| Condemned { place, folder: folder.clone(), what: what(s), since: None };
        self.condemned.extend(gone.iter().map(condemned));
    }

    /// Forgets all that is kept of a topic.
    fn condemn_topic(&mut self, number: u32, name: &str) {
        let Some(kept) = self.kept.remove(number) else { return };
        for (partition, kept) in (0..).zip(kept) {
            let place = Place { topic: number, partition };
            let folder = if kept.plain { plain_folder(name, partition) } else { folder(name, place) };
            self.condemned.push(Condemned { place, folder, what: Gone::Partition, since: None });
            self.left(&kept);
        }
        self.owed.values_mut().for_each(|owed| owed.retain(|shard, _| *shard.topic != *name));
    }

    /// The name of the topic of that number.
    pub(crate) fn name(&self, topic: u32) -> &str {
        self.machine.topics.get(topic).map_or("", |entry| &entry.topic.name)
    }

    /// The folder of a partition.
    pub(crate) fn folder(&self, place: Place) -> String {
        let name = self.name(place.topic);
        let plain = self.at(place).is_some_and(|partition| partition.plain);
        if plain { plain_folder(name, place.partition) } else { folder(name, place) }
    }

    /// The lowest offset of a partition that anybody owes.
    pub(crate) fn owed_from(&self, shard: &Shard) -> u64 {
        self.owed.values().filter_map(|owed| owed.get(shard)).copied().min().unwrap_or(u64::MAX)
    }
}
