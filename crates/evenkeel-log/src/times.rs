//! How long writes took, as counts by bound: small, without a lock, and mergeable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the counts, in microseconds; what took longer is counted apart.
const BOUNDS_US: [u64; 16] =
    [25, 50, 75, 100, 150, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/// How often something was done, and how long it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// How often.
    pub count: u64,
    /// All of it together, in microseconds.
    pub sum_us: u64,
    /// How often it took at most so many microseconds: bound and count, each with those before it.
    pub at_most: Vec<(u64, u64)>,
}

impl Times {
    /// The bound that `share` of them (0.5 is the median) did not exceed; `None` when there are
    /// none, or when even the largest bound was exceeded.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        if self.count == 0 {
            return None;
        }
        let wanted = self.count as f64 * share;
        let bound = self.at_most.iter().find(|(_, count)| *count as f64 >= wanted)?;
        Some(Duration::from_micros(bound.0))
    }
}

/// Counts as they come in.
#[derive(Debug, Default)]
pub(crate) struct Timing {
    within: [AtomicU64; BOUNDS_US.len()],
    beyond: AtomicU64,
    sum_us: AtomicU64,
}

impl Timing {
    pub(crate) fn took(&self, us: u64) {
        let slot = BOUNDS_US.iter().position(|bound| us <= *bound);
        slot.map_or(&self.beyond, |at| &self.within[at]).fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Times {
        let mut count = 0;
        let at_most = BOUNDS_US.iter().zip(&self.within).map(|(bound, within)| {
            count += within.load(Ordering::Relaxed);
            (*bound, count)
        });
        let at_most = at_most.collect();
        let sum_us = self.sum_us.load(Ordering::Relaxed);
        Times { count: count + self.beyond.load(Ordering::Relaxed), sum_us, at_most }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Timing;

    #[test]
    fn a_quantile_is_the_bound_that_so_many_did_not_exceed() {
        let timing = Timing::default();
        assert_eq!(timing.read().quantile(0.5), None, "nothing was timed");
        for us in [20, 25, 60, 90, 2_000_000] {
            timing.took(us);
        }
        let times = timing.read();
        assert_eq!((times.count, times.sum_us), (5, 2_000_195));
        assert_eq!(times.at_most[..4], [(25, 2), (50, 2), (75, 3), (100, 4)]);
        assert_eq!(times.quantile(0.5), Some(Duration::from_micros(75)));
        assert_eq!(times.quantile(0.99), None, "longer than the largest bound");
    }
}
