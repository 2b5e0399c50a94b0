//! A source that falls silent, or sends twice as much as usual, is an alert where the configuration says so.
//!
//! Which source does is the watch's to say (`evenkeel_watch::Producer`); here it becomes an event of the alerts topic, and
//! opens an incident, like any alert. Invariant: an alert is durable in its topic before responding hears of it.

use std::collections::BTreeMap;

use evenkeel_cloudevents::kafka::to_record;
use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_log::{Log, Set};
use evenkeel_model::{Shard, Timestamp, names};
use evenkeel_respond::{AlertNotice, Input};
use evenkeel_watch::{Producer, Sending, Severity};

use crate::config::plan::ProducerAlerts;
use crate::forms::alert::{self, AlertForm};
use crate::forms::producer::sentence;
use crate::forms::time;
use crate::happenings::{AlertChanged, AlertNotStored};
use crate::responding::Responding;

/// The names of the alerts.
pub(super) const ALERTS: [&str; 2] = ["source-silent", "source-surging"];

/// Sources that don't send as usual, and of which somebody is told.
pub(super) struct Sources {
    log: Log,
    responding: Responding,
    told: ProducerAlerts,
    /// By topic and source.
    firing: BTreeMap<String, AlertForm>,
}

impl Sources {
    pub(super) fn new(log: Log, responding: Responding, told: ProducerAlerts) -> Sources {
        Sources { log, responding, told, firing: BTreeMap::new() }
    }

    /// Other sources are told of from here on; what fires and nobody wants to hear of is over with the next look.
    pub(super) fn replace(&mut self, told: ProducerAlerts) {
        self.told = told;
    }

    /// Takes back one that fired before a restart; false when it is another kind of alert.
    pub(super) async fn take_back(&mut self, form: &AlertForm) -> bool {
        if !ALERTS.contains(&form.name.as_str()) {
            return false;
        }
        match form.resolved_at {
            None => drop(self.firing.insert(form.objective.clone(), form.clone())),
            Some(_) => drop(self.firing.remove(&form.objective)),
        }
        // Responding may have missed it; hearing it twice changes nothing.
        self.tell(form).await;
        true
    }

    /// All that fire.
    pub(super) fn firing(&self) -> impl Iterator<Item = &AlertForm> {
        self.firing.values()
    }

    /// Looks at all sources; gives the alerts that began, or are over.
    pub(super) async fn look(&mut self, now: Timestamp, producers: &[Producer]) -> Vec<AlertForm> {
        let mut changed = Vec::new();
        for producer in producers {
            let name = format!("{}{}", producer.topic, producer.source);
            let wanted = self.severity(producer.sending).map(|severity| fired(&name, producer, severity));
            let fires = self.firing.get(&name);
            let over = fires
                .filter(|form| wanted.as_ref().is_none_or(|wanted| wanted.name != form.name))
                .map(|form| AlertForm { state: "resolved".to_owned(), resolved_at: Some(time(now)), ..form.clone() });
            let begins = wanted.filter(|wanted| fires.is_none_or(|form| form.name != wanted.name));
            for form in over.into_iter().chain(begins) {
                if self.store(now, &form).await {
                    changed.push(form);
                }
            }
        }
        changed
    }

    fn severity(&self, sending: Sending) -> Option<Severity> {
        match sending {
            Sending::Usual => None,
            Sending::Silent => self.told.silent,
            Sending::Surging => self.told.surging,
        }
    }

    async fn store(&mut self, now: Timestamp, form: &AlertForm) -> bool {
        let record = to_record(&alert::event_of(form), now);
        if let Err(e) = self.log.append(Set::of(Shard::new(names::ALERTS_TOPIC, 0), vec![record])).await {
            AlertNotStored { error: e.to_string() }.tell();
            return false;
        }
        AlertChanged::of(form).tell();
        self.tell(form).await;
        match form.resolved_at {
            None => drop(self.firing.insert(form.objective.clone(), form.clone())),
            Some(_) => drop(self.firing.remove(&form.objective)),
        }
        true
    }

    async fn tell(&self, form: &AlertForm) {
        let Some(first_bad_at) = parse_rfc3339(&form.first_bad_at) else { return };
        let page = form.severity == Severity::Page.name();
        let notice = AlertNotice {
            objective: form.objective.as_str().into(),
            service: form.service.as_str().into(),
            subscription: form.subscription.as_str().into(),
            alert: form.name.as_str().into(),
            severity: if page { evenkeel_respond::Severity::Page } else { evenkeel_respond::Severity::Ticket },
            firing: form.resolved_at.is_none(),
            first_bad_at,
            detail: form.summary.clone(),
        };
        self.responding.say(Input::Alert(notice)).await;
    }
}

fn fired(name: &str, producer: &Producer, severity: Severity) -> AlertForm {
    let alert = if producer.sending == Sending::Silent { ALERTS[0] } else { ALERTS[1] };
    AlertForm {
        state: "firing".to_owned(),
        objective: name.to_owned(),
        name: alert.to_owned(),
        service: String::new(),
        subscription: String::new(),
        severity: severity.name().to_owned(),
        trigger: producer.sending.name().to_owned(),
        summary: sentence(producer),
        budget_share: 0.0,
        long_s: 0.0,
        short_s: 0.0,
        factor: 0.0,
        burn_long: 0.0,
        burn_short: 0.0,
        bad: 0,
        valid: 0,
        started_at: time(producer.since),
        first_bad_at: time(producer.since),
        resolved_at: None,
        targets: Vec::new(),
        tells_end: true,
    }
}
