//! What incidents and the engine are told, and what they ask for: two closed sets.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::entry::Entry;
use crate::playbook::{Check, Severity, StepAction};
use crate::{IncidentId, RunId};

/// What they are told. [`crate::Engine`] has no use for the first three.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// An alert fires, or cleared.
    Alert(AlertNotice),
    /// Somebody takes an incident on.
    Acknowledge {
        /// The incident.
        incident: IncidentId,
        /// Who.
        by: String,
    },
    /// Somebody writes something down.
    Note {
        /// The incident.
        incident: IncidentId,
        /// Who.
        by: String,
        /// What.
        text: String,
    },
    /// Start a playbook or an experiment; its guard decides.
    Start {
        /// Its name.
        playbook: Arc<str>,
        /// Who or what wants it.
        why: String,
    },
    /// Stop a run and undo what it did.
    Abort {
        /// The run.
        run: RunId,
        /// Why.
        why: String,
    },
    /// An action came back.
    Done {
        /// The run.
        run: RunId,
        /// The step's number.
        step: usize,
        /// The step, or its undo.
        part: Part,
        /// Whether it did what it should.
        ok: bool,
        /// In words.
        detail: String,
    },
    /// The answer to [`Action::Check`].
    CheckResult {
        /// The run.
        run: RunId,
        /// The step's number.
        step: usize,
        /// Whether it holds now. A window without events holds nothing.
        holds: bool,
        /// In words.
        detail: String,
    },
    /// A playbook that was disabled may run again.
    Enable {
        /// Its name.
        playbook: Arc<str>,
        /// Who says so.
        by: String,
    },
    /// On: nothing starts, and all runs are aborted and undone.
    KillSwitch {
        /// On or off.
        on: bool,
        /// Who says so.
        by: String,
    },
    /// Time went on. Meant to be said about every second.
    Tick,
}

/// An alert, as `watch` says it and respond needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertNotice {
    /// The objective.
    pub objective: Arc<str>,
    /// Its service.
    pub service: Arc<str>,
    /// Its subscription.
    pub subscription: Arc<str>,
    /// The alert's name within the objective.
    pub alert: Arc<str>,
    /// Who must act.
    pub severity: Severity,
    /// It fires; else it cleared.
    pub firing: bool,
    /// When the run of bad events began.
    pub first_bad_at: Timestamp,
    /// In words.
    pub detail: String,
}

/// Which side of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The step.
    Do,
    /// Its undo.
    Undo,
}

/// What they ask for, to be carried out in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make this durable before anything that follows.
    Record(Entry),
    /// Do this, then say [`Input::Done`] with [`Part::Do`].
    Run {
        /// The run.
        run: RunId,
        /// The step's number.
        step: usize,
        /// What to do.
        action: StepAction,
        /// The same whenever this step of this run is asked for again.
        key: String,
        /// When it is given up.
        timeout: Duration,
    },
    /// Do this, then say [`Input::Done`] with [`Part::Undo`].
    Undo {
        /// The run.
        run: RunId,
        /// The step's number.
        step: usize,
        /// What to do.
        action: StepAction,
        /// The same whenever this undo is asked for again.
        key: String,
        /// When it is given up.
        timeout: Duration,
    },
    /// Look, then say [`Input::CheckResult`]. Asked at every tick until it holds or time is up.
    Check {
        /// The run.
        run: RunId,
        /// The step's number.
        step: usize,
        /// What to look at.
        check: Check,
    },
}
