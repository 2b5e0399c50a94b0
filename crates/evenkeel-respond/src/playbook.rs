//! Playbooks and experiments as data: ordered steps with a guard, checks and undo.
//!
//! Does: name them and check their rules. Does not: run them ([`crate::Engine`]) or read YAML
//! (the node).

use std::sync::Arc;
use std::time::Duration;

use crate::guard::Guard;

#[cfg(test)]
mod tests;

/// Ordered steps, under a guard.
#[derive(Clone, Debug, PartialEq)]
pub struct Playbook {
    /// Unique.
    pub name: Arc<str>,
    /// What it is for, for people.
    pub description: String,
    /// Remedy or experiment.
    pub kind: Kind,
    /// What starts it.
    pub trigger: Trigger,
    /// What it changes: one run at a time in each scope, whatever its playbook.
    pub scope: Arc<str>,
    /// Run in order.
    pub steps: Vec<Step>,
    /// How often it may run.
    pub guard: Guard,
}

/// Remedy or experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its undo runs when a step or a check fails. After a crash of the node it goes on.
    Remedy,
    /// Its steps are faults under leases; the undo runs at the end of each lease and on every
    /// exit. After a crash of the node it is aborted and undone.
    Experiment,
}

/// What starts a playbook.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// [`crate::Input::Start`] only.
    Manual,
    /// An incident.
    Incident {
        /// Of this objective; `None`: of any.
        objective: Option<Arc<str>>,
        /// At least this severe.
        severity: Severity,
    },
}

/// Who must act, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// In working hours.
    Ticket,
    /// Now.
    Page,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// For people.
    pub name: Arc<str>,
    /// What it does.
    pub action: StepAction,
    /// What takes it back.
    pub undo: Option<StepAction>,
    /// Without an answer within this it has failed.
    pub timeout: Duration,
    /// What must hold afterwards.
    pub check: Check,
    /// For a fault: how long it stays.
    pub lease: Option<Lease>,
}

/// How long a fault stays before its undo runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// From when the fault was in place.
    pub hold: Duration,
    /// True: the next step waits for the end of this lease. False: faults overlap.
    pub wait: bool,
}

/// What a step does. All but `Wait` are carried out by whoever drives the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepAction {
    /// An HTTP call; 2xx is success.
    Call {
        /// `POST`, …
        method: String,
        /// Absolute.
        url: String,
        /// Sent as JSON.
        body: Option<String>,
    },
    /// Pauses a subscription.
    Pause {
        /// Its name.
        subscription: Arc<str>,
    },
    /// Resumes a subscription.
    Resume {
        /// Its name.
        subscription: Arc<str>,
    },
    /// Waits.
    Wait(Duration),
    /// Sends a signal to a process that the driver knows by name.
    Signal {
        /// Its name.
        process: String,
        /// `SIGKILL`, …
        signal: String,
    },
    /// Something that only the driver knows.
    Custom {
        /// What.
        name: String,
        /// With what.
        args: Vec<(String, String)>,
    },
}

/// What must hold after a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// Nothing.
    None,
    /// The objective's burn rate falls below `factor` within a time.
    ObjectiveBurnBelow {
        /// The objective's name.
        objective: Arc<str>,
        /// The burn rate.
        factor: f64,
        /// Not verified by then: undo, and escalate.
        within: Duration,
    },
}

/// A value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `restart-payment.steps[0].undo`.
    pub field: String,
    /// What stands there.
    pub value: String,
    /// What must hold.
    pub rule: &'static str,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is {}: {}", self.field, self.value, self.rule)
    }
}

impl std::error::Error for Problem {}

impl Severity {
    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Ticket => "ticket",
            Severity::Page => "page",
        }
    }
}

impl Step {
    /// A step with a time-out of ten seconds, no check, no undo and no lease.
    pub fn new(name: &str, action: StepAction) -> Step {
        Step {
            name: Arc::from(name),
            action,
            undo: None,
            timeout: Duration::from_secs(10),
            check: Check::None,
            lease: None,
        }
    }
}

impl StepAction {
    /// In words, for the timeline.
    pub fn describe(&self) -> String {
        match self {
            StepAction::Call { method, url, .. } => format!("{method} {url}"),
            StepAction::Pause { subscription } => format!("pause `{subscription}`"),
            StepAction::Resume { subscription } => format!("resume `{subscription}`"),
            StepAction::Wait(time) => format!("wait {time:?}"),
            StepAction::Signal { process, signal } => format!("send {signal} to `{process}`"),
            StepAction::Custom { name, args } if args.is_empty() => name.clone(),
            StepAction::Custom { name, args } => {
                let args: Vec<String> = args.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("{name} ({})", args.join(", "))
            }
        }
    }
}

impl Playbook {
    /// True when an incident of this objective and severity starts it.
    pub fn answers(&self, objective: &str, severity: Severity) -> bool {
        match &self.trigger {
            Trigger::Manual => false,
            Trigger::Incident { objective: wanted, severity: least } => {
                severity >= *least && wanted.as_deref().is_none_or(|wanted| wanted == objective)
            }
        }
    }

    /// All that is wrong with it.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut rule = |holds: bool, field: String, value: String, rule: &'static str| {
            if !holds {
                problems.push(Problem { field: format!("{}.{field}", self.name), value, rule });
            }
        };
        rule(!self.name.is_empty(), "name".into(), "empty".into(), "a playbook has a name");
        rule(!self.scope.is_empty(), "scope".into(), "empty".into(), "a playbook names what it changes");
        rule(!self.steps.is_empty(), "steps".into(), "empty".into(), "a playbook has at least one step");
        let automatic = self.kind == Kind::Experiment && self.trigger != Trigger::Manual;
        rule(!automatic, "trigger".into(), "an incident".into(), "an experiment is never started by an incident");
        for (problem, rule) in self.guard.problems() {
            problems.push(Problem { field: format!("{}.guard.{problem}", self.name), value: "0".into(), rule });
        }
        for (index, step) in self.steps.iter().enumerate() {
            problems.extend(step.problems(self.kind).into_iter().map(|(field, value, rule)| Problem {
                field: format!("{}.steps[{index}].{field}", self.name),
                value,
                rule,
            }));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

impl Step {
    fn problems(&self, kind: Kind) -> Vec<(&'static str, String, &'static str)> {
        let mut problems = Vec::new();
        let mut rule = |holds: bool, field: &'static str, value: &str, rule: &'static str| {
            if !holds {
                problems.push((field, value.to_owned(), rule));
            }
        };
        let waits = matches!(self.action, StepAction::Wait(_));
        let fault = kind == Kind::Experiment && !waits;
        rule(!self.timeout.is_zero(), "timeout", "0", "a time-out is above 0");
        rule(!fault || self.undo.is_some(), "undo", "missing", "every fault of an experiment has an undo");
        let undo_waits = matches!(self.undo, Some(StepAction::Wait(_)));
        rule(!undo_waits, "undo", "a wait", "an undo is something that the driver does");
        rule(!fault || self.lease.is_some(), "lease", "missing", "every fault of an experiment says how long it stays");
        rule(self.lease.is_none() || self.undo.is_some(), "lease", "without undo", "what has a lease has an undo");
        rule(!waits || self.lease.is_none(), "lease", "on a wait", "a wait holds nothing");
        if let Check::ObjectiveBurnBelow { factor, within, .. } = &self.check {
            rule(*factor > 0.0, "check.factor", &factor.to_string(), "a burn rate to fall below is above 0");
            rule(!within.is_zero(), "check.within", "0", "a check has time to hold");
        }
        problems
    }
}
