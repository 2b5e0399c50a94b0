//! A checked OpenSLO v1 SLO as plain values, and the rules that it must obey.
//!
//! Does: name what Evenkeel executes of OpenSLO v1 and say exactly what is wrong with a value.
//! Does not: read YAML; the node does, and turns its own forms into these. The factor of each
//! burn-rate alert is derived from its share of the budget and the period, never given, since a
//! fixed factor means another share in another period (SRE Workbook, chapter 5).

use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
mod tests;

const HOUR: Duration = Duration::from_secs(3600);
/// The longest window: what slices of a minute are kept for.
const WINDOW_MAX: Duration = Duration::from_secs(366 * 86_400);

/// One objective of one subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// `metadata.name`: an RFC 1123 label.
    pub name: Arc<str>,
    /// `spec.service`.
    pub service: Arc<str>,
    /// `spec.description`, for people.
    pub description: String,
    /// The subscription whose outcomes count.
    pub subscription: Arc<str>,
    /// What makes an event good.
    pub indicator: Indicator,
    /// The share of valid events that must be good, in [0, 1).
    pub target: f64,
    /// The rolling time window.
    pub window: Duration,
    /// How the budget is counted.
    pub method: Method,
    /// The burn-rate alerts.
    pub alerts: Vec<BurnAlert>,
    /// An alert needs at least this many bad events in its long window.
    pub bad_min: u64,
    /// An alert needs bad events that are rarer than this by chance; 1e-3 unless told.
    pub alpha: f64,
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
    /// Good: completed. Bad: dead or expired.
    Success,
}

/// How the budget is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Each event counts.
    #[default]
    Occurrences,
}

/// Who must act, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// In working hours.
    Ticket,
    /// Now.
    Page,
}

impl Severity {
    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Ticket => "ticket",
            Severity::Page => "page",
        }
    }
}

/// Fires when both windows burn faster than would spend `budget_share` of the budget in `long`.
#[derive(Clone, Debug, PartialEq)]
pub struct BurnAlert {
    /// Unique within its objective.
    pub name: Arc<str>,
    /// Who must act.
    pub severity: Severity,
    /// The share of the period's budget that is spent in `long` at the factor, in (0, 1].
    pub budget_share: f64,
    /// The window that must show enough damage.
    pub long: Duration,
    /// The window that must show that it goes on.
    pub short: Duration,
}

impl BurnAlert {
    /// The four tiers of the SRE Workbook: 2 % in 1 h and 5 % in 6 h page; 10 % in 1 d and in 3 d are tickets.
    pub fn defaults() -> Vec<BurnAlert> {
        let tier = |name: &str, severity, budget_share, long, short| BurnAlert {
            name: Arc::from(name),
            severity,
            budget_share,
            long,
            short,
        };
        vec![
            tier("page-quick", Severity::Page, 0.02, HOUR, HOUR / 12),
            tier("page-slow", Severity::Page, 0.05, 6 * HOUR, HOUR / 2),
            tier("ticket-quick", Severity::Ticket, 0.10, 24 * HOUR, 2 * HOUR),
            tier("ticket-slow", Severity::Ticket, 0.10, 72 * HOUR, 6 * HOUR),
        ]
    }

    /// The burn rate at which `budget_share` of the budget of `period` is spent in the long window.
    pub fn factor(&self, period: Duration) -> f64 {
        self.budget_share * period.as_secs_f64() / self.long.as_secs_f64()
    }
}

impl Default for Objective {
    fn default() -> Objective {
        Objective {
            name: Arc::from("objective"),
            service: Arc::from("default"),
            description: String::new(),
            subscription: Arc::from("subscription"),
            indicator: Indicator::Success,
            target: 0.999,
            window: Duration::from_secs(30 * 86_400),
            method: Method::Occurrences,
            alerts: Vec::new(),
            bad_min: 1,
            alpha: 1e-3,
        }
    }
}

/// A value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, as in the objective: `alerts[0].short`.
    pub field: String,
    /// What stands there.
    pub value: String,
    /// What must hold.
    pub rule: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is {}: {}", self.field, self.value, self.rule)
    }
}

impl std::error::Error for Problem {}

impl Objective {
    /// The share of valid events that may be bad: 1 − target.
    pub fn allowed(&self) -> f64 {
        1.0 - self.target
    }

    /// The threshold in microseconds, for a latency objective.
    pub fn threshold_us(&self) -> Option<u64> {
        match self.indicator {
            Indicator::Latency { threshold } => Some(u64::try_from(threshold.as_micros()).unwrap_or(u64::MAX)),
            Indicator::Success => None,
        }
    }

    /// All that is wrong with it.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut rule = |holds: bool, field: &str, value: String, rule: &str| {
            if !holds {
                problems.push(Problem { field: field.to_owned(), value, rule: rule.to_owned() });
            }
        };
        rule(is_label(&self.name), "name", format!("`{}`", self.name), LABEL_RULE);
        rule(!self.service.is_empty(), "service", "empty".to_owned(), "an objective belongs to a service");
        rule(!self.subscription.is_empty(), "subscription", "empty".to_owned(), "an objective watches a subscription");
        rule(
            (0.0..1.0).contains(&self.target),
            "target",
            self.target.to_string(),
            "a target is at least 0 and below 1 (99.9 % is 0.999); at 1 there is no budget to burn",
        );
        rule(
            self.window >= Duration::from_secs(1) && self.window <= WINDOW_MAX,
            "window",
            format!("{:?}", self.window),
            "a window is at least 1 s and at most 366 d",
        );
        if let Indicator::Latency { threshold } = self.indicator {
            rule(
                threshold >= Duration::from_micros(1) && threshold < self.window,
                "indicator.threshold",
                format!("{threshold:?}"),
                "a latency threshold is above 0 and shorter than the window",
            );
        }
        rule(
            self.alpha > 0.0 && self.alpha < 1.0,
            "alpha",
            self.alpha.to_string(),
            "the chance that is taken for evidence lies between 0 and 1",
        );
        for (index, alert) in self.alerts.iter().enumerate() {
            self.check_alert(index, alert, &mut problems);
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn check_alert(&self, index: usize, alert: &BurnAlert, problems: &mut Vec<Problem>) {
        let mut rule = |holds: bool, field: &str, value: String, rule: String| {
            if !holds {
                problems.push(Problem { field: format!("alerts[{index}].{field}"), value, rule });
            }
        };
        let named_before = self.alerts[..index].iter().any(|other| other.name == alert.name);
        rule(is_label(&alert.name), "name", format!("`{}`", alert.name), LABEL_RULE.to_owned());
        rule(
            !named_before,
            "name",
            format!("`{}`", alert.name),
            "an alert's name is unique in its objective".to_owned(),
        );
        rule(
            alert.budget_share > 0.0 && alert.budget_share <= 1.0,
            "budget_share",
            alert.budget_share.to_string(),
            "a share of the budget is above 0 and at most 1 (2 % is 0.02)".to_owned(),
        );
        rule(
            alert.short >= Duration::from_secs(1) && alert.short <= alert.long,
            "short",
            format!("{:?}", alert.short),
            format!("the short window is at least 1 s and at most the long one, {:?}", alert.long),
        );
        rule(
            alert.long <= self.window,
            "long",
            format!("{:?}", alert.long),
            format!("the long window is at most the objective's, {:?}", self.window),
        );
        let factor = alert.factor(self.window);
        rule(
            factor < 1.0 / self.allowed(),
            "factor",
            format!("{factor:.4}"),
            format!(
                "the factor (budget_share × window / long) must be below 1/(1 - target) = {:.4}, \
                 the burn rate of a total outage, or the alert can never fire",
                1.0 / self.allowed()
            ),
        );
    }
}

const LABEL_RULE: &str = "a name is 1 to 63 of a-z, 0-9 and `-`, and neither begins nor ends with `-`";

fn is_label(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}
