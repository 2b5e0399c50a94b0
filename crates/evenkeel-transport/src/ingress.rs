//! The way in: each event once, decided before a partition is chosen.
//!
//! Remembers (topic, source, id) for a window, a topic being another one when it was deleted and
//! made again: the newest in memory, the others sealed on disk. A repeat is answered with the first one's
//! position; one that is still on its way to the medium is waited for; the same id with other
//! contents refuses the whole batch. The index is a cache: it is rebuilt from the topics when it
//! is opened. Events that handlers returned do not pass here and are not remembered here.
//!
//! Invariants: a batch is one atomic set; no answer, not even of a repeat, is given before what
//! it names is durable; an append that failed leaves no trace in the index, and one whose caller
//! went away is still followed to its end; the index's lock is never held over an await.

mod flight;
mod index;
mod rebuild;
mod sealed;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_cloudevents::content_hash;
use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Append, AppendError, Log, Set, Topic};
use evenkeel_model::{Clock, Event, EventId, Position, Record, Shard, Timestamp, partition_for_key};

use flight::{Claim, Flight};
use index::{Answer, Asked, Decision, Index, Refused};
use sealed::Sealed;

use crate::happenings::PublishedNotSealed;

/// Takes events into topics.
pub struct Ingress {
    log: Log,
    clock: Arc<dyn Clock>,
    index: Arc<Mutex<Index>>,
    /// `None` where nothing is taken in.
    sealed: Option<Arc<Sealed>>,
    /// True while somebody seals.
    sealing: Arc<AtomicBool>,
    /// When so many are in memory they are sealed.
    seal_at: usize,
    window: Duration,
    spread: AtomicU32,
}

/// Where a published event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The event.
    pub id: EventId,
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: u64,
    /// True when it was there before, or stands twice in this batch: this is the first one's place.
    pub duplicate: bool,
}

/// A batch was not stored, or it is not known whether it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// No topic of that name. Nothing was stored.
    UnknownTopic {
        /// The name.
        topic: String,
    },
    /// An event's identity came before with another type or other data. Nothing was stored.
    Conflict {
        /// The event.
        id: EventId,
        /// Where the first one is; `None` when both stand in this batch.
        first: Option<Position>,
    },
    /// The batch is larger than one atomic set may be. Nothing was stored.
    TooLarge {
        /// What it takes, in bytes.
        bytes: usize,
        /// What it may take.
        max: usize,
    },
    /// The disk is full. Nothing was stored; try again later.
    Full,
    /// A partition holds as much as it may. Nothing was stored; try again when what is owed of it
    /// is less.
    TopicFull {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// What it holds, in bytes.
        bytes: u64,
        /// What it may hold.
        max: u64,
    },
    /// The log is damaged, and only read. Nothing was stored.
    ReadOnly(String),
    /// The log has stopped, and the outcome is unknown: repeat with the same ids.
    Stopped(String),
}

impl std::fmt::Display for PublishError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PublishError::UnknownTopic { topic } => write!(f, "there is no topic `{topic}`"),
            PublishError::Conflict { id, first: Some(at) } => write!(
                f,
                "event `{}` of source `{}` is already at {}/{} offset {} with another type or other data; give it a new id",
                id.id, id.source, at.shard.topic, at.shard.partition, at.offset
            ),
            PublishError::Conflict { id, first: None } => write!(
                f,
                "event `{}` of source `{}` stands twice in this batch with another type or other data; give it a new id",
                id.id, id.source
            ),
            PublishError::TooLarge { bytes, max } => {
                write!(f, "the batch takes {bytes} bytes, and {max} are allowed; send it in parts")
            }
            PublishError::Full => f.write_str("the disk is full; nothing was stored; try again later"),
            PublishError::TopicFull { topic, partition, bytes, max } => write!(
                f,
                "partition {partition} of `{topic}` holds {bytes} bytes, and {max} are allowed; nothing was stored; try again later"
            ),
            PublishError::ReadOnly(why) => write!(f, "nothing was stored: {why}"),
            PublishError::Stopped(why) => {
                write!(f, "the log has stopped ({why}); the outcome is unknown: repeat with the same ids")
            }
        }
    }
}

impl std::error::Error for PublishError {}

impl Ingress {
    /// At most so many events are remembered in memory, at about 100 bytes each, should they not
    /// be sealed in time; beyond it the oldest are forgotten before their window ends, and a repeat
    /// of one is a new record, which the inbox of each subscription still catches.
    pub const EVENTS_MAX: usize = 1 << 21;

    /// Opens the way in, reading what the topics took in within the last `window` (24 h is the
    /// default of a node) and is not sealed.
    pub fn open(log: Log, clock: Arc<dyn Clock>, window: Duration) -> Result<Arc<Ingress>, PortError> {
        Ok(Arc::new(Ingress::open_with(log, clock, window, SEAL_AT)?))
    }

    fn open_with(log: Log, clock: Arc<dyn Clock>, window: Duration, seal_at: usize) -> Result<Ingress, PortError> {
        let mut index = Index::new(window, Ingress::EVENTS_MAX);
        let sealed = Sealed::open(&log)?;
        rebuild::rebuild(&log, clock.now(), &mut index, &sealed)?;
        Ok(Ingress { sealed: Some(Arc::new(sealed)), seal_at, ..Ingress::with(log, clock, window, index) })
    }

    fn with(log: Log, clock: Arc<dyn Clock>, window: Duration, index: Index) -> Ingress {
        Ingress {
            log,
            clock,
            index: Arc::new(Mutex::new(index)),
            sealed: None,
            sealing: Arc::default(),
            seal_at: SEAL_AT,
            window,
            spread: AtomicU32::new(0),
        }
    }

    /// An event's identity in its topic.
    fn asked(&self, topic: &Topic, event: &Event) -> Asked {
        let number = self.log.topic_number(&topic.name).unwrap_or_default();
        Asked { mark: identity(&topic.name, number, &event.id), content: content_hash(event) }
    }

    /// What is sealed of these, and the epoch in which that was so.
    fn look_up(&self, asked: &[Asked]) -> Result<(u64, Vec<Option<index::Stored>>), PublishError> {
        loop {
            let epoch = held(&self.index).epoch();
            let Some(sealed) = &self.sealed else { return Ok((epoch, Vec::new())) };
            match sealed.find(asked) {
                Ok(found) => return Ok((epoch, found)),
                Err(damaged) => {
                    sealed.give_up(&damaged);
                    let time = |at: u64| Timestamp::from_micros(i64::try_from(at).unwrap_or(i64::MAX));
                    let times = time(damaged.range.start)..time(damaged.range.end);
                    let read = rebuild::read_again(&self.log, &times, &mut held(&self.index));
                    read.map_err(|e| PublishError::ReadOnly(e.to_string()))?;
                }
            }
        }
    }

    /// Seals what memory need not hold, when that is much.
    fn seal_in_time(&self) {
        let Some(sealed) = &self.sealed else { return };
        let now = self.clock.now();
        if !held(&self.index).has_before(now - SETTLED, self.seal_at) || self.sealing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (index, sealed, sealing) = (self.index.clone(), sealed.clone(), self.sealing.clone());
        let window = self.window;
        let work = move || {
            seal(&index, &sealed, now, window);
            sealing.store(false, Ordering::Release);
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(work)),
            Err(_) => work(),
        }
    }

    /// A way in that remembers nothing of before: for a log that takes nothing in.
    pub fn empty(log: Log, clock: Arc<dyn Clock>, window: Duration) -> Arc<Ingress> {
        Arc::new(Ingress::with(log, clock, window, Index::new(window, Ingress::EVENTS_MAX)))
    }

    /// Stores a batch, all or nothing; returns when it is durable, one answer for each event in
    /// its order.
    pub async fn publish(&self, topic: &str, events: Vec<Event>) -> Result<Vec<Published>, PublishError> {
        let topic = self.log.topic(topic).ok_or_else(|| PublishError::UnknownTopic { topic: topic.to_owned() })?;
        let asked: Vec<Asked> = events.iter().map(|event| self.asked(&topic, event)).collect();
        let (answers, flight) = loop {
            let (epoch, sealed) = self.look_up(&asked)?;
            let decision = {
                let mut index = held(&self.index);
                if index.epoch() != epoch {
                    // What was not sealed when it was looked up may be now, and not in memory.
                    continue;
                }
                index.decide(self.clock.now(), &asked, &sealed)
            };
            match decision {
                Decision::Refused(refused) => return Err(conflict(&topic, &events, refused)),
                // Ends when the other publish has settled, whichever way; then all is asked anew.
                Decision::Wait(mut other) => drop(other.changed().await),
                Decision::Go { answers, flying } => break (answers, flying),
            }
        };
        let placed = match flight {
            Some(done) => {
                let placed = self.append(&topic, &events, &asked, &answers, done).await?;
                self.seal_in_time();
                placed
            }
            None => Vec::new(),
        };
        Ok(publish_answers(events, &answers, &placed))
    }

    /// Appends the new ones; the place of each event that is new.
    async fn append(
        &self,
        topic: &Topic,
        events: &[Event],
        asked: &[Asked],
        answers: &[Answer],
        done: tokio::sync::watch::Sender<()>,
    ) -> Result<Vec<Option<(u32, u64)>>, PublishError> {
        let mut parts: Vec<(u32, Vec<Record>)> = Vec::new();
        let mut claims = Vec::new();
        for (at, answer) in answers.iter().enumerate() {
            if *answer != Answer::New {
                continue;
            }
            let record = to_record(&events[at], self.clock.now());
            let partition = self.partition(&record, topic.partitions);
            let slot = slot(&mut parts, partition);
            claims.push(Claim { event: at, asked: asked[at], slot, nth: parts[slot].1.len() as u64 });
            parts[slot].1.push(record);
        }
        let claimed: Vec<(usize, usize, u64)> = claims.iter().map(|c| (c.event, c.slot, c.nth)).collect();
        let append = |(partition, records)| Append::records(Shard::new(topic.name.clone(), partition), records);
        let appending = self.log.append(Set::appends(parts.into_iter().map(append).collect()));
        let appended = Flight::new(self.index.clone(), claims, appending, done).land().await.map_err(refused)?;
        let mut places = vec![None; events.len()];
        for (event, slot, nth) in claimed {
            let placed = &appended.placed[slot];
            places[event] = Some((placed.shard.partition, placed.base + nth));
        }
        Ok(places)
    }

    /// The partition of the key; an event without one goes to the next in turn.
    fn partition(&self, record: &Record, partitions: u32) -> u32 {
        match &record.key {
            Some(key) => partition_for_key(key, partitions),
            None => self.spread.fetch_add(1, Ordering::Relaxed) % partitions.max(1),
        }
    }
}

fn slot(parts: &mut Vec<(u32, Vec<Record>)>, partition: u32) -> usize {
    let found = parts.iter().position(|(p, _)| *p == partition);
    found.unwrap_or_else(|| {
        parts.push((partition, Vec::new()));
        parts.len() - 1
    })
}

fn publish_answers(events: Vec<Event>, answers: &[Answer], placed: &[Option<(u32, u64)>]) -> Vec<Published> {
    let place = |at: usize| match answers[at] {
        Answer::Known { partition, offset } => (partition, offset),
        Answer::New | Answer::SameAs(_) => placed[at].unwrap_or_default(),
    };
    let answer = |(at, event): (usize, Event)| {
        let first = if let Answer::SameAs(first) = answers[at] { first } else { at };
        let (partition, offset) = place(first);
        Published { id: event.id, partition, offset, duplicate: answers[at] != Answer::New }
    };
    events.into_iter().enumerate().map(answer).collect()
}

fn conflict(topic: &Topic, events: &[Event], refused: Refused) -> PublishError {
    let first =
        refused.first.map(|(partition, offset)| Position { shard: Shard::new(topic.name.clone(), partition), offset });
    PublishError::Conflict { id: events[refused.event].id.clone(), first }
}

fn refused(error: AppendError) -> PublishError {
    match error {
        AppendError::UnknownTopic { topic } | AppendError::UnknownPartition { topic, .. } => {
            PublishError::UnknownTopic { topic }
        }
        AppendError::TooLarge { bytes, max } => PublishError::TooLarge { bytes, max },
        AppendError::DiskFull => PublishError::Full,
        AppendError::TopicFull { topic, partition, bytes, max } => {
            PublishError::TopicFull { topic, partition, bytes, max }
        }
        AppendError::ReadOnly { why } => PublishError::ReadOnly(why),
        AppendError::Stopped { why } => PublishError::Stopped(why),
        // Records without a producer are never refused for anything else.
        other => PublishError::Stopped(other.to_string()),
    }
}

/// When so many are in memory they are sealed.
const SEAL_AT: usize = 1 << 17;
/// What was appended that long ago is settled, whatever a clock did in between.
const SETTLED: Duration = Duration::from_secs(2);

/// The identity of an event in a topic; of a topic that was deleted, and of one that has its name
/// now, they are different ones.
fn identity(topic: &str, number: u32, id: &EventId) -> Mark {
    // No topic's name has a blank.
    Mark::of(&format!("{topic} {number}"), &id.source, &id.id)
}

/// Seals what was published a moment ago and before.
fn seal(index: &Mutex<Index>, sealed: &Sealed, now: Timestamp, window: Duration) {
    let (upto, known) = held(index).before(now - SETTLED);
    match sealed.seal(now - window, upto, &known) {
        Ok(true) => held(index).sealed(upto),
        Ok(false) => {}
        Err(problem) => PublishedNotSealed { problem: problem.to_string() }.tell(),
    }
}

/// Locks; what another thread's panic left behind is plain data.
fn held(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
