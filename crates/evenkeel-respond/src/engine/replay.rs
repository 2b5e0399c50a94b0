//! How the engine's state changes: by entries, and by nothing else. A restart is the same
//! function over the entries that were recorded.

use std::sync::Arc;

use evenkeel_model::Timestamp;

use super::{Engine, key};
use crate::RunId;
use crate::entry::{Entry, Happening};
use crate::input::{Action, Part};
use crate::playbook::{Kind, StepAction};
use crate::run::{Ending, Phase, Run, StepState, UNDO_TIMEOUT};

impl Engine {
    /// Takes back what was recorded, oldest first. Entries that are not the engine's are passed over.
    pub fn replay(&mut self, entries: &[Entry]) {
        entries.iter().for_each(|entry| self.apply(entry));
        self.prune();
    }

    /// What must be done after [`Engine::replay`]: experiments that were running are aborted and
    /// undone; remedies go on, and what was at the driver is asked for again with the same key.
    pub fn resume(&mut self, now: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        let ids: Vec<RunId> = self.active().map(|run| run.id).collect();
        for id in ids {
            let Some(run) = self.runs.get(&id) else { continue };
            if self.kind_of(run) == Kind::Experiment {
                let why = "the process that drove it stopped".to_owned();
                self.turn(now, id, Ending::Aborted, why, &mut actions);
            }
            self.ask_again(now, id, &mut actions);
        }
        self.settle(now, &mut actions);
        actions
    }

    /// Asks again for what was at the driver, and starts its clocks anew.
    fn ask_again(&mut self, now: Timestamp, id: RunId, actions: &mut Vec<Action>) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let playbook = self.playbooks.iter().find(|playbook| playbook.name == run.playbook);
        let turned = run.turned.is_some();
        for (step, state) in run.steps.iter_mut().enumerate() {
            let what = playbook.and_then(|playbook| playbook.steps.get(step));
            match (state.phase, what, &state.undo) {
                (Phase::Running, Some(what), _) if !turned && !matches!(what.action, StepAction::Wait(_)) => {
                    state.since = now;
                    let (action, timeout) = (what.action.clone(), what.timeout);
                    actions.push(Action::Run { run: id, step, action, key: key(id, step, Part::Do), timeout });
                }
                (Phase::Checking, ..) => state.since = now,
                (Phase::Undoing, _, Some(undo)) => {
                    state.since = now;
                    let (action, key) = (undo.clone(), key(id, step, Part::Undo));
                    actions.push(Action::Undo { run: id, step, action, key, timeout: UNDO_TIMEOUT });
                }
                _ => {}
            }
        }
    }

    pub(super) fn apply(&mut self, entry: &Entry) {
        match &entry.what {
            Happening::Guarded { playbook, refused, .. } => {
                let place = (Arc::clone(playbook), entry.incident);
                match refused {
                    Some(rule) => self.refusals.insert(place, *rule),
                    None => self.refusals.remove(&place),
                };
            }
            Happening::RunStarted { run, playbook, .. } => {
                self.next_run = self.next_run.max(run.0 + 1);
                self.histories.entry(Arc::clone(playbook)).or_default().began(entry.at);
                self.begin(entry);
            }
            Happening::RunEnded { run, ending } => {
                let Some(run) = self.runs.get_mut(run) else { return };
                run.ended = Some((entry.at, *ending));
                self.histories.entry(Arc::clone(&run.playbook)).or_default().ended(entry.at);
            }
            Happening::Turned { run, ending, .. } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.turned = Some(*ending);
                }
            }
            Happening::Disabled { playbook, .. } => {
                self.histories.entry(Arc::clone(playbook)).or_default().disabled = true;
            }
            Happening::Enabled { playbook, .. } => {
                self.histories.entry(Arc::clone(playbook)).or_default().enable();
                self.refusals.retain(|(name, _), _| name != playbook);
            }
            Happening::KillSwitch { on, .. } => self.kill_switch = *on,
            Happening::Resolved { .. } => self.refusals.retain(|(_, incident), _| *incident != entry.incident),
            _ => self.apply_to_step(entry),
        }
    }

    fn begin(&mut self, entry: &Entry) {
        let Happening::RunStarted { run, playbook, scope, dry_run, .. } = &entry.what else { return };
        let known = self.playbooks.iter().find(|known| known.name == *playbook);
        let steps = known.map(|known| known.steps.iter().map(|step| StepState::new(step, entry.at)).collect());
        let begun = Run {
            id: *run,
            playbook: Arc::clone(playbook),
            scope: Arc::clone(scope),
            incident: entry.incident,
            dry_run: *dry_run,
            started_at: entry.at,
            steps: steps.unwrap_or_default(),
            turned: None,
            ended: None,
        };
        self.runs.insert(*run, begun);
    }

    fn apply_to_step(&mut self, entry: &Entry) {
        let (id, step) = match &entry.what {
            Happening::StepStarted { run, step, .. }
            | Happening::StepEnded { run, step, .. }
            | Happening::CheckEnded { run, step, .. }
            | Happening::UndoStarted { run, step }
            | Happening::UndoEnded { run, step, .. } => (*run, *step),
            _ => return,
        };
        let Some(run) = self.runs.get(&id) else { return };
        let kind = self.kind_of(run);
        let what =
            self.playbooks.iter().find(|known| known.name == run.playbook).and_then(|known| known.steps.get(step));
        let phase = match &entry.what {
            Happening::StepEnded { ok, .. } => run.after_step(*ok, what, kind),
            Happening::CheckEnded { held, .. } => Run::after_check(*held, what, kind),
            Happening::StepStarted { .. } => Phase::Running,
            _ => Phase::Undoing,
        };
        let Some(run) = self.runs.get_mut(&id) else { return };
        if let Happening::StepStarted { name, undo, .. } = &entry.what {
            run.remember(step, name, undo.clone(), entry.at);
        }
        let Some(state) = run.steps.get_mut(step) else { return };
        match &entry.what {
            Happening::UndoEnded { ok, .. } => state.after_undo(*ok, entry.at),
            _ => state.enter(phase, entry.at),
        }
    }
}

impl Run {
    /// Keeps what takes a step back, even of a step that the playbook no longer has.
    fn remember(&mut self, step: usize, name: &Arc<str>, undo: Option<StepAction>, at: Timestamp) {
        while self.steps.len() <= step.min(STEPS_MAX) {
            let none =
                StepState { name: Arc::clone(name), undo: None, phase: Phase::Waiting, since: at, undo_tries: 0 };
            self.steps.push(none);
        }
        if let Some(state) = self.steps.get_mut(step) {
            state.undo = undo;
        }
    }
}

/// No playbook has more steps; an entry that says so is not ours.
const STEPS_MAX: usize = 10_000;
