//! The error budget of an objective: how much may go wrong, how much did, how long it lasts.
//!
//! Formulas as in the SRE Workbook, chapter 5, with e = 1 − target, P the period, and integer
//! counts: remaining = 1 − bad / (e · valid), never clamped; exhaustion at a constant burn after
//! remaining · P / burn.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::openslo::Objective;
use crate::slices::Slices;

/// The error budget of an objective over its window.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// The objective.
    pub objective: Arc<str>,
    /// Its target.
    pub target: f64,
    /// Its window.
    pub window: Duration,
    /// Events that kept the objective, in the window.
    pub good: u64,
    /// Events that broke it, in the window.
    pub bad: u64,
    /// Both.
    pub valid: u64,
    /// The share of good ones; none without events.
    pub indicator: Option<f64>,
    /// How many of the valid events may be bad.
    pub allowed: f64,
    /// The share of the budget that is left: 1 when nothing is bad, below 0 when overspent.
    pub remaining: f64,
    /// The burn rate over several windows, shortest first; none for a window without events.
    pub burn: Vec<(Duration, Option<f64>)>,
    /// When the budget is spent if it goes on as in the last hour (or the longest shown window
    /// below that), not counting on old bad events leaving the window. Zero when it is spent.
    pub exhausted_in: Option<Duration>,
}

/// What was counted in one stretch of an objective's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Where the stretch ends.
    pub until: Timestamp,
    /// Good events in it.
    pub good: u64,
    /// Bad events in it.
    pub bad: u64,
}

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn budget(objective: &Objective, slices: &Slices, now: Timestamp) -> Budget {
    let e = objective.allowed();
    let counts = slices.window(now, objective.window);
    let allowed = e * counts.valid() as f64;
    let remaining = if counts.bad == 0 { 1.0 } else { 1.0 - counts.bad as f64 / allowed };
    let burn: Vec<_> = burn_windows(objective).into_iter().map(|w| (w, slices.window(now, w).burn(e))).collect();
    let pace = burn.iter().rev().find(|(window, _)| *window <= HOUR).or(burn.last()).and_then(|(_, burn)| *burn);
    Budget {
        objective: Arc::clone(&objective.name),
        target: objective.target,
        window: objective.window,
        good: counts.good,
        bad: counts.bad,
        valid: counts.valid(),
        indicator: (counts.valid() > 0).then(|| counts.good as f64 / counts.valid() as f64),
        allowed,
        remaining,
        burn,
        exhausted_in: exhausted_in(remaining, objective.window, pace),
    }
}

fn exhausted_in(remaining: f64, window: Duration, burn: Option<f64>) -> Option<Duration> {
    if remaining <= 0.0 {
        return Some(Duration::ZERO);
    }
    let burn = burn.filter(|&burn| burn > 0.0)?;
    Duration::try_from_secs_f64(remaining * window.as_secs_f64() / burn).ok()
}

/// The windows of the objective's alerts, and those of the Workbook that fit.
fn burn_windows(objective: &Objective) -> Vec<Duration> {
    let usual = [HOUR / 12, HOUR, 6 * HOUR, 24 * HOUR, 72 * HOUR, objective.window];
    let own = objective.alerts.iter().flat_map(|alert| [alert.short, alert.long]);
    let mut windows: Vec<Duration> = own.chain(usual).filter(|&window| window <= objective.window).collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

/// The window in `points` stretches, oldest first.
pub(crate) fn history(objective: &Objective, slices: &Slices, now: Timestamp, points: u32) -> Vec<Point> {
    let step = (objective.window / points.max(1)).max(Duration::from_secs(1));
    (0..points)
        .map(|n| {
            let until = now - step * (points - 1 - n);
            // The instant before a stretch belongs to the stretch before it.
            let counts = slices.between(now, until - step + Duration::from_secs(1), until);
            Point { until, good: counts.good, bad: counts.bad }
        })
        .collect()
}
