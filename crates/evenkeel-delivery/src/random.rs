//! Chance from a seed: SplitMix64 (Steele, Lea, Flood 2014), good enough for jitter.
//!
//! Not for secrets. The same seed gives the same numbers, on every machine.

use std::time::Duration;

/// A generator of chance.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from 0 to 1, 1 left out.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from zero to `bound`: full jitter.
    pub(crate) fn up_to(&mut self, bound: Duration) -> Duration {
        bound.mul_f64(self.unit())
    }

    /// `base` and up to a fifth more: jitter that only extends.
    pub(crate) fn extended(&mut self, base: Duration) -> Duration {
        base.saturating_add(base.mul_f64(0.2 * self.unit()))
    }
}
