//! What the page is told of one objective.

use std::time::Duration;

/// One objective.
#[derive(Clone, Debug, Default)]
pub struct Objective {
    /// Its name.
    pub name: String,
    /// The subscription that it watches.
    pub subscription: String,
    /// The subscriptions whose events it counts: one, or those of a composite's parts.
    pub parts: Vec<String>,
    /// The share of events that must be good, 0 to 1.
    pub target: f64,
    /// Good means completed within this time of creation; `None`: completed at all.
    pub threshold: Option<Duration>,
    /// The rolling window.
    pub window: Duration,
    /// The share that was good in the window; `None` without events.
    pub good: Option<f64>,
    /// Events that counted in the window.
    pub events: u64,
    /// The share of the budget that is left; below 0 when it is overspent.
    pub budget_left: Option<f64>,
    /// The present burn as a multiple of the even burn; `None` without events.
    pub burn: Option<f64>,
    /// Over how long the burn was taken.
    pub burn_window: Duration,
    /// The burn over each window that is looked at, shortest first; `None` without events.
    pub burns: Vec<(Duration, Option<f64>)>,
    /// When the budget is gone at that burn; `None`: never.
    pub exhausted_in: Option<Duration>,
    /// Its alert that fires, most severe first: `page-quick`.
    pub firing: Option<String>,
    /// The budget left over what is known of the window, evenly spaced, oldest first; `None` is a gap.
    pub history: Vec<Option<f64>>,
    /// How long each of them is.
    pub step: Duration,
    /// Good and bad events of the same stretches.
    pub counts: Vec<(u64, u64)>,
}
