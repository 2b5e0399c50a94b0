use super::{Histogram, bounds_of, index_of};

/// Latencies as services have them: a body around 20 ms, a long tail, a few outliers of hours.
fn latencies(count: u64) -> Vec<u64> {
    let mut state = 7_u64;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let unit = (state >> 11) as f64 / (1_u64 << 53) as f64;
            (20_000.0 * (1.0 / (1.0 - unit)).powf(1.3)) as u64
        })
        .collect()
}

#[test]
fn every_quantile_is_within_one_percent_of_the_exact_sort() {
    let mut values = latencies(100_000);
    let mut histogram = Histogram::default();
    values.iter().for_each(|&v| histogram.record(v));
    values.sort_unstable();
    for q in [0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0] {
        let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len());
        let exact = values[rank - 1] as f64;
        let told = histogram.quantile(q).unwrap() as f64;
        assert!((told - exact).abs() <= exact * 0.01, "q {q}: told {told}, exact {exact}");
    }
    assert_eq!(histogram.max_us(), values.last().copied());
    assert_eq!(histogram.sum_us(), values.iter().sum::<u64>());
}

#[test]
fn merging_equals_counting_in_one() {
    let values = latencies(5_000);
    let mut whole = Histogram::default();
    let mut parts = vec![Histogram::default(); 3];
    for (n, &value) in values.iter().enumerate() {
        whole.record(value);
        parts[n % 3].record(value);
    }
    let mut merged = Histogram::default();
    parts.iter().for_each(|part| merged.merge(part));
    merged.merge(&Histogram::default());
    assert_eq!(merged, whole);
}

#[test]
fn buckets_lie_side_by_side_over_the_whole_range() {
    for index in 0..index_of(u64::MAX) {
        let (low, width) = bounds_of(index);
        assert_eq!(bounds_of(index + 1).0, low + width, "a gap or an overlap after bucket {index}");
        assert_eq!((index_of(low), index_of(low + width - 1)), (index, index));
    }
}

#[test]
fn cumulative_counts_rise_to_the_total() {
    let mut histogram = Histogram::default();
    [1_000, 4_000, 40_000, 900_000, 20_000_000].iter().for_each(|&us| histogram.record(us));
    assert_eq!(histogram.cumulative(&[5_000, 50_000, 1_000_000, 10_000_000, u64::MAX]), [2, 3, 4, 4, 5]);
}

#[test]
fn an_empty_histogram_has_no_quantile() {
    assert_eq!(Histogram::default().quantile(0.5), None);
    assert_eq!(Histogram::default().max_us(), None);
}
