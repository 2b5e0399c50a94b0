//! A snapshot: what a partition of the journal comes to, up to an offset, for all subscriptions
//! in it. A start takes its own part, and reads the journal from that offset on.
//!
//! It is a record of `evenkeel.snapshots` (in the partition of the same number), or several when
//! it is large; the set with the last of them lets the partition begin at the first, so that only
//! the newest whole snapshot is there, and what was begun behind it and never finished.
//!
//! ```text
//! record:   version 0x01 | upto | number of this part, from 0 | number of parts | bytes
//! all parts: count of subscriptions, then each: name | count of partitions, then each: topic |
//!            partition | number of its next ledger record; length | facts, as in a journal record
//! ```
//!
//! Invariants: it is what replaying the journal gives, and no more: identities are left out, they
//! are sealed beside it before it is written. One that is not whole does not count.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use evenkeel_delivery::ports::PortError;
use evenkeel_log::{Append, AppendError, Change, Log, Set};
use evenkeel_model::varint::{get_text, get_u64, put_text, put_u64};
use evenkeel_model::{Record, Shard, Timestamp, names};

use crate::pages::{Pages, unreadable};

const VERSION: u8 = 1;
/// One record holds so many bytes of it at most.
const PART: usize = 256 << 10;
/// One set holds so many records of it at most.
const PARTS_IN_SET: usize = 8;

/// What a partition of the journal comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The offset up to which it tells.
    pub(super) upto: u64,
    /// By name.
    pub(super) subscriptions: BTreeMap<String, Kept>,
}

/// What a snapshot keeps of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// The number of the next ledger record of each partition.
    pub(super) sequences: BTreeMap<Shard, u64>,
    /// What it remembers but for identities, in the bytes that delivery owns.
    pub(super) facts: Bytes,
}

/// Where the snapshots of a partition of the journal are.
pub(super) fn shard_of(journal: &Shard) -> Shard {
    Shard::new(names::SNAPSHOTS_TOPIC, journal.partition)
}

impl Snapshot {
    /// The newest whole one of that partition of the journal.
    pub(super) fn read(log: &Log, journal: &Shard) -> Result<Option<Snapshot>, PortError> {
        let shard = shard_of(journal);
        let ends = log.ends(&shard).map_err(|e| unreadable(&shard, &e))?;
        let (mut newest, mut begun) = (None, Parts::default());
        Pages::new(log, shard.clone(), ends.start, ends.high_watermark).each(|stored| {
            let part = stored.record.value.as_ref().and_then(Part::decode);
            let part =
                part.ok_or_else(|| damaged(&shard, stored.at.offset, "not a snapshot that this version reads"))?;
            if let Some((upto, whole)) = begun.take(part) {
                let read = Snapshot::decode(upto, &whole);
                newest = Some(read.ok_or_else(|| damaged(&shard, stored.at.offset, "it cannot be read"))?);
            }
            Ok(())
        })?;
        Ok(newest)
    }

    /// Writes it; durable, and in the place of the one before, when it returns. Only one at a time
    /// may write to a partition. Gives its size.
    pub(super) fn write(&self, log: &Log, journal: &Shard, now: Timestamp) -> Result<usize, PortError> {
        let shard = shard_of(journal);
        let first = log.ends(&shard).map_err(|e| unreadable(&shard, &e))?.high_watermark;
        let bytes = self.encode();
        let count = bytes.len().div_ceil(PART).max(1);
        let part = |nth: usize| {
            let bytes = bytes.slice(nth * PART..bytes.len().min((nth + 1) * PART));
            let value = Part { upto: self.upto, nth, count, bytes }.encode();
            Record { key: None, value: Some(value), headers: Vec::new(), created: now }
        };
        let numbers: Vec<usize> = (0..count).collect();
        for some in numbers.chunks(PARTS_IN_SET) {
            let mut set = Set::appends(vec![Append::records(shard.clone(), some.iter().map(|n| part(*n)).collect())]);
            if some.last() == Some(&(count - 1)) {
                set.changes.push(Change::Start { shard: shard.clone(), offset: first });
            }
            log.append(set).wait().map_err(|e: AppendError| PortError(format!("a snapshot of the journal: {e}")))?;
        }
        Ok(bytes.len())
    }

    fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        put_u64(&mut out, self.subscriptions.len() as u64);
        for (name, kept) in &self.subscriptions {
            put_text(&mut out, name);
            put_u64(&mut out, kept.sequences.len() as u64);
            for (shard, next) in &kept.sequences {
                put_text(&mut out, &shard.topic);
                put_u64(&mut out, u64::from(shard.partition));
                put_u64(&mut out, *next);
            }
            put_u64(&mut out, kept.facts.len() as u64);
            out.put_slice(&kept.facts);
        }
        out.freeze()
    }

    /// Reads what [`Snapshot::encode`] wrote. No count is believed further than there are bytes.
    fn decode(upto: u64, bytes: &[u8]) -> Option<Snapshot> {
        let mut from = bytes;
        let mut subscriptions = BTreeMap::new();
        for _ in 0..get_u64(&mut from)? {
            let name = get_text(&mut from)?;
            let mut kept = Kept::default();
            for _ in 0..get_u64(&mut from)? {
                let topic = get_text(&mut from)?;
                let partition = u32::try_from(get_u64(&mut from)?).ok()?;
                kept.sequences.insert(Shard::new(topic, partition), get_u64(&mut from)?);
            }
            let length = usize::try_from(get_u64(&mut from)?).ok()?;
            let (facts, rest) = from.split_at_checked(length)?;
            kept.facts = Bytes::copy_from_slice(facts);
            from = rest;
            subscriptions.insert(name, kept);
        }
        from.is_empty().then_some(Snapshot { upto, subscriptions })
    }
}

/// One record.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    upto: u64,
    nth: usize,
    count: usize,
    bytes: Bytes,
}

impl Part {
    fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.bytes.len() + 24);
        out.put_u8(VERSION);
        put_u64(&mut out, self.upto);
        put_u64(&mut out, self.nth as u64);
        put_u64(&mut out, self.count as u64);
        out.put_slice(&self.bytes);
        out.freeze()
    }

    fn decode(value: &Bytes) -> Option<Part> {
        let mut from = &**value;
        if !from.has_remaining() || from.get_u8() != VERSION {
            return None;
        }
        let upto = get_u64(&mut from)?;
        let (nth, count) = (usize::try_from(get_u64(&mut from)?).ok()?, usize::try_from(get_u64(&mut from)?).ok()?);
        let bytes = value.slice(value.len() - from.len()..);
        (nth < count).then_some(Part { upto, nth, count, bytes })
    }
}

/// The parts of a snapshot, as they come.
#[derive(Default)]
struct Parts {
    upto: u64,
    so_far: usize,
    bytes: BytesMut,
}

impl Parts {
    /// Takes the next one; with the last one it is whole.
    fn take(&mut self, part: Part) -> Option<(u64, Bytes)> {
        if part.nth == 0 {
            *self = Parts { upto: part.upto, ..Parts::default() };
        }
        if part.upto != self.upto || part.nth != self.so_far {
            // The rest of one whose beginning is gone.
            return None;
        }
        self.so_far += 1;
        self.bytes.extend_from_slice(&part.bytes);
        (self.so_far == part.count).then(|| (self.upto, std::mem::take(&mut self.bytes).freeze()))
    }
}

fn damaged(shard: &Shard, offset: u64, what: &str) -> PortError {
    PortError(format!("{}/{} offset {offset}: {what}", shard.topic, shard.partition))
}

#[cfg(test)]
mod tests;
