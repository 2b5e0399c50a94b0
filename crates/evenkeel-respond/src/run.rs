//! One run of a playbook: where each step stands, and what comes next.
//!
//! Does: decide the next move from its own state and the time, purely ([`Run::next`]). Does not:
//! change by itself; the engine applies entries to it. Invariants: a step starts only when those
//! before it have passed; once turned, a run only undoes, the last step first; a started step
//! with an undo is undone exactly once, or the run ends as `UndoFailed`.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::playbook::{Check, Kind, Playbook, Step, StepAction};
use crate::{IncidentId, RunId};

/// Tries of an undo, with 2, 4, 8 and 16 s between them.
const UNDO_TRIES: u32 = 5;

/// A run of a playbook.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its name.
    pub id: RunId,
    /// The playbook.
    pub playbook: Arc<str>,
    /// What it changes.
    pub scope: Arc<str>,
    /// The incident that it is for.
    pub incident: Option<IncidentId>,
    /// Nothing is done, only recorded.
    pub dry_run: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// Its steps.
    pub steps: Vec<StepState>,
    /// How it will end, once it goes no further.
    pub turned: Option<Ending>,
    /// When and how it ended.
    pub ended: Option<(Timestamp, Ending)>,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq)]
pub struct StepState {
    /// Its name.
    pub name: Arc<str>,
    /// What takes it back.
    pub undo: Option<StepAction>,
    /// Its phase.
    pub phase: Phase,
    /// The phase's beginning.
    pub since: Timestamp,
    /// Tries of its undo so far.
    pub undo_tries: u32,
}

/// The phase of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not begun.
    Waiting,
    /// At the driver.
    Running,
    /// Done; its check has yet to hold.
    Checking,
    /// A fault in place, under its lease.
    Holding,
    /// Done and verified.
    Passed,
    /// It failed, or its check did.
    Failed,
    /// Its undo is at the driver.
    Undoing,
    /// Its undo failed and is tried again.
    UndoOwed,
    /// Taken back.
    Undone,
    /// Its undo failed for good.
    UndoFailed,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Every step passed, and every lease was undone.
    Succeeded,
    /// Only recorded.
    DryRun,
    /// A step or a check failed; undone.
    Failed,
    /// Stopped; undone.
    Aborted,
    /// Something is left that could not be undone.
    UndoFailed,
}

impl Ending {
    /// In words, after "run-1".
    pub fn name(self) -> &'static str {
        match self {
            Ending::Succeeded => "succeeded",
            Ending::DryRun => "ended as a dry run",
            Ending::Failed => "failed and was undone",
            Ending::Aborted => "was aborted and undone",
            Ending::UndoFailed => "could not be undone",
        }
    }
}

/// What a run does next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Move {
    /// Nothing before something happens.
    Rest,
    Start(usize),
    /// A step comes back without the driver: a wait is over, or its time is up.
    End {
        step: usize,
        ok: bool,
        detail: &'static str,
    },
    /// A check's time is up.
    CheckOver(usize),
    Turn {
        ending: Ending,
        why: String,
    },
    Undo(usize),
    UndoOver(usize),
    Finish(Ending),
}

impl Run {
    pub(crate) fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// Faults that are in place, or may be.
    pub fn open_faults(&self) -> impl Iterator<Item = &StepState> {
        self.steps.iter().filter(|step| step.undo.is_some() && step.may_be_in_place())
    }

    /// What comes next. `playbook` is `None` when it is no longer configured.
    pub(crate) fn next(&self, now: Timestamp, playbook: Option<&Playbook>) -> Move {
        if self.is_over() {
            return Move::Rest;
        }
        let Some(playbook) = playbook.filter(|playbook| playbook.steps.len() == self.steps.len()) else {
            let why = "its playbook was changed or removed".to_owned();
            return if self.turned.is_some() {
                self.next_undo(now)
            } else {
                Move::Turn { ending: Ending::Aborted, why }
            };
        };
        if self.turned.is_some() { self.next_undo(now) } else { self.next_forward(now, playbook) }
    }

    fn next_forward(&self, now: Timestamp, playbook: &Playbook) -> Move {
        let mut all_over = true;
        let mut blocked = false;
        for (index, (state, step)) in self.steps.iter().zip(&playbook.steps).enumerate() {
            let then = state.next(now, index, step, self.dry_run);
            match then {
                Move::Rest => {}
                Move::Start(_) if blocked => {}
                then => return then,
            }
            all_over &= state.is_over();
            blocked |= state.blocks(step);
        }
        match self.steps.iter().any(|step| step.phase == Phase::UndoFailed) {
            _ if !all_over => Move::Rest,
            true => Move::Finish(Ending::UndoFailed),
            false if self.dry_run => Move::Finish(Ending::DryRun),
            false => Move::Finish(Ending::Succeeded),
        }
    }

    /// The last step first; one undo at a time.
    fn next_undo(&self, now: Timestamp) -> Move {
        let undoing = self.steps.iter().position(|step| step.phase == Phase::Undoing);
        if let Some(index) = undoing {
            return self.steps[index].next_undo(now, index);
        }
        let mut owed = false;
        for (index, step) in self.steps.iter().enumerate().rev() {
            if step.undo.is_some() && !self.dry_run && step.may_be_in_place() {
                owed = true;
                if step.undo_is_due(now) {
                    return Move::Undo(index);
                }
            }
        }
        if owed {
            return Move::Rest;
        }
        let left = self.steps.iter().any(|step| step.phase == Phase::UndoFailed);
        Move::Finish(if left { Ending::UndoFailed } else { self.turned.unwrap_or(Ending::Aborted) })
    }

    /// The phase after a step's action came back.
    pub(crate) fn after_step(&self, ok: bool, step: Option<&Step>, kind: Kind) -> Phase {
        match step {
            _ if !ok => Phase::Failed,
            _ if self.dry_run => Phase::Passed,
            Some(step) if step.check != Check::None => Phase::Checking,
            step => Run::after_check(true, step, kind),
        }
    }

    /// The phase after a step's check came back.
    pub(crate) fn after_check(held: bool, step: Option<&Step>, kind: Kind) -> Phase {
        match step {
            _ if !held => Phase::Failed,
            Some(Step { lease: Some(_), .. }) => Phase::Holding,
            // A step that nobody knows any more may be a fault: it stays in place until undone.
            None if kind == Kind::Experiment => Phase::Holding,
            _ => Phase::Passed,
        }
    }
}

impl StepState {
    pub(crate) fn new(step: &Step, at: Timestamp) -> StepState {
        StepState {
            name: Arc::clone(&step.name),
            undo: step.undo.clone(),
            phase: Phase::Waiting,
            since: at,
            undo_tries: 0,
        }
    }

    pub(crate) fn enter(&mut self, phase: Phase, at: Timestamp) {
        self.phase = phase;
        self.since = at;
    }

    /// The phase after an undo came back.
    pub(crate) fn after_undo(&mut self, ok: bool, at: Timestamp) {
        self.undo_tries += 1;
        let phase = match ok {
            true => Phase::Undone,
            false if self.undo_tries < UNDO_TRIES => Phase::UndoOwed,
            false => Phase::UndoFailed,
        };
        self.enter(phase, at);
    }

    fn next(&self, now: Timestamp, index: usize, step: &Step, dry_run: bool) -> Move {
        let elapsed = now.since(self.since);
        match self.phase {
            Phase::Waiting => Move::Start(index),
            Phase::Running if dry_run => Move::End { step: index, ok: true, detail: "dry run: not done" },
            Phase::Running => match step.action {
                StepAction::Wait(time) if elapsed >= time => Move::End { step: index, ok: true, detail: "" },
                StepAction::Wait(_) => Move::Rest,
                _ if elapsed >= step.timeout => Move::End { step: index, ok: false, detail: "no answer in time" },
                _ => Move::Rest,
            },
            Phase::Checking => match &step.check {
                Check::ObjectiveBurnBelow { within, .. } if elapsed >= *within => Move::CheckOver(index),
                _ => Move::Rest,
            },
            Phase::Holding if step.lease.is_none_or(|lease| elapsed >= lease.hold) => Move::Undo(index),
            Phase::Failed => {
                Move::Turn { ending: Ending::Failed, why: format!("step {} ({}) failed", index + 1, step.name) }
            }
            Phase::Undoing => self.next_undo(now, index),
            Phase::UndoOwed if self.undo_is_due(now) => Move::Undo(index),
            Phase::Holding | Phase::UndoOwed | Phase::Passed | Phase::Undone | Phase::UndoFailed => Move::Rest,
        }
    }

    fn next_undo(&self, now: Timestamp, index: usize) -> Move {
        if now.since(self.since) >= UNDO_TIMEOUT { Move::UndoOver(index) } else { Move::Rest }
    }

    fn undo_is_due(&self, now: Timestamp) -> bool {
        self.phase != Phase::UndoOwed || now.since(self.since) >= Duration::from_secs(1 << self.undo_tries.min(6))
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Passed | Phase::Undone | Phase::UndoFailed)
    }

    /// Started, and neither taken back nor given up.
    fn may_be_in_place(&self) -> bool {
        !matches!(self.phase, Phase::Waiting | Phase::Undone | Phase::UndoFailed)
    }

    /// Whether the steps after it must wait.
    fn blocks(&self, step: &Step) -> bool {
        let under_lease = matches!(self.phase, Phase::Holding | Phase::Undoing | Phase::UndoOwed);
        !self.is_over() && (!under_lease || step.lease.is_none_or(|lease| lease.wait))
    }
}

/// An undo without an answer within this is tried again.
pub(crate) const UNDO_TIMEOUT: Duration = Duration::from_secs(10);
