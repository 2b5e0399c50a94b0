//! What is recorded: every decision of the engine and every turn of an incident.
//!
//! Entries are plain values with public fields, so that the node can give them a wire form. They
//! are all that is needed to rebuild the state.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::guard::{Inputs, Rule};
use crate::playbook::{Severity, StepAction};
use crate::run::Ending;
use crate::{IncidentId, RunId};

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// In which incident, if in one.
    pub incident: Option<IncidentId>,
    /// What.
    pub what: Happening,
}

/// What may happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// An incident began.
    Opened {
        /// The objective that is in danger.
        objective: Arc<str>,
        /// Its service.
        service: Arc<str>,
        /// Its subscription.
        subscription: Arc<str>,
        /// How severe.
        severity: Severity,
        /// When the first bad event was.
        first_bad_at: Timestamp,
    },
    /// An alert fired.
    AlertJoined {
        /// Its name within the objective.
        alert: Arc<str>,
        /// How severe.
        severity: Severity,
        /// When its first bad event was.
        first_bad_at: Timestamp,
        /// In words.
        detail: String,
    },
    /// An alert cleared.
    AlertCleared {
        /// Its name within the objective.
        alert: Arc<str>,
    },
    /// Somebody took it on.
    Acknowledged {
        /// Who.
        by: String,
    },
    /// Somebody wrote something down.
    Noted {
        /// Who.
        by: String,
        /// What.
        text: String,
    },
    /// The incident is over.
    Resolved {
        /// From the first bad event to the incident.
        time_to_detect: Duration,
        /// From the first bad event to the end.
        time_to_recover: Duration,
    },
    /// A guard decided, and from what.
    Guarded {
        /// The playbook.
        playbook: Arc<str>,
        /// The rule that refused it; `None`: it may run.
        refused: Option<Rule>,
        /// What the decision rests on.
        inputs: Inputs,
    },
    /// A run began.
    RunStarted {
        /// Its name.
        run: RunId,
        /// The playbook.
        playbook: Arc<str>,
        /// The playbook's scope.
        scope: Arc<str>,
        /// Nothing is done, only recorded.
        dry_run: bool,
        /// Who or what started it.
        why: String,
    },
    /// A step is about to run.
    StepStarted {
        /// The run.
        run: RunId,
        /// The step's number, from 0.
        step: usize,
        /// The step's name.
        name: Arc<str>,
        /// What it does.
        action: StepAction,
        /// What takes it back: kept here, so that a changed file can't lose it.
        undo: Option<StepAction>,
    },
    /// A step came back.
    StepEnded {
        /// The run.
        run: RunId,
        /// The step's number.
        step: usize,
        /// Whether it did what it should.
        ok: bool,
        /// In words.
        detail: String,
    },
    /// A check held, or its time ran out.
    CheckEnded {
        /// The run.
        run: RunId,
        /// The step's number.
        step: usize,
        /// Whether it held.
        held: bool,
        /// In words.
        detail: String,
    },
    /// The run goes no further; what it did is undone.
    Turned {
        /// The run.
        run: RunId,
        /// How it will end.
        ending: Ending,
        /// Why.
        why: String,
    },
    /// An undo is about to run.
    UndoStarted {
        /// The run.
        run: RunId,
        /// The step's number.
        step: usize,
    },
    /// An undo came back.
    UndoEnded {
        /// The run.
        run: RunId,
        /// The step's number.
        step: usize,
        /// Whether it did what it should.
        ok: bool,
        /// In words.
        detail: String,
    },
    /// A run is over.
    RunEnded {
        /// The run.
        run: RunId,
        /// How.
        ending: Ending,
    },
    /// A person is needed.
    Escalated {
        /// The playbook that could not help.
        playbook: Arc<str>,
        /// Why.
        why: String,
    },
    /// A playbook may not run until somebody enables it.
    Disabled {
        /// The playbook.
        playbook: Arc<str>,
        /// Why.
        why: String,
    },
    /// A playbook may run again.
    Enabled {
        /// The playbook.
        playbook: Arc<str>,
        /// Who says so.
        by: String,
    },
    /// While it is on nothing runs.
    KillSwitch {
        /// On or off.
        on: bool,
        /// Who says so.
        by: String,
    },
}

impl Entry {
    /// One line for people.
    pub fn describe(&self) -> String {
        match &self.what {
            Happening::Opened { objective, severity, .. } => format!("{} opened for {objective}", severity.name()),
            Happening::AlertJoined { alert, detail, .. } => format!("alert {alert} fires: {detail}"),
            Happening::AlertCleared { alert } => format!("alert {alert} cleared"),
            Happening::Acknowledged { by } => format!("acknowledged by {by}"),
            Happening::Noted { by, text } => format!("{by}: {text}"),
            Happening::Resolved { time_to_detect, time_to_recover } => {
                format!("resolved; detected after {time_to_detect:.1?}, recovered after {time_to_recover:.1?}")
            }
            Happening::Guarded { playbook, refused: None, .. } => format!("guard lets {playbook} run"),
            Happening::Guarded { playbook, refused: Some(rule), inputs } => {
                format!("guard holds {playbook} back: {}", rule.explain(inputs))
            }
            Happening::RunStarted { run, playbook, dry_run, why, .. } => {
                format!("{run} of {playbook} begins{} ({why})", if *dry_run { " as a dry run" } else { "" })
            }
            Happening::StepStarted { run, name, action, .. } => format!("{run}: {name}: {}", action.describe()),
            Happening::StepEnded { run, step, ok, detail } => ended(*run, "step", *step, *ok, detail),
            Happening::CheckEnded { run, step, held, detail } => ended(*run, "check of step", *step, *held, detail),
            Happening::Turned { run, why, .. } => format!("{run} goes no further: {why}"),
            Happening::UndoStarted { run, step } => format!("{run}: undo of step {} begins", step + 1),
            Happening::UndoEnded { run, step, ok, detail } => ended(*run, "undo of step", *step, *ok, detail),
            Happening::RunEnded { run, ending } => format!("{run} {}", ending.name()),
            Happening::Escalated { playbook, why } => format!("a person is needed: {playbook}: {why}"),
            Happening::Disabled { playbook, why } => format!("{playbook} is disabled: {why}"),
            Happening::Enabled { playbook, by } => format!("{playbook} is enabled by {by}"),
            Happening::KillSwitch { on, by } => format!("kill switch {} by {by}", if *on { "on" } else { "off" }),
        }
    }
}

fn ended(run: RunId, what: &str, step: usize, ok: bool, detail: &str) -> String {
    let colon = if detail.is_empty() { "" } else { ": " };
    format!("{run}: {what} {} {}{colon}{detail}", step + 1, if ok { "done" } else { "failed" })
}
