//! How many events may be at the handler at once: found out by how long it takes, and lowered when
//! it sheds.
//!
//! It begins low and doubles, until answers take longer than half again what they take with little to
//! do (the gradient, in `gradient`), or until the handler sheds; from then on a whole round of good
//! answers adds one. Answers that take too long lower it by a tenth; `busy`, 429 and 503 to 70 %. When
//! it is at its minimum and the handler still sheds, dispatch holds for a moment that grows
//! (`hold_until`). Only what fills at least half of the limit says anything of it.

mod gradient;

use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::Concurrency;
use crate::random::Random;
use gradient::{Gradient, Slope};

const HOLD_FIRST: Duration = Duration::from_millis(50);
const HOLD_MAX: Duration = Duration::from_secs(5);
/// So many sheds without a success, the last of them fresh, are an overload.
const OVERLOADED: u32 = 2;
const FRESH: Duration = Duration::from_secs(5);
/// Where it begins, within its bounds.
const FIRST: f64 = 16.0;

#[derive(Debug)]
pub(super) struct Limiter {
    min: f64,
    max: f64,
    limit: f64,
    /// It doubles, since nothing spoke against that yet.
    unchecked: bool,
    gradient: Gradient,
    /// Sheds since the last success, while at the minimum.
    shed: u32,
    shed_at: Timestamp,
    hold_until: Timestamp,
}

impl Limiter {
    pub(super) fn new(concurrency: Concurrency) -> Limiter {
        let min = f64::from(concurrency.min.max(1));
        let max = f64::from(concurrency.max).max(min);
        Limiter {
            min,
            max,
            limit: FIRST.clamp(min, max),
            unchecked: true,
            gradient: Gradient::default(),
            shed: 0,
            shed_at: Timestamp::EPOCH,
            hold_until: Timestamp::EPOCH,
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 ≤ limit ≤ a u32")]
    pub(super) fn limit(&self) -> u32 {
        if self.gradient.is_measuring() { (self.limit / 2.0).max(self.min) as u32 } else { self.limit as u32 }
    }

    /// It answered, after `took`, while `at_handler` events were there, this one included.
    pub(super) fn succeeded(&mut self, took: Duration, at_handler: usize) {
        self.shed = 0;
        if at_handler.saturating_mul(2) < self.limit() as usize {
            return;
        }
        match self.gradient.sample(took, self.limit()) {
            Slope::Steep => {
                self.unchecked = false;
                self.limit = (self.limit * 0.9).max(self.min);
            }
            Slope::Gentle => {
                let step = if self.unchecked { 1.0 } else { 1.0 / self.limit };
                self.limit = (self.limit + step).min(self.max);
            }
            Slope::Unknown => {}
        }
    }

    pub(super) fn overloaded(&mut self, now: Timestamp, random: &mut Random) {
        self.unchecked = false;
        self.limit = (self.limit * 0.7).max(self.min);
        if self.limit <= self.min {
            let bound = HOLD_FIRST.saturating_mul(1 << self.shed.min(10)).min(HOLD_MAX);
            self.hold_until = self.hold_until.max(now + random.up_to(bound));
            self.shed += 1;
            self.shed_at = now;
        }
    }

    /// True while it sheds although it is asked for no more at once than the minimum.
    pub(super) fn is_overloaded(&self, now: Timestamp) -> bool {
        self.shed >= OVERLOADED && now.since(self.shed_at) < FRESH
    }

    pub(super) fn hold_until(&self) -> Timestamp {
        self.hold_until
    }
}

#[cfg(test)]
mod tests;
