//! What is known of producers: for each partition the newest batches of each, so that a repeat is
//! recognised and a gap is not; and the transactions that are open.
//!
//! A producer that was silent for longer than `expiry` is not known any more, to the microsecond
//! of the group's time, unless its transaction is open. It is let go of in sweeps, which come at
//! times that the log's entries give, and the longest silent ones go early when there are more than
//! `max`: so that all copies of the machine, and a replay, hold the same.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::Producer;
use crate::batch::Head;
use crate::state::Place;

/// Kafka's clients have at most so many batches of a partition in flight.
pub(super) const RECENT: usize = 5;

/// How much is remembered of producers, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// A producer that was silent for so long is forgotten.
    pub(crate) expiry: Duration,
    /// So many pairs of producer and partition are remembered.
    pub(crate) max: usize,
    /// So many partitions may be in one transaction, since its markers are one group.
    pub(crate) transaction_max: usize,
}

/// All producers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Producers {
    pub(super) memory: Memory,
    pub(super) lines: HashMap<(Place, i64), Line>,
    /// Those that have or had a transaction, by id.
    pub(super) sessions: BTreeMap<i64, Session>,
    pub(super) swept: Timestamp,
}

/// What one producer did in one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(super) epoch: i16,
    pub(super) last_at: Timestamp,
    /// All of this epoch.
    pub(super) recent: Recent,
}

/// The newest batches, oldest first. What stands behind `count` is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recent {
    sent: [Sent; RECENT],
    count: u8,
}

/// One batch that is in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(super) first: i32,
    pub(super) last: i32,
    pub(super) base: u64,
}

/// A producer with transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    /// Older ones are fenced.
    pub(crate) epoch: i16,
    pub(super) last_at: Timestamp,
    /// When the open transaction began; means nothing when there is none.
    pub(crate) since: Timestamp,
    /// The partitions of the open transaction, with its first offset in each.
    pub(crate) open: BTreeMap<Place, u64>,
}

/// Where a batch stands in its producer's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequence {
    /// It comes next.
    Next,
    /// It is there already, from this offset on.
    Repeated(u64),
    /// This one comes next.
    Expected(i32),
    /// Nothing is known of the producer, and it goes on somewhere.
    Unknown,
    /// This epoch counts.
    Fenced(i16),
}

impl Producers {
    pub(super) fn new(memory: Memory) -> Producers {
        let swept = Timestamp::EPOCH;
        Producers { memory, lines: HashMap::new(), sessions: BTreeMap::new(), swept }
    }

    /// Where a batch of `producer` with this head stands at `at`.
    pub(super) fn sequence(&self, place: Place, producer: Producer, head: &Head, at: Timestamp) -> Sequence {
        let line = self.lines.get(&(place, producer.id));
        let Some(line) = line.filter(|line| self.is_known(place, producer.id, line, at)) else {
            return if head.sequence == 0 { Sequence::Next } else { Sequence::Unknown };
        };
        if producer.epoch < line.epoch {
            return Sequence::Fenced(line.epoch);
        }
        if producer.epoch > line.epoch {
            return if head.sequence == 0 { Sequence::Next } else { Sequence::Expected(0) };
        }
        let same = |sent: &&Sent| sent.first == head.sequence && sent.last == head.last_sequence();
        if let Some(sent) = line.recent.all().iter().find(same) {
            return Sequence::Repeated(sent.base);
        }
        match line.next() {
            expected if expected == head.sequence => Sequence::Next,
            expected => Sequence::Expected(expected),
        }
    }

    /// The producer's session, if it is still known at `at`.
    pub(super) fn session(&self, id: i64, at: Timestamp) -> Option<&Session> {
        self.sessions.get(&id).filter(|session| !session.open.is_empty() || !self.is_old(session.last_at, at))
    }

    /// Takes a batch that is in the log now. True when it opens a transaction in its partition.
    pub(super) fn note(&mut self, place: Place, producer: Producer, head: &Head, at: Timestamp) -> bool {
        self.sweep(at);
        let sent = Sent { first: head.sequence, last: head.last_sequence(), base: head.base };
        let fresh = Line { epoch: producer.epoch, last_at: at, recent: Recent::default() };
        if !self.lines.contains_key(&(place, producer.id)) {
            self.make_room();
        }
        let open = || self.sessions.get(&producer.id).is_some_and(|session| session.open.contains_key(&place));
        let line = self.lines.entry((place, producer.id)).or_insert(fresh);
        let known = at.since(line.last_at) < self.memory.expiry || open();
        let recent = if known && line.epoch == producer.epoch { line.recent } else { Recent::default() };
        *line = Line { recent: recent.with(sent), ..fresh };
        head.is_transactional() && self.join(place, producer, head.base, at)
    }

    fn join(&mut self, place: Place, producer: Producer, base: u64, at: Timestamp) -> bool {
        let session = self.sessions.entry(producer.id).or_default();
        if session.open.is_empty() {
            session.since = at;
        }
        (session.epoch, session.last_at) = (producer.epoch, at);
        let joins = !session.open.contains_key(&place);
        session.open.entry(place).or_insert(base);
        joins
    }

    /// Takes a marker: gives back the first offset of the transaction that it ends in its partition.
    pub(super) fn end(&mut self, place: Place, producer: Producer, at: Timestamp) -> Option<u64> {
        let session = self.sessions.get_mut(&producer.id)?;
        session.epoch = session.epoch.max(producer.epoch);
        session.last_at = at;
        if let Some(line) = self.lines.get_mut(&(place, producer.id)) {
            if line.epoch < producer.epoch {
                line.epoch = producer.epoch;
                line.recent = Recent::default();
            }
            line.last_at = at;
        }
        session.open.remove(&place)
    }

    /// Forgets what was in a topic that is gone.
    pub(super) fn forget(&mut self, topic: u32) {
        self.lines.retain(|(place, _), _| place.topic != topic);
        for session in self.sessions.values_mut() {
            session.open.retain(|place, _| place.topic != topic);
        }
    }

    fn is_known(&self, place: Place, id: i64, line: &Line, at: Timestamp) -> bool {
        !self.is_old(line.last_at, at) || self.is_open(place, id)
    }

    fn is_open(&self, place: Place, id: i64) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.open.contains_key(&place))
    }

    fn is_old(&self, last_at: Timestamp, at: Timestamp) -> bool {
        at.since(last_at) >= self.memory.expiry
    }

    /// Lets go of those that are not known any more, now and then.
    fn sweep(&mut self, at: Timestamp) {
        if at.since(self.swept) >= self.memory.expiry / 8 {
            self.swept = at;
            let expiry = self.memory.expiry;
            self.retain(|last_at, _| at.since(last_at) < expiry);
        }
    }

    /// Lets go of the longest silent ones when there are too many. When all are in transactions,
    /// it tries again only when there are more by an eighth.
    fn make_room(&mut self) {
        let (max, step) = (self.memory.max, self.memory.max / 8 + 1);
        let too_many = self.lines.len().checked_sub(max).is_some_and(|over| over % step == 0);
        if too_many && max > 0 {
            let age = |((place, id), line): (&(Place, i64), &Line)| (line.last_at, *place, *id);
            let mut ages: Vec<_> = self.lines.iter().map(age).collect();
            let (_, youngest, _) = ages.select_nth_unstable((step - 1).min(max - 1));
            let youngest = *youngest;
            self.retain(|last_at, of| (last_at, of) > (youngest.0, Some((youngest.1, youngest.2))));
        }
    }

    /// Keeps those that `keep` says, and those whose transaction is open.
    fn retain(&mut self, keep: impl Fn(Timestamp, Option<(Place, i64)>) -> bool) {
        let sessions = &self.sessions;
        let is_open = |place: &Place, id: &i64| sessions.get(id).is_some_and(|s| s.open.contains_key(place));
        self.lines.retain(|(place, id), line| keep(line.last_at, Some((*place, *id))) || is_open(place, id));
        self.sessions.retain(|_, session| keep(session.last_at, None) || !session.open.is_empty());
    }
}

impl Line {
    /// The sequence that comes next.
    fn next(&self) -> i32 {
        self.recent.all().last().map_or(0, |sent| sent.last.checked_add(1).unwrap_or(0))
    }
}

impl Recent {
    pub(super) fn all(&self) -> &[Sent] {
        &self.sent[..usize::from(self.count).min(RECENT)]
    }

    /// With one more; the oldest goes when there is no room.
    pub(super) fn with(mut self, sent: Sent) -> Recent {
        if usize::from(self.count) >= RECENT {
            self.sent.copy_within(1.., 0);
            self.sent[RECENT - 1] = sent;
        } else {
            self.sent[usize::from(self.count)] = sent;
            self.count += 1;
        }
        self
    }
}
