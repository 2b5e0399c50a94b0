//! Chance, under a seed.

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A length from 0 to `whole`.
    pub(super) fn part(&mut self, whole: usize) -> usize {
        usize::try_from(self.below(whole as u64 + 1)).unwrap_or(whole)
    }

    /// Whether something on its way arrived: none, few, half or all, by the mood of the cut.
    pub(super) fn survives(&mut self, mood: u64) -> bool {
        match mood {
            0 => false,
            1 => self.below(8) == 0,
            2 => self.below(2) == 0,
            _ => self.below(16) != 0,
        }
    }
}
