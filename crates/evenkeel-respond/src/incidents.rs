//! Incidents: alerts of one objective gathered into one story, and the playbooks that it starts.
//!
//! Does: open an incident with an objective's first alert, join later ones, start the first
//! playbook that answers it, follow its runs, resolve when every alert cleared and no run goes
//! on. Does not: watch (it is told of alerts) or run (its [`Engine`] does). Invariants: an
//! objective has at most one open incident; a run that failed asks for a person, and another is
//! started for the same incident only while the playbook's guard grants it further tries.

use std::collections::BTreeMap;
use std::sync::Arc;

use evenkeel_model::Timestamp;

use crate::IncidentId;
use crate::engine::Engine;
use crate::entry::{Entry, Happening};
use crate::incident::Incident;
use crate::input::{Action, AlertNotice, Input};
use crate::playbook::{Playbook, Problem};

#[cfg(test)]
mod tests;

/// Resolved incidents that are kept for show.
const RESOLVED_KEPT: usize = 100;

/// All incidents, and the engine that repairs.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    engine: Engine,
    incidents: BTreeMap<IncidentId, Incident>,
    next: u64,
}

impl Incidents {
    /// No incident yet, and these playbooks.
    pub fn new(playbooks: Vec<Playbook>) -> Result<Incidents, Vec<Problem>> {
        Ok(Incidents { engine: Engine::new(playbooks)?, incidents: BTreeMap::new(), next: 1 })
    }

    /// Takes back what was recorded, oldest first.
    pub fn replay(&mut self, entries: &[Entry]) {
        self.engine.replay(entries);
        entries.iter().for_each(|entry| self.apply(entry));
        self.prune();
    }

    /// What must be done after [`Incidents::replay`].
    pub fn resume(&mut self, now: Timestamp) -> Vec<Action> {
        let actions = self.engine.resume(now);
        self.follow(now, actions)
    }

    /// Decides.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Alert(notice) if notice.firing => self.fires(now, notice, &mut actions),
            Input::Alert(notice) => self.clears(now, &notice, &mut actions),
            Input::Acknowledge { incident, by } => {
                let open = |incident: &Incident| incident.is_open() && incident.acknowledged.is_none();
                if self.incidents.get(&incident).is_some_and(open) {
                    self.put(now, incident, Happening::Acknowledged { by }, &mut actions);
                }
            }
            Input::Note { incident, by, text } => {
                if self.incidents.contains_key(&incident) {
                    self.put(now, incident, Happening::Noted { by, text }, &mut actions);
                }
            }
            other => {
                actions = self.engine.step(now, other);
                return self.follow(now, actions);
            }
        }
        self.follow(now, actions)
    }

    /// Starts what is wanted, and resolves what is over. Whatever the engine decided joins its incident.
    fn follow(&mut self, now: Timestamp, mut actions: Vec<Action>) -> Vec<Action> {
        self.hear(&actions);
        let open: Vec<IncidentId> = self.open().map(|incident| incident.id).collect();
        for id in open {
            self.repair(now, id, &mut actions);
            let Some(incident) = self.incidents.get(&id).filter(|incident| incident.is_quiet()) else { continue };
            let time_to_detect = incident.time_to_detect();
            let time_to_recover = now.since(incident.first_bad_at);
            self.put(now, id, Happening::Resolved { time_to_detect, time_to_recover }, &mut actions);
            self.prune();
        }
        actions
    }

    fn repair(&mut self, now: Timestamp, id: IncidentId, actions: &mut Vec<Action>) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let answers = |playbook: &&Playbook| playbook.answers(&incident.objective, incident.severity);
        let Some(playbook) = self.engine.playbooks().iter().find(answers) else { return };
        if !incident.wants_a_remedy(playbook.guard.tries) {
            return;
        }
        let name = Arc::clone(&playbook.name);
        let mut decided = Vec::new();
        if self.engine.start(now, &name, Some(id), &id.to_string(), &mut decided).is_some() {
            self.engine.settle(now, &mut decided);
        }
        self.hear(&decided);
        actions.append(&mut decided);
    }

    fn fires(&mut self, now: Timestamp, notice: AlertNotice, actions: &mut Vec<Action>) {
        let AlertNotice { objective, service, subscription, alert, severity, first_bad_at, detail, .. } = notice;
        let found = self.open().find(|incident| incident.objective == objective).map(|incident| incident.id);
        let id = found.unwrap_or(IncidentId(self.next));
        if found.is_none() {
            let opened = Happening::Opened { objective, service, subscription, severity, first_bad_at };
            self.put(now, id, opened, actions);
        }
        let fires = |incident: &Incident| incident.alerts.get(&alert) == Some(&true);
        if !self.incidents.get(&id).is_some_and(fires) {
            self.put(now, id, Happening::AlertJoined { alert, severity, first_bad_at, detail }, actions);
        }
    }

    fn clears(&mut self, now: Timestamp, notice: &AlertNotice, actions: &mut Vec<Action>) {
        let fires = |incident: &&Incident| {
            incident.objective == notice.objective && incident.alerts.get(&notice.alert) == Some(&true)
        };
        let found = self.open().find(fires).map(|incident| incident.id);
        if let Some(id) = found {
            self.put(now, id, Happening::AlertCleared { alert: Arc::clone(&notice.alert) }, actions);
        }
    }

    fn put(&mut self, now: Timestamp, incident: IncidentId, what: Happening, actions: &mut Vec<Action>) {
        let entry = Entry { at: now, incident: Some(incident), what };
        self.engine.replay(std::slice::from_ref(&entry));
        self.apply(&entry);
        actions.push(Action::Record(entry));
    }

    /// What the engine recorded of a run belongs to the timeline of its incident.
    fn hear(&mut self, actions: &[Action]) {
        for action in actions {
            if let Action::Record(entry) = action
                && !is_told_by_incidents(&entry.what)
            {
                self.apply(entry);
            }
        }
    }

    fn apply(&mut self, entry: &Entry) {
        let Some(id) = entry.incident else { return };
        if let Some(opened) = Incident::opened(id, entry) {
            self.next = self.next.max(id.0 + 1);
            self.incidents.insert(id, opened);
        }
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.apply(entry);
        }
    }

    fn prune(&mut self) {
        let resolved: Vec<IncidentId> = self.incidents.values().filter(|i| !i.is_open()).map(|i| i.id).collect();
        for id in resolved.iter().take(resolved.len().saturating_sub(RESOLVED_KEPT)) {
            self.incidents.remove(id);
        }
    }

    /// All incidents that are kept, oldest first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    /// Incidents that go on, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().filter(|incident| incident.is_open())
    }

    /// One incident.
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(&id)
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// What [`Incidents`] records itself, and has applied when it did.
fn is_told_by_incidents(what: &Happening) -> bool {
    matches!(
        what,
        Happening::Opened { .. }
            | Happening::AlertJoined { .. }
            | Happening::AlertCleared { .. }
            | Happening::Acknowledged { .. }
            | Happening::Noted { .. }
            | Happening::Resolved { .. }
    )
}
