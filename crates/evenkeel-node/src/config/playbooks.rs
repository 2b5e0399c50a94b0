//! Playbooks: what heals, as it is written in YAML, turned into what `evenkeel-respond` runs.
//!
//! A playbook of the configuration is a remedy; experiments are started by the demo's engine.
//! docs/guide/playbooks.md shows a file. Invariant: a playbook that is returned has passed the
//! rules of `evenkeel-respond`, and every name in it is there.

mod raw;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_respond::{Check, Guard, Kind, Severity, Step, StepAction, Trigger};

use super::checked::{choice, duration, or, unknown, value};
use super::plan::Plan;
use super::{addresses, glob, reading};
use crate::error::{Error, codes};

/// A playbook, checked, with the form in which it was written.
#[derive(Clone, Debug)]
pub struct Playbook {
    /// What is run.
    pub runs: evenkeel_respond::Playbook,
    /// As it was written.
    pub written: serde_json::Value,
}

/// The playbooks of all files of a pattern, one a file.
pub(super) fn load(pattern: &str, folder: &Path, plan: &Plan) -> Result<Vec<Playbook>, Error> {
    let mut playbooks = Vec::new();
    for path in glob::files("playbooks", pattern, folder)? {
        let at = |e: Error| Error { message: format!("{}: {}", path.display(), e.message), ..e };
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Error::new(codes::CONFIG_FILE, format!("cannot read `{}`: {e}", path.display())))?;
        let written = reading::read(&text).map_err(at)?;
        playbooks.push(one("playbook", written, plan).map_err(at)?);
    }
    unique(playbooks)
}

/// The playbooks that stand in the configuration itself.
pub(super) fn inline(written: Vec<serde_json::Value>, plan: &Plan) -> Result<Vec<Playbook>, Error> {
    let playbooks = written
        .into_iter()
        .enumerate()
        .map(|(i, w)| one(&format!("playbooks[{i}]"), w, plan))
        .collect::<Result<_, _>>()?;
    unique(playbooks)
}

/// A playbook in words.
pub(super) fn explain(playbook: &Playbook) -> String {
    let plan = &playbook.runs;
    let trigger = match &plan.trigger {
        Trigger::Manual => "is started by hand".to_owned(),
        Trigger::Incident { objective: Some(objective), severity } => {
            format!("answers an incident of `{objective}` ({} or worse)", severity.name())
        }
        Trigger::Incident { objective: None, severity } => {
            format!("answers any incident ({} or worse)", severity.name())
        }
    };
    let mut lines = vec![format!(
        "{}: {trigger}; at most {} times in {}, {} apart, {}{}.",
        plan.name,
        plan.guard.runs_max,
        super::units::show_duration(plan.guard.per),
        super::units::show_duration(plan.guard.cool_down),
        match plan.guard.tries {
            1 => "and not again in an incident in which it failed".to_owned(),
            tries => format!("until it failed {tries} times in an incident"),
        },
        if plan.guard.dry_run { ", as a dry run only" } else { "" },
    )];
    lines.extend(plan.steps.iter().enumerate().map(|(i, step)| {
        let checked = match &step.check {
            Check::None => String::new(),
            Check::ObjectiveBurnBelow { objective, factor, within } => format!(
                "; verified when `{objective}` burns below {factor} within {}",
                super::units::show_duration(*within)
            ),
        };
        format!("{}. {}: {}{checked}", i + 1, step.name, step.action.describe())
    }));
    lines.join("\n  ")
}

fn unique(playbooks: Vec<Playbook>) -> Result<Vec<Playbook>, Error> {
    for (i, playbook) in playbooks.iter().enumerate() {
        if playbooks[..i].iter().any(|other| other.runs.name == playbook.runs.name) {
            return Err(value("playbooks", format!("`{}` is there twice", playbook.runs.name)));
        }
    }
    Ok(playbooks)
}

fn one(at: &str, written: serde_json::Value, plan: &Plan) -> Result<Playbook, Error> {
    let raw: raw::Playbook = reading::from_value(at, written.clone())?;
    let name: Arc<str> = Arc::from(raw.name);
    let trigger = match raw.when {
        None => Trigger::Manual,
        Some(when) => Trigger::Incident {
            objective: when.objective.map(|o| objective(&format!("{at}.when.objective"), &o, plan)).transpose()?,
            severity: match or(&when.severity, "ticket") {
                "page" => Severity::Page,
                "ticket" => Severity::Ticket,
                other => return Err(choice(&format!("{at}.when.severity"), other, &["page", "ticket"])),
            },
        },
    };
    let steps = raw
        .steps
        .into_iter()
        .enumerate()
        .map(|(i, s)| step(&format!("{at}.steps[{i}]"), s, plan))
        .collect::<Result<_, _>>()?;
    let runs = evenkeel_respond::Playbook {
        scope: raw.scope.map_or_else(|| name.clone(), Arc::from),
        name,
        description: raw.description,
        kind: Kind::Remedy,
        trigger,
        steps,
        guard: guard(&format!("{at}.guard"), &raw.guard.unwrap_or_default())?,
    };
    match runs.check() {
        Ok(()) => Ok(Playbook { runs, written }),
        Err(problems) => {
            let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Err(Error::new(codes::CONFIG_VALUE, said.join("; ")))
        }
    }
}

fn guard(at: &str, raw: &raw::Guard) -> Result<Guard, Error> {
    let default = Guard::default();
    Ok(Guard {
        runs_max: raw.runs.unwrap_or(default.runs_max),
        per: duration(&format!("{at}.per"), &raw.per, default.per)?,
        cool_down: duration(&format!("{at}.cool_down"), &raw.cool_down, default.cool_down)?,
        tries: tries(&format!("{at}.tries"), raw.tries.unwrap_or(default.tries))?,
        dry_run: raw.dry_run.unwrap_or(default.dry_run),
        flap_max: raw.flaps.unwrap_or(default.flap_max),
        flap_within: duration(&format!("{at}.flap_within"), &raw.flap_within, default.flap_within)?,
    })
}

fn tries(at: &str, tries: u32) -> Result<u32, Error> {
    match tries {
        0 => Err(value(at, "0 would let it never run: 1 is the least, and `when` left out starts it by hand only")),
        tries => Ok(tries),
    }
}

fn step(at: &str, raw: raw::Step, plan: &Plan) -> Result<Step, Error> {
    let action = action(at, raw.action, plan)?;
    let undo = raw.undo.map(|u| self::action(&format!("{at}.undo"), u, plan)).transpose()?;
    let check = match raw.check {
        None => Check::None,
        Some(check) => Check::ObjectiveBurnBelow {
            objective: objective(&format!("{at}.check.objective"), &check.objective, plan)?,
            factor: check.burn_below.unwrap_or(1.0),
            within: duration(&format!("{at}.check.within"), &check.within, Duration::from_secs(300))?,
        },
    };
    Ok(Step {
        name: Arc::from(raw.name.unwrap_or_else(|| action.describe())),
        action,
        undo,
        timeout: duration(&format!("{at}.timeout"), &raw.timeout, Duration::from_secs(10))?,
        check,
        lease: None,
    })
}

fn action(at: &str, raw: raw::Action, plan: &Plan) -> Result<StepAction, Error> {
    match raw {
        raw::Action::Call { method, url, body } => {
            let method = method.unwrap_or_else(|| "POST".to_owned());
            if method.parse::<http::Method>().is_err() {
                return Err(value(&format!("{at}.call.method"), format!("`{method}` is no HTTP method")));
            }
            let body = body.map(|b| match b {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            });
            Ok(StepAction::Call {
                method,
                url: addresses::plain_callee(&format!("{at}.call.url"), &url, &plan.reach)?,
                body,
            })
        }
        raw::Action::Pause(name) => {
            Ok(StepAction::Pause { subscription: subscription(&format!("{at}.pause"), &name, plan)? })
        }
        raw::Action::Resume(name) => {
            Ok(StepAction::Resume { subscription: subscription(&format!("{at}.resume"), &name, plan)? })
        }
        raw::Action::Wait(text) => Ok(StepAction::Wait(duration(&format!("{at}.wait"), &Some(text), Duration::ZERO)?)),
    }
}

fn objective(at: &str, name: &str, plan: &Plan) -> Result<Arc<str>, Error> {
    match plan.objectives.iter().find(|o| &*o.name == name) {
        Some(objective) => Ok(objective.name.clone()),
        None => Err(unknown(at, "objective", name, &plan.objectives.iter().map(|o| &*o.name).collect::<Vec<_>>())),
    }
}

fn subscription(at: &str, name: &str, plan: &Plan) -> Result<Arc<str>, Error> {
    match plan.subscriptions.iter().find(|s| &*s.name == name) {
        Some(found) => Ok(found.name.clone()),
        None => {
            Err(unknown(at, "subscription", name, &plan.subscriptions.iter().map(|s| &*s.name).collect::<Vec<_>>()))
        }
    }
}
