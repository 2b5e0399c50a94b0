//! The rules that an executed objective must obey.

use std::time::Duration;

use super::{Indicator, Method, Objective, Part, WINDOW_MAX, Window};
use crate::openslo::is_dns_label;
use crate::rule::{AlertRule, Trigger};

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

const LABEL_RULE: &str = "a name is 1 to 63 of a-z, 0-9 and `-`, and neither begins nor ends with `-`";
const MINUTE: Duration = Duration::from_secs(60);

/// What is wrong, gathered under one field.
struct Problems {
    found: Vec<Problem>,
    within: String,
}

impl Problems {
    fn rule(&mut self, holds: bool, field: &str, value: impl ToString, rule: impl ToString) {
        if !holds {
            let field = format!("{}{field}", self.within);
            self.found.push(Problem { field, value: value.to_string(), rule: rule.to_string() });
        }
    }
}

pub(super) fn check(objective: &Objective) -> Result<(), Vec<Problem>> {
    let mut problems = Problems { found: Vec::new(), within: String::new() };
    let base = objective.name.split('.').next().unwrap_or_default();
    problems.rule(is_dns_label(base), "name", format!("`{}`", objective.name), LABEL_RULE);
    problems.rule(!objective.service.is_empty(), "service", "empty", "an objective belongs to a service");
    problems.rule(!objective.parts.is_empty(), "parts", "empty", "an objective counts something");
    problems.rule(
        objective.alpha > 0.0 && objective.alpha < 1.0,
        "alpha",
        objective.alpha,
        "the chance that is taken for evidence lies between 0 and 1",
    );
    window(&objective.window, &mut problems);
    for (index, part) in objective.parts.iter().enumerate() {
        if objective.is_composite() {
            problems.within = format!("parts[{index}].");
        }
        check_part(part, objective.window.length(), &mut problems);
    }
    for (index, alert) in objective.alerts.iter().enumerate() {
        problems.within = format!("alerts[{index}].");
        let named_before = objective.alerts[..index].iter().any(|other| other.name == alert.name);
        problems.rule(is_dns_label(&alert.name), "name", format!("`{}`", alert.name), LABEL_RULE);
        problems.rule(!named_before, "name", format!("`{}`", alert.name), "an alert's name is unique in its objective");
        check_alert(objective, alert, &mut problems);
    }
    if problems.found.is_empty() { Ok(()) } else { Err(problems.found) }
}

fn window(window: &Window, problems: &mut Problems) {
    let length = window.length();
    problems.rule(
        length >= Duration::from_secs(1) && length <= WINDOW_MAX,
        "window",
        format!("{length:?}"),
        "a window is at least 1 s and at most 366 d",
    );
}

fn check_part(part: &Part, window: Duration, problems: &mut Problems) {
    problems.rule(!part.scope.subscription.is_empty(), "subscription", "empty", "an objective watches a subscription");
    problems.rule(
        (0.0..1.0).contains(&part.target),
        "target",
        part.target,
        "a target is at least 0 and below 1 (99.9 % is 0.999); at 1 there is no budget to burn",
    );
    problems.rule(part.weight > 0.0 && part.weight.is_finite(), "weight", part.weight, "a weight is above 0");
    match part.indicator {
        Indicator::Latency { threshold } | Indicator::Handler { threshold } => problems.rule(
            threshold >= Duration::from_micros(1) && threshold < window,
            "indicator.threshold",
            format!("{threshold:?}"),
            "a latency threshold is above 0 and shorter than the window",
        ),
        Indicator::Success => {}
    }
    if let Some(slice) = part.method.slice() {
        problems.rule(
            slice >= MINUTE && slice.as_secs().is_multiple_of(60) && slice <= window,
            "slice",
            format!("{slice:?}"),
            format!("a slice is a whole number of minutes, at least one, and at most the window, {window:?}"),
        );
    }
    if let Method::Timeslices { target, .. } = part.method {
        let rule = "a slice's target is above 0 and at most 1";
        problems.rule(target > 0.0 && target <= 1.0, "slice_target", target, rule);
    }
}

fn check_alert(objective: &Objective, alert: &AlertRule, problems: &mut Problems) {
    let window = objective.window.length();
    match alert.trigger {
        Trigger::Burn { budget_share, long, short } => {
            problems.rule(
                budget_share > 0.0 && budget_share <= 1.0,
                "budget_share",
                budget_share,
                "a share of the budget is above 0 and at most 1 (2 % is 0.02)",
            );
            let slice = objective.parts.iter().filter_map(|part| part.method.slice()).max();
            let shortest = slice.unwrap_or(Duration::from_secs(1));
            problems.rule(
                short >= shortest && short <= long,
                "short",
                format!("{short:?}"),
                format!("the short window is at least {shortest:?} and at most the long one, {long:?}"),
            );
            let rule = format!("the long window is at most the objective's, {window:?}");
            problems.rule(long <= window, "long", format!("{long:?}"), rule);
            reachable(objective, alert, problems);
        }
        Trigger::Silence { over } => {
            let rule = format!("a silence is at least 1 s and at most the objective's window, {window:?}");
            problems.rule(over >= Duration::from_secs(1) && over <= window, "over", format!("{over:?}"), rule);
        }
        Trigger::Remaining { below } => {
            problems.rule(below < 1.0, "below", below, "a share of the budget that is left is below 1 (20 % is 0.2)");
        }
        Trigger::Exhaustion { within } => {
            let rule = format!("the time that is left is above 0 and at most the window, {window:?}");
            problems.rule(within > Duration::ZERO && within <= window, "within", format!("{within:?}"), rule);
        }
    }
}

fn reachable(objective: &Objective, alert: &AlertRule, problems: &mut Problems) {
    let Some(factor) = alert.factor(objective.window.length()) else { return };
    let most = 1.0 / objective.allowed();
    problems.rule(
        factor < most,
        "factor",
        format!("{factor:.4}"),
        format!(
            "the factor (budget_share × window / long) must be below 1/(1 - target) = {most:.4}, \
             the burn rate of a total outage, or the alert can never fire"
        ),
    );
}
