use super::{ln_gamma, ln_tail, tail};

/// The tail by adding up every term, as school teaches it.
fn by_hand(n: u64, k: u64, p: f64) -> f64 {
    let mut pmf = (1.0 - p).powi(n as i32);
    let mut sum = 0.0;
    for i in 0..=n {
        if i >= k {
            sum += pmf;
        }
        pmf *= (n - i) as f64 / (i + 1) as f64 * p / (1.0 - p);
    }
    sum
}

#[test]
fn the_tail_equals_the_sum_of_all_terms() {
    for (n, k, p) in
        [(1, 1, 0.3), (10, 0, 0.1), (10, 3, 0.1), (10, 10, 0.5), (50, 2, 0.2), (200, 9, 0.01), (300, 60, 0.2)]
    {
        let (told, exact) = (tail(n, k, p), by_hand(n, k, p));
        assert!((told - exact).abs() <= exact * 1e-10, "P(X >= {k} | {n}, {p}): told {told}, exact {exact}");
    }
}

#[test]
fn the_tail_is_stable_where_probabilities_underflow() {
    // All of 10,000 bad at p = 0.001: exactly 10,000 · ln 0.001.
    let exact = 10_000.0 * 0.001_f64.ln();
    assert!((ln_tail(10_000, 10_000, 0.001) - exact).abs() < 1e-6 * exact.abs());
    // A million events a little above the mean: the normal approximation says P(Z >= 3.147) = 8.2e-4.
    let p = tail(1_000_000, 1_100, 0.001);
    assert!((8.0e-4..1.1e-3).contains(&p), "{p}");
}

#[test]
fn the_ends_are_certain_and_impossible() {
    assert_eq!(tail(5, 0, 0.1), 1.0);
    assert_eq!(tail(5, 6, 0.1), 0.0);
    assert_eq!(tail(5, 1, 0.0), 0.0);
    assert_eq!(tail(5, 5, 1.0), 1.0);
}

#[test]
fn ln_gamma_is_the_log_of_the_factorial() {
    let mut factorial = 0.0_f64;
    for n in 1..=170_u32 {
        factorial += f64::from(n).ln();
        assert!((ln_gamma(f64::from(n) + 1.0) - factorial).abs() < 1e-10 * factorial.max(1.0), "{n}!");
    }
}
