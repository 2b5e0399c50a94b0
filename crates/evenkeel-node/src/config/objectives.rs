//! Objectives: OpenSLO v1 files, read and turned into what `evenkeel-watch` executes.
//!
//! What is executed of OpenSLO: `kind: SLO` with one inline ratio indicator whose metric sources
//! are of type `evenkeel`, one rolling time window, `budgetingMethod: Occurrences`, one target,
//! and inline burn-rate alert policies. Everything else is refused by name, never ignored
//! (docs/guide/objectives.md shows a file). Without alert policies the four tiers of the SRE
//! Workbook apply.

mod raw;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use evenkeel_watch::openslo::Objective;
use evenkeel_watch::openslo::{BurnAlert, Indicator, Method, Severity};

use super::checked::{choice, unknown, value};
use super::plan::SubscriptionPlan;
use super::units::{duration, show_duration};
use super::{glob, reading};
use crate::error::{Error, codes};

/// On an alert condition, in place of `threshold`: the share of the budget, as `0.1%` or `0.001`.
const BUDGET_SHARE: &str = "evenkeel/budget-share";

/// The objectives of all files of a pattern.
pub(super) fn load(pattern: &str, folder: &Path, subscriptions: &[SubscriptionPlan]) -> Result<Vec<Objective>, Error> {
    let mut objectives: Vec<Objective> = Vec::new();
    for path in glob::files("objectives", pattern, folder)? {
        let at = |e: Error| Error { message: format!("{}: {}", path.display(), e.message), ..e };
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::new(codes::CONFIG_FILE, format!("cannot read `{}`: {e}", path.display())))?;
        let objective = parse(&text).map_err(at)?;
        let known: Vec<&str> = subscriptions.iter().map(|s| &*s.name).collect();
        if !known.contains(&&*objective.subscription) {
            return Err(at(unknown("spec.indicator", "subscription", &objective.subscription, &known)));
        }
        if objectives.iter().any(|o| o.name == objective.name) {
            return Err(at(value("metadata.name", format!("`{}` is there twice", objective.name))));
        }
        objectives.push(objective);
    }
    Ok(objectives)
}

/// The thresholds of latency objectives are the ages at which events become overdue.
pub(super) fn into_policies(objectives: &[Objective], subscriptions: &mut [SubscriptionPlan]) {
    for objective in objectives {
        let Indicator::Latency { threshold } = objective.indicator else { continue };
        for subscription in subscriptions.iter_mut().filter(|s| s.name == objective.subscription) {
            let ages = &mut subscription.policy.overdue_after;
            ages.push(threshold);
            ages.sort_unstable();
            ages.dedup();
        }
    }
}

/// An objective in words.
pub(super) fn explain(objective: &Objective) -> String {
    let good = match objective.indicator {
        Indicator::Latency { threshold } => format!("completed within {} of their creation", show_duration(threshold)),
        Indicator::Success => "completed".to_owned(),
    };
    let mut lines = vec![format!(
        "{}: {} % of the events of `{}` are {good}, over {} (rolling); {} may be bad.",
        objective.name,
        trimmed(objective.target * 100.0),
        objective.subscription,
        show_duration(objective.window),
        share(objective.allowed()),
    )];
    for alert in &objective.alerts {
        lines.push(format!(
            "{} ({}) fires when {} of the budget goes in {}, and it still burns in the last {} (burn above {}).",
            alert.name,
            alert.severity.name(),
            share(alert.budget_share),
            show_duration(alert.long),
            show_duration(alert.short),
            trimmed(alert.factor(objective.window)),
        ));
    }
    lines.join("\n  ")
}

fn share(of_one: f64) -> String {
    format!("{} %", trimmed(of_one * 100.0))
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn parse(text: &str) -> Result<Objective, Error> {
    let raw: raw::Slo = reading::read(text)?;
    exactly("apiVersion", &raw.api_version, "openslo/v1")?;
    exactly("kind", &raw.kind, "SLO")?;
    let spec = raw.spec;
    exactly("spec.budgetingMethod", &spec.budgeting_method, "Occurrences")?;
    let window = window(&spec.time_window)?;
    let [target] = spec.objectives.as_slice() else {
        return Err(value("spec.objectives", format!("there must be one, and there are {}", spec.objectives.len())));
    };
    let (subscription, indicator) = indicator(spec.indicator.spec.ratio_metric)?;
    let mut alerts = Vec::new();
    for (i, policy) in spec.alert_policies.into_iter().enumerate() {
        let at = format!("spec.alertPolicies[{i}]");
        exactly(&format!("{at}.kind"), &policy.kind, "AlertPolicy")?;
        for (j, condition) in policy.spec.conditions.into_iter().enumerate() {
            alerts.push(alert(&format!("{at}.spec.conditions[{j}]"), condition, window)?);
        }
    }
    let objective = Objective {
        name: Arc::from(raw.metadata.name),
        service: Arc::from(spec.service),
        description: spec.description,
        subscription,
        indicator,
        target: share_of(target)?,
        window,
        method: Method::Occurrences,
        alerts: if alerts.is_empty() { BurnAlert::defaults() } else { alerts },
        ..Objective::default()
    };
    match objective.check() {
        Ok(()) => Ok(objective),
        Err(problems) => {
            let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Err(Error::new(codes::CONFIG_VALUE, said.join("; ")))
        }
    }
}

fn share_of(target: &raw::Target) -> Result<f64, Error> {
    match (target.target, target.target_percent) {
        (Some(share), None) => Ok(share),
        (None, Some(percent)) => Ok(percent / 100.0),
        _ => Err(value("spec.objectives[0]", "needs either `target` or `targetPercent`")),
    }
}

fn window(windows: &[raw::TimeWindow]) -> Result<Duration, Error> {
    let [only] = windows else {
        return Err(value("spec.timeWindow", format!("there must be one, and there are {}", windows.len())));
    };
    if !only.is_rolling {
        return Err(value("spec.timeWindow[0].isRolling", "only rolling windows are executed in this version"));
    }
    span("spec.timeWindow[0].duration", &only.duration)
}

fn indicator(ratio: raw::RatioMetric) -> Result<(Arc<str>, Indicator), Error> {
    let at = "spec.indicator.spec.ratioMetric";
    let good = source(&format!("{at}.good"), ratio.good)?;
    let total = source(&format!("{at}.total"), ratio.total)?;
    if good.subscription != total.subscription {
        return Err(value(at, format!("good is of `{}` and total of `{}`", good.subscription, total.subscription)));
    }
    if total.outcome.is_some() || total.within.is_some() {
        return Err(value(&format!("{at}.total.metricSource.spec"), "the total takes a subscription and nothing else"));
    }
    if let Some(outcome) = good.outcome.as_deref().filter(|o| *o != "completed") {
        return Err(choice(&format!("{at}.good.metricSource.spec.outcome"), outcome, &["completed"]));
    }
    let indicator = match good.within {
        Some(text) => Indicator::Latency { threshold: span(&format!("{at}.good.metricSource.spec.within"), &text)? },
        None => Indicator::Success,
    };
    Ok((Arc::from(good.subscription), indicator))
}

fn source(at: &str, metric: raw::Metric) -> Result<raw::SourceSpec, Error> {
    let kind = &metric.metric_source.kind;
    exactly(&format!("{at}.metricSource.type"), kind, "evenkeel")?;
    Ok(metric.metric_source.spec)
}

fn alert(at: &str, raw: raw::Condition, window: Duration) -> Result<BurnAlert, Error> {
    let condition = raw.spec.condition;
    exactly(&format!("{at}.kind"), &raw.kind, "AlertCondition")?;
    exactly(&format!("{at}.spec.condition.kind"), &condition.kind, "burnrate")?;
    if let Some(op) = condition.op.as_deref().filter(|op| *op != "gt") {
        return Err(choice(&format!("{at}.spec.condition.op"), op, &["gt"]));
    }
    let long = span(&format!("{at}.spec.condition.lookbackWindow"), &condition.lookback_window)?;
    let short = span(&format!("{at}.spec.condition.alertAfter"), &condition.alert_after)?;
    let severity = match raw.spec.severity.as_str() {
        "page" => Severity::Page,
        "ticket" => Severity::Ticket,
        other => return Err(choice(&format!("{at}.spec.severity"), other, &["page", "ticket"])),
    };
    let budget_share = match (raw.metadata.annotations.get(BUDGET_SHARE), condition.threshold) {
        (Some(text), None) => percent(text).ok_or_else(|| {
            value(&format!("{at}.metadata.annotations.{BUDGET_SHARE}"), format!("`{text}` is not a share like `0.1%`"))
        })?,
        (None, Some(factor)) => factor * long.as_secs_f64() / window.as_secs_f64(),
        _ => {
            return Err(value(
                &format!("{at}.spec.condition.threshold"),
                format!("give either a burn rate here, or the annotation `{BUDGET_SHARE}`"),
            ));
        }
    };
    Ok(BurnAlert { name: Arc::from(raw.metadata.name), severity, budget_share, long, short })
}

fn percent(text: &str) -> Option<f64> {
    match text.trim().strip_suffix('%') {
        Some(number) => number.trim().parse::<f64>().ok().map(|n| n / 100.0),
        None => text.trim().parse().ok(),
    }
}

fn exactly(at: &str, found: &str, right: &str) -> Result<(), Error> {
    if found == right { Ok(()) } else { Err(choice(at, found, &[right])) }
}

fn span(at: &str, text: &str) -> Result<Duration, Error> {
    duration(text).map_err(|why| value(at, why))
}

#[cfg(test)]
mod tests;
