//! In which order partitions are read of a topic that got more of them.
//!
//! When partitions are added keys move, between those that there were as well; so an event of a
//! key may lie in one partition, and an older one of the same key, unread, in another. What was
//! appended before the growth is therefore read first: no partition is read beyond the place where
//! it ended then, until each that there was has been read up to that place. It knows places only,
//! and gates nothing but one source's reads; every new source begins to count anew, so that it holds
//! after a restart too. Invariant: what is held back is always given in the end, since the partitions
//! that it waits for are never held back by the same growth.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How far one source has read.
#[derive(Default)]
pub(super) struct Turns {
    /// By partition: everything before it was given.
    reached: BTreeMap<u32, u64>,
    /// The newest growth behind it, by how many partitions there were before.
    passed: usize,
}

impl Turns {
    /// Everything before `next` was given of a partition, or the reader had it before. True when
    /// that lets another partition go on.
    pub(super) fn reach(&mut self, partition: u32, next: u64, growths: &[Arc<[u64]>]) -> bool {
        let reached = self.reached.entry(partition).or_default();
        *reached = next.max(*reached);
        let before = self.passed;
        while let Some(ends) = self.next(growths).filter(|ends| self.is_behind(ends)) {
            self.passed = ends.len();
        }
        self.passed > before
    }

    /// Before which offset a partition may be read now.
    pub(super) fn until(&self, partition: u32, growths: &[Arc<[u64]>]) -> u64 {
        let Some(ends) = self.next(growths) else { return u64::MAX };
        ends.get(partition as usize).copied().unwrap_or(0)
    }

    /// The oldest growth that is not behind it.
    fn next<'a>(&self, growths: &'a [Arc<[u64]>]) -> Option<&'a Arc<[u64]>> {
        growths.iter().find(|ends| ends.len() > self.passed)
    }

    fn is_behind(&self, ends: &[u64]) -> bool {
        let reached = |partition: u32| self.reached.get(&partition).copied().unwrap_or(0);
        (0..).zip(ends).all(|(partition, end)| reached(partition) >= *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lay_before_a_growth_is_read_first_growth_by_growth() {
        let growths: Vec<Arc<[u64]>> = vec![Arc::from([2, 3]), Arc::from([5, 3, 1])];
        let mut turns = Turns::default();
        let all = |turns: &Turns| [0, 1, 2, 3].map(|partition| turns.until(partition, &growths));
        assert_eq!(all(&turns), [2, 3, 0, 0]);
        assert!(!turns.reach(0, 2, &growths));
        assert_eq!(all(&turns), [2, 3, 0, 0], "partition 1 has older ones");
        assert!(turns.reach(1, 3, &growths), "the others go on");
        assert_eq!(all(&turns), [5, 3, 1, 0]);
        assert!(!turns.reach(2, 1, &growths));
        assert!(turns.reach(0, 9, &growths));
        assert_eq!(all(&turns), [u64::MAX; 4]);
    }

    #[test]
    fn a_topic_that_never_grew_holds_nothing_back() {
        let mut turns = Turns::default();
        assert!(!turns.reach(0, 7, &[]));
        assert_eq!(turns.until(0, &[]), u64::MAX);
    }
}
