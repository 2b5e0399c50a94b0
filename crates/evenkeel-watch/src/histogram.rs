//! A log-linear histogram of microseconds: mergeable, and off by less than 1 % at any quantile.
//!
//! Each power of two is cut into 64 buckets of equal width, as HdrHistogram does; values below
//! 128 are exact. A quantile is the middle of its bucket, so it is off by at most 1/128 (0.78 %).
//! Invariants: counts are exact integers; merging histograms equals counting their values in one.

#[cfg(test)]
mod tests;

/// Bits of a bucket's index within its power of two.
const SUB_BITS: u32 = 6;
const SUB: u64 = 1 << SUB_BITS;
/// More buckets than this there are never.
pub(crate) const BUCKETS_MAX: usize = 60 << SUB_BITS;

/// Counts of durations by size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
}

impl Histogram {
    /// Counts one value, in microseconds.
    pub fn record(&mut self, us: u64) {
        let index = index_of(us);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.min_us = if self.count == 0 { us } else { self.min_us.min(us) };
        self.max_us = self.max_us.max(us);
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// Adds what another histogram counted.
    pub fn merge(&mut self, other: &Histogram) {
        if other.count == 0 {
            return;
        }
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.min_us = if self.count == 0 { other.min_us } else { self.min_us.min(other.min_us) };
        self.max_us = self.max_us.max(other.max_us);
        self.count += other.count;
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// Each bucket that holds something, by its number, ascending.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (usize, u64)> {
        self.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// The smallest value, exactly.
    pub fn min_us(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min_us)
    }

    /// The largest value, exactly.
    pub fn max_us(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max_us)
    }

    /// The value at quantile `q` in [0, 1] by nearest rank, in microseconds; within 1 % of the exact one.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        // Float to integer casts saturate, so a q outside [0, 1] or NaN means the nearest end.
        let rank = ((q * self.count as f64).ceil() as u64).clamp(1, self.count);
        let mut seen = 0;
        for (index, &count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                let (low, width) = bounds_of(index);
                return Some((low + (width - 1) / 2).clamp(self.min_us, self.max_us));
            }
        }
        Some(self.max_us)
    }

    /// For each bound, how many values were at or below it; a value within 0.8 % of a bound may
    /// be counted on either side of it. `bounds_us` must ascend.
    pub fn cumulative(&self, bounds_us: &[u64]) -> Vec<u64> {
        let mut below = 0;
        let mut next = 0;
        bounds_us
            .iter()
            .map(|&bound| {
                while next < self.counts.len() {
                    let (low, width) = bounds_of(next);
                    if low + (width - 1) / 2 > bound {
                        break;
                    }
                    below += self.counts[next];
                    next += 1;
                }
                below
            })
            .collect()
    }
}

fn index_of(us: u64) -> usize {
    let shift = (u64::BITS - us.leading_zeros()).saturating_sub(SUB_BITS + 1);
    usize::try_from(u64::from(shift) * SUB + (us >> shift)).unwrap_or(usize::MAX)
}

/// The middle of a bucket, in microseconds.
pub(crate) fn middle_of(index: usize) -> f64 {
    let (low, width) = bounds_of(index);
    low as f64 + (width - 1) as f64 / 2.0
}

/// The least value of a bucket, and how many values it spans.
fn bounds_of(index: usize) -> (u64, u64) {
    let index = index as u64;
    let shift = (index / SUB).saturating_sub(1);
    ((index - shift * SUB) << shift, 1 << shift)
}
