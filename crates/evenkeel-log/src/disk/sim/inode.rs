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
    /// What the medium cannot give back.
    pub(super) spoiled: Vec<Range<usize>>,
}

impl Inode {
    /// Copies a range from the cache to the medium.
    pub(super) fn keep(&mut self, range: Range<usize>) {
        let end = range.end.min(self.cache.len());
        if range.start >= end {
            return;
        }
        put(&mut self.medium, &self.cache[range.start..end], range.start);
    }

    /// True when it cannot give back all of these bytes.
    pub(super) fn is_spoiled(&self, wanted: &Range<usize>) -> bool {
        self.spoiled.iter().any(|spoiled| spoiled.start < wanted.end && wanted.start < spoiled.end)
    }

    /// Into the cache, and from now on its way to the medium.
    pub(super) fn write(&mut self, bytes: &[u8], at: usize) {
        put(&mut self.cache, bytes, at);
        self.spoiled.retain(|spoiled| spoiled.start < at || at + bytes.len() < spoiled.end);
        self.pending.push(at..at + bytes.len());
    }

    /// The cache is cut, or grows by zeros.
    pub(super) fn set_size(&mut self, size: usize) {
        self.cache.truncate(size);
        put(&mut self.cache, &[], size);
    }

    /// The medium gets the size of the cache.
    pub(super) fn keep_size(&mut self) {
        self.medium.truncate(self.cache.len());
        put(&mut self.medium, &[], self.cache.len());
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

/// Puts bytes at a place, behind zeros where the file was shorter.
fn put(into: &mut Vec<u8>, bytes: &[u8], at: usize) {
    if into.len() < at {
        into.extend_from_slice(&vec![0; at - into.len()]);
    }
    let (over, behind) = bytes.split_at(bytes.len().min(into.len() - at));
    into[at..at + over.len()].copy_from_slice(over);
    into.extend_from_slice(behind);
}
