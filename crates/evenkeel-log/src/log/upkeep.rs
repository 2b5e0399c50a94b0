//! What is done to topics that are there: other settings, more partitions, less of what they hold,
//! and their end.

use std::sync::Arc;

use evenkeel_model::Shard;

use super::Log;
use crate::control::RECORD_BYTES;
use crate::queue::{Declaration, Job, Work};
use crate::ticket::promise;
use crate::{
    AppendError, Appending, Change, Cleaned, Creating, Fill, Removal, Retained, Set, TopicError, TopicSettings,
    compaction, retention, topic,
};

/// So many removals go into one group.
const REMOVALS: usize = 256;

impl Log {
    /// Gives a topic other settings. It may get more partitions this way, never fewer
    /// ([`TopicError::Fewer`]). Settings that it has already are left as they are.
    pub fn configure_topic(&self, name: &str, settings: TopicSettings) -> Result<Creating, TopicError> {
        topic::check(name, &settings)?;
        self.declare(Declaration::Configure(name.into(), settings))
    }

    /// Gives a topic so many partitions; one that has as many is left as it is. Keys that were in
    /// one partition before may come to another from now on.
    pub fn add_partitions(&self, name: &str, partitions: u32) -> Result<Creating, TopicError> {
        topic::check(name, &TopicSettings::partitions(partitions))?;
        self.declare(Declaration::Grow(name.into(), partitions))
    }

    /// Where the partitions of a topic ended each time that it got more, the oldest first: what lies
    /// at or behind those ends, and all that lies in the partitions that came, was appended later.
    /// So many as a log remembers; none of what grew before it remembered any.
    pub fn growths(&self, name: &str) -> Vec<Arc<[u64]>> {
        let state = self.0.shared.state();
        let topics = &state.machine.topics;
        let entry = topics.number(name).and_then(|number| topics.get(number));
        entry.map(|entry| entry.grown.clone()).unwrap_or_default()
    }

    /// Takes a topic away, with all that it holds, for readers at once and for ever. Its name is
    /// free then; the disk has the room back two checkpoints later. The answer says what it was.
    pub fn delete_topic(&self, name: &str) -> Result<Creating, TopicError> {
        self.declare(Declaration::Delete(name.into()))
    }

    /// Lets a partition begin at `before`: what it holds before that is gone for readers at once,
    /// owed or not. An offset before its present start changes nothing; one beyond its end is
    /// refused ([`crate::AppendError::BeyondEnd`]).
    pub fn delete_records(&self, shard: &Shard, before: u64) -> Appending {
        self.append(Set::change(Change::Start { shard: shard.clone(), offset: before }))
    }

    /// What retention would take away now. Whoever wants to copy some of it elsewhere first appends
    /// the copies and the [`Change::Start`] in one set.
    pub fn removals(&self) -> Vec<Removal> {
        retention::removals(&self.0.shared)
    }

    /// Up to where each partition might be emptied by retention, or thinned out by compaction, were
    /// nothing of it owed. Where the oldest may expire at a hard limit, this looks well ahead. Whoever
    /// holds records back by [`Log::owe`] may copy them elsewhere, and then owe them no more.
    pub fn wanted(&self) -> Vec<(Shard, u64)> {
        retention::wanted(&self.0.shared)
    }

    /// Takes away whole sealed segments beyond each topic's retention, never past what is owed, but
    /// where a topic lets the oldest expire at its hard limit. Waits until that is durable. A log that
    /// takes no appends is left as it is.
    pub fn retain(&self) -> Result<Retained, AppendError> {
        if self.0.shared.writable().is_err() {
            return Ok(Retained::default());
        }
        let removals = self.removals();
        for some in removals.chunks(REMOVALS) {
            self.append(retention::set(some)).wait()?;
        }
        Ok(retention::sum(&removals))
    }

    /// Compacts topics whose cleanup says so, for about `budget` bytes of reading and writing; at
    /// least one segment's worth. Best called again soon while it says `more`.
    pub fn clean(&self, budget: u64) -> Cleaned {
        match self.0.shared.writable() {
            Ok(()) => compaction::clean(&self.0.shared, budget),
            Err(_) => Cleaned::default(),
        }
    }

    /// Who owes records of a partition, and from which offset on.
    pub fn owed(&self, shard: &Shard) -> Vec<(String, u64)> {
        retention::owed(&self.0.shared, shard)
    }

    /// What each partition holds, in bytes of batches, those included that are in no segment yet.
    pub fn sizes(&self) -> Vec<(Shard, u64)> {
        retention::sizes(&self.0.shared)
    }

    /// Partitions that hold four fifths of their hard limit or more.
    pub fn nearly_full(&self) -> Vec<Fill> {
        retention::nearly_full(&self.0.shared)
    }

    pub(super) fn declare(&self, declaration: Declaration) -> Result<Creating, TopicError> {
        self.0.shared.writable().map_err(TopicError::Append)?;
        let (promise, ticket) = promise();
        let bytes = RECORD_BYTES + 2 * declaration.name().len();
        let job = Job { work: Work::Topic(Box::new(declaration), promise), bytes, own: true };
        Ok(Creating::submit(&self.0.pen, job, ticket))
    }
}
