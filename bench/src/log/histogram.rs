//! Latencies in microseconds, to 1.6 %.

/// Buckets for each power of two.
const FINE: u64 = 64;
const FINE_BITS: u32 = 6;
/// Up to 2^40 µs.
const BUCKETS: usize = 36 * FINE as usize;

/// How often each latency was seen.
pub(crate) struct Histogram {
    counts: Vec<u32>,
    max: u64,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Histogram {
        Histogram { counts: vec![0; BUCKETS], max: 0, total: 0 }
    }

    pub(crate) fn record(&mut self, us: u64) {
        self.counts[bucket(us)] += 1;
        self.max = self.max.max(us);
        self.total += 1;
    }

    pub(crate) fn add(&mut self, other: &Histogram) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.max = self.max.max(other.max);
        self.total += other.total;
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn max_us(&self) -> f64 {
        self.max as f64
    }

    /// The latency that this share did not exceed.
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (number, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank.max(1) {
                return upper(number).min(self.max as f64);
            }
        }
        self.max as f64
    }
}

fn bucket(us: u64) -> usize {
    let number = if us < FINE {
        us
    } else {
        let power = us.ilog2() - FINE_BITS;
        (u64::from(power) + 1) * FINE + ((us >> power) - FINE)
    };
    usize::try_from(number).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// The largest latency of a bucket.
fn upper(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    if bucket < FINE {
        return bucket as f64;
    }
    let power = bucket / FINE - 1;
    (((FINE + bucket % FINE + 1) << power) - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_two_percent() {
        let mut histogram = Histogram::new();
        (1..=100_000).for_each(|us| histogram.record(us));
        for (share, us) in [(0.001, 100.0), (0.5, 50_000.0), (0.99, 99_000.0), (1.0, 100_000.0)] {
            let found = histogram.quantile_us(share);
            assert!((found / us - 1.0).abs() < 0.02, "{share}: {found} for {us}");
        }
    }

    #[test]
    fn two_halves_add_up_to_the_whole() {
        let (mut low, mut high) = (Histogram::new(), Histogram::new());
        (0..50).for_each(|us| low.record(us));
        (50..100).for_each(|us| high.record(us));
        low.add(&high);
        assert_eq!((low.total(), low.max_us()), (100, 99.0));
        assert_eq!(low.quantile_us(0.25), 24.0);
    }
}
