//! A Prometheus native histogram of what was counted: exponential buckets, only those that hold
//! something.
//!
//! Schema 3: each power of two is cut into 8 buckets, bounds `2^(i/8)` seconds, 9 % apart. Does not: count;
//! it is derived from a [`Histogram`], whose own buckets are at most 1.6 % wide, by their middles. Invariant: its
//! counts' sum is the histogram's.

use std::sync::LazyLock;

use crate::histogram::{BUCKETS_MAX, Histogram, middle_of};

/// How fine the buckets are, as Prometheus has it: `2^SCHEMA` for each power of two.
pub const NATIVE_SCHEMA: i32 = 3;
/// What is not longer than this many seconds counts as nothing.
pub const NATIVE_ZERO_S: f64 = 1e-6;

/// Counts in exponential buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Native {
    /// Values of at most [`NATIVE_ZERO_S`].
    pub zeros: u64,
    /// Each bucket that holds something, ascending: its number `i`, and how many values lie in
    /// `(2^((i-1)/8), 2^(i/8)]` seconds.
    pub buckets: Vec<(i32, u64)>,
}

impl From<&Histogram> for Native {
    fn from(histogram: &Histogram) -> Native {
        let mut native = Native::default();
        for (index, count) in histogram.counted() {
            match NUMBERS.get(index).copied().flatten() {
                None => native.zeros += count,
                Some(number) => match native.buckets.last_mut() {
                    Some((last, sum)) if *last == number => *sum += count,
                    _ => native.buckets.push((number, count)),
                },
            }
        }
        native
    }
}

/// The number of the bucket into which the middle of each of the histogram's own buckets falls.
static NUMBERS: LazyLock<Vec<Option<i32>>> = LazyLock::new(|| {
    let number = |index| {
        let seconds = middle_of(index) / 1e6;
        let exact = (seconds.log2() * f64::from(1 << NATIVE_SCHEMA)).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a 64-bit number is small")]
        (seconds > NATIVE_ZERO_S).then_some(exact as i32)
    };
    (0..BUCKETS_MAX).map(number).collect()
});

#[cfg(test)]
mod tests {
    use super::{NATIVE_SCHEMA, Native};
    use crate::histogram::Histogram;

    #[test]
    fn each_value_lies_in_its_exponential_bucket_and_none_is_lost() {
        let mut histogram = Histogram::default();
        let values = [0, 1, 2, 900, 4_000, 4_000, 1_000_000, 59_000_000, 86_400_000_000];
        values.into_iter().for_each(|us| histogram.record(us));
        let native = Native::from(&histogram);
        assert_eq!(native.zeros, 2, "0 and 1 µs");
        assert_eq!(native.buckets.iter().map(|(_, count)| count).sum::<u64>() + native.zeros, values.len() as u64);
        assert!(native.buckets.windows(2).all(|pair| pair[0].0 < pair[1].0), "{native:?}");
        let base = 2f64.powf(1.0 / f64::from(1 << NATIVE_SCHEMA));
        for us in values.into_iter().filter(|us| *us > 1) {
            let holds = |number: i32| {
                let seconds = us as f64 / 1e6;
                // The histogram's own buckets are off by less than 1 %.
                base.powi(number - 1) < seconds * 1.008 && seconds * 0.992 <= base.powi(number)
            };
            assert!(native.buckets.iter().any(|(number, _)| holds(*number)), "{us} µs in {native:?}");
        }
    }
}
