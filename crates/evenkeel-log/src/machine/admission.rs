//! Whether a set may be appended: decided before any of it gets an offset, and for all of it.
//!
//! Nothing is changed here. So the parts of a set must not depend on one another: of one producer it
//! may hold one batch for a partition, all of one epoch, all in a transaction or none.

use std::collections::{HashMap, HashSet};

use evenkeel_model::Timestamp;

use super::producers::Sequence;
use super::{Machine, Session};
use crate::batch::Head;
use crate::queue::Part;
use crate::state::{CONTROL, Place};
use crate::{AppendError, Change, Producer};

/// The parts of a set that are there already, by their place in the set, and from which offset on.
pub(crate) type Repeats = Vec<(usize, u64)>;

/// What the producers of one set bring, by id.
type Bringing = HashMap<i64, Brought>;

/// What one producer brings in one set.
struct Brought {
    epoch: i16,
    transactional: bool,
    /// The partitions of the batches that are no repeats.
    places: HashSet<Place>,
}

impl Machine {
    /// Refuses a set that does not fit what the machine has come to at `at`.
    pub(crate) fn admit(&self, parts: &[Part], changes: &[Change], at: Timestamp) -> Result<Repeats, AppendError> {
        let (mut bringing, mut repeats) = (Bringing::new(), Repeats::new());
        for (index, part) in parts.iter().enumerate() {
            repeats.extend(self.admit_part(part, at, &mut bringing)?.map(|base| (index, base)));
        }
        let mut ended = HashSet::new();
        for change in changes {
            self.admit_change(change, &bringing, &mut ended)?;
        }
        Ok(repeats)
    }

    /// Gives back from which offset on it is there, if it is a repeat.
    fn admit_part(&self, part: &Part, at: Timestamp, bringing: &mut Bringing) -> Result<Option<u64>, AppendError> {
        if self.at(part.place).is_none() {
            return Err(AppendError::UnknownTopic { topic: part.shard.topic.to_string() });
        }
        if part.place == CONTROL {
            return Err(invalid("the log itself writes this topic"));
        }
        let Some((head, producer)) = part.head.as_ref().and_then(|head| Some((head, head.producer?))) else {
            return Ok(None);
        };
        let brought = bringing.entry(producer.id).or_insert_with(|| Brought {
            epoch: producer.epoch,
            transactional: head.is_transactional(),
            places: HashSet::new(),
        });
        if brought.epoch != producer.epoch || brought.transactional != head.is_transactional() {
            return Err(invalid("the set holds batches of one producer that do not go together"));
        }
        if !brought.places.insert(part.place) {
            return Err(invalid("the set holds two batches of one producer for one partition"));
        }
        let repeated = self.admit_sequence(part, producer, head, at)?;
        if repeated.is_some() {
            brought.places.remove(&part.place);
        } else {
            self.admit_session(part.place, producer, head, at, brought)?;
        }
        Ok(repeated)
    }

    fn admit_sequence(
        &self,
        part: &Part,
        producer: Producer,
        head: &Head,
        at: Timestamp,
    ) -> Result<Option<u64>, AppendError> {
        let shard = || part.shard.clone();
        if producer.id >= self.next_producer {
            return Err(AppendError::UnknownProducer { shard: shard(), producer });
        }
        match self.producers.sequence(part.place, producer, head, at) {
            Sequence::Next => Ok(None),
            Sequence::Repeated(base) => Ok(Some(base)),
            Sequence::Unknown => Err(AppendError::UnknownProducer { shard: shard(), producer }),
            Sequence::Fenced(epoch) => Err(AppendError::Fenced { producer, epoch }),
            Sequence::Expected(expected) => {
                Err(AppendError::OutOfOrder { shard: shard(), producer, expected, got: head.sequence })
            }
        }
    }

    /// Holds a batch against its producer's transaction.
    fn admit_session(
        &self,
        place: Place,
        producer: Producer,
        head: &Head,
        at: Timestamp,
        brought: &Brought,
    ) -> Result<(), AppendError> {
        let known = Session::default();
        let session = self.producers.session(producer.id, at).unwrap_or(&known);
        let open = Producer { id: producer.id, epoch: session.epoch };
        if !head.is_transactional() {
            let within = session.open.contains_key(&place);
            return if within { Err(AppendError::TransactionOpen { producer: open }) } else { Ok(()) };
        }
        if producer.epoch < session.epoch {
            return Err(AppendError::Fenced { producer, epoch: session.epoch });
        }
        if producer.epoch > session.epoch && !session.open.is_empty() {
            return Err(AppendError::TransactionOpen { producer: open });
        }
        if session.open.len() + brought.places.len() > self.producers.memory.transaction_max {
            return Err(invalid("the transaction is in too many partitions to end in one group"));
        }
        Ok(())
    }

    fn admit_change(&self, change: &Change, bringing: &Bringing, ended: &mut HashSet<i64>) -> Result<(), AppendError> {
        match change {
            Change::Start { shard, offset } => {
                let place = self.find(shard).map_err(|partitions| AppendError::no_place(shard, partitions))?;
                let end = self.at(place).map_or(0, |p| p.next);
                if *offset > end {
                    return Err(AppendError::BeyondEnd { shard: shard.clone(), offset: *offset, end });
                }
                Ok(())
            }
            Change::End { producer, .. } => {
                if !ended.insert(producer.id) {
                    return Err(AppendError::NoTransaction { producer: *producer });
                }
                self.admit_end(*producer, bringing.get(&producer.id))
            }
        }
    }

    /// A transaction ends that is open, or that this very set opens.
    fn admit_end(&self, producer: Producer, brought: Option<&Brought>) -> Result<(), AppendError> {
        let opens = brought.filter(|brought| brought.transactional && !brought.places.is_empty());
        let session = self.producers.sessions.get(&producer.id);
        let newest = session.map(|s| s.epoch).max(opens.map(|brought| brought.epoch));
        match newest {
            Some(epoch) if epoch > producer.epoch => Err(AppendError::Fenced { producer, epoch }),
            _ if opens.is_some() || session.is_some_and(|s| !s.open.is_empty()) => Ok(()),
            _ => Err(AppendError::NoTransaction { producer }),
        }
    }
}

fn invalid(why: &str) -> AppendError {
    AppendError::InvalidBatch { why: why.to_owned() }
}
