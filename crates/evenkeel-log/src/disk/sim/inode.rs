//! A file of the simulated disk: cache, medium, and what is on its way between them.

use std::ops::Range;

use super::random::Random;

/// What power protects as a whole.
const SECTOR: usize = 512;

#[derive(Default)]
pub(super) struct Inode {
    /// What a process reads.
    pub(super) cache: Vec<u8>,
    /// What survives.
    pub(super) medium: Vec<u8>,
    /// In the cache and not on the medium.
    pub(super) pending: Vec<Range<usize>>,
}

impl Inode {
    /// Copies a range from the cache to the medium.
    pub(super) fn keep(&mut self, range: Range<usize>) {
        let end = range.end.min(self.cache.len());
        if range.start >= end {
            return;
        }
        if self.medium.len() < end {
            self.medium.resize(end, 0);
        }
        self.medium[range.start..end].copy_from_slice(&self.cache[range.start..end]);
    }

    /// Of what was pending some arrives; the rest is gone.
    pub(super) fn lose_power(&mut self, random: &mut Random, mood: u64) {
        for range in std::mem::take(&mut self.pending) {
            let mut from = range.start;
            while from < range.end {
                let to = ((from / SECTOR + 1) * SECTOR).min(range.end);
                if random.survives(mood) {
                    self.keep(from..to);
                }
                from = to;
            }
        }
        if self.cache.len() < self.medium.len() && random.survives(mood) {
            self.medium.truncate(self.cache.len());
        }
        self.cache.clone_from(&self.medium);
    }
}
