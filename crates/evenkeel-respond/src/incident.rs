//! One incident: from the first alert of an objective to the last one's end, with its timeline.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::entry::{Entry, Happening};
use crate::playbook::Severity;
use crate::run::Ending;
use crate::{IncidentId, RunId};

/// Lines that a timeline keeps; the log has them all.
const LINES_MAX: usize = 500;

/// An incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// The objective that is, or was, in danger.
    pub objective: Arc<str>,
    /// Its service.
    pub service: Arc<str>,
    /// Its subscription.
    pub subscription: Arc<str>,
    /// The most severe of its alerts.
    pub severity: Severity,
    /// Its alerts, and whether each fires.
    pub alerts: BTreeMap<Arc<str>, bool>,
    /// When the first bad event was.
    pub first_bad_at: Timestamp,
    /// When the first alert fired.
    pub opened_at: Timestamp,
    /// When somebody took it on, and who.
    pub acknowledged: Option<(Timestamp, String)>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// Runs of playbooks for it, and how they ended.
    pub runs: Vec<(RunId, Option<Ending>)>,
    /// A person was asked for.
    pub escalated: bool,
    /// What happened, oldest first.
    pub timeline: Vec<Line>,
}

/// A line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

impl Incident {
    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.resolved_at.is_none()
    }

    /// How many of its alerts fire.
    pub fn firing(&self) -> usize {
        self.alerts.values().filter(|fires| **fires).count()
    }

    /// From the first bad event to the first alert.
    pub fn time_to_detect(&self) -> Duration {
        self.opened_at.since(self.first_bad_at)
    }

    /// From the first alert until somebody took it on.
    pub fn time_to_acknowledge(&self) -> Option<Duration> {
        self.acknowledged.as_ref().map(|(at, _)| at.since(self.opened_at))
    }

    /// From the first bad event to the end.
    pub fn time_to_recover(&self) -> Option<Duration> {
        self.resolved_at.map(|at| at.since(self.first_bad_at))
    }

    /// Whether a run for it goes on.
    pub fn is_being_repaired(&self) -> bool {
        self.runs.iter().any(|(_, ending)| ending.is_none())
    }

    /// Whether a playbook may be tried: something fires, no run goes on, fewer than `tries` have
    /// failed, and none ended in a way that only a person can follow (aborted, an undo that failed).
    pub(crate) fn wants_a_remedy(&self, tries: u32) -> bool {
        let may_follow = |ending: &Option<Ending>| matches!(ending, Some(Ending::Succeeded | Ending::Failed));
        let failed = self.runs.iter().filter(|(_, ending)| *ending == Some(Ending::Failed)).count();
        let left = u32::try_from(failed).unwrap_or(u32::MAX) < tries;
        self.is_open() && self.firing() > 0 && left && self.runs.iter().all(|(_, ending)| may_follow(ending))
    }

    /// Nothing fires and nothing is being done.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_open() && self.firing() == 0 && !self.is_being_repaired()
    }

    pub(crate) fn opened(id: IncidentId, entry: &Entry) -> Option<Incident> {
        let Happening::Opened { objective, service, subscription, severity, first_bad_at } = &entry.what else {
            return None;
        };
        Some(Incident {
            id,
            objective: Arc::clone(objective),
            service: Arc::clone(service),
            subscription: Arc::clone(subscription),
            severity: *severity,
            alerts: BTreeMap::new(),
            first_bad_at: *first_bad_at,
            opened_at: entry.at,
            acknowledged: None,
            resolved_at: None,
            runs: Vec::new(),
            escalated: false,
            timeline: Vec::new(),
        })
    }

    pub(crate) fn apply(&mut self, entry: &Entry) {
        match &entry.what {
            Happening::AlertJoined { alert, severity, first_bad_at, .. } => {
                self.alerts.insert(Arc::clone(alert), true);
                self.severity = self.severity.max(*severity);
                self.first_bad_at = self.first_bad_at.min(*first_bad_at);
            }
            Happening::AlertCleared { alert } => {
                self.alerts.insert(Arc::clone(alert), false);
            }
            Happening::Acknowledged { by } => self.acknowledged = Some((entry.at, by.clone())),
            Happening::Resolved { .. } => self.resolved_at = Some(entry.at),
            Happening::RunStarted { run, .. } => self.runs.push((*run, None)),
            Happening::RunEnded { run, ending } => {
                self.runs.iter_mut().filter(|(id, _)| id == run).for_each(|(_, how)| *how = Some(*ending));
            }
            Happening::Escalated { .. } => self.escalated = true,
            _ => {}
        }
        if self.timeline.len() < LINES_MAX {
            self.timeline.push(Line { at: entry.at, text: entry.describe() });
        }
    }
}
