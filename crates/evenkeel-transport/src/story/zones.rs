//! Which parts of the ledger may speak of an event: ranges and a few bits for each zone of it.
//!
//! The ledger is in the order of what happened, and an event is known by its place: a zone (some
//! hundred records) remembers, for each partition that it speaks of, the lowest and the highest
//! offset and 256 bits, so that a story reads the few zones that can be meant. In memory only,
//! made by reading the ledger once, and told apart from it by nothing: losing it costs time.
//! Invariant: a zone that speaks of a place is always among those that are given.

use std::collections::HashMap;

use evenkeel_model::ledger::LedgerRecord;
use evenkeel_model::{Position, Shard};

use super::search::offset_of;

/// A zone ends with so many entries, or so many records.
const ENTRIES: usize = 4_096;
const RECORDS: usize = 1_024;
/// Neighbouring offsets that share a bit.
const SHARED: u32 = 4;

/// The zones of one partition of the ledger.
#[derive(Debug, Default)]
pub(super) struct Zones {
    shards: HashMap<Shard, u32>,
    /// By their beginning; one ends where the next begins.
    all: Vec<Zone>,
    /// The offset to go on from.
    next: u64,
    entries: usize,
    records: usize,
}

#[derive(Debug)]
struct Zone {
    from: u64,
    parts: Vec<Part>,
}

/// What a zone says of one partition.
#[derive(Debug)]
struct Part {
    shard: u32,
    low: u64,
    high: u64,
    bits: [u64; 4],
}

fn bit(offset: u64) -> (usize, u64) {
    let spread = (offset >> SHARED).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    let spread = usize::try_from(spread).unwrap_or(0);
    (spread / 64, 1 << (spread % 64))
}

impl Zones {
    /// The offset in the ledger from which on nothing is known yet.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Takes the next record of the ledger, which is at this offset.
    pub(super) fn add(&mut self, offset: u64, record: &LedgerRecord) {
        let count = u32::try_from(self.shards.len()).unwrap_or(u32::MAX);
        let shard = *self.shards.entry(Shard::new(record.topic.clone(), record.partition)).or_insert(count);
        if self.all.is_empty() || self.entries >= ENTRIES || self.records >= RECORDS {
            self.all.push(Zone { from: offset, parts: Vec::new() });
            (self.entries, self.records) = (0, 0);
        }
        (self.entries, self.records) = (self.entries + record.entries.len(), self.records + 1);
        self.next = offset + 1;
        let Some(zone) = self.all.last_mut() else { return };
        let at = match zone.parts.iter().position(|part| part.shard == shard) {
            Some(at) => at,
            None => {
                zone.parts.push(Part { shard, low: u64::MAX, high: 0, bits: [0; 4] });
                zone.parts.len() - 1
            }
        };
        let part = &mut zone.parts[at];
        for offset in record.entries.iter().map(offset_of) {
            (part.low, part.high) = (part.low.min(offset), part.high.max(offset));
            let (word, mask) = bit(offset);
            part.bits[word] |= mask;
        }
    }

    /// The ranges of the ledger that may speak of any of these places, ascending, and the rest that is not known.
    pub(super) fn of<'p>(&self, places: impl Iterator<Item = &'p Position>, end: u64) -> Vec<std::ops::Range<u64>> {
        let asked: Vec<(u32, u64)> = places.filter_map(|at| Some((*self.shards.get(&at.shard)?, at.offset))).collect();
        let ends = self.all.iter().skip(1).map(|zone| zone.from).chain([self.next]);
        let mut ranges: Vec<std::ops::Range<u64>> = Vec::new();
        for (zone, until) in self.all.iter().zip(ends) {
            if !asked.iter().any(|(shard, offset)| zone.may_know(*shard, *offset)) {
                continue;
            }
            match ranges.last_mut() {
                Some(last) if last.end == zone.from => last.end = until,
                _ => ranges.push(zone.from..until),
            }
        }
        if self.next < end {
            ranges.push(self.next..end);
        }
        ranges
    }
}

impl Zone {
    fn may_know(&self, shard: u32, offset: u64) -> bool {
        let (word, mask) = bit(offset);
        let knows = |part: &Part| (part.low..=part.high).contains(&offset) && part.bits[word] & mask != 0;
        self.parts.iter().any(|part| part.shard == shard && knows(part))
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_model::ledger::{LedgerEntry, LedgerRecord, Overdue};
    use evenkeel_model::{Position, Shard, Timestamp};

    use super::Zones;

    fn record(partition: u32, offsets: impl Iterator<Item = u64>) -> LedgerRecord {
        let entry = |offset| LedgerEntry::Overdue(Overdue { offset, at: Timestamp::EPOCH, threshold_us: 1 });
        LedgerRecord {
            subscription: "s".into(),
            topic: "orders".into(),
            partition,
            sequence: 0,
            at: Timestamp::EPOCH,
            entries: offsets.map(entry).collect(),
        }
    }

    #[test]
    fn a_zone_that_speaks_of_a_place_is_always_given_and_few_others_are() {
        let mut zones = Zones::default();
        for n in 0..10_000_u64 {
            // Every hundredth round also ends an event from long ago.
            let old = (n % 100 == 0).then_some(n / 4 * 50);
            zones.add(n, &record(u32::from(n % 2 == 1), (n / 2 * 50..(n / 2 + 1) * 50).chain(old)));
        }
        let mut read = 0;
        for n in (0..10_000_u64).step_by(97) {
            let place = Position { shard: Shard::new("orders", u32::from(n % 2 == 1)), offset: n / 2 * 50 + 7 };
            let ranges = zones.of(std::iter::once(&place), 10_000);
            assert!(ranges.iter().any(|range| range.contains(&n)), "{n}: {ranges:?}");
            read += ranges.iter().map(|range| range.end - range.start).sum::<u64>();
        }
        assert!(read / 104 < 1_000, "a story reads {} of 10000 records", read / 104);
        let unknown = Position { shard: Shard::new("other", 0), offset: 1 };
        assert_eq!(
            zones.of(std::iter::once(&unknown), 10_005).first(),
            Some(&(10_000..10_005)),
            "what is not known yet is read"
        );
    }
}
