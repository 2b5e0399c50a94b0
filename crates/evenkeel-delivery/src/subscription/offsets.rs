//! Offsets: of each partition, what was read and what of it has no outcome.
//!
//! Gaps between the offsets that arrive hold no event and count as passed. Two floors per
//! partition: `pending` knows outcomes as soon as they are decided (it goes into the round that
//! carries them), `committed` only when that round is durable.

use std::cell::Cell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use evenkeel_model::{Position, Shard};

/// A set of offsets: 64 neighbours in one word, since they come and go in runs.
#[derive(Debug, Default)]
struct Open(BTreeMap<u64, u64>);

impl Open {
    fn insert(&mut self, offset: u64) {
        *self.0.entry(offset >> 6).or_default() |= 1 << (offset & 63);
    }

    fn remove(&mut self, offset: u64) {
        if let Entry::Occupied(mut word) = self.0.entry(offset >> 6) {
            *word.get_mut() &= !(1 << (offset & 63));
            if *word.get() == 0 {
                word.remove();
            }
        }
    }

    fn first(&self) -> Option<u64> {
        self.0.first_key_value().map(|(word, bits)| (word << 6) + u64::from(bits.trailing_zeros()))
    }
}

#[derive(Debug)]
struct Partition {
    shard: Shard,
    /// Read, without an outcome.
    open: Open,
    /// The lowest offset that was not read.
    next: u64,
    /// The floor in the newest round that was built.
    said: u64,
    /// The floor in the newest round that is durable.
    committed: u64,
    /// Ranges at or above `next` that ended before the restart: start → end.
    done: BTreeMap<u64, u64>,
}

impl Partition {
    fn floor(&self) -> u64 {
        self.open.first().unwrap_or(self.next)
    }

    /// The lowest offset at or above `next` that has no outcome.
    fn skip_done(&mut self) {
        while let Some((start, end)) = self.done.first_key_value().map(|(s, e)| (*s, *e)) {
            if start > self.next {
                return;
            }
            self.next = self.next.max(end);
            self.done.remove(&start);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Offsets {
    all: Vec<Partition>,
    by_shard: HashMap<Shard, usize>,
    /// The one that was found last.
    recent: Cell<usize>,
}

impl Offsets {
    /// The number of a partition, if it is known.
    pub(super) fn find(&self, shard: &Shard) -> Option<usize> {
        // Events arrive in runs of one partition, whose name is mostly the same string.
        let recent = self.recent.get();
        let same = |known: &Shard| known.partition == shard.partition && Arc::ptr_eq(&known.topic, &shard.topic);
        if self.all.get(recent).is_some_and(|partition| same(&partition.shard)) {
            return Some(recent);
        }
        let found = self.by_shard.get(shard).copied()?;
        self.recent.set(found);
        Some(found)
    }

    /// The partition of that number.
    pub(super) fn shard(&self, index: usize) -> &Shard {
        &self.all[index].shard
    }

    /// A partition that nothing is remembered of begins here.
    pub(super) fn begin(&mut self, shard: &Shard, at: u64) -> usize {
        let partition = Partition {
            shard: shard.clone(),
            open: Open::default(),
            next: at,
            said: at,
            committed: at,
            done: BTreeMap::new(),
        };
        self.all.push(partition);
        self.by_shard.insert(shard.clone(), self.all.len() - 1);
        self.all.len() - 1
    }

    /// An event arrived; false when it was read, or had its outcome, before.
    pub(super) fn arrive(&mut self, index: usize, offset: u64) -> bool {
        let partition = &mut self.all[index];
        if offset < partition.next {
            return false;
        }
        partition.next = offset;
        partition.skip_done();
        if partition.next > offset {
            return false;
        }
        partition.next = offset.saturating_add(1);
        true
    }

    pub(super) fn owe(&mut self, index: usize, offset: u64) {
        self.all[index].open.insert(offset);
    }

    pub(super) fn end(&mut self, index: usize, offset: u64) {
        self.all[index].open.remove(offset);
    }

    /// The floor, if it is not the one that was said last. Saying it is the caller's.
    pub(super) fn moved(&mut self, index: usize) -> Option<(Shard, u64)> {
        let partition = &mut self.all[index];
        let floor = partition.floor();
        if floor == partition.said {
            return None;
        }
        partition.said = floor;
        Some((partition.shard.clone(), floor))
    }

    pub(super) fn commit(&mut self, index: usize, floor: u64) {
        self.all[index].committed = floor;
    }

    pub(super) fn said(&self, index: usize) -> u64 {
        self.all[index].said
    }

    /// The first offset from `next` on that has no outcome of before the restart.
    pub(super) fn undone_from(&self, shard: &Shard, next: u64) -> u64 {
        let Some(partition) = self.find(shard).map(|index| &self.all[index]) else { return next };
        match partition.done.range(..=next).next_back() {
            Some((_, end)) if next >= partition.next => next.max(*end),
            _ => next,
        }
    }

    /// True when nothing at this place was read yet.
    pub(super) fn is_unread(&self, at: &Position) -> bool {
        self.find(&at.shard).is_some_and(|index| at.offset >= self.all[index].next)
    }

    /// Each partition, and the lowest offset of it that was not read.
    pub(super) fn unread(&self) -> impl Iterator<Item = (&Shard, u64)> {
        self.all.iter().map(|p| (&p.shard, p.next))
    }

    pub(super) fn floors(&self) -> impl Iterator<Item = (Shard, u64)> {
        self.all.iter().map(|p| (p.shard.clone(), p.committed))
    }

    pub(super) fn committed(&self, shard: &Shard) -> Option<u64> {
        self.find(shard).map(|i| self.all[i].committed)
    }

    /// Takes back what the journal remembers: floors, then single offsets above them.
    pub(super) fn restore(&mut self, floors: &HashMap<Shard, u64>, mut done: Vec<Position>) {
        let mut sorted: Vec<_> = floors.iter().collect();
        sorted.sort();
        for (shard, below) in sorted {
            self.begin(shard, *below);
        }
        done.sort_unstable();
        for at in done {
            let Some(index) = self.find(&at.shard) else { continue };
            let partition = &mut self.all[index];
            if at.offset < partition.next {
                continue;
            }
            match partition.done.last_entry() {
                Some(mut last) if *last.get() >= at.offset => {
                    let end = (*last.get()).max(at.offset + 1);
                    last.insert(end);
                }
                _ => {
                    partition.done.insert(at.offset, at.offset + 1);
                }
            }
        }
        for partition in &mut self.all {
            partition.skip_done();
            (partition.said, partition.committed) = (partition.next, partition.next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> Shard {
        Shard::new("orders", 0)
    }

    #[test]
    fn the_floor_is_the_lowest_offset_without_an_outcome_and_gaps_are_passed() {
        let mut offsets = Offsets::default();
        let p = offsets.begin(&orders(), 5);
        for offset in [5, 7, 10] {
            assert!(offsets.arrive(p, offset));
            offsets.owe(p, offset);
        }
        offsets.end(p, 7);
        assert_eq!(offsets.moved(p), None);
        offsets.end(p, 5);
        assert_eq!(offsets.moved(p), Some((orders(), 10)));
        offsets.end(p, 10);
        assert_eq!(offsets.moved(p), Some((orders(), 11)));
        assert_eq!(offsets.floors().collect::<Vec<_>>(), [(orders(), 5)], "nothing was committed");
        offsets.commit(p, 11);
        assert_eq!(offsets.committed(&orders()), Some(11));
    }

    #[test]
    fn what_ended_before_the_restart_is_not_taken_again() {
        let mut offsets = Offsets::default();
        let done = [9, 4, 3, 6, 7, 1].map(|offset| Position { shard: orders(), offset });
        offsets.restore(&HashMap::from([(orders(), 3)]), done.to_vec());
        let p = offsets.find(&orders()).unwrap_or_default();
        assert_eq!(offsets.committed(&orders()), Some(5), "3 and 4 are done");
        let taken: Vec<u64> = (0..12).filter(|o| offsets.arrive(p, *o)).collect();
        assert_eq!(taken, [5, 8, 10, 11]);
        assert!(!offsets.arrive(p, 11), "once read is read");
    }

    #[test]
    fn what_ended_before_the_restart_need_not_be_read_again() {
        let mut offsets = Offsets::default();
        let done = (3..900).filter(|at| *at != 5).map(|offset| Position { shard: orders(), offset });
        offsets.restore(&HashMap::from([(orders(), 3)]), done.collect());
        let from = |offsets: &Offsets, next| offsets.undone_from(&orders(), next);
        assert_eq!([3, 5, 6, 899, 900].map(|next| from(&offsets, next)), [3, 5, 900, 900, 900]);
        let p = offsets.find(&orders()).unwrap_or_default();
        assert!(offsets.arrive(p, 5) && offsets.arrive(p, 900));
        assert_eq!(from(&offsets, 901), 901);
        assert_eq!(from(&offsets, 0), 0, "what is asked for again is its own affair");
    }
}
