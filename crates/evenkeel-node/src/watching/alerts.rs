//! Alerts on their way out: into their topic first, then to responding.

use std::collections::VecDeque;

use evenkeel_cloudevents::kafka::{Read, from_record, to_record};
use evenkeel_log::{Log, ReadLimit, Set};
use evenkeel_model::{Shard, Timestamp, names};
use evenkeel_respond::{AlertNotice, Input, Severity};
use evenkeel_watch::{Alert, AlertEvent};

use crate::forms::alert::{self, AlertForm};
use crate::happenings::AlertNotStored;
use crate::responding::Responding;

/// Alerts that are not durable yet, in order.
pub(super) struct Alerts {
    log: Log,
    responding: Responding,
    waiting: VecDeque<AlertEvent>,
}

impl Alerts {
    pub(super) fn new(log: Log, responding: Responding) -> Alerts {
        Alerts { log, responding, waiting: VecDeque::new() }
    }

    pub(super) fn push(&mut self, change: AlertEvent) {
        self.waiting.push_back(change);
    }

    /// Makes what waits durable and tells responding; what cannot be stored waits on. True when nothing waits.
    pub(super) async fn flush(&mut self, now: Timestamp) -> bool {
        while let Some(change) = self.waiting.front() {
            let record = to_record(&alert::event(change), now);
            let set = Set::of(Shard::new(names::ALERTS_TOPIC, 0), vec![record]);
            if let Err(e) = self.log.append(set).await {
                AlertNotStored { error: e.to_string() }.tell();
                return false;
            }
            if let Some(change) = self.waiting.pop_front() {
                self.tell(change.alert()).await;
            }
        }
        true
    }

    /// Tells responding of an alert's state. Hearing it twice changes nothing.
    pub(super) async fn tell(&self, alert: &Alert) {
        let severity = match alert.severity {
            evenkeel_watch::Severity::Page => Severity::Page,
            evenkeel_watch::Severity::Ticket => Severity::Ticket,
        };
        let notice = AlertNotice {
            objective: alert.objective.clone(),
            service: alert.service.clone(),
            subscription: alert.subscription.clone(),
            alert: alert.name.clone(),
            severity,
            firing: alert.resolved_at.is_none(),
            first_bad_at: alert.first_bad_at,
            detail: alert.summary(),
        };
        self.responding.say(Input::Alert(notice)).await;
    }

    /// All alerts of the topic, oldest first.
    pub(super) fn read_back(&self) -> Vec<AlertForm> {
        let shard = Shard::new(names::ALERTS_TOPIC, 0);
        let mut forms = Vec::new();
        let mut next = self.log.ends(&shard).map_or(0, |ends| ends.start);
        while let Ok(records) = self.log.read(&shard, next, ReadLimit::default()) {
            let Some(last) = records.last() else { break };
            next = last.at.offset + 1;
            forms.extend(records.iter().filter_map(|stored| match from_record(&stored.record, &stored.at) {
                Read::Event(event) => alert::read(&event),
                Read::Plain(_) | Read::NotAnEvent(_) => None,
            }));
        }
        forms
    }
}
