//! Alerts in, guarded actions out: `Alert → Incident → Action`.
//!
//! Does: open, follow and resolve incidents ([`Incidents`]); run playbooks step by step with
//! guards, checks and undo ([`Engine`]). An experiment is a playbook whose steps are faults under
//! a lease and whose undo is mandatory. Does not: call, signal or wait for anything itself; it
//! asks for [`Action`]s and is told what came of them. Reads no clock, does no I/O.
//!
//! Invariants: state changes only by applying an [`Entry`], and every entry is handed out as
//! [`Action::Record`] before the action that it announces; so whoever makes records durable in
//! order, before acting, can rebuild the state by [`Engine::replay`] or [`Incidents::replay`] and
//! then call `resume`: nothing that ended runs twice, and every open fault is undone.

mod playbook;
mod entry;
mod input;
mod guard;
mod run;
mod engine;
mod incident;
mod incidents;

#[cfg(test)]
mod testing;

pub use engine::Engine;
pub use entry::{Entry, Happening};
pub use guard::{Guard, Inputs, Rule};
pub use incident::{Incident, Line};
pub use incidents::Incidents;
pub use input::{Action, AlertNotice, Input, Part};
pub use playbook::{Check, Kind, Lease, Playbook, Problem, Severity, Step, StepAction, Trigger};
pub use run::{Ending, Phase, Run, StepState};

/// Names a run of a playbook, over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// Names an incident, over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(pub u64);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run-{}", self.0)
    }
}

impl std::fmt::Display for IncidentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "inc-{}", self.0)
    }
}
