//! Seeded draws (SplitMix64, Steele et al. 2014): the same seed gives the same sequence on every
//! machine. Not for secrets.

/// A sequence of draws.
#[derive(Clone, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn seeded(seed: u64) -> Draw {
        Draw(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0, below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0, below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.bits() % (n.max(1) as u64)).unwrap_or(0)
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// The index drawn by ascending cumulative weights, the last of which is the whole.
    pub(crate) fn weighted(&mut self, cumulative: &[f64]) -> usize {
        let whole = cumulative.last().copied().unwrap_or(0.0);
        let at = self.unit() * whole;
        cumulative.partition_point(|edge| *edge <= at).min(cumulative.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn a_seed_is_a_sequence() {
        let (mut a, mut b, mut c) = (Draw::seeded(7), Draw::seeded(7), Draw::seeded(8));
        let first: Vec<u64> = (0..5).map(|_| a.bits()).collect();
        assert_eq!(first, (0..5).map(|_| b.bits()).collect::<Vec<_>>());
        assert_ne!(first, (0..5).map(|_| c.bits()).collect::<Vec<_>>());
    }

    #[test]
    fn weights_are_followed() {
        let mut draw = Draw::seeded(1);
        let drawn = (0..10_000).filter(|_| draw.weighted(&[1.0, 4.0]) == 1).count();
        assert!((7200..7800).contains(&drawn), "{drawn}");
    }
}
