//! Who is told of which alerts, together with which others, and when again.
//!
//! Does: gather alerts into groups; wait a moment for the others of a group before the first word;
//! say again what still fires; keep quiet about what a person silenced, or what a graver alert of
//! the same objective says already (inhibition). Does not: judge or deliver. The words and the
//! usual times are Alertmanager's (`group_wait`, `group_interval`, `repeat_interval`).
//!
//! Invariants: of an alert that nobody heard of nobody hears that it is over; a silence that ends
//! while its alert still fires is followed by a notice; an alert that was resolved is told once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::Timestamp;

use crate::alert::{Alert, AlertEvent};
use crate::rule::Severity;

#[cfg(test)]
mod tests;

/// How alerts are told.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    /// What alerts of one group have in common; nothing puts all alerts into one.
    pub group_by: Vec<GroupBy>,
    /// How long the first word about a group waits for others of it.
    pub wait: Duration,
    /// How long a word about a change waits after the last word about the group.
    pub interval: Duration,
    /// When it is said again that a group still fires.
    pub repeat: Duration,
    /// Whether a page keeps the tickets of its objective quiet.
    pub inhibits: bool,
}

impl Default for Routes {
    fn default() -> Routes {
        Routes {
            group_by: vec![GroupBy::Objective],
            wait: Duration::ZERO,
            interval: Duration::from_secs(5 * 60),
            repeat: Duration::from_secs(4 * 3600),
            inhibits: true,
        }
    }
}

/// What alerts of one group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// Their service.
    Service,
    /// Their subscription.
    Subscription,
    /// Their objective.
    Objective,
    /// Their severity.
    Severity,
    /// Their name within the objective.
    Alert,
}

impl GroupBy {
    /// All there are.
    pub const ALL: [GroupBy; 5] =
        [GroupBy::Service, GroupBy::Subscription, GroupBy::Objective, GroupBy::Severity, GroupBy::Alert];

    /// The name that users see.
    pub fn name(self) -> &'static str {
        match self {
            GroupBy::Service => "service",
            GroupBy::Subscription => "subscription",
            GroupBy::Objective => "objective",
            GroupBy::Severity => "severity",
            GroupBy::Alert => "alert",
        }
    }

    fn of(self, alert: &Alert) -> Arc<str> {
        match self {
            GroupBy::Service => Arc::clone(&alert.service),
            GroupBy::Subscription => Arc::clone(&alert.subscription),
            GroupBy::Objective => Arc::clone(&alert.objective),
            GroupBy::Severity => Arc::from(alert.severity.name()),
            GroupBy::Alert => Arc::clone(&alert.name),
        }
    }
}

/// Alerts that nobody is to be told of for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Its name.
    pub id: Arc<str>,
    /// Which alerts; what is left out holds for all.
    pub matches: Matches,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Who said so.
    pub by: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
}

/// Which alerts a silence, or a receiver, is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// Of this service.
    pub service: Option<Arc<str>>,
    /// Of this subscription.
    pub subscription: Option<Arc<str>>,
    /// Of this objective.
    pub objective: Option<Arc<str>>,
    /// Of this name.
    pub alert: Option<Arc<str>>,
    /// Of this severity.
    pub severity: Option<Severity>,
}

impl Matches {
    /// Whether the alert is one of them.
    pub fn holds(&self, alert: &Alert) -> bool {
        let same = |wanted: &Option<Arc<str>>, found: &Arc<str>| wanted.as_ref().is_none_or(|wanted| wanted == found);
        same(&self.service, &alert.service)
            && same(&self.subscription, &alert.subscription)
            && same(&self.objective, &alert.objective)
            && same(&self.alert, &alert.name)
            && self.severity.is_none_or(|severity| severity == alert.severity)
    }
}

/// Why nobody is told of an alert that fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Muted {
    /// By a silence.
    Silenced(Arc<str>),
    /// By a graver alert of the same objective.
    Inhibited(Arc<str>),
}

/// A word to those who are told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// What the alerts have in common, in the order of [`Routes::group_by`].
    pub group: Vec<Arc<str>>,
    /// Alerts that fire, gravest first.
    pub firing: Vec<Alert>,
    /// Alerts that are over since the last word.
    pub resolved: Vec<Alert>,
    /// Nothing changed since the last word: it still fires.
    pub again: bool,
}

/// Alerts in groups, and what was said of them.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    routes: Routes,
    silences: Vec<Silence>,
    groups: BTreeMap<Vec<Arc<str>>, Group>,
}

#[derive(Clone, Debug, Default)]
struct Group {
    alerts: BTreeMap<(Arc<str>, Arc<str>), Heard>,
    /// When the first of the alerts that are in it came.
    since: Timestamp,
    last_word: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Heard {
    alert: Alert,
    /// Those who are told know that it fires.
    told: bool,
}

impl Routing {
    /// Nothing fires, and nothing is silenced.
    pub fn new(routes: Routes) -> Routing {
        Routing { routes, ..Routing::default() }
    }

    /// Takes a change of an alert; what is said of it, the next [`Routing::step`] tells.
    pub fn hear(&mut self, now: Timestamp, event: &AlertEvent) {
        let group = self.group_of(now, event.alert());
        let key = key(event.alert());
        match event {
            AlertEvent::Firing(alert) => {
                // Heard again after a restart it is the same one, and was told or not.
                let told = group.alerts.get(&key).is_some_and(|heard| heard.told && is_one(&heard.alert, alert));
                group.alerts.insert(key, Heard { alert: alert.clone(), told });
            }
            AlertEvent::Resolved(alert) => match group.alerts.get_mut(&key) {
                Some(heard) if heard.told && alert.tells_end => heard.alert = alert.clone(),
                _ => drop(group.alerts.remove(&key)),
            },
        }
        self.groups.retain(|_, group| !group.alerts.is_empty());
    }

    fn group_of(&mut self, now: Timestamp, alert: &Alert) -> &mut Group {
        let group = self.groups.entry(self.routes.group_by.iter().map(|by| by.of(alert)).collect()).or_default();
        if group.alerts.is_empty() {
            (group.since, group.last_word) = (now, None);
        }
        group
    }

    /// Takes in what was said before a restart; words in the order in which they were said. What
    /// fires now, and what is over since, is heard afterwards.
    pub fn recall(&mut self, at: Timestamp, notice: &Notice) {
        for alert in &notice.firing {
            let group = self.group_of(at, alert);
            group.last_word = Some(at);
            group.alerts.insert(key(alert), Heard { alert: alert.clone(), told: true });
        }
        for alert in &notice.resolved {
            let group = self.group_of(at, alert);
            group.last_word = Some(at);
            group.alerts.remove(&key(alert));
        }
        self.groups.retain(|_, group| !group.alerts.is_empty());
    }

    /// Only these fire: every other one is over, though nobody said so (its objective is gone).
    pub fn only(&mut self, now: Timestamp, firing: &[Alert]) {
        let all = self.groups.values().flat_map(|group| group.alerts.values());
        let gone = |heard: &&Heard| {
            heard.alert.resolved_at.is_none() && !firing.iter().any(|alert| key(alert) == key(&heard.alert))
        };
        let gone: Vec<Alert> = all.filter(gone).map(|heard| heard.alert.clone()).collect();
        for alert in gone {
            self.hear(now, &AlertEvent::Resolved(Alert { resolved_at: Some(now), ..alert }));
        }
    }

    /// Whether those who are told know that this alert fires.
    pub fn knows(&self, alert: &Alert) -> bool {
        let heard = self.groups.values().find_map(|group| group.alerts.get(&key(alert)));
        heard.is_some_and(|heard| heard.told && is_one(&heard.alert, alert))
    }

    /// Keeps alerts quiet from now on; one of the same name is replaced.
    pub fn silence(&mut self, silence: Silence) {
        self.unsilence(&Arc::clone(&silence.id));
        self.silences.push(silence);
    }

    /// Ends a silence; false when there is none of this name.
    pub fn unsilence(&mut self, id: &str) -> bool {
        let before = self.silences.len();
        self.silences.retain(|silence| &*silence.id != id);
        self.silences.len() < before
    }

    /// The silences that are not over.
    pub fn silences(&self) -> &[Silence] {
        &self.silences
    }

    /// Why nobody is told of an alert; none when they are.
    pub fn muted(&self, now: Timestamp, alert: &Alert) -> Option<Muted> {
        let all = self.groups.values().flat_map(|group| group.alerts.values());
        let graver = |heard: &&Heard| {
            heard.alert.resolved_at.is_none()
                && heard.alert.objective == alert.objective
                && heard.alert.severity > alert.severity
        };
        if let Some(silence) = self.silences.iter().find(|s| s.from <= now && now < s.until && s.matches.holds(alert)) {
            return Some(Muted::Silenced(Arc::clone(&silence.id)));
        }
        let mut graver = all.filter(graver);
        self.routes.inhibits.then(|| graver.next()).flatten().map(|h| Muted::Inhibited(Arc::clone(&h.alert.name)))
    }

    /// What is to be said now.
    pub fn step(&mut self, now: Timestamp) -> Vec<Notice> {
        self.silences.retain(|silence| now < silence.until);
        let mut notices = Vec::new();
        let names: Vec<Vec<Arc<str>>> = self.groups.keys().cloned().collect();
        for name in names {
            let Some(group) = self.groups.get(&name) else { continue };
            let audible: Vec<(Arc<str>, Arc<str>)> = group
                .alerts
                .iter()
                .filter(|(_, heard)| heard.alert.resolved_at.is_some() || self.muted(now, &heard.alert).is_none())
                .map(|(key, _)| key.clone())
                .collect();
            if let Some(group) = self.groups.get_mut(&name) {
                notices.extend(group.word(now, &self.routes, name, &audible));
            }
        }
        self.groups.retain(|_, group| !group.alerts.is_empty());
        notices
    }
}

/// What one alert is known by, however often it fires.
fn key(alert: &Alert) -> (Arc<str>, Arc<str>) {
    (Arc::clone(&alert.objective), Arc::clone(&alert.name))
}

/// One and the same: it did not end in between.
fn is_one(a: &Alert, b: &Alert) -> bool {
    a.started_at == b.started_at
}

impl Group {
    /// What is said of these alerts of the group now, if anything.
    fn word(
        &mut self,
        now: Timestamp,
        routes: &Routes,
        group: Vec<Arc<str>>,
        audible: &[(Arc<str>, Arc<str>)],
    ) -> Option<Notice> {
        let is_new = |heard: &Heard| heard.alert.resolved_at.is_some() || !heard.told;
        let heard = || audible.iter().filter_map(|key| self.alerts.get(key));
        let changed = heard().any(is_new);
        let fires = heard().any(|heard| heard.alert.resolved_at.is_none());
        let due = match self.last_word {
            None => changed && now.since(self.since) >= routes.wait,
            // That all is over is said at once.
            Some(last) if changed => now.since(last) >= routes.interval || !fires,
            Some(last) => fires && now.since(last) >= routes.repeat,
        };
        if !due {
            return None;
        }
        let mut notice = Notice { group, firing: Vec::new(), resolved: Vec::new(), again: !changed };
        for key in audible {
            let Some(heard) = self.alerts.get_mut(key) else { continue };
            if heard.alert.resolved_at.is_some() {
                notice.resolved.push(heard.alert.clone());
                self.alerts.remove(key);
            } else {
                heard.told = true;
                notice.firing.push(heard.alert.clone());
            }
        }
        notice.firing.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.started_at.cmp(&b.started_at)));
        self.last_word = Some(now);
        Some(notice)
    }
}
