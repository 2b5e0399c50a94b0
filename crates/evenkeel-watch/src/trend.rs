//! How a subscription got on over the last hour: latency and lag, a point for each ten seconds.
//!
//! Sampled as time goes by, for a plot; it decides nothing. Not rebuilt by replay: what an hour looked like before the
//! start nobody saw. Invariants: points are in order, at most [`TREND_POINTS`]; a stretch that was not sampled has none.

use std::collections::VecDeque;
use std::time::Duration;

use evenkeel_model::Timestamp;

/// How long a point stands for.
pub const TREND_STEP: Duration = Duration::from_secs(10);
/// Points that are kept: an hour.
pub const TREND_POINTS: usize = 360;

/// Ten seconds of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrendPoint {
    /// When they were over.
    pub until: Timestamp,
    /// Median of created-to-completed; none where nothing completed.
    pub p50: Option<Duration>,
    /// 99th percentile of it.
    pub p99: Option<Duration>,
    /// The age of the oldest event that was not complete when they were over.
    pub lag: Duration,
    /// Events that ended in them.
    pub ended: u64,
}

/// The points of the last hour.
#[derive(Clone, Debug, Default)]
pub struct Trend {
    points: VecDeque<TrendPoint>,
    /// The stretch that runs.
    running: Option<i64>,
}

impl Trend {
    /// Whether a stretch is over since the last time; then its number and its end.
    pub(crate) fn is_over(&mut self, now: Timestamp) -> Option<(i64, Timestamp)> {
        let step_us = i64::try_from(TREND_STEP.as_micros()).unwrap_or(i64::MAX);
        let number = now.micros().div_euclid(step_us);
        let before = self.running.replace(number);
        let over = before.filter(|before| *before < number)?;
        (over + 1 == number).then(|| (over, Timestamp::from_micros(number.saturating_mul(step_us))))
    }

    pub(crate) fn push(&mut self, point: TrendPoint) {
        if self.points.len() == TREND_POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }

    /// The points, oldest first.
    pub fn points(&self) -> impl ExactSizeIterator<Item = &TrendPoint> {
        self.points.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_told_once_when_it_is_over_and_one_that_nobody_saw_is_not() {
        let at = |ms: i64| Timestamp::from_millis(1_795_000_000_000 + ms);
        let mut trend = Trend::default();
        assert_eq!(trend.is_over(at(500)), None, "the first look begins");
        assert_eq!(trend.is_over(at(9_999)), None);
        assert_eq!(trend.is_over(at(10_250)).map(|(_, until)| until), Some(at(10_000)));
        assert_eq!(trend.is_over(at(10_500)), None, "once");
        assert_eq!(trend.is_over(at(95_000)), None, "nobody looked for a while");
        for _ in 0..TREND_POINTS + 5 {
            trend.push(TrendPoint { until: at(0), p50: None, p99: None, lag: Duration::ZERO, ended: 0 });
        }
        assert_eq!(trend.points().len(), TREND_POINTS);
    }
}
