//! The one state that the log's entries make: topics, what each partition has come to, producers
//! and their transactions.
//!
//! [`Machine::apply`] takes the entries of groups, in order, with the group's time, and nothing
//! else: no clock, no disk. It runs three times: where offsets are assigned, ahead of the medium;
//! where a durable group becomes visible; and in recovery. So the state is what replay gives,
//! literally.
//!
//! [`admission`] says what may be appended at all. [`topics`] has the table, [`partition`] one
//! partition, [`producers`] what is known of producers, [`aborts`] what was taken back,
//! [`snapshot`] the bytes for a checkpoint.

mod admission;
mod aborts;
mod partition;
mod producers;
mod snapshot;
mod topics;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use evenkeel_model::{Shard, Timestamp};

pub(crate) use aborts::Aborts;
pub(crate) use admission::Repeats;
pub(crate) use partition::Partition;
pub(crate) use producers::{Memory, Session};
pub(crate) use snapshot::Snapshot;
pub(crate) use topics::Topics;

use crate::batch::{self, Head};
use crate::control::{self, Fact};
use crate::state::{CONTROL, Place};
use crate::{Change, Producer};

/// No log gives so many producer ids.
const PRODUCERS_MAX: i64 = 1 << 62;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) topics: Topics,
    producers: producers::Producers,
    /// Ids below this one were given to producers, and are never given again.
    pub(crate) next_producer: i64,
}

impl Machine {
    /// Before the first entry: only the control topic is there.
    pub(crate) fn new(memory: Memory) -> Machine {
        Machine { topics: Topics::new(), producers: producers::Producers::new(memory), next_producer: 0 }
    }

    /// Takes the next entry, of a group of time `at`; `head` is that of `batch`. Gives back what the
    /// control topic says.
    pub(crate) fn apply(
        &mut self,
        place: Place,
        head: &Head,
        batch: &Bytes,
        at: Timestamp,
    ) -> Result<Vec<Fact>, String> {
        self.partition(place)?.extend(head)?;
        if place == CONTROL {
            let facts = control::decode(batch)?;
            facts.iter().try_for_each(|fact| self.learn(fact))?;
            return Ok(facts);
        }
        self.credit(place, head, batch, at)?;
        Ok(Vec::new())
    }

    /// Takes a batch of a segment again, for a machine that is made anew from segments: compaction may
    /// have left a gap before it and in it.
    pub(crate) fn revisit(&mut self, place: Place, head: &Head, batch: &Bytes, at: Timestamp) -> Result<(), String> {
        self.partition(place)?.go_on(head, batch);
        if place == CONTROL { Ok(()) } else { self.credit(place, head, batch, at) }
    }

    /// Notes what a batch's producer did with it.
    fn credit(&mut self, place: Place, head: &Head, batch: &Bytes, at: Timestamp) -> Result<(), String> {
        if let Some(producer) = head.producer {
            if head.is_control() {
                self.decide(place, producer, head, batch, at)?;
            } else if self.producers.note(place, producer, head, at) {
                self.partition(place)?.open.insert(head.base, producer.id);
            }
        }
        Ok(())
    }

    /// Takes a marker.
    fn decide(
        &mut self,
        place: Place,
        producer: Producer,
        head: &Head,
        batch: &Bytes,
        at: Timestamp,
    ) -> Result<(), String> {
        let commit = batch::marker_of(batch).map_err(|e| e.to_string())?;
        if let Some(first) = self.producers.end(place, producer, at) {
            self.partition(place)?.decide(producer.id, first, head.base, commit);
        }
        Ok(())
    }

    /// Takes what the control topic says.
    pub(crate) fn learn(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Created { number, topic } => self.topics.create(*number, topic.clone()),
            Fact::Configured { number, topic } => self.topics.configure(*number, topic.clone()),
            Fact::Deleted { number, name } => {
                self.producers.forget(*number);
                self.topics.delete(*number, name)
            }
            Fact::Started { place, offset } => self.partition(*place)?.begin(*offset),
            Fact::Producers { until } => self.give_producers(*until),
            Fact::Epoch { place, epoch, from } => self.partition(*place)?.raise(*epoch, *from),
        }
    }

    /// Gives no producer an id below this one any more.
    fn give_producers(&mut self, until: i64) -> Result<(), String> {
        if !(0..=PRODUCERS_MAX).contains(&until) {
            return Err(format!("producer ids go to {until}, and none does"));
        }
        self.next_producer = self.next_producer.max(until);
        Ok(())
    }

    fn partition(&mut self, place: Place) -> Result<&mut Partition, String> {
        self.at_mut(place).ok_or_else(|| format!("no topic has partition {}-{}", place.topic, place.partition))
    }

    /// The partition of that place.
    pub(crate) fn at(&self, place: Place) -> Option<&Partition> {
        self.topics.get(place.topic)?.partitions.get(place.partition as usize)
    }

    /// The partition of that place, for recovery to fill in from a checkpoint.
    pub(crate) fn at_mut(&mut self, place: Place) -> Option<&mut Partition> {
        self.topics.get_mut(place.topic)?.partitions.get_mut(place.partition as usize)
    }

    /// The place of that name; `Err` holds how many partitions the topic has, if there is one.
    pub(crate) fn find(&self, shard: &Shard) -> Result<Place, Option<u32>> {
        let number = self.topics.number(&shard.topic).ok_or(None)?;
        let partitions = self.topics.get(number).map_or(0, |entry| entry.topic.partitions);
        let place = Place { topic: number, partition: shard.partition };
        if shard.partition < partitions { Ok(place) } else { Err(Some(partitions)) }
    }

    /// The partitions of a producer's open transaction.
    pub(crate) fn open_places(&self, producer: i64) -> Vec<Place> {
        let session = self.producers.sessions.get(&producer);
        session.map(|session| session.open.keys().copied().collect()).unwrap_or_default()
    }

    /// What the markers take that these changes bring.
    pub(crate) fn marker_bytes(&self, changes: &[Change]) -> usize {
        let markers = changes.iter().map(|change| match change {
            Change::End { producer, .. } => {
                self.producers.sessions.get(&producer.id).map_or(0, |session| session.open.len())
            }
            Change::Start { .. } => 0,
        });
        markers.sum::<usize>() * batch::MARKER_BYTES
    }

    /// Pairs of producer and partition that are remembered.
    pub(crate) fn known_producers(&self) -> usize {
        self.producers.lines.len()
    }

    /// The producers with an open transaction.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = (Producer, &Session)> {
        let open = self.producers.sessions.iter().filter(|(_, session)| !session.open.is_empty());
        open.map(|(id, session)| (Producer { id: *id, epoch: session.epoch }, session))
    }
}
