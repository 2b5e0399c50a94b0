//! New messages become records of the topic: one atomic set for what came together.
//!
//! Each carries its name in the header [`names::INTAKE`], the last of its headers, so that a start
//! can read the names back. A message that is larger than a set may be is left where it is.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Append, AppendError, Appended, Log, Set};
use evenkeel_model::{Record, Shard, Timestamp, names, partition_for_key};
use sha2::{Digest, Sha256};

use super::book::{Book, Name, Place, Sorted};
use super::queue::Taken;
use crate::happenings::{IntakeNoRoom, MessageTooLarge};

/// How long to wait before asking a full disk or a full topic again.
const FULL_PAUSE: Duration = Duration::from_millis(500);

/// Messages that came together and have no place yet, and how many had one.
pub(super) struct Sifted {
    pub(super) messages: Vec<(Name, Taken)>,
    pub(super) known: u64,
}

/// Where they are now.
pub(super) struct Placement {
    pub(super) places: Vec<(Place, Name, Taken)>,
    /// Larger than the log takes.
    pub(super) oversized: u64,
}

impl Book {
    pub(super) fn sort_all(&mut self, messages: Vec<Taken>, now: Timestamp) -> Sifted {
        let mut sifted = Sifted { messages: Vec::with_capacity(messages.len()), known: 0 };
        let mut on_their_way = HashSet::with_capacity(messages.len());
        for taken in messages {
            let name = name_of(&taken);
            match self.sort(&taken, &name, now) {
                Sorted::Known => sifted.known += 1,
                // Its first delivery is on its way to a place; this ticket is void or will be.
                Sorted::New if matches!(name, Name::Broker(_)) && !on_their_way.insert(name.clone()) => {
                    sifted.known += 1;
                }
                Sorted::New => sifted.messages.push((name, taken)),
            }
        }
        sifted
    }

    pub(super) fn has_settled(&self) -> bool {
        self.to_settle_count() > 0
    }
}

/// Appends to one topic.
pub(super) struct Placer {
    log: Log,
    topic: Arc<str>,
    /// Messages without a key go to the partitions in turn.
    turn: u32,
}

impl Placer {
    pub(super) fn new(log: Log, topic: Arc<str>) -> Placer {
        Placer { log, topic, turn: 0 }
    }

    /// Returns when all are durable. An error means that the log takes no more.
    pub(super) async fn place(&mut self, messages: Vec<(Name, Taken)>, now: Timestamp) -> Result<Placement, PortError> {
        let mut placement = Placement { places: Vec::with_capacity(messages.len()), oversized: 0 };
        let mut parts = vec![messages];
        while let Some(mut part) = parts.pop().filter(|part| !part.is_empty()) {
            let (set, shape) = self.set(&part, now);
            match self.append(set).await {
                Ok(appended) => place_all(&mut placement.places, part, &shape, &appended),
                Err(AppendError::TooLarge { bytes, max }) if part.len() == 1 => {
                    MessageTooLarge { topic: self.topic.to_string(), bytes, max }.tell();
                    placement.oversized += 1;
                }
                Err(AppendError::TooLarge { .. }) => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                Err(e) => return Err(PortError(format!("topic `{}`: {e}", self.topic))),
            }
        }
        Ok(placement)
    }

    /// The set, and for each message which of its parts it is in.
    fn set(&mut self, part: &[(Name, Taken)], now: Timestamp) -> (Set, Vec<usize>) {
        let partitions = self.log.topic(&self.topic).map_or(1, |topic| topic.partitions.max(1));
        let mut by_partition: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
        let mut partition_of = Vec::with_capacity(part.len());
        for (name, taken) in part {
            let partition = match &taken.record.key {
                Some(key) => partition_for_key(key, partitions),
                None => self.next_turn(partitions),
            };
            by_partition.entry(partition).or_default().push(signed(taken.record.clone(), name, now));
            partition_of.push(partition);
        }
        let numbers: Vec<u32> = by_partition.keys().copied().collect();
        let shape = partition_of.iter().map(|p| numbers.iter().position(|n| n == p).unwrap_or_default()).collect();
        let append = |(partition, records)| Append::records(Shard::new(self.topic.clone(), partition), records);
        (Set::appends(by_partition.into_iter().map(append).collect()), shape)
    }

    fn next_turn(&mut self, partitions: u32) -> u32 {
        self.turn = self.turn.wrapping_add(1);
        self.turn % partitions
    }

    /// While there is no room it waits: the broker keeps what it has.
    async fn append(&self, set: Set) -> Result<Appended, AppendError> {
        loop {
            match self.log.append(set.clone()).await {
                Err(AppendError::DiskFull | AppendError::TopicFull { .. }) => {
                    IntakeNoRoom { topic: self.topic.to_string() }.tell();
                    tokio::time::sleep(FULL_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }
}

fn place_all(places: &mut Vec<(Place, Name, Taken)>, part: Vec<(Name, Taken)>, shape: &[usize], appended: &Appended) {
    let mut next: Vec<u64> = appended.placed.iter().map(|placed| placed.base).collect();
    for ((name, taken), slot) in part.into_iter().zip(shape) {
        let place = (appended.placed[*slot].shard.partition, next[*slot]);
        next[*slot] += 1;
        places.push((place, name, taken));
    }
}

/// The record with its name.
fn signed(mut record: Record, name: &Name, now: Timestamp) -> Record {
    if record.created == Timestamp::EPOCH {
        record.created = now;
    }
    let text = match name {
        Name::Broker(id) => id.to_string(),
        Name::Content(_) => String::new(),
    };
    record.push_header(names::INTAKE, text);
    record
}

fn name_of(taken: &Taken) -> Name {
    taken.id.clone().map_or_else(|| Name::Content(digest(&taken.record)), Name::Broker)
}

/// The name that a placed record carries.
pub(super) fn name_of_stored(record: &Record) -> Name {
    let mut own = record.clone();
    // It is the last one: one before it came along with the message.
    let id = own.headers.pop_if(|last| last.name == names::INTAKE).and_then(|header| header.value);
    let id = id.map(|id| String::from_utf8_lossy(&id).into_owned()).unwrap_or_default();
    if id.is_empty() { Name::Content(digest(&own)) } else { Name::Broker(id.into()) }
}

/// Of key, value and headers; not of times, which a broker may set anew, nor of how often it gave the message.
fn digest(record: &Record) -> [u8; 16] {
    let mut all = Sha256::new();
    let mut part = |bytes: Option<&[u8]>| {
        all.update([u8::from(bytes.is_some())]);
        all.update((bytes.map_or(0, <[u8]>::len) as u64).to_le_bytes());
        all.update(bytes.unwrap_or_default());
    };
    part(record.key.as_deref());
    part(record.value.as_deref());
    for header in record.headers.iter().filter(|header| header.name != names::BROKER_DELIVERIES) {
        part(Some(header.name.as_bytes()));
        part(header.value.as_deref());
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&all.finalize()[..16]);
    digest
}
