//! Memory that begins at a multiple of [`BLOCK`], as direct writes need it.

use super::BLOCK;

const ALIGN: usize = BLOCK as usize;

/// A buffer that grows; its contents begin aligned and end at a whole block once padded.
pub(crate) struct Aligned {
    memory: Vec<u8>,
    start: usize,
}

impl Aligned {
    pub(crate) fn new() -> Aligned {
        let mut aligned = Aligned { memory: Vec::new(), start: 0 };
        aligned.clear(0);
        aligned
    }

    /// Empties it, with room for `bytes`.
    pub(crate) fn clear(&mut self, bytes: usize) {
        self.memory.clear();
        self.memory.reserve(bytes + 2 * ALIGN);
        let offset = self.memory.as_ptr().align_offset(ALIGN);
        self.start = if offset < ALIGN { offset } else { 0 };
        self.memory.resize(self.start, 0);
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let length = self.memory.len() - self.start;
        if self.memory.len() + bytes.len() + ALIGN > self.memory.capacity() {
            // Elsewhere it may begin at another place, and there is no growing without a copy.
            let old = std::mem::replace(self, Aligned { memory: Vec::new(), start: 0 });
            self.clear(2 * (length + bytes.len()));
            self.memory.extend_from_slice(old.bytes());
        }
        self.memory.extend_from_slice(bytes);
    }

    /// Fills the last block with zeros.
    pub(crate) fn pad(&mut self) {
        let length = (self.memory.len() - self.start).next_multiple_of(ALIGN);
        self.memory.resize(self.start + length, 0);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..]
    }
}
