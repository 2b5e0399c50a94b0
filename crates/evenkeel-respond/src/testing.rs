//! What the tests of this crate share: playbooks, a clock, and a driver that only notes things.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::guard::Guard;
use crate::input::{Action, AlertNotice, Input, Part};
use crate::playbook::{Check, Kind, Lease, Playbook, Severity, Step, StepAction, Trigger};
use crate::{Entry, Happening, RunId};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// `START` and so many seconds.
pub(crate) fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

pub(crate) fn call(path: &str) -> StepAction {
    StepAction::Call { method: "POST".to_owned(), url: format!("http://127.0.0.1/{path}"), body: None }
}

/// Recycles `payment` when its objective pages, and takes it back when the burn does not fall in 30 s.
pub(crate) fn remedy() -> Playbook {
    let mut recycle = Step::new("recycle", call("recycle"));
    recycle.undo = Some(call("unrecycle"));
    recycle.check =
        Check::ObjectiveBurnBelow { objective: Arc::from("payment"), factor: 1.0, within: Duration::from_secs(30) };
    Playbook {
        name: Arc::from("recycle-payment"),
        description: String::new(),
        kind: Kind::Remedy,
        trigger: Trigger::Incident { objective: Some(Arc::from("payment")), severity: Severity::Page },
        scope: Arc::from("payment"),
        steps: vec![recycle],
        guard: Guard::default(),
    }
}

pub(crate) fn fault(name: &str, seconds: u64, wait: bool) -> Step {
    let mut step = Step::new(name, call(&format!("{name}/on")));
    step.undo = Some(call(&format!("{name}/off")));
    step.lease = Some(Lease { hold: Duration::from_secs(seconds), wait });
    step
}

pub(crate) fn experiment(steps: Vec<Step>) -> Playbook {
    Playbook {
        name: Arc::from("mishaps"),
        description: String::new(),
        kind: Kind::Experiment,
        trigger: Trigger::Manual,
        scope: Arc::from("shop"),
        steps,
        guard: Guard::by_hand(),
    }
}

pub(crate) fn start(playbook: &str) -> Input {
    Input::Start { playbook: Arc::from(playbook), why: "test".to_owned() }
}

pub(crate) fn done(run: u64, step: usize, part: Part, ok: bool) -> Input {
    Input::Done { run: RunId(run), step, part, ok, detail: String::new() }
}

pub(crate) fn holds(run: u64, step: usize) -> Input {
    Input::CheckResult { run: RunId(run), step, holds: true, detail: "burn 0.2".to_owned() }
}

pub(crate) fn alert(objective: &str, name: &str, firing: bool) -> Input {
    Input::Alert(AlertNotice {
        objective: Arc::from(objective),
        service: Arc::from("shop"),
        subscription: Arc::from("payment"),
        alert: Arc::from(name),
        severity: Severity::Page,
        firing,
        first_bad_at: START,
        detail: "burns".to_owned(),
    })
}

/// What a driver would do, in order: `payment/on`, `undo payment/off`.
pub(crate) fn acts(actions: &[Action]) -> Vec<String> {
    let path = |action: &StepAction| match action {
        StepAction::Call { url, .. } => url.trim_start_matches("http://127.0.0.1/").to_owned(),
        other => other.describe(),
    };
    actions
        .iter()
        .filter_map(|action| match action {
            Action::Run { action, .. } => Some(path(action)),
            Action::Undo { action, .. } => Some(format!("undo {}", path(action))),
            Action::Record(_) | Action::Check { .. } => None,
        })
        .collect()
}

pub(crate) fn entries(actions: &[Action]) -> Vec<Entry> {
    let entry = |action: &Action| match action {
        Action::Record(entry) => Some(entry.clone()),
        _ => None,
    };
    actions.iter().filter_map(entry).collect()
}

/// How many entries are so.
pub(crate) fn count(actions: &[Action], wanted: impl Fn(&Happening) -> bool) -> usize {
    entries(actions).iter().filter(|entry| wanted(&entry.what)).count()
}
