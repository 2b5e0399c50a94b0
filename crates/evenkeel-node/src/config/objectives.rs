//! Objectives: OpenSLO v1 files, read and turned into what `evenkeel-watch` executes.
//!
//! All rules are those of `evenkeel_watch::openslo`; here are files, YAML and time zones. A
//! document that is unsound takes its own objectives with it and no others: `check` refuses the
//! file, a node runs on with the rest and says what is wrong (docs/guide/objectives.md).

mod yaml;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_watch::objective::{Indicator, Method, Part, Scope, Window};
use evenkeel_watch::openslo::{self, Document, Executable, Finding, Known, Rule};
use evenkeel_watch::{AlertRule, Trigger};
use jiff::tz::TimeZone;

pub use evenkeel_watch::objective::Objective;

use super::chains::Chain;
use super::checked::value;
use super::glob;
use super::plan::SubscriptionPlan;
use super::units::show_duration;
use crate::error::{Error, codes};

/// What can be executed of all files of a pattern, and what is wrong with the rest.
pub(super) fn load(
    pattern: &str,
    folder: &Path,
    subscriptions: &[SubscriptionPlan],
    chains: &[Chain],
) -> Result<Executable, Error> {
    let mut documents = Vec::new();
    let mut findings = Vec::new();
    for path in glob::files("objectives", pattern, folder)? {
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::new(codes::CONFIG_FILE, format!("cannot read `{}`: {e}", path.display())))?;
        read(&path.display().to_string(), &text, &mut documents, &mut findings);
    }
    let chained = chains.iter().map(|chain| Scope::of_chain(&chain.rule.name).subscription);
    let names: Vec<Arc<str>> = subscriptions.iter().map(|s| s.name.clone()).chain(chained).collect();
    let zone = |name: &str| TimeZone::get(name).ok();
    let mut read = openslo::objectives(&documents, Known { zone: &zone, subscriptions: Some(&names) });
    read.findings.splice(0..0, findings);
    chains.iter().try_for_each(|chain| fits(chain, &read.objectives))?;
    Ok(read)
}

/// A chain that never ends is bad when it is late by its rule: what asks for more would never hear of it.
fn fits(chain: &Chain, objectives: &[Objective]) -> Result<(), Error> {
    let scope = Scope::of_chain(&chain.rule.name);
    for objective in objectives {
        for part in objective.parts.iter().filter(|part| part.scope == scope) {
            if let Some(threshold) = part.indicator.threshold().filter(|most| *most > chain.rule.within) {
                let key = format!("chains.{}.within", chain.rule.name);
                let said = format!("{}, and objective `{}` allows", show_duration(chain.rule.within), objective.name);
                return Err(value(&key, format!("is {said} {}", show_duration(threshold)))
                    .hint("let the chain's `within` be as long as the longest that an objective allows"));
            }
        }
    }
    Ok(())
}

fn read(file: &str, text: &str, documents: &mut Vec<Document>, findings: &mut Vec<Finding>) {
    let file: Arc<str> = Arc::from(file);
    match yaml::documents(text) {
        Ok(trees) => trees.iter().for_each(|tree| match openslo::read(&file, tree) {
            Ok(document) => documents.push(document),
            Err(found) => findings.extend(found),
        }),
        Err((line, message)) => {
            findings.push(Finding { file, line, field: "document".to_owned(), rule: Rule::Type, message });
        }
    }
}

/// All that is wrong, as one error.
pub(super) fn refusal(findings: &[Finding]) -> Option<Error> {
    let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
    (!said.is_empty()).then(|| Error::new(codes::CONFIG_OBJECTIVE, said.join("\n")).exit(3))
}

/// The thresholds of latency objectives are the ages at which events become overdue.
pub(super) fn into_policies(objectives: &[Objective], subscriptions: &mut [SubscriptionPlan]) {
    for part in objectives.iter().flat_map(|objective| &objective.parts) {
        let (Indicator::Latency { threshold }, Some(_)) = (part.indicator, part.overdue_us()) else { continue };
        for subscription in subscriptions.iter_mut().filter(|s| s.name == part.scope.subscription) {
            let ages = &mut subscription.policy.overdue_after;
            ages.push(threshold);
            ages.sort_unstable();
            ages.dedup();
        }
    }
}

/// An objective in words.
pub(super) fn explain(objective: &Objective) -> String {
    let mut lines: Vec<String> = Vec::new();
    let over = window(&objective.window);
    match objective.parts.as_slice() {
        [part] => lines.push(format!("{}: {}, over {over}; {} may be bad.", objective.name, aim(part), may(part))),
        parts => {
            lines.push(format!("{}: a composite of {} parts, over {over}.", objective.name, parts.len()));
            for part in parts {
                lines.push(format!("{} (its burn counts {} times).", aim(part), trimmed(part.weight)));
            }
        }
    }
    lines.extend(objective.alerts.iter().map(|alert| told(alert, objective.window.length())));
    lines.extend(objective.left_out.iter().map(|(name, why)| format!("{name} does not apply: {why}.")));
    if objective.alerts.is_empty() {
        lines.push("No alert applies: nobody is told. `alertPolicies` say what should be told.".to_owned());
    }
    lines.join("\n  ")
}

fn aim(part: &Part) -> String {
    let good = match part.indicator {
        Indicator::Latency { threshold } => format!("completed within {} of their creation", show_duration(threshold)),
        Indicator::Handler { threshold } => format!("completed by an attempt of at most {}", show_duration(threshold)),
        Indicator::Success => "completed".to_owned(),
    };
    let scope = &part.scope;
    let narrowed = [("type", &scope.kind), ("source", &scope.source), ("handler version", &scope.handler_version)];
    let narrowed: String = narrowed
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!(" with {name} `{value}`")))
        .collect();
    let events = match Scope::chain(&scope.subscription) {
        Some(chain) => format!("the chains `{chain}`"),
        None => format!("the events of `{}`{narrowed}", scope.subscription),
    };
    let target = trimmed(part.target * 100.0);
    match part.method {
        Method::Occurrences => format!("{target} % of {events} are {good}"),
        Method::Timeslices { slice, target: of_slice, empty } => format!(
            "{target} % of the slices of {} are good, in each of which {} % of {events} are {good} (an empty slice is {})",
            show_duration(slice),
            trimmed(of_slice * 100.0),
            empty.name(),
        ),
        Method::RatioTimeslices { slice, empty } => format!(
            "in the mean of the slices of {} {target} % of {events} are {good} (an empty slice is {})",
            show_duration(slice),
            empty.name(),
        ),
    }
}

fn may(part: &Part) -> String {
    share(part.allowed())
}

fn window(window: &Window) -> String {
    match window {
        Window::Rolling(length) => format!("{} (rolling)", show_duration(*length)),
        Window::Calendar(calendar) => {
            let zone = calendar.zone.iana_name().unwrap_or("its zone");
            format!("each {} of the calendar from {} in {zone}", calendar.step, calendar.start)
        }
    }
}

/// When an alert fires, with its numbers.
fn told(alert: &AlertRule, window: Duration) -> String {
    let when = match alert.trigger {
        Trigger::Burn { budget_share, long, short } => {
            let factor = trimmed(alert.factor(window).unwrap_or_default());
            let (share, long_s, short_s) = (share(budget_share), show_duration(long), show_duration(short));
            let goes_on =
                if short < long { format!(", and it still burns in the last {short_s}") } else { String::new() };
            format!("{share} of the budget goes in {long_s}{goes_on} (burn above {factor})")
        }
        Trigger::Silence { over } => format!("no event counts for {}", show_duration(over)),
        Trigger::Remaining { below } => format!("less than {} of the budget is left", share(below)),
        Trigger::Exhaustion { within } => format!("the budget would be spent within {}", show_duration(within)),
    };
    let after = match alert.after {
        Duration::ZERO => String::new(),
        after => format!(", for {} without a break", show_duration(after)),
    };
    let targets: Vec<&str> = alert.targets.iter().map(|t| &**t).collect();
    let to = if targets.is_empty() { String::new() } else { format!(", for {}", targets.join(", ")) };
    format!("{} ({}{to}) fires when {when}{after}.", alert.name, alert.severity.name())
}

fn share(of_one: f64) -> String {
    format!("{} %", trimmed(of_one * 100.0))
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
