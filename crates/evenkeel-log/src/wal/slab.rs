//! Memory that groups are put together in, that the device takes as it is, and that readers are served from.
//!
//! A slab holds groups one behind the other, each from a multiple of [`BLOCK`] on. The batches in it are
//! visible as slices once the group is durable, so that each byte is copied once on its way from
//! the caller. When the last slice is gone the slab is used again: memory that was never touched
//! costs more than all that is done with it.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};

use super::BLOCK;

const ALIGN: usize = BLOCK as usize;

/// What a slab holds; a group that is larger gets one of its own.
const SLAB: usize = 4 << 20;

/// So many slabs are looked after at most; memory of others goes back when its last slice is gone.
const KEPT: usize = 128;

/// Where the next group goes, and the slabs that are full.
#[derive(Default)]
pub(super) struct Slabs {
    /// What is left of the newest one.
    rest: Option<BytesMut>,
    /// What is left of the others, the oldest first: a handle without bytes.
    full: VecDeque<BytesMut>,
}

impl Slabs {
    /// Empty memory for `bytes`, aligned; it comes back by [`Slabs::put_back`].
    pub(super) fn take(&mut self, bytes: usize) -> BytesMut {
        match self.rest.take() {
            Some(rest) if rest.capacity() >= bytes.next_multiple_of(ALIGN) => rest,
            rest => {
                rest.into_iter().for_each(|rest| self.retire(rest));
                self.fresh(bytes)
            }
        }
    }

    /// Memory like `group`, with room for `bytes` in all.
    pub(super) fn grow(&mut self, group: &mut BytesMut, bytes: usize) {
        if group.capacity() < bytes.next_multiple_of(ALIGN) {
            let mut larger = self.fresh(bytes.max(group.len() * 2));
            larger.extend_from_slice(group);
            let mut small = std::mem::replace(group, larger);
            small.clear();
            self.retire(small);
        }
    }

    /// What is left behind a group that was split off, at a whole block.
    pub(super) fn put_back(&mut self, rest: BytesMut) {
        self.rest = Some(rest);
    }

    /// Lets go of memory that an idle log does not need.
    pub(super) fn rest(&mut self) {
        *self = Slabs::default();
    }

    fn retire(&mut self, rest: BytesMut) {
        self.full.push_back(rest);
        if self.full.len() > KEPT {
            self.full.pop_front();
        }
    }

    fn fresh(&mut self, bytes: usize) -> BytesMut {
        let wanted = bytes.next_multiple_of(ALIGN).max(SLAB) + ALIGN;
        // Mostly the oldest is free first; a reader may keep it longer.
        let free = self.full.iter_mut().position(|slab| slab.try_reclaim(wanted));
        let mut slab = free.and_then(|at| self.full.remove(at)).unwrap_or_else(|| BytesMut::with_capacity(wanted));
        let unaligned = slab.as_ptr().align_offset(ALIGN);
        if unaligned < ALIGN {
            slab.resize(unaligned, 0);
            slab.advance(unaligned);
        }
        slab
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group of `bytes` as the log makes them.
    fn group(slabs: &mut Slabs, bytes: usize) -> bytes::Bytes {
        let mut memory = slabs.take(bytes);
        memory.resize(bytes.next_multiple_of(ALIGN), 7);
        let group = memory.split().freeze();
        slabs.put_back(memory);
        group
    }

    #[test]
    fn groups_begin_aligned_and_stand_one_behind_the_other() {
        let mut slabs = Slabs::default();
        let first = group(&mut slabs, 5000);
        let second = group(&mut slabs, 1);
        assert_eq!(first.as_ptr().align_offset(ALIGN), 0);
        assert_eq!(second.as_ptr() as usize - first.as_ptr() as usize, 8192);
        let large = group(&mut slabs, SLAB + 1);
        assert_eq!(large.as_ptr().align_offset(ALIGN), 0);
    }

    #[test]
    fn a_slab_is_used_again_when_its_last_slice_is_gone_and_not_before() {
        let mut slabs = Slabs::default();
        let first = group(&mut slabs, SLAB);
        let kept = first.slice(100..200);
        let at = first.as_ptr();
        drop(first);
        let second = group(&mut slabs, SLAB);
        assert!(second.as_ptr() != at, "a slice keeps what it holds");
        assert_eq!(kept[..], [7; 100]);
        drop(kept);
        let third = group(&mut slabs, SLAB);
        assert_eq!(third.as_ptr(), at);
    }

    #[test]
    fn a_group_that_grows_keeps_its_bytes_and_its_alignment() {
        let mut slabs = Slabs::default();
        let mut memory = slabs.take(10);
        memory.extend_from_slice(b"0123456789");
        slabs.grow(&mut memory, SLAB * 2);
        assert_eq!(memory[..], *b"0123456789");
        assert_eq!(memory.as_ptr().align_offset(ALIGN), 0);
        assert!(memory.capacity() >= SLAB * 2);
    }
}
