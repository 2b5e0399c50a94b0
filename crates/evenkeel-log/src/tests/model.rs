//! The reference: a plain list of what was acknowledged, and of what nobody was told about.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_model::{Shard, Timestamp};

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
    next: u64,
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
        let mut there = BTreeMap::new();
        for (shard, ends) in log.cut() {
            if &*shard.topic != "evenkeel.control" {
                let held = read_all(log, &shard, ends.start, ends.high_watermark)?;
                there.insert(shard, (ends.start, held));
            }
        }
        self.settle_unknown(&there)?;
        let mut counted = 0;
        for (id, (at, bases)) in &self.acked {
            for ((shard, values), base) in self.sets[id].iter().zip(bases) {
                for (offset, value) in (*base..).zip(values) {
                    let Some((start, held)) = there.get(shard) else { return Err(format!("{shard:?} is gone")) };
                    let Some(index) = offset.checked_sub(*start) else { continue };
                    let found = usize::try_from(index).ok().and_then(|index| held.get(index));
                    if found != Some(&(*at, value.clone())) {
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
                let (start, records) = there.get(shard).map_or((0, &[][..]), |(start, held)| (*start, held.as_slice()));
                let base = values.first().and_then(|first| records.iter().position(|(_, v)| v == first));
                at = at.or(base.map(|b| records[b].0));
                bases.push(base.map(|b| start + b as u64));
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
type There = BTreeMap<Shard, (u64, Vec<(Timestamp, String)>)>;

/// Where the partition begins.
fn begins(there: &There, shard: &Shard) -> u64 {
    there.get(shard).map_or(0, |(start, _)| *start)
}

fn read_all(log: &Log, shard: &Shard, start: u64, end: u64) -> Result<Vec<(Timestamp, String)>, String> {
    let mut held = Vec::new();
    let mut from = start;
    while from < end {
        let read = log.read(shard, from, ReadLimit::records(50)).map_err(|e| format!("{shard:?} at {from}: {e}"))?;
        for stored in &read {
            if stored.at.offset != from {
                return Err(format!("{shard:?}: offset {} comes where {from} should", stored.at.offset));
            }
            from += 1;
            held.push((stored.appended, text(&stored.record)));
        }
        if read.is_empty() {
            return Err(format!("{shard:?}: nothing at {from}, and the end is {end}"));
        }
    }
    Ok(held)
}
