//! The exact binomial gate: could this many bad events be chance, if the objective were just met?
//!
//! Does: P(X ≥ bad) for X ~ Binomial(valid, e), in log space, so that neither a million events
//! nor a probability of 1e-400 breaks it. An alert passes when that is below alpha; on a quiet
//! topic one bad event of three is no evidence, and the plain burn-rate rule pages for it.

#[cfg(test)]
mod tests;

/// P(X ≥ k) for X ~ Binomial(n, p).
pub fn tail(n: u64, k: u64, p: f64) -> f64 {
    ln_tail(n, k, p).exp()
}

/// ln P(X ≥ k) for X ~ Binomial(n, p): the upper tail summed from k on while the terms count, or
/// one less the lower tail when k is below the mean.
pub fn ln_tail(n: u64, k: u64, p: f64) -> f64 {
    if k == 0 || p >= 1.0 {
        return if k <= n { 0.0 } else { f64::NEG_INFINITY };
    }
    if k > n || p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let odds = p / (1.0 - p);
    if k as f64 > n as f64 * p {
        let step = |i: u64| (n - i) as f64 / (i + 1) as f64 * odds;
        ln_pmf(n, k, p) + sum_of_products((k..n).map(step)).ln()
    } else {
        let step = |i: u64| i as f64 / (n - i + 1) as f64 / odds;
        let below = ln_pmf(n, k - 1, p).exp() * sum_of_products((1..k).rev().map(step));
        (-below.min(1.0)).ln_1p()
    }
}

/// 1 + r1 + r1·r2 + …, until the terms no longer change it.
fn sum_of_products(ratios: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for ratio in ratios {
        term *= ratio;
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    sum
}

fn ln_pmf(n: u64, k: u64, p: f64) -> f64 {
    let (n, k) = (n as f64, k as f64);
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0) + k * p.ln() + (n - k) * (-p).ln_1p()
}

/// ln Γ(x) for x ≥ 1, by Lanczos' approximation (g = 7, nine terms), relative error about 1e-15.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let series =
        TERMS.iter().enumerate().fold(0.999_999_999_999_809_9, |sum, (i, term)| sum + term / (x + i as f64 + 1.0));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + series.ln()
}
