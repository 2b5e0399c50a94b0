//! The newest offset of each key, in memory of a size that is set beforehand.
//!
//! A key is known by 128 bits of a hash that is seeded with a secret, so that nobody can make two
//! keys that the table takes for one; two honest keys that collide are less likely than a bit that
//! flips unnoticed. A full table takes no new key, and goes on with those it has.

use std::hash::{DefaultHasher, Hasher};

/// One key's place: two words of its mark, and one beyond its newest offset (0: free).
const WORDS: usize = 3;

/// The table.
pub(crate) struct Latest {
    slots: Vec<u64>,
    used: usize,
    secret: [u64; 2],
}

impl Latest {
    /// A table of about `bytes` that takes at least one key.
    pub(crate) fn new(bytes: usize, secret: [u64; 2]) -> Latest {
        let slots = (bytes / (8 * WORDS)).max(4);
        Latest { slots: vec![0; slots * WORDS], used: 0, secret }
    }

    /// Notes that `key` has a record at `offset`. False when the key is new and there is no room.
    pub(crate) fn note(&mut self, space: u8, key: &[u8], offset: u64) -> bool {
        let mark = self.mark(space, key);
        let at = self.find(mark);
        if self.slots[at + 2] == 0 {
            if (self.used + 1) * 4 > self.capacity() * 3 {
                return false;
            }
            self.used += 1;
            self.slots[at] = mark[0];
            self.slots[at + 1] = mark[1];
        }
        self.slots[at + 2] = self.slots[at + 2].max(offset + 1);
        true
    }

    /// The newest offset that was noted for `key`.
    pub(crate) fn of(&self, space: u8, key: &[u8]) -> Option<u64> {
        self.slots[self.find(self.mark(space, key)) + 2].checked_sub(1)
    }

    /// How many keys it holds.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> usize {
        self.used
    }

    fn capacity(&self) -> usize {
        self.slots.len() / WORDS
    }

    /// Where the mark stands, or the free place where it would. There is always a free place.
    fn find(&self, mark: [u64; 2]) -> usize {
        let capacity = self.capacity();
        let mut slot = usize::try_from(mark[0] % capacity as u64).unwrap_or(0);
        loop {
            let at = slot * WORDS;
            let place = &self.slots[at..at + WORDS];
            if place[2] == 0 || (place[0], place[1]) == (mark[0], mark[1]) {
                return at;
            }
            slot = (slot + 1) % capacity;
        }
    }

    fn mark(&self, space: u8, key: &[u8]) -> [u64; 2] {
        self.secret.map(|secret| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(secret);
            hasher.write_u8(space);
            hasher.write(key);
            hasher.finish()
        })
    }
}
