//! An objective as it is executed, and the rules that it must obey.
//!
//! Does: name what is counted, how the budget is spent, and when somebody is told, and say exactly
//! what is wrong with a value. Does not: know the form in which it was written; [`crate::openslo`]
//! turns documents into these. The factor of each burn-rate alert is derived from its share of the
//! budget and the period, since a fixed factor means another share in another period (SRE Workbook,
//! chapter 5).

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;
use evenkeel_model::ledger::Ended;

use crate::calendar::Calendar;
use crate::rule::AlertRule;

mod sound;
#[cfg(test)]
mod tests;

pub use sound::Problem;

/// The longest window: what slices of a minute are kept for.
pub(crate) const WINDOW_MAX: Duration = Duration::from_secs(366 * 86_400);

/// Before the name of a rule of chains.
const CHAIN: &str = "chain:";

/// One objective: of one indicator, or composed of several.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Its name: an RFC 1123 label; with `.1`, `.2` … behind it where one SLO has several.
    pub name: Arc<str>,
    /// The service that it belongs to.
    pub service: Arc<str>,
    /// For people.
    pub description: String,
    /// What is counted: one, or the parts of a composite.
    pub parts: Vec<Part>,
    /// Over what it is judged.
    pub window: Window,
    /// When somebody is told.
    pub alerts: Vec<AlertRule>,
    /// Alerts that usually apply and do not apply here: their names, and why.
    pub left_out: Vec<(Arc<str>, String)>,
    /// An alert needs at least this many bad events in its long window.
    pub bad_min: u64,
    /// An alert needs bad events that are rarer than this by chance; 1e-3 unless told.
    pub alpha: f64,
}

/// One indicator with its target.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Which events count.
    pub scope: Scope,
    /// What makes an event good.
    pub indicator: Indicator,
    /// The share that must be good, in [0, 1).
    pub target: f64,
    /// How the budget is counted.
    pub method: Method,
    /// How much its burn weighs in a composite; above 0.
    pub weight: f64,
}

/// Which events count for a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The subscription whose outcomes count, or the rule of chains ([`Scope::of_chain`]).
    pub subscription: Arc<str>,
    /// Only events of this CloudEvents type.
    pub kind: Option<Arc<str>>,
    /// Only events of this CloudEvents source.
    pub source: Option<Arc<str>>,
    /// Only what this version of the handler did.
    pub handler_version: Option<Arc<str>>,
}

impl Scope {
    /// All events of a subscription.
    pub fn of(subscription: &str) -> Scope {
        Scope { subscription: Arc::from(subscription), ..Scope::default() }
    }

    /// All chains of a rule: under a name that no subscription can have.
    pub fn of_chain(rule: &str) -> Scope {
        Scope::of(&format!("{CHAIN}{rule}"))
    }

    /// The rule whose chains are counted under this name; none for a subscription.
    pub fn chain(name: &str) -> Option<&str> {
        name.strip_prefix(CHAIN)
    }

    /// Whether this event of the subscription counts.
    pub fn holds(&self, ended: &Ended) -> bool {
        let same = |wanted: &Option<Arc<str>>, found: &Arc<str>| wanted.as_ref().is_none_or(|wanted| wanted == found);
        same(&self.kind, &ended.kind)
            && same(&self.source, &ended.source)
            && same(&self.handler_version, &ended.handler_version)
    }

    /// Whether some events of the subscription are left out.
    pub fn is_narrowed(&self) -> bool {
        self.kind.is_some() || self.source.is_some() || self.handler_version.is_some()
    }
}

/// What makes an event good or bad. Duplicate, filtered, stale, dropped and not-an-event are
/// neither: they are not valid events of an objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indicator {
    /// Good: completed within `threshold` of its creation. Bad: later, dead, expired, or overdue.
    Latency {
        /// From creation to completion.
        threshold: Duration,
    },
    /// Good: completed, and its last attempt took at most `threshold`. Bad: slower, dead or expired.
    Handler {
        /// What the last attempt took.
        threshold: Duration,
    },
    /// Good: completed. Bad: dead or expired.
    Success,
}

impl Indicator {
    /// Its name, as users see it.
    pub fn name(self) -> &'static str {
        match self {
            Indicator::Latency { .. } => "latency",
            Indicator::Handler { .. } => "handler_latency",
            Indicator::Success => "success",
        }
    }

    /// What may not be exceeded.
    pub fn threshold(self) -> Option<Duration> {
        match self {
            Indicator::Latency { threshold } | Indicator::Handler { threshold } => Some(threshold),
            Indicator::Success => None,
        }
    }
}

/// How the budget is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Method {
    /// Each event counts: good events of all events.
    #[default]
    Occurrences,
    /// Each slice of time counts: good slices of all. A slice is good when at least `target` of its
    /// events are.
    Timeslices {
        /// How long a slice is; slices begin at multiples of it since 1970.
        slice: Duration,
        /// The share of a slice's events that makes it good, in (0, 1].
        target: f64,
        /// What a slice without events is.
        empty: Empty,
    },
    /// The mean of the slices' ratios, each slice weighing the same.
    RatioTimeslices {
        /// How long a slice is; slices begin at multiples of it since 1970.
        slice: Duration,
        /// What a slice without events is.
        empty: Empty,
    },
}

impl Method {
    /// Its name in OpenSLO.
    pub fn name(self) -> &'static str {
        match self {
            Method::Occurrences => "Occurrences",
            Method::Timeslices { .. } => "Timeslices",
            Method::RatioTimeslices { .. } => "RatioTimeslices",
        }
    }

    /// How long a slice is, where there are slices.
    pub fn slice(self) -> Option<Duration> {
        match self {
            Method::Occurrences => None,
            Method::Timeslices { slice, .. } | Method::RatioTimeslices { slice, .. } => Some(slice),
        }
    }
}

/// What a slice without events is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Good: nothing went wrong in it.
    Good,
    /// Bad: something should have happened in it.
    Bad,
    /// Neither: it is not there.
    Skipped,
}

impl Empty {
    /// Its name, as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Empty::Good => "good",
            Empty::Bad => "bad",
            Empty::Skipped => "skipped",
        }
    }
}

/// Over what an objective is judged.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// The last so much.
    Rolling(Duration),
    /// The running window of a calendar.
    Calendar(Calendar),
}

impl Window {
    /// How long it is; for a calendar by the usual length of its unit.
    pub fn length(&self) -> Duration {
        match self {
            Window::Rolling(length) => *length,
            Window::Calendar(calendar) => calendar.step.length(),
        }
    }

    /// Where the window of this moment begins and ends.
    pub fn around(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Window::Rolling(length) => (now - *length, now),
            Window::Calendar(calendar) => calendar.around(now),
        }
    }

    /// Whether it is bound to a calendar.
    pub fn is_calendar(&self) -> bool {
        matches!(self, Window::Calendar(_))
    }
}

impl Part {
    /// The share that may be bad: 1 − target.
    pub fn allowed(&self) -> f64 {
        1.0 - self.target
    }

    /// The age at which an unfinished event is bad, in microseconds; none where nobody is told so
    /// before it ends. What the ledger says about an unfinished event does not tell its type.
    pub fn overdue_us(&self) -> Option<u64> {
        match self.indicator {
            Indicator::Latency { threshold } if !self.scope.is_narrowed() => {
                Some(u64::try_from(threshold.as_micros()).unwrap_or(u64::MAX))
            }
            _ => None,
        }
    }
}

impl Objective {
    /// The subscription of its first part, by which it is found and shown.
    pub fn subscription(&self) -> Arc<str> {
        self.parts.first().map(|part| Arc::clone(&part.scope.subscription)).unwrap_or_default()
    }

    /// What makes an event of its first part good.
    pub fn indicator(&self) -> Indicator {
        self.parts.first().map_or(Indicator::Success, |part| part.indicator)
    }

    /// Whether it has several parts.
    pub fn is_composite(&self) -> bool {
        self.parts.len() > 1
    }

    /// The share that may be bad. Of a composite: the share at which, were all parts equally bad,
    /// the budget is spent exactly as fast as it may be (1 / Σ weight / allowed).
    pub fn allowed(&self) -> f64 {
        match self.parts.as_slice() {
            [only] if only.weight == 1.0 => only.allowed(),
            parts => 1.0 / parts.iter().map(|part| part.weight / part.allowed()).sum::<f64>(),
        }
    }

    /// The share that must be good: 1 − allowed.
    pub fn target(&self) -> f64 {
        match self.parts.as_slice() {
            [only] if only.weight == 1.0 => only.target,
            _ => 1.0 - self.allowed(),
        }
    }

    /// The name of the budgeting method; a composite has one for all parts.
    pub fn method(&self) -> Method {
        self.parts.first().map_or(Method::Occurrences, |part| part.method)
    }

    /// The windows over which its burn rate is told, shortest first: those of its alerts, those of the
    /// SRE Workbook that fit, and its whole window.
    pub fn burn_windows(&self) -> Vec<Duration> {
        crate::budget::burn_windows(self)
    }

    /// All that is wrong with it.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        sound::check(self)
    }
}

impl Default for Part {
    fn default() -> Part {
        Part {
            scope: Scope::of("subscription"),
            indicator: Indicator::Success,
            target: 0.999,
            method: Method::Occurrences,
            weight: 1.0,
        }
    }
}

impl Default for Objective {
    fn default() -> Objective {
        Objective {
            name: Arc::from("objective"),
            service: Arc::from("default"),
            description: String::new(),
            parts: vec![Part::default()],
            window: Window::Rolling(Duration::from_secs(30 * 86_400)),
            alerts: Vec::new(),
            left_out: Vec::new(),
            bad_min: 1,
            alpha: 1e-3,
        }
    }
}
