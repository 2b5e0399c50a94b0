//! Does the handler take longer because more is asked of it?
//!
//! Like Vegas (Brakmo, Peterson 1995) and Netflix' concurrency limits: what answers take with
//! little to do is the base, and what they take now is compared with it, round by round. A round is
//! as many answers as the limit has places, and no fewer than sixteen. While rounds are too slow,
//! the base is measured anew from time to time, at half the limit: a handler that only queues what
//! is too much for it is twice as fast there, one that became slower for reasons of its own is not.
//!
//! Invariants: answers within two milliseconds are never too slow, since that is the
//! noise of a busy machine; one slow answer among a round decides nothing.

use std::time::Duration;

/// Answers may take this many times the base.
const TOLERANCE: f64 = 1.5;
/// Below this, how long an answer takes says nothing.
const NOISE_US: f64 = 2_000.0;
/// So many rounds after the last time the base is measured anew, if one was too slow meanwhile.
const MEASURE_AFTER: u32 = 30;
/// Or after so many slow ones in a row.
const STEEP_MAX: u32 = 8;
const ROUND_MIN: u32 = 16;

/// What an answer says of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slope {
    /// It may rise.
    Gentle,
    /// A round took too long: it must fall.
    Steep,
    /// Nothing: answers take too long, or the base is being measured.
    Unknown,
}

#[derive(Debug, Default)]
pub(super) struct Gradient {
    base_us: Option<f64>,
    sum_us: f64,
    count: u32,
    /// Answers of this round.
    length: u32,
    rounds: u32,
    /// Rounds in a row that took too long; and whether one did since the last measuring.
    steep: u32,
    was_steep: bool,
    measuring: Option<Measuring>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Measuring {
    /// What was sent before comes back first.
    Draining,
    Counting,
}

impl Gradient {
    pub(super) fn is_measuring(&self) -> bool {
        self.measuring.is_some()
    }

    pub(super) fn sample(&mut self, took: Duration, limit: u32) -> Slope {
        if self.count == 0 {
            self.length = limit.max(ROUND_MIN);
        }
        self.sum_us += took.as_secs_f64() * 1e6;
        self.count += 1;
        let slope = match self.count >= self.length {
            true => self.end_round(),
            false if self.steep > 0 => Slope::Unknown,
            false => Slope::Gentle,
        };
        if self.measuring.is_some() { Slope::Unknown } else { slope }
    }

    fn end_round(&mut self) -> Slope {
        let mean = self.sum_us / f64::from(self.count);
        (self.sum_us, self.count) = (0.0, 0);
        match self.measuring {
            Some(Measuring::Draining) => self.measuring = Some(Measuring::Counting),
            Some(Measuring::Counting) => {
                *self = Gradient { base_us: Some(mean), ..Gradient::default() };
            }
            None => return self.judge(mean),
        }
        Slope::Unknown
    }

    fn judge(&mut self, mean: f64) -> Slope {
        let base = self.base_us.map_or(mean, |base| base.min(mean));
        self.base_us = Some(base);
        self.rounds += 1;
        let steep = mean > NOISE_US && mean > TOLERANCE * base;
        self.steep = if steep { self.steep + 1 } else { 0 };
        self.was_steep |= steep;
        if self.steep >= STEEP_MAX || self.was_steep && self.rounds >= MEASURE_AFTER {
            self.measuring = Some(Measuring::Draining);
        }
        if steep { Slope::Steep } else { Slope::Gentle }
    }
}
