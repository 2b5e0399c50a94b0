//! The one retry schedule: when an event is tried again, and what that adds up to.
//!
//! It decides delays only; what an attempt spends is decided in `subscription/booking`.
//! Invariant: a delay is never beyond its bound, and bounds never fall from one try to the next.

use std::time::Duration;

use crate::RetrySchedule;
use crate::random::Random;

/// What a schedule means, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryExplained {
    /// Attempts in all, the first one included.
    pub tries: u32,
    /// The bounds of the first delays (at most 16): each delay is drawn from zero to its bound.
    pub bounds: Vec<Duration>,
    /// From the first try to the last, if each delay were drawn at its bound and each attempt
    /// took its whole time-out.
    pub longest: Duration,
    /// Half of that in delays: what it takes on average, attempts apart.
    pub typical: Duration,
    /// True when `retry.age` ends an event before its attempts do.
    pub age_ends_first: bool,
}

impl RetrySchedule {
    /// The bound of the delay after `failed` failed tries (from 1): `initial × factor^(failed−1)`,
    /// at most `max`.
    pub fn bound(&self, failed: u32) -> Duration {
        let exponent = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        if seconds.is_finite() && seconds < self.max.as_secs_f64() {
            Duration::from_secs_f64(seconds)
        } else {
            self.max
        }
    }

    /// What the schedule adds up to, with attempts that take up to `timeout`.
    pub fn explain(&self, timeout: Duration) -> RetryExplained {
        let delays = self.attempts.saturating_sub(1);
        let mut sum = Duration::ZERO;
        for failed in 1..=delays.min(10_000) {
            sum = sum.saturating_add(self.bound(failed));
        }
        let attempts_take = timeout.saturating_mul(self.attempts);
        let longest = sum.saturating_add(attempts_take);
        RetryExplained {
            tries: self.attempts,
            bounds: (1..=delays.min(16)).map(|n| self.bound(n)).collect(),
            longest,
            typical: sum / 2,
            age_ends_first: longest > self.age,
        }
    }

    pub(crate) fn draw(&self, failed: u32, random: &mut Random) -> Duration {
        random.up_to(self.bound(failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> RetrySchedule {
        RetrySchedule { max: Duration::from_secs(10), ..RetrySchedule::default() }
    }

    #[test]
    fn bounds_grow_by_the_factor_up_to_the_maximum_and_never_fall() {
        let bounds: Vec<u128> = (1..8).map(|n| schedule().bound(n).as_millis()).collect();
        assert_eq!(bounds, [200, 800, 3200, 10_000, 10_000, 10_000, 10_000]);
        assert_eq!(schedule().bound(u32::MAX), Duration::from_secs(10));
    }

    #[test]
    fn delays_are_drawn_from_the_whole_range_below_the_bound() {
        let mut random = Random::new(7);
        let drawn: Vec<f64> = (0..1000).map(|_| schedule().draw(2, &mut random).as_secs_f64()).collect();
        assert!(drawn.iter().all(|d| (0.0..=0.8).contains(d)));
        let mean = drawn.iter().sum::<f64>() / 1000.0;
        assert!((0.36..0.44).contains(&mean), "mean {mean} is not that of full jitter");
    }

    #[test]
    fn the_explanation_adds_up_bounds_and_time_outs() {
        let explained = RetrySchedule { attempts: 4, ..schedule() }.explain(Duration::from_secs(5));
        assert_eq!(explained.tries, 4);
        assert_eq!(explained.bounds.len(), 3);
        assert_eq!(explained.longest, Duration::from_millis(200 + 800 + 3200 + 20_000));
        assert_eq!(explained.typical, Duration::from_millis(2100));
        assert!(!explained.age_ends_first);
        let short = RetrySchedule { age: Duration::from_secs(3), ..schedule() };
        assert!(short.explain(Duration::from_secs(5)).age_ends_first);
    }
}
