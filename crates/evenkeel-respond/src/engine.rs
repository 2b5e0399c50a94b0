//! The engine of playbooks and experiments: one machine for remedies and for faults.
//!
//! Does: start runs under their guard, move each run as far as it can go, and undo. Does not:
//! act; it hands out [`Action`]s in the order in which they must be carried out. Invariants: see
//! the crate; besides, at most one run changes a scope at a time, and no run starts while the
//! kill switch is on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use evenkeel_model::Timestamp;

use crate::entry::{Entry, Happening};
use crate::guard::{History, Rule};
use crate::input::{Action, Input, Part};
use crate::playbook::{Check, Kind, Playbook, Problem, StepAction};
use crate::run::{Ending, Move, Phase, Run, UNDO_TIMEOUT};
use crate::{IncidentId, RunId};

mod replay;

#[cfg(test)]
mod tests;

/// Ended runs that are kept for show.
const ENDED_KEPT: usize = 50;

/// Runs playbooks and experiments.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    playbooks: Vec<Playbook>,
    runs: BTreeMap<RunId, Run>,
    histories: HashMap<Arc<str>, History>,
    /// What the guard said last for a playbook and an incident, so that it is recorded once.
    refusals: HashMap<(Arc<str>, Option<IncidentId>), Rule>,
    kill_switch: bool,
    next_run: u64,
}

impl Engine {
    /// An engine for these playbooks, or all that is wrong with them.
    pub fn new(playbooks: Vec<Playbook>) -> Result<Engine, Vec<Problem>> {
        let mut problems: Vec<Problem> = playbooks.iter().filter_map(|p| p.check().err()).flatten().collect();
        for (index, playbook) in playbooks.iter().enumerate() {
            if playbooks[..index].iter().any(|other| other.name == playbook.name) {
                problems.push(Problem {
                    field: "name".to_owned(),
                    value: playbook.name.to_string(),
                    rule: "a playbook's name is unique",
                });
            }
        }
        if problems.is_empty() { Ok(Engine { playbooks, next_run: 1, ..Engine::default() }) } else { Err(problems) }
    }

    /// Decides. Incidents' inputs mean nothing here.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Start { playbook, why } => {
                self.start(now, &playbook, None, &why, &mut actions);
            }
            Input::Abort { run, why } => self.turn(now, run, Ending::Aborted, why, &mut actions),
            Input::Done { run, step, part, ok, detail } => self.done(now, run, step, part, ok, detail, &mut actions),
            Input::CheckResult { run, step, holds, detail } => {
                if holds && self.phase(run, step) == Some(Phase::Checking) {
                    self.record(now, Happening::CheckEnded { run, step, held: true, detail }, &mut actions);
                }
            }
            Input::Enable { playbook, by } => self.record(now, Happening::Enabled { playbook, by }, &mut actions),
            Input::KillSwitch { on, by } => self.kill_switch(now, on, by, &mut actions),
            Input::Tick => {}
            Input::Alert(_) | Input::Acknowledge { .. } | Input::Note { .. } => return actions,
        }
        self.settle(now, &mut actions);
        self.prune();
        self.ask_checks(&mut actions);
        actions
    }

    /// Starts a run if its guard allows it; each new decision is recorded with its inputs.
    pub(crate) fn start(
        &mut self,
        now: Timestamp,
        name: &str,
        incident: Option<IncidentId>,
        why: &str,
        actions: &mut Vec<Action>,
    ) -> Option<RunId> {
        let playbook = self.playbooks.iter().find(|playbook| playbook.name.as_ref() == name)?.clone();
        let mut inputs = self.histories.entry(Arc::clone(&playbook.name)).or_default().inputs(now, &playbook.guard);
        inputs.kill_switch = self.kill_switch;
        inputs.busy_with = self.active().find(|run| run.scope == playbook.scope).map(|run| run.id);
        let refused = playbook.guard.decide(&inputs);
        let known = self.refusals.get(&(Arc::clone(&playbook.name), incident)).copied();
        if refused.is_none() || refused != known {
            let playbook = Arc::clone(&playbook.name);
            self.put(now, incident, Happening::Guarded { playbook, refused, inputs }, actions);
        }
        if refused == Some(Rule::Flap) {
            let why = Rule::Flap.explain(&inputs);
            let name = Arc::clone(&playbook.name);
            self.put(now, incident, Happening::Disabled { playbook: Arc::clone(&name), why: why.clone() }, actions);
            self.put(now, incident, Happening::Escalated { playbook: name, why }, actions);
        }
        if refused.is_some() {
            return None;
        }
        let run = RunId(self.next_run);
        let begun = Happening::RunStarted {
            run,
            playbook: playbook.name,
            scope: playbook.scope,
            dry_run: playbook.guard.dry_run,
            why: why.to_owned(),
        };
        self.put(now, incident, begun, actions);
        Some(run)
    }

    /// Moves every run as far as it can go now.
    pub(crate) fn settle(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let ids: Vec<RunId> = self.active().map(|run| run.id).collect();
        for id in ids {
            while let Some(run) = self.runs.get(&id) {
                let playbook = self.playbooks.iter().find(|playbook| playbook.name == run.playbook);
                let next = run.next(now, playbook);
                if next == Move::Rest {
                    break;
                }
                self.make(now, id, next, actions);
            }
        }
    }

    fn make(&mut self, now: Timestamp, run: RunId, next: Move, actions: &mut Vec<Action>) {
        match next {
            Move::Rest => {}
            Move::Start(step) => self.start_step(now, run, step, actions),
            Move::End { step, ok, detail } => {
                self.record(now, Happening::StepEnded { run, step, ok, detail: detail.to_owned() }, actions);
            }
            Move::CheckOver(step) => {
                let detail = "it did not hold in time".to_owned();
                self.record(now, Happening::CheckEnded { run, step, held: false, detail }, actions);
            }
            Move::Turn { ending, why } => self.turn(now, run, ending, why, actions),
            Move::Undo(step) => self.start_undo(now, run, step, actions),
            Move::UndoOver(step) => self.undo_ended(now, run, step, false, "no answer in time".to_owned(), actions),
            Move::Finish(ending) => self.record(now, Happening::RunEnded { run, ending }, actions),
        }
    }

    fn start_step(&mut self, now: Timestamp, run: RunId, step: usize, actions: &mut Vec<Action>) {
        let Some(state) = self.runs.get(&run) else { return };
        let found = self.playbooks.iter().find(|playbook| playbook.name == state.playbook);
        let Some(what) = found.and_then(|playbook| playbook.steps.get(step)).cloned() else { return };
        let dry_run = state.dry_run;
        let (name, action, undo) = (what.name, what.action.clone(), what.undo);
        self.record(now, Happening::StepStarted { run, step, name, action, undo }, actions);
        if !dry_run && !matches!(what.action, StepAction::Wait(_)) {
            actions.push(Action::Run {
                run,
                step,
                action: what.action,
                key: key(run, step, Part::Do),
                timeout: what.timeout,
            });
        }
    }

    fn start_undo(&mut self, now: Timestamp, run: RunId, step: usize, actions: &mut Vec<Action>) {
        let undo = self.runs.get(&run).and_then(|state| state.steps.get(step)).and_then(|state| state.undo.clone());
        self.record(now, Happening::UndoStarted { run, step }, actions);
        match undo {
            Some(action) => {
                let key = key(run, step, Part::Undo);
                actions.push(Action::Undo { run, step, action, key, timeout: UNDO_TIMEOUT });
            }
            None => self.undo_ended(now, run, step, true, "nothing to undo".to_owned(), actions),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one closed input")]
    fn done(
        &mut self,
        now: Timestamp,
        run: RunId,
        step: usize,
        part: Part,
        ok: bool,
        detail: String,
        actions: &mut Vec<Action>,
    ) {
        // An answer that comes after its time was up, or a second one, changes nothing.
        match (part, self.phase(run, step)) {
            (Part::Do, Some(Phase::Running)) => {
                self.record(now, Happening::StepEnded { run, step, ok, detail }, actions);
            }
            (Part::Undo, Some(Phase::Undoing)) => self.undo_ended(now, run, step, ok, detail, actions),
            _ => {}
        }
    }

    fn undo_ended(
        &mut self,
        now: Timestamp,
        run: RunId,
        step: usize,
        ok: bool,
        detail: String,
        actions: &mut Vec<Action>,
    ) {
        self.record(now, Happening::UndoEnded { run, step, ok, detail }, actions);
        if self.phase(run, step) == Some(Phase::UndoFailed) {
            self.escalate(now, run, format!("the undo of step {} failed for good", step + 1), actions);
        }
    }

    fn turn(&mut self, now: Timestamp, run: RunId, ending: Ending, why: String, actions: &mut Vec<Action>) {
        if self.runs.get(&run).is_none_or(|run| run.is_over() || run.turned.is_some()) {
            return;
        }
        self.record(now, Happening::Turned { run, ending, why: why.clone() }, actions);
        if ending == Ending::Failed {
            self.escalate(now, run, why, actions);
        }
    }

    fn escalate(&mut self, now: Timestamp, run: RunId, why: String, actions: &mut Vec<Action>) {
        let Some(playbook) = self.runs.get(&run).map(|run| Arc::clone(&run.playbook)) else { return };
        let incident = self.incident_of(run);
        self.put(now, incident, Happening::Escalated { playbook, why: format!("{run}: {why}") }, actions);
    }

    fn kill_switch(&mut self, now: Timestamp, on: bool, by: String, actions: &mut Vec<Action>) {
        self.record(now, Happening::KillSwitch { on, by }, actions);
        let ids: Vec<RunId> = self.active().map(|run| run.id).collect();
        for run in ids.into_iter().filter(|_| on) {
            self.turn(now, run, Ending::Aborted, "the kill switch is on".to_owned(), actions);
        }
    }

    fn ask_checks(&self, actions: &mut Vec<Action>) {
        for run in self.active().filter(|run| run.turned.is_none()) {
            let Some(playbook) = self.playbooks.iter().find(|playbook| playbook.name == run.playbook) else { continue };
            for (step, (state, what)) in run.steps.iter().zip(&playbook.steps).enumerate() {
                if state.phase == Phase::Checking && what.check != Check::None {
                    actions.push(Action::Check { run: run.id, step, check: what.check.clone() });
                }
            }
        }
    }

    /// Records what happened to a run, or to no run in particular.
    fn record(&mut self, now: Timestamp, what: Happening, actions: &mut Vec<Action>) {
        let incident = run_of(&what).and_then(|run| self.incident_of(run));
        self.put(now, incident, what, actions);
    }

    fn put(&mut self, now: Timestamp, incident: Option<IncidentId>, what: Happening, actions: &mut Vec<Action>) {
        let entry = Entry { at: now, incident, what };
        self.apply(&entry);
        actions.push(Action::Record(entry));
    }

    fn phase(&self, run: RunId, step: usize) -> Option<Phase> {
        self.runs.get(&run)?.steps.get(step).map(|state| state.phase)
    }

    fn incident_of(&self, run: RunId) -> Option<IncidentId> {
        self.runs.get(&run).and_then(|run| run.incident)
    }

    fn kind_of(&self, run: &Run) -> Kind {
        // A playbook that is gone is undone like an experiment: nothing of it stays in place.
        let found = self.playbooks.iter().find(|playbook| playbook.name == run.playbook);
        found.map_or(Kind::Experiment, |playbook| playbook.kind)
    }

    fn prune(&mut self) {
        let ended: Vec<RunId> = self.runs.values().filter(|run| run.is_over()).map(|run| run.id).collect();
        for id in ended.iter().take(ended.len().saturating_sub(ENDED_KEPT)) {
            self.runs.remove(id);
        }
    }

    /// The playbooks, in their order.
    pub fn playbooks(&self) -> &[Playbook] {
        &self.playbooks
    }

    /// A run that goes on, or ended lately.
    pub fn run(&self, run: RunId) -> Option<&Run> {
        self.runs.get(&run)
    }

    /// Runs that go on, and the last fifty that ended, oldest first.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// Runs that go on.
    pub fn active(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().filter(|run| !run.is_over())
    }

    /// Whether a playbook may not run until somebody enables it.
    pub fn is_disabled(&self, playbook: &str) -> bool {
        self.histories.get(playbook).is_some_and(|history| history.disabled)
    }

    /// Whether the kill switch is on.
    pub fn is_killed(&self) -> bool {
        self.kill_switch
    }
}

/// The same whenever this part of this step of this run is asked for.
fn key(run: RunId, step: usize, part: Part) -> String {
    let part = match part {
        Part::Do => "do",
        Part::Undo => "undo",
    };
    format!("{run}/step-{}/{part}", step + 1)
}

fn run_of(what: &Happening) -> Option<RunId> {
    match what {
        Happening::RunStarted { run, .. }
        | Happening::StepStarted { run, .. }
        | Happening::StepEnded { run, .. }
        | Happening::CheckEnded { run, .. }
        | Happening::Turned { run, .. }
        | Happening::UndoStarted { run, .. }
        | Happening::UndoEnded { run, .. }
        | Happening::RunEnded { run, .. } => Some(*run),
        _ => None,
    }
}
