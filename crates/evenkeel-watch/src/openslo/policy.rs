//! Alert policies with their conditions and targets, as rules that can be executed.
//!
//! A condition says: over `lookbackWindow` the burn rate is above `threshold`, and has been for
//! `alertAfter`. What OpenSLO has no words for are annotations of the condition:
//! `evenkeel/budget-share` (the factor follows from the share of the budget, in place of
//! `threshold`), `evenkeel/short-window` (a second window, which must burn as well),
//! `evenkeel/long-window` (in place of `lookbackWindow`, for windows in seconds), `evenkeel/hold`,
//! `evenkeel/remaining-below` and `evenkeel/exhausted-within` (an alert on the budget itself).
//! Several policies together make an alert of many windows.

use std::sync::Arc;
use std::time::Duration;

use super::document::Written;
use super::finding::{Findings, Place, Rule};
use super::kinds::alert_condition::{AlertCondition, Operator};
use super::kinds::alert_policy::AlertPolicy;
use super::kinds::alert_target::AlertTarget;
use super::metadata::{Metadata, PREFIX};
use super::resolve::Catalogue;
use super::source::duration;
use crate::rule::{AlertRule, Severity, Trigger};

const BUDGET_SHARE: &str = "evenkeel/budget-share";
const SHORT: &str = "evenkeel/short-window";
const LONG: &str = "evenkeel/long-window";
const HOLD: &str = "evenkeel/hold";
const REMAINING: &str = "evenkeel/remaining-below";
const EXHAUSTED: &str = "evenkeel/exhausted-within";
const OF_CONDITION: [&str; 6] = [BUDGET_SHARE, SHORT, LONG, HOLD, REMAINING, EXHAUSTED];

/// Severities that mean somebody must act now; all others are tickets.
const PAGES: [&str; 12] =
    ["page", "critical", "fatal", "emergency", "urgent", "high", "sev0", "sev1", "sev2", "p0", "p1", "p2"];

/// Whether a severity means that somebody must act now.
fn severity(text: &str) -> Severity {
    let text = text.to_ascii_lowercase();
    if PAGES.contains(&text.as_str()) { Severity::Page } else { Severity::Ticket }
}

/// The rules of a policy: one for breaching, one for no data. `window` is the objective's,
/// `allowed` the share of it that may be bad.
pub(super) fn rules(
    policy: &Written<AlertPolicy>,
    (window, allowed): (Duration, f64),
    from: &Catalogue<'_>,
    out: &mut Findings,
) -> Option<Vec<(AlertRule, Place)>> {
    let (metadata, policy) = from.alert_policy(policy, out)?;
    let (named, condition) = from.alert_condition(&policy.condition, out)?;
    known(metadata, &[], out);
    known(named, &OF_CONDITION, out);
    let targets = targets(policy, from, out);
    let says = policy.when_breaching || policy.when_resolved || policy.when_no_data;
    out.check(says, &policy.place, Rule::Unsound, || {
        "none of alertWhenBreaching, alertWhenResolved, alertWhenNoData is true: it would never tell anyone".to_owned()
    });
    let trigger = trigger(named, condition, window, out)?;
    let after = condition.after.map_or(Duration::ZERO, |after| after.length());
    let rule = AlertRule {
        name: Arc::clone(&named.name),
        severity: severity(&condition.severity),
        trigger,
        after,
        hold: span(named, HOLD, out),
        targets,
        tells_end: policy.when_resolved,
    };
    let mut rules = Vec::new();
    if policy.when_no_data {
        let name = Arc::from(format!("{}-no-data", rule.name));
        let over = priced(&rule, window, allowed).unwrap_or(condition.lookback.length());
        rules.push((AlertRule { name, trigger: Trigger::Silence { over }, ..rule.clone() }, condition.place.clone()));
    }
    if policy.when_breaching || policy.when_resolved {
        rules.push((rule, condition.place.clone()));
    }
    Some(rules)
}

/// Silence has the price of a total outage: the time in which one would spend what makes the alert
/// fire, at least a minute.
fn priced(rule: &AlertRule, window: Duration, allowed: f64) -> Option<Duration> {
    let Trigger::Burn { long, .. } = rule.trigger else { return None };
    let share = (rule.factor(window)? * allowed).clamp(0.0, 1.0);
    Some(long.mul_f64(share).max(Duration::from_secs(60)).min(window))
}

fn targets(policy: &AlertPolicy, from: &Catalogue<'_>, out: &mut Findings) -> Vec<Arc<str>> {
    let name = |target: &Written<AlertTarget>, out: &mut Findings| {
        let (metadata, _) = from.alert_target(target, out)?;
        known(metadata, &[], out);
        Some(Arc::clone(&metadata.name))
    };
    policy.targets.iter().filter_map(|target| name(target, out)).collect()
}

fn trigger(named: &Metadata, condition: &AlertCondition, window: Duration, out: &mut Findings) -> Option<Trigger> {
    let before = out.all.len();
    let remaining = share(named, REMAINING, out);
    let within = span(named, EXHAUSTED, out);
    let budget_share = share(named, BUDGET_SHARE, out);
    let long = span(named, LONG, out).unwrap_or(condition.lookback.length());
    let short = span(named, SHORT, out).unwrap_or(long);
    if out.all.len() > before {
        return None;
    }
    if let (Operator::Lt | Operator::Lte, None, None) = (condition.op, remaining, within) {
        let at = Place { line: condition.place.line, field: format!("{}.op", condition.place.field) };
        let message = format!("is `{}`; an alert is on too much burn: use gt or gte", condition.op.name());
        out.add(&at, Rule::NotExecuted, message);
        return None;
    }
    Some(match (remaining, within) {
        (Some(below), _) => Trigger::Remaining { below },
        (None, Some(within)) => Trigger::Exhaustion { within },
        (None, None) => {
            let by_threshold = condition.threshold * long.as_secs_f64() / window.as_secs_f64();
            Trigger::Burn { budget_share: budget_share.unwrap_or(by_threshold), long, short }
        }
    })
}

/// Says so when there are other annotations of ours than these.
pub(super) fn known(metadata: &Metadata, names: &[&str], out: &mut Findings) {
    for (name, (_, place)) in metadata.annotations.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        out.check(names.contains(&name.as_str()), place, Rule::UnknownField, || match names {
            [] => "no such annotation; there is none here".to_owned(),
            names => format!("no such annotation; there are: {}", names.join(", ")),
        });
    }
}

fn span(metadata: &Metadata, name: &str, out: &mut Findings) -> Option<Duration> {
    let (text, place) = metadata.annotations.get(name)?;
    let read = duration(text);
    out.check(read.is_some(), place, Rule::Type, || {
        format!("is `{text}`; a duration is a number and one of us, ms, s, m, h, d, w, like `10s`")
    });
    read
}

/// A share, as `0.1%` or `0.001`.
pub(super) fn share(metadata: &Metadata, name: &str, out: &mut Findings) -> Option<f64> {
    let (text, place) = metadata.annotations.get(name)?;
    let read = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|n| n / 100.0),
        None => text.trim().parse().ok(),
    };
    out.check(read.is_some(), place, Rule::Type, || format!("is `{text}`; a share is like `0.1%` or `0.001`"));
    read
}
