//! An alert in JSON: the data of the events in `evenkeel.alerts`, and the rows of `/v1/alerts`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_model::Event;
use evenkeel_watch::{Alert, AlertEvent, Severity};
use serde::{Deserialize, Serialize};

use super::time;

/// The CloudEvents source of alerts.
const SOURCE: &str = "/evenkeel/alerts";
/// The CloudEvents type of an alert that begins.
pub(crate) const FIRING: &str = "evenkeel.alert.firing";
/// The CloudEvents type of an alert that is over.
pub(crate) const RESOLVED: &str = "evenkeel.alert.resolved";

/// An alert.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AlertForm {
    pub(crate) state: String,
    pub(crate) objective: String,
    pub(crate) name: String,
    pub(crate) service: String,
    pub(crate) subscription: String,
    pub(crate) severity: String,
    #[serde(default = "burn")]
    pub(crate) trigger: String,
    pub(crate) summary: String,
    pub(crate) budget_share: f64,
    pub(crate) long_s: f64,
    pub(crate) short_s: f64,
    pub(crate) factor: f64,
    pub(crate) burn_long: f64,
    pub(crate) burn_short: f64,
    pub(crate) bad: u64,
    pub(crate) valid: u64,
    pub(crate) started_at: String,
    pub(crate) first_bad_at: String,
    pub(crate) resolved_at: Option<String>,
    /// The names of those who are told, as the OpenSLO file has them.
    #[serde(default)]
    pub(crate) targets: Vec<String>,
    #[serde(default = "yes")]
    pub(crate) tells_end: bool,
}

/// What alerts looked at before they said so.
fn burn() -> String {
    "burn".to_owned()
}

fn yes() -> bool {
    true
}

impl From<&Alert> for AlertForm {
    fn from(alert: &Alert) -> AlertForm {
        AlertForm {
            state: if alert.resolved_at.is_some() { "resolved" } else { "firing" }.to_owned(),
            objective: alert.objective.to_string(),
            name: alert.name.to_string(),
            service: alert.service.to_string(),
            subscription: alert.subscription.to_string(),
            severity: alert.severity.name().to_owned(),
            trigger: alert.trigger.to_string(),
            summary: alert.summary(),
            budget_share: alert.budget_share,
            long_s: alert.long.as_secs_f64(),
            short_s: alert.short.as_secs_f64(),
            factor: alert.factor,
            burn_long: alert.burn_long,
            burn_short: alert.burn_short,
            bad: alert.bad,
            valid: alert.valid,
            started_at: time(alert.started_at),
            first_bad_at: time(alert.first_bad_at),
            resolved_at: alert.resolved_at.map(time),
            targets: alert.targets.iter().map(ToString::to_string).collect(),
            tells_end: alert.tells_end,
        }
    }
}

impl AlertForm {
    /// The alert, when every part of it can be read.
    pub(crate) fn read(&self) -> Option<Alert> {
        let severity = if self.severity == Severity::Page.name() { Severity::Page } else { Severity::Ticket };
        Some(Alert {
            objective: Arc::from(self.objective.as_str()),
            service: Arc::from(self.service.as_str()),
            subscription: Arc::from(self.subscription.as_str()),
            name: Arc::from(self.name.as_str()),
            severity,
            trigger: Arc::from(self.trigger.as_str()),
            budget_share: self.budget_share,
            long: Duration::try_from_secs_f64(self.long_s).ok()?,
            short: Duration::try_from_secs_f64(self.short_s).ok()?,
            factor: self.factor,
            burn_long: self.burn_long,
            burn_short: self.burn_short,
            bad: self.bad,
            valid: self.valid,
            started_at: parse_rfc3339(&self.started_at)?,
            first_bad_at: parse_rfc3339(&self.first_bad_at)?,
            resolved_at: match &self.resolved_at {
                Some(text) => Some(parse_rfc3339(text)?),
                None => None,
            },
            targets: self.targets.iter().map(|target| Arc::from(target.as_str())).collect(),
            tells_end: self.tells_end,
        })
    }
}

/// The event of an alert's change. Its id is made from what happened, so that a repeat is one.
pub(crate) fn event(change: &AlertEvent) -> Event {
    let state = if matches!(change, AlertEvent::Firing(_)) { "firing" } else { "resolved" };
    event_of(&AlertForm { state: state.to_owned(), ..AlertForm::from(change.alert()) })
}

/// The same, of an alert that is no objective's.
pub(crate) fn event_of(form: &AlertForm) -> Event {
    let over = form.resolved_at.as_ref().filter(|_| form.state == "resolved");
    let kind = if over.is_some() { RESOLVED } else { FIRING };
    let at = over.unwrap_or(&form.started_at).clone();
    let subject = format!("{}/{}", form.objective, form.name);
    let state = kind.rsplit('.').next().unwrap_or(kind);
    let started = parse_rfc3339(&form.started_at).map_or(0, evenkeel_model::Timestamp::micros);
    let mut event = Event::new(SOURCE, format!("{subject}/{started}/{state}"), kind);
    event.subject = Some(subject);
    event.time = Some(at);
    event.datacontenttype = Some("application/json".to_owned());
    event.data = serde_json::to_vec(form).ok().map(Bytes::from);
    event
}

/// The alert of such an event.
pub(crate) fn read(event: &Event) -> Option<AlertForm> {
    serde_json::from_slice(event.data.as_ref()?).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use evenkeel_model::Timestamp;
    use evenkeel_watch::{Alert, AlertEvent, Severity};

    #[test]
    fn an_alert_written_to_its_topic_reads_back_whole() {
        let alert = Alert {
            objective: Arc::from("payment-latency"),
            service: Arc::from("shop"),
            subscription: Arc::from("payment"),
            name: Arc::from("page"),
            severity: Severity::Page,
            trigger: Arc::from("burn"),
            budget_share: 0.001,
            long: Duration::from_secs(10),
            short: Duration::from_secs(2),
            factor: 259.2,
            burn_long: 512.5,
            burn_short: 1000.0,
            bad: 40,
            valid: 80,
            started_at: Timestamp::from_millis(1_795_000_000_123),
            first_bad_at: Timestamp::from_millis(1_795_000_000_000),
            resolved_at: Some(Timestamp::from_millis(1_795_000_009_000)),
            targets: vec![Arc::from("on-call")],
            tells_end: true,
        };
        let event = super::event(&AlertEvent::Resolved(alert.clone()));
        assert_eq!(super::read(&event).unwrap().read().unwrap(), alert);
        assert_ne!(event.id, super::event(&AlertEvent::Firing(alert)).id);
    }
}
