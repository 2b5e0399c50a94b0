//! The one state that the log's entries make: topics, and what each partition has come to.
//!
//! [`Machine::apply`] takes the entries of groups, in order, and nothing else: no clock, no disk,
//! no settings of the program. It runs three times: where offsets are assigned, ahead of the
//! medium; where a durable group becomes visible; and in recovery. So the state is what replay
//! gives, literally.
//!
//! [`admission`] says what may be appended at all; [`topics`] has the table, [`partition`] one
//! partition.

mod admission;
mod partition;
mod topics;

use bytes::Bytes;
use evenkeel_model::Shard;

pub(crate) use partition::Partition;
pub(crate) use topics::Topics;

use crate::batch::Head;
use crate::control::{self, Fact};
use crate::state::{CONTROL, Place};

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) topics: Topics,
    /// No id below this one is given to a producer any more.
    pub(crate) next_producer: i64,
}

impl Machine {
    /// Before the first entry: only the control topic is there.
    pub(crate) fn new() -> Machine {
        Machine { topics: Topics::new(), next_producer: 0 }
    }

    /// Takes the next entry; `head` is that of `batch`. Gives back what the control topic says.
    pub(crate) fn apply(&mut self, place: Place, head: &Head, batch: &Bytes) -> Result<Vec<Fact>, String> {
        let Some(partition) = self.at_mut(place) else {
            return Err(format!("no topic has partition {}-{}", place.topic, place.partition));
        };
        partition.extend(head)?;
        if place != CONTROL {
            return Ok(Vec::new());
        }
        let facts = control::decode(batch)?;
        facts.iter().try_for_each(|fact| self.learn(fact))?;
        Ok(facts)
    }

    /// Takes what the control topic says.
    pub(crate) fn learn(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Created { number, topic } => self.topics.create(*number, topic.clone()),
            Fact::Configured { number, topic } => self.topics.configure(*number, topic.clone()),
            Fact::Deleted { number, name } => self.topics.delete(*number, name),
            Fact::Started { place, offset } => self.partition(*place)?.begin(*offset),
            Fact::Producers { until } => {
                self.next_producer = self.next_producer.max(*until);
                Ok(())
            }
            Fact::Epoch { place, epoch, from } => self.partition(*place)?.raise(*epoch, *from),
        }
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
}
