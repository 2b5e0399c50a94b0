//! Whom a failure accuses: some of a subscription's breakers, as a set of their numbers.

/// A set of breakers, by number; those beyond the 64th share the last bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Accused(u64);

impl Accused {
    pub(super) const NOBODY: Accused = Accused(0);
    pub(super) const HANDLER: Accused = Accused(1);

    pub(super) fn one(index: usize) -> Accused {
        Accused(1 << index.min(63))
    }

    pub(super) fn and(self, other: Accused) -> Accused {
        Accused(self.0 | other.0)
    }

    pub(super) fn has(self, index: usize) -> bool {
        self.0 & Accused::one(index).0 != 0
    }

    pub(super) fn meets(self, other: Accused) -> bool {
        self.0 & other.0 != 0
    }
}
