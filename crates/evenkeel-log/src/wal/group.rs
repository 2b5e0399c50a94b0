//! A group on its way: jobs get their offsets, their batches go into the buffer, and what is to be
//! published and whom to tell is kept until the write is through. No I/O here.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use evenkeel_model::names::CONTROL_TOPIC;
use evenkeel_model::{Shard, Timestamp};

use super::block::Aligned;
use super::header::ENTRY_BYTES;
use crate::queue::{Job, Part, Work};
use crate::state::{CONTROL, Place, State};
use crate::tail::Held;
use crate::ticket::Promise;
use crate::{AppendError, Appended, Placed, Topic, TopicError, TopicSettings, batch, control};

/// What an append is answered.
type AppendOutcome = Result<Appended, AppendError>;

/// What the creation of a topic is answered.
type CreateOutcome = Result<Topic, TopicError>;

/// A group that is being put together.
pub(super) struct Group {
    pub(super) at: Timestamp,
    lsn: u64,
    pub(super) entries: u32,
    /// Of batches.
    pub(super) bytes: u64,
    /// To be made visible, in order.
    pub(super) held: Vec<(Place, Held)>,
    /// To be added, in order.
    pub(super) topics: Vec<Topic>,
    pub(super) appended: Vec<(Appended, Promise<AppendOutcome>)>,
    pub(super) created: Vec<(CreateOutcome, Promise<CreateOutcome>)>,
    /// The next offset of each partition that this group touches.
    next: HashMap<Place, u64>,
}

impl Group {
    pub(super) fn new(at: Timestamp, lsn: u64) -> Group {
        Group {
            at,
            lsn,
            entries: 0,
            bytes: 0,
            held: Vec::new(),
            topics: Vec::new(),
            appended: Vec::new(),
            created: Vec::new(),
            next: HashMap::new(),
        }
    }

    /// Takes a job in. `state` is that of the group before; one write is in flight at a time.
    pub(super) fn take(&mut self, state: &State, buffer: &mut Aligned, job: Job) {
        match job.work {
            Work::Append(parts, promise) => {
                let placed = parts.into_iter().map(|part| self.place(state, buffer, part)).collect();
                self.appended.push((Appended { at: self.at, placed }, promise));
            }
            Work::Create(name, settings, promise) => {
                let outcome = self.create(state, buffer, name, settings);
                self.created.push((outcome, promise));
            }
        }
    }

    fn place(&mut self, state: &State, buffer: &mut Aligned, part: Part) -> Placed {
        let Part { place, shard, count, mut batch } = part;
        let next = self.next.entry(place).or_insert_with(|| state.at(place).map_or(0, |p| p.ends.high_watermark));
        let base = *next;
        *next += u64::from(count);
        if count > 0 {
            batch::place(&mut batch, base, 0);
            self.put_entry(buffer, place, &batch);
            let bytes = Bytes::from(batch);
            self.held.push((place, Held { base, count, appended: self.at, lsn: self.lsn, bytes }));
        }
        Placed { shard, base, count }
    }

    fn create(
        &mut self,
        state: &State,
        buffer: &mut Aligned,
        name: Arc<str>,
        settings: TopicSettings,
    ) -> CreateOutcome {
        let known = state.topic(&name).or_else(|| self.topics.iter().find(|t| t.name == name)).cloned();
        if let Some(topic) = known {
            let (name, partitions) = (name.to_string(), topic.partitions);
            return if topic.settings == settings { Ok(topic) } else { Err(TopicError::Differs { name, partitions }) };
        }
        let topic = Topic { name, partitions: settings.partitions, settings };
        let number = u32::try_from(state.topics.len() + self.topics.len()).unwrap_or(u32::MAX);
        let batch = control::encode(number, &topic, self.at);
        let shard = Shard::new(CONTROL_TOPIC, 0);
        self.place(state, buffer, Part { place: CONTROL, shard, count: 1, batch });
        self.topics.push(topic.clone());
        Ok(topic)
    }

    fn put_entry(&mut self, buffer: &mut Aligned, place: Place, batch: &[u8]) {
        let mut entry = [0; ENTRY_BYTES];
        entry[..4].copy_from_slice(&place.topic.to_le_bytes());
        entry[4..8].copy_from_slice(&place.partition.to_le_bytes());
        entry[8..].copy_from_slice(&u32::try_from(batch.len()).unwrap_or(u32::MAX).to_le_bytes());
        buffer.put(&entry);
        buffer.put(batch);
        self.entries += 1;
        self.bytes += batch.len() as u64;
    }
}
