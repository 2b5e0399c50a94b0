//! The reference: a plain list of what was acknowledged, and of what nobody was told about.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_model::{Shard, Timestamp};

use super::explore::Dice;
use super::sessions::{self, Session};
use super::text;
use crate::{Append, Appended, Data, Log, ReadLimit, Set};

/// What the log must hold.
#[derive(Default)]
pub(super) struct Model {
    topics: BTreeMap<String, u32>,
    /// Of every set: its parts, each with the values that it appended.
    sets: BTreeMap<u64, Vec<(Shard, Vec<String>)>>,
    /// Acknowledged: when, and the base of each part.
    acked: BTreeMap<u64, (Timestamp, Vec<u64>)>,
    /// Not acknowledged, and perhaps there.
    unknown: BTreeSet<u64>,
    /// Of these: what must be there, since something else of the same fact is.
    certain: BTreeSet<u64>,
    next: u64,
    /// Producers, and every id that one was given.
    pub(super) sessions: Vec<Session>,
    pub(super) producers: BTreeSet<i64>,
}

impl Model {
    pub(super) fn created(&mut self, name: &str, partitions: u32) {
        self.topics.insert(name.to_owned(), partitions);
    }

    pub(super) fn topics(&self) -> Vec<(String, u32)> {
        self.topics.iter().map(|(n, p)| (n.clone(), *p)).collect()
    }

    /// Notes a set that is about to be appended.
    pub(super) fn submit(&mut self, set: &Set) -> u64 {
        self.next += 1;
        let part = |a: &Append| match &a.data {
            Data::Records(records) => (a.shard.clone(), records.iter().map(text).collect()),
            Data::Batch(_) => (a.shard.clone(), Vec::new()),
        };
        self.sets.insert(self.next, set.appends.iter().map(part).collect());
        self.next
    }

    /// How many sets were submitted.
    pub(super) fn submitted(&self) -> u64 {
        self.next
    }

    pub(super) fn acked(&mut self, id: u64, appended: &Appended) {
        self.acked.insert(id, (appended.at, appended.placed.iter().map(|p| p.base).collect()));
    }

    /// Like [`Model::acked`]; with no time, any will do.
    pub(super) fn acked_at(&mut self, id: u64, at: Timestamp, bases: Vec<u64>) {
        self.acked.insert(id, (at, bases));
    }

    /// Where a set of one part is, when it is known to be there.
    pub(super) fn base_of(&self, id: u64) -> Option<u64> {
        self.acked.get(&id).and_then(|(_, bases)| bases.first().copied())
    }

    /// Makes up a set of so many values for one partition.
    pub(super) fn reserve(&mut self, shard: Shard, values: u64) -> u64 {
        self.next += 1;
        let filling = "p".repeat(usize::try_from(self.next * 37 % 400).unwrap_or(0));
        let values = (0..values).map(|n| format!("{}.p.{n}.{filling}", self.next)).collect();
        self.sets.insert(self.next, vec![(shard, values)]);
        self.next
    }

    /// The values of a set of one part.
    pub(super) fn values(&self, id: u64) -> &[String] {
        self.sets.get(&id).and_then(|parts| parts.first()).map_or(&[], |(_, values)| values)
    }

    /// Some partition of some topic.
    pub(super) fn any_shard(&self, dice: &mut Dice) -> Shard {
        let below = |dice: &mut Dice, bound: usize| usize::try_from(dice.roll(bound as u64)).unwrap_or(0);
        let topics = self.topics();
        let (name, partitions) = &topics[below(dice, topics.len())];
        Shard::new(name.as_str(), u32::try_from(below(dice, *partitions as usize)).unwrap_or(0))
    }

    /// A set that nobody was told of, and that must be there all the same.
    pub(super) fn unknown_and_there(&mut self, id: u64) {
        self.unknown.insert(id);
        self.certain.insert(id);
    }

    pub(super) fn unknown(&mut self, id: u64) {
        self.unknown.insert(id);
    }

    /// What was acknowledged: of each partition, by offset.
    pub(super) fn truth(&self) -> Truth {
        let mut truth = Truth::new();
        for (id, (at, bases)) in &self.acked {
            for ((shard, values), base) in self.sets[id].iter().zip(bases) {
                let records = (*base..).zip(values.iter().map(|value| (*at, value.clone())));
                truth.entry(shard.clone()).or_default().extend(records);
            }
        }
        truth
    }

    /// Holds the log against the reference. Sets of unknown outcome are settled by what is there.
    pub(super) fn check(&mut self, log: &Log) -> Result<(), String> {
        for (name, partitions) in &self.topics {
            if log.topic(name).map(|t| t.partitions) != Some(*partitions) {
                return Err(format!("topic {name} is gone"));
            }
        }
        sessions::finish(log, self)?;
        let mut there = BTreeMap::new();
        for (shard, ends) in log.cut() {
            if &*shard.topic != "evenkeel.control" {
                if ends.last_stable != ends.high_watermark {
                    return Err(format!("{shard:?} has no open transaction, and its ends are {ends:?}"));
                }
                let held = read_all(log, &shard, ends.start, self.sessions.is_empty().then_some(ends.high_watermark))?;
                there.insert(shard, (ends.start, held));
            }
        }
        self.settle_unknown(&there)?;
        let mut counted = 0;
        for (id, (at, bases)) in &self.acked {
            for ((shard, values), base) in self.sets[id].iter().zip(bases) {
                for (offset, value) in (*base..).zip(values) {
                    let Some((start, held)) = there.get(shard) else { return Err(format!("{shard:?} is gone")) };
                    if offset < *start {
                        continue;
                    }
                    let found = held.get(&offset);
                    let is_it =
                        |(when, what): &(Timestamp, String)| what == value && (*at == Timestamp::EPOCH || when == at);
                    if !found.is_some_and(is_it) {
                        return Err(format!(
                            "set {id}: {shard:?} offset {offset} should be {value} at {at:?}, is {found:?}"
                        ));
                    }
                    counted += 1;
                }
            }
        }
        let held: usize = there.values().map(|(_, held)| held.len()).sum();
        if held != counted { Err(format!("{held} records are there, and {counted} should be")) } else { Ok(()) }
    }

    fn settle_unknown(&mut self, there: &There) -> Result<(), String> {
        for id in std::mem::take(&mut self.unknown) {
            let mut bases = Vec::new();
            let mut at = None;
            for (shard, values) in &self.sets[&id] {
                let records = there.get(shard).map(|(_, held)| held);
                let is_first = |(_, (_, value)): &(&u64, &(Timestamp, String))| Some(value) == values.first();
                let first = records.and_then(|held| held.iter().find(is_first));
                at = at.or(first.map(|(_, (at, _))| *at));
                bases.push(first.map(|(offset, _)| *offset));
            }
            match bases.iter().copied().collect::<Option<Vec<u64>>>() {
                Some(bases) => {
                    self.acked.insert(id, (at.unwrap_or_default(), bases));
                }
                None if bases.iter().all(Option::is_none) => {}
                None if self.sets[&id]
                    .iter()
                    .zip(&bases)
                    .all(|((shard, _), base)| base.is_some() || begins(there, shard) > 0) =>
                {
                    // It was written when nobody looked, and retention took a part of it since.
                    let gone = |((shard, values), base): (&(Shard, Vec<String>), &Option<u64>)| {
                        base.unwrap_or(begins(there, shard).saturating_sub(values.len() as u64))
                    };
                    let bases = self.sets[&id].iter().zip(&bases).map(gone).collect();
                    self.acked.insert(id, (at.unwrap_or_default(), bases));
                }
                None => return Err(format!("half of set {id} is there: {bases:?}")),
            }
        }
        Ok(())
    }
}

/// When each record was appended, and its value.
pub(super) type Truth = BTreeMap<Shard, BTreeMap<u64, (Timestamp, String)>>;

/// The first offset of each partition, and what it holds from there.
type There = BTreeMap<Shard, (u64, BTreeMap<u64, (Timestamp, String)>)>;

/// Where the partition begins.
fn begins(there: &There, shard: &Shard) -> u64 {
    there.get(shard).map_or(0, |(start, _)| *start)
}

/// Everything that can be read; with an `end` every offset up to it.
fn read_all(
    log: &Log,
    shard: &Shard,
    start: u64,
    end: Option<u64>,
) -> Result<BTreeMap<u64, (Timestamp, String)>, String> {
    let mut held = BTreeMap::new();
    let mut from = start;
    loop {
        let read = log.read(shard, from, ReadLimit::records(50)).map_err(|e| format!("{shard:?} at {from}: {e}"))?;
        for stored in &read {
            let is_next = if end.is_some() { stored.at.offset == from } else { stored.at.offset >= from };
            if !is_next {
                return Err(format!("{shard:?}: offset {} comes where {from} should", stored.at.offset));
            }
            from = stored.at.offset + 1;
            held.insert(stored.at.offset, (stored.appended, text(&stored.record)));
        }
        if read.is_empty() {
            let is_whole = end.is_none_or(|end| end == from);
            return if is_whole { Ok(held) } else { Err(format!("{shard:?}: nothing at {from}, the end is {end:?}")) };
        }
    }
}
