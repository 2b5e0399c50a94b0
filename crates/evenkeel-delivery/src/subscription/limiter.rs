//! How many events may be at the handler at once: falls by factors when it sheds, rises by steps.
//!
//! `busy`, 429 and 503 lower the limit to 70 %; each success raises it by the inverse of the
//! limit, so that a whole round of successes adds one. When the limit is at its minimum and the
//! handler still sheds, dispatch holds for a moment that grows (`hold_until`).

use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::Concurrency;
use crate::random::Random;

const HOLD_FIRST: Duration = Duration::from_millis(50);
const HOLD_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Limiter {
    min: f64,
    max: f64,
    limit: f64,
    /// Sheds since the last success, while at the minimum.
    shed: u32,
    hold_until: Timestamp,
}

impl Limiter {
    pub(super) fn new(concurrency: Concurrency) -> Limiter {
        let min = f64::from(concurrency.min.max(1));
        let max = f64::from(concurrency.max).max(min);
        Limiter { min, max, limit: max, shed: 0, hold_until: Timestamp::EPOCH }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 ≤ limit ≤ a u32")]
    pub(super) fn limit(&self) -> u32 {
        self.limit as u32
    }

    pub(super) fn succeeded(&mut self) {
        self.limit = (self.limit + 1.0 / self.limit).min(self.max);
        self.shed = 0;
    }

    pub(super) fn overloaded(&mut self, now: Timestamp, random: &mut Random) {
        self.limit = (self.limit * 0.7).max(self.min);
        if self.limit <= self.min {
            let bound = HOLD_FIRST.saturating_mul(1 << self.shed.min(10)).min(HOLD_MAX);
            self.hold_until = self.hold_until.max(now + random.up_to(bound));
            self.shed += 1;
        }
    }

    pub(super) fn hold_until(&self) -> Timestamp {
        self.hold_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_falls_fast_rises_slowly_and_stays_within_its_bounds() {
        let mut limiter = Limiter::new(Concurrency { min: 2, max: 64 });
        let mut random = Random::new(1);
        assert_eq!(limiter.limit(), 64);
        limiter.overloaded(Timestamp::EPOCH, &mut random);
        assert_eq!(limiter.limit(), 44);
        assert_eq!(limiter.hold_until(), Timestamp::EPOCH, "it still has room to fall");
        (0..50).for_each(|_| limiter.overloaded(Timestamp::EPOCH, &mut random));
        assert_eq!(limiter.limit(), 2);
        assert!(limiter.hold_until() > Timestamp::EPOCH, "at the minimum it holds");
        limiter.succeeded();
        assert_eq!(limiter.limit(), 2);
        (0..10_000).for_each(|_| limiter.succeeded());
        assert_eq!(limiter.limit(), 64);
    }
}
