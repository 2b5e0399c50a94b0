//! A spent dead-letter budget is an alert: it goes into the alerts topic and opens an incident, like any.
//!
//! What is looked at is the pause, which is journaled, so that no restart misses one; it fires once, and is over
//! when the subscription goes on. Invariant: an alert is durable in its topic before responding hears of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use evenkeel_cloudevents::kafka::to_record;
use evenkeel_delivery::View;
use evenkeel_log::{Log, Set};
use evenkeel_model::{Shard, Timestamp, names};
use evenkeel_respond::{AlertNotice, Input, Severity};

use crate::forms::alert::{self, AlertForm};
use crate::forms::time;
use crate::happenings::{AlertChanged, AlertNotStored};
use crate::responding::Responding;

/// The name of the alert.
pub(super) const ALERT: &str = "dead-letter-budget";

/// Subscriptions whose budget is spent.
pub(super) struct Spent {
    log: Log,
    responding: Responding,
    firing: BTreeMap<Arc<str>, AlertForm>,
}

impl Spent {
    pub(super) fn new(log: Log, responding: Responding) -> Spent {
        Spent { log, responding, firing: BTreeMap::new() }
    }

    /// Takes back one that fired before a restart; false when it is another kind of alert.
    pub(super) async fn take_back(&mut self, form: &AlertForm) -> bool {
        if form.name != ALERT {
            return false;
        }
        let subscription: Arc<str> = Arc::from(form.subscription.as_str());
        match form.resolved_at {
            None => drop(self.firing.insert(subscription, form.clone())),
            Some(_) => drop(self.firing.remove(&subscription)),
        }
        // Responding may have missed it; hearing it twice changes nothing.
        self.tell(form).await;
        true
    }

    /// All that fire.
    pub(super) fn firing(&self) -> impl Iterator<Item = &AlertForm> {
        self.firing.values()
    }

    /// Looks at a subscription; gives the alert that began, or is over.
    pub(super) async fn look(&mut self, now: Timestamp, subscription: &Arc<str>, view: &View) -> Option<AlertForm> {
        let fires = self.firing.get(subscription);
        let changed = match (view.budget_spent(), fires) {
            (Some(why), None) => fired(now, subscription, why),
            (None, Some(form)) => {
                AlertForm { state: "resolved".to_owned(), resolved_at: Some(time(now)), ..form.clone() }
            }
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let record = to_record(&alert::event_of(&changed), now);
        if let Err(e) = self.log.append(Set::of(Shard::new(names::ALERTS_TOPIC, 0), vec![record])).await {
            AlertNotStored { error: e.to_string() }.tell();
            return None;
        }
        AlertChanged::of(&changed).tell();
        self.tell(&changed).await;
        if changed.resolved_at.is_some() {
            self.firing.remove(subscription);
            return Some(changed);
        }
        self.firing.insert(subscription.clone(), changed.clone());
        Some(changed)
    }

    async fn tell(&self, form: &AlertForm) {
        let Some(first_bad_at) = evenkeel_cloudevents::time::parse_rfc3339(&form.first_bad_at) else { return };
        let notice = AlertNotice {
            objective: Arc::from(form.objective.as_str()),
            service: Arc::from(form.service.as_str()),
            subscription: Arc::from(form.subscription.as_str()),
            alert: Arc::from(ALERT),
            severity: Severity::Page,
            firing: form.resolved_at.is_none(),
            first_bad_at,
            detail: form.summary.clone(),
        };
        self.responding.say(Input::Alert(notice)).await;
    }
}

fn fired(now: Timestamp, subscription: &str, why: &str) -> AlertForm {
    let then = format!(
        "when the handler is mended, `evenkeel dead rewind {subscription}` goes back to the first event that this version failed, redrives what it killed, and resumes"
    );
    AlertForm {
        state: "firing".to_owned(),
        objective: format!("{subscription}.{ALERT}"),
        name: ALERT.to_owned(),
        service: String::new(),
        subscription: subscription.to_owned(),
        severity: "page".to_owned(),
        trigger: "dead_letter_budget".to_owned(),
        summary: format!("{subscription} is paused: {why}; {then}"),
        budget_share: 1.0,
        long_s: 0.0,
        short_s: 0.0,
        factor: 0.0,
        burn_long: 0.0,
        burn_short: 0.0,
        bad: 0,
        valid: 0,
        started_at: time(now),
        first_bad_at: time(now),
        resolved_at: None,
        targets: Vec::new(),
        tells_end: true,
    }
}
