//! A group on its way: jobs are admitted against the machine that runs ahead of the medium, get
//! their offsets, and their batches go into the buffer. What is to be published, and what is to be
//! answered, refusals too, is kept until the write is through. No I/O here.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use evenkeel_model::Timestamp;

use super::header::ENTRY_BYTES;
use super::limits::Limits;
use crate::batch::Head;
use crate::control::Fact;
use crate::machine::Machine;
use crate::queue::{Declaration, Job, Part, Work};
use crate::state::{CONTROL, Place};
use crate::tail::Held;
use crate::ticket::Promise;
use crate::{AppendError, Appended, Change, Placed, Topic, TopicError, TopicSettings, batch, control};

/// A group that is being put together.
pub(super) struct Group {
    pub(super) at: Timestamp,
    lsn: u64,
    pub(super) entries: u32,
    /// Of batches.
    pub(super) bytes: u64,
    /// To be made visible, in order.
    entries_at: Vec<EntryAt>,
    /// To be told when the group is durable.
    pub(super) answers: Vec<Answer>,
    /// Why what the group says cannot be so; it must not be written.
    pub(super) broken: Option<String>,
}

/// A batch that has its offset.
struct EntryAt {
    place: Place,
    head: Head,
    /// In the group's bytes.
    at: Range<usize>,
}

/// What is said to whom.
pub(crate) enum Answer {
    Append(Result<Appended, AppendError>, Promise<Result<Appended, AppendError>>),
    Topic(Result<Topic, TopicError>, Promise<Result<Topic, TopicError>>),
    Producer(i64, Promise<Result<i64, AppendError>>),
}

impl Answer {
    /// Says it.
    pub(super) fn tell(self) {
        match self {
            Answer::Append(outcome, promise) => promise.keep(outcome),
            Answer::Topic(outcome, promise) => promise.keep(outcome),
            Answer::Producer(id, promise) => promise.keep(Ok(id)),
        }
    }

    /// Says instead that the outcome is unknown.
    pub(super) fn withdraw(self, error: AppendError) {
        match self {
            Answer::Append(_, promise) => promise.keep(Err(error)),
            Answer::Topic(_, promise) => promise.keep(Err(TopicError::Append(error))),
            Answer::Producer(_, promise) => promise.keep(Err(error)),
        }
    }
}

impl Group {
    pub(super) fn new(at: Timestamp, lsn: u64) -> Group {
        Group { at, lsn, entries: 0, bytes: 0, entries_at: Vec::new(), answers: Vec::new(), broken: None }
    }

    /// What is to be made visible, in order, as slices of the group's bytes: copies, where the group is so small
    /// that most of its memory is padding.
    pub(super) fn take_held(&mut self, bytes: &Bytes) -> Vec<(Place, Head, Held)> {
        let sparse = self.bytes < bytes.len() as u64 / 4 * 3;
        let (appended, lsn) = (self.at, self.lsn);
        let held = |EntryAt { place, head, at }| {
            let bytes = if sparse { Bytes::copy_from_slice(&bytes[at]) } else { bytes.slice(at) };
            (place, head, Held { base: head.base, count: head.count, appended, lsn, bytes })
        };
        std::mem::take(&mut self.entries_at).into_iter().map(held).collect()
    }

    /// Takes a job in. `machine` has taken all entries before.
    pub(super) fn take(&mut self, machine: &mut Machine, limits: &mut Limits<'_>, buffer: &mut BytesMut, job: Job) {
        let mut order = Order { group: self, machine, limits, buffer };
        let answer = match job.work {
            Work::Append(parts, changes, promise) => Answer::Append(order.append(parts, &changes), promise),
            Work::Topic(declaration, promise) => Answer::Topic(order.declare(*declaration), promise),
            Work::Producer(promise) => Answer::Producer(order.producer(), promise),
        };
        self.answers.push(answer);
    }
}

/// One job's turn.
struct Order<'a, 'l> {
    group: &'a mut Group,
    machine: &'a mut Machine,
    limits: &'a mut Limits<'l>,
    buffer: &'a mut BytesMut,
}

impl Order<'_, '_> {
    fn append(&mut self, parts: Vec<Part>, changes: &[Change]) -> Result<Appended, AppendError> {
        let repeats = self.machine.admit(&parts, changes, self.group.at)?;
        for (place, offset) in self.limits.admit(self.machine, &parts, &repeats, self.group.at)? {
            self.state(&Fact::Started { place, offset });
        }
        let mut repeats = repeats.into_iter().peekable();
        let mut placed = Vec::with_capacity(parts.len());
        for (index, part) in parts.into_iter().enumerate() {
            let repeat = repeats.next_if(|(at, _)| *at == index);
            placed.push(self.place(part, repeat.map(|(_, base)| base)));
        }
        for change in changes {
            self.change(change);
        }
        Ok(Appended { at: self.group.at, placed })
    }

    fn place(&mut self, part: Part, original: Option<u64>) -> Placed {
        let Part { place, shard, head, batch } = part;
        let count = head.map_or(0, |head| head.count);
        if let Some(base) = original {
            return Placed { shard, base, count, duplicate: true };
        }
        let base = self.next(place);
        if let Some(head) = head {
            self.limits.add(self.machine, place, self.group.lsn, batch.len() as u64);
            self.entry(place, head, batch);
        }
        Placed { shard, base, count, duplicate: false }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Start { shard, offset } => {
                if let Ok(place) = self.machine.find(shard) {
                    self.state(&Fact::Started { place, offset: *offset });
                }
            }
            Change::End { producer, commit } => {
                for place in self.machine.open_places(producer.id) {
                    self.own_entry(place, batch::marker(*producer, *commit, self.group.at));
                }
            }
        }
    }

    fn declare(&mut self, declaration: Declaration) -> Result<Topic, TopicError> {
        match declaration {
            Declaration::Create(name, settings) => self.create(name, settings),
            Declaration::Configure(name, settings) => self.configure(&name, |_| settings),
            Declaration::Grow(name, partitions) => {
                self.configure(&name, |t| TopicSettings { partitions, ..t.settings })
            }
            Declaration::Delete(name) => self.delete(&name),
        }
    }

    fn configure(&mut self, name: &str, wanted: impl FnOnce(&Topic) -> TopicSettings) -> Result<Topic, TopicError> {
        let (number, topic) = self.known(name)?;
        let settings = wanted(&topic);
        if settings.partitions < topic.partitions {
            return Err(TopicError::Fewer { name: name.to_owned(), partitions: topic.partitions });
        }
        let changed = Topic { partitions: settings.partitions, settings, ..topic.clone() };
        if changed != topic {
            self.state(&Fact::Configured { number, topic: changed.clone() });
        }
        Ok(changed)
    }

    fn delete(&mut self, name: &str) -> Result<Topic, TopicError> {
        let (number, topic) = self.known(name)?;
        self.state(&Fact::Deleted { number, name: name.to_owned() });
        Ok(topic)
    }

    /// A topic that may be changed: one that is there, and not the control topic.
    fn known(&self, name: &str) -> Result<(u32, Topic), TopicError> {
        let number = self.machine.topics.number(name).ok_or_else(|| TopicError::Unknown { name: name.to_owned() })?;
        let entry = self.machine.topics.get(number).filter(|_| number != CONTROL.topic);
        let entry = entry.ok_or_else(|| TopicError::Reserved { name: name.to_owned() })?;
        Ok((number, entry.topic.clone()))
    }

    fn create(&mut self, name: Arc<str>, settings: TopicSettings) -> Result<Topic, TopicError> {
        if let Some(topic) = self.machine.topics.named(&name) {
            let (name, partitions) = (name.to_string(), topic.partitions);
            let same = topic.settings == settings;
            return if same { Ok(topic.clone()) } else { Err(TopicError::Differs { name, partitions }) };
        }
        let topic = Topic { name, partitions: settings.partitions, settings };
        self.state(&Fact::Created { number: self.machine.topics.next_number(), topic: topic.clone() });
        Ok(topic)
    }

    fn producer(&mut self) -> i64 {
        let id = self.machine.next_producer;
        self.state(&Fact::Producers { until: id + 1 });
        id
    }

    /// States a fact in the control topic.
    fn state(&mut self, fact: &Fact) {
        self.own_entry(CONTROL, control::encode(fact, self.group.at));
    }

    /// Puts a batch that the log itself made at the end of its partition.
    fn own_entry(&mut self, place: Place, batch: Vec<u8>) {
        let batch = Bytes::from(batch);
        match Head::parse(&batch) {
            Ok(head) => self.entry(place, head, batch),
            Err(e) => self.group.broken = Some(e.to_string()),
        }
    }

    /// Puts a batch at the end of its partition.
    fn entry(&mut self, place: Place, mut head: Head, batch: Bytes) {
        head.base = self.next(place);
        let epoch = self.machine.at(place).map_or(0, |p| i32::try_from(p.leader_epoch).unwrap_or(i32::MAX));
        if let Err(why) = self.machine.apply(place, &head, &batch, self.group.at) {
            self.group.broken = Some(why);
        }
        let at = self.put(place, &batch);
        batch::place(&mut self.buffer[at.clone()], head.base, epoch);
        self.group.entries_at.push(EntryAt { place, head, at });
    }

    fn next(&self, place: Place) -> u64 {
        self.machine.at(place).map_or(0, |p| p.next)
    }

    /// Gives back where the batch is.
    fn put(&mut self, place: Place, batch: &[u8]) -> Range<usize> {
        let mut entry = [0; ENTRY_BYTES];
        entry[..4].copy_from_slice(&place.topic.to_le_bytes());
        entry[4..8].copy_from_slice(&place.partition.to_le_bytes());
        entry[8..].copy_from_slice(&u32::try_from(batch.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.buffer.extend_from_slice(&entry);
        self.buffer.extend_from_slice(batch);
        self.group.entries += 1;
        self.group.bytes += batch.len() as u64;
        self.buffer.len() - batch.len()..self.buffer.len()
    }
}
