//! What may happen in an incident, in JSON.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;
use evenkeel_respond::{Ending, Happening, Inputs, Rule, RunId, Severity};
use serde::{Deserialize, Serialize};

use crate::forms::action::ActionForm;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HappeningForm {
    Opened { objective: String, service: String, subscription: String, page: bool, first_bad_us: i64 },
    AlertJoined { alert: String, page: bool, first_bad_us: i64, detail: String },
    AlertCleared { alert: String },
    Acknowledged { by: String },
    Noted { by: String, text: String },
    Resolved { detect_us: u64, recover_us: u64 },
    Guarded { playbook: String, refused: Option<RuleForm>, inputs: InputsForm },
    RunStarted { run: u64, playbook: String, scope: String, dry_run: bool, why: String },
    StepStarted { run: u64, step: usize, name: String, action: ActionForm, undo: Option<ActionForm> },
    StepEnded { run: u64, step: usize, ok: bool, detail: String },
    CheckEnded { run: u64, step: usize, held: bool, detail: String },
    Turned { run: u64, ending: EndingForm, why: String },
    UndoStarted { run: u64, step: usize },
    UndoEnded { run: u64, step: usize, ok: bool, detail: String },
    RunEnded { run: u64, ending: EndingForm },
    Escalated { playbook: String, why: String },
    Disabled { playbook: String, why: String },
    Enabled { playbook: String, by: String },
    KillSwitch { on: bool, by: String },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndingForm {
    Succeeded,
    DryRun,
    Failed,
    Aborted,
    UndoFailed,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RuleForm {
    KillSwitch,
    Disabled,
    Busy,
    CoolDown,
    Rate,
    Flap,
}

#[derive(Serialize, Deserialize)]
pub(super) struct InputsForm {
    kill_switch: bool,
    disabled: bool,
    busy_with: Option<u64>,
    since_last_us: Option<u64>,
    cool_down_us: u64,
    runs: u32,
    runs_max: u32,
    flaps: u32,
    flap_max: u32,
}

impl From<&Happening> for HappeningForm {
    fn from(what: &Happening) -> HappeningForm {
        match what {
            Happening::Opened { objective, service, subscription, severity, first_bad_at } => HappeningForm::Opened {
                objective: objective.to_string(),
                service: service.to_string(),
                subscription: subscription.to_string(),
                page: *severity == Severity::Page,
                first_bad_us: first_bad_at.micros(),
            },
            Happening::AlertJoined { alert, severity, first_bad_at, detail } => HappeningForm::AlertJoined {
                alert: alert.to_string(),
                page: *severity == Severity::Page,
                first_bad_us: first_bad_at.micros(),
                detail: detail.clone(),
            },
            Happening::AlertCleared { alert } => HappeningForm::AlertCleared { alert: alert.to_string() },
            Happening::Acknowledged { by } => HappeningForm::Acknowledged { by: by.clone() },
            Happening::Noted { by, text } => HappeningForm::Noted { by: by.clone(), text: text.clone() },
            Happening::Resolved { time_to_detect, time_to_recover } => {
                HappeningForm::Resolved { detect_us: us(*time_to_detect), recover_us: us(*time_to_recover) }
            }
            Happening::Guarded { playbook, refused, inputs } => HappeningForm::Guarded {
                playbook: playbook.to_string(),
                refused: refused.map(rule_form),
                inputs: inputs_form(inputs),
            },
            run => of_run(run),
        }
    }
}

fn of_run(what: &Happening) -> HappeningForm {
    match what {
        Happening::RunStarted { run, playbook, scope, dry_run, why } => HappeningForm::RunStarted {
            run: run.0,
            playbook: playbook.to_string(),
            scope: scope.to_string(),
            dry_run: *dry_run,
            why: why.clone(),
        },
        Happening::StepStarted { run, step, name, action, undo } => HappeningForm::StepStarted {
            run: run.0,
            step: *step,
            name: name.to_string(),
            action: ActionForm::from(action),
            undo: undo.as_ref().map(ActionForm::from),
        },
        Happening::StepEnded { run, step, ok, detail } => {
            HappeningForm::StepEnded { run: run.0, step: *step, ok: *ok, detail: detail.clone() }
        }
        Happening::CheckEnded { run, step, held, detail } => {
            HappeningForm::CheckEnded { run: run.0, step: *step, held: *held, detail: detail.clone() }
        }
        Happening::Turned { run, ending, why } => {
            HappeningForm::Turned { run: run.0, ending: ending_form(*ending), why: why.clone() }
        }
        Happening::UndoStarted { run, step } => HappeningForm::UndoStarted { run: run.0, step: *step },
        Happening::UndoEnded { run, step, ok, detail } => {
            HappeningForm::UndoEnded { run: run.0, step: *step, ok: *ok, detail: detail.clone() }
        }
        Happening::RunEnded { run, ending } => HappeningForm::RunEnded { run: run.0, ending: ending_form(*ending) },
        other => of_playbook(other),
    }
}

/// What remains: the turns of a playbook as a whole. The first arms of the other two functions
/// have taken everything else.
fn of_playbook(what: &Happening) -> HappeningForm {
    match what {
        Happening::Disabled { playbook, why } => {
            HappeningForm::Disabled { playbook: playbook.to_string(), why: why.clone() }
        }
        Happening::Enabled { playbook, by } => {
            HappeningForm::Enabled { playbook: playbook.to_string(), by: by.clone() }
        }
        Happening::KillSwitch { on, by } => HappeningForm::KillSwitch { on: *on, by: by.clone() },
        Happening::Escalated { playbook, why } => {
            HappeningForm::Escalated { playbook: playbook.to_string(), why: why.clone() }
        }
        other => HappeningForm::Noted { by: "node".to_owned(), text: format!("{other:?}") },
    }
}

impl From<HappeningForm> for Happening {
    fn from(form: HappeningForm) -> Happening {
        match form {
            HappeningForm::Opened { objective, service, subscription, page, first_bad_us } => Happening::Opened {
                objective: Arc::from(objective),
                service: Arc::from(service),
                subscription: Arc::from(subscription),
                severity: severity(page),
                first_bad_at: Timestamp::from_micros(first_bad_us),
            },
            HappeningForm::AlertJoined { alert, page, first_bad_us, detail } => Happening::AlertJoined {
                alert: Arc::from(alert),
                severity: severity(page),
                first_bad_at: Timestamp::from_micros(first_bad_us),
                detail,
            },
            HappeningForm::AlertCleared { alert } => Happening::AlertCleared { alert: Arc::from(alert) },
            HappeningForm::Acknowledged { by } => Happening::Acknowledged { by },
            HappeningForm::Noted { by, text } => Happening::Noted { by, text },
            HappeningForm::Resolved { detect_us, recover_us } => Happening::Resolved {
                time_to_detect: Duration::from_micros(detect_us),
                time_to_recover: Duration::from_micros(recover_us),
            },
            HappeningForm::Guarded { playbook, refused, inputs } => {
                Happening::Guarded { playbook: Arc::from(playbook), refused: refused.map(rule), inputs: inputs.read() }
            }
            HappeningForm::RunStarted { run, playbook, scope, dry_run, why } => Happening::RunStarted {
                run: RunId(run),
                playbook: Arc::from(playbook),
                scope: Arc::from(scope),
                dry_run,
                why,
            },
            HappeningForm::StepStarted { run, step, name, action, undo } => Happening::StepStarted {
                run: RunId(run),
                step,
                name: Arc::from(name),
                action: action.into(),
                undo: undo.map(Into::into),
            },
            HappeningForm::StepEnded { run, step, ok, detail } => {
                Happening::StepEnded { run: RunId(run), step, ok, detail }
            }
            HappeningForm::CheckEnded { run, step, held, detail } => {
                Happening::CheckEnded { run: RunId(run), step, held, detail }
            }
            HappeningForm::Turned { run, ending: how, why } => {
                Happening::Turned { run: RunId(run), ending: ending(how), why }
            }
            HappeningForm::UndoStarted { run, step } => Happening::UndoStarted { run: RunId(run), step },
            HappeningForm::UndoEnded { run, step, ok, detail } => {
                Happening::UndoEnded { run: RunId(run), step, ok, detail }
            }
            HappeningForm::RunEnded { run, ending: how } => {
                Happening::RunEnded { run: RunId(run), ending: ending(how) }
            }
            HappeningForm::Escalated { playbook, why } => Happening::Escalated { playbook: Arc::from(playbook), why },
            HappeningForm::Disabled { playbook, why } => Happening::Disabled { playbook: Arc::from(playbook), why },
            HappeningForm::Enabled { playbook, by } => Happening::Enabled { playbook: Arc::from(playbook), by },
            HappeningForm::KillSwitch { on, by } => Happening::KillSwitch { on, by },
        }
    }
}

impl InputsForm {
    fn read(self) -> Inputs {
        Inputs {
            kill_switch: self.kill_switch,
            disabled: self.disabled,
            busy_with: self.busy_with.map(RunId),
            since_last: self.since_last_us.map(Duration::from_micros),
            cool_down: Duration::from_micros(self.cool_down_us),
            runs: self.runs,
            runs_max: self.runs_max,
            flaps: self.flaps,
            flap_max: self.flap_max,
        }
    }
}

fn inputs_form(inputs: &Inputs) -> InputsForm {
    InputsForm {
        kill_switch: inputs.kill_switch,
        disabled: inputs.disabled,
        busy_with: inputs.busy_with.map(|run| run.0),
        since_last_us: inputs.since_last.map(us),
        cool_down_us: us(inputs.cool_down),
        runs: inputs.runs,
        runs_max: inputs.runs_max,
        flaps: inputs.flaps,
        flap_max: inputs.flap_max,
    }
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn severity(page: bool) -> Severity {
    if page { Severity::Page } else { Severity::Ticket }
}

fn ending_form(ending: Ending) -> EndingForm {
    match ending {
        Ending::Succeeded => EndingForm::Succeeded,
        Ending::DryRun => EndingForm::DryRun,
        Ending::Failed => EndingForm::Failed,
        Ending::Aborted => EndingForm::Aborted,
        Ending::UndoFailed => EndingForm::UndoFailed,
    }
}

fn ending(form: EndingForm) -> Ending {
    match form {
        EndingForm::Succeeded => Ending::Succeeded,
        EndingForm::DryRun => Ending::DryRun,
        EndingForm::Failed => Ending::Failed,
        EndingForm::Aborted => Ending::Aborted,
        EndingForm::UndoFailed => Ending::UndoFailed,
    }
}

fn rule_form(rule: Rule) -> RuleForm {
    match rule {
        Rule::KillSwitch => RuleForm::KillSwitch,
        Rule::Disabled => RuleForm::Disabled,
        Rule::Busy => RuleForm::Busy,
        Rule::CoolDown => RuleForm::CoolDown,
        Rule::Rate => RuleForm::Rate,
        Rule::Flap => RuleForm::Flap,
    }
}

fn rule(form: RuleForm) -> Rule {
    match form {
        RuleForm::KillSwitch => Rule::KillSwitch,
        RuleForm::Disabled => Rule::Disabled,
        RuleForm::Busy => Rule::Busy,
        RuleForm::CoolDown => Rule::CoolDown,
        RuleForm::Rate => Rule::Rate,
        RuleForm::Flap => Rule::Flap,
    }
}
