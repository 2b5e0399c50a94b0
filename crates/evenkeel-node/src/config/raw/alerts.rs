//! What may be written of alerts: who is told of which, and how.

use serde::{Deserialize, Serialize};

use super::push::Secret;

/// Where alerts go.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// Who gets every change of every alert as an event, whatever is silenced.
    pub webhooks: Vec<Webhook>,
    /// Who is told, in groups, unless it is silenced.
    pub receivers: Vec<Receiver>,
    /// Of which sources somebody is told, and how badly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producers: Option<Producers>,
}

/// Of which sources somebody is told: `page`, `ticket` or `off`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Producers {
    /// Of one that falls silent.
    pub silent: Option<String>,
    /// Of one that sends at least twice as much as usual.
    pub surging: Option<String>,
}

/// Who gets every change of every alert.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhook {
    /// What it is called.
    pub name: Option<String>,
    /// Where.
    pub url: Option<String>,
}

/// Who is told.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Receiver {
    /// What it is called.
    pub name: Option<String>,
    /// A URL that gets CloudEvents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<ByWebhook>,
    /// An Alertmanager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alertmanager: Option<ByAlertmanager>,
    /// A service of PagerDuty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pagerduty: Option<ByPagerDuty>,
    /// A channel of Slack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<BySlack>,
    /// Which alerts; all without it, none with an empty list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<Match>>,
    /// What alerts of one word have in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_by: Option<Vec<String>>,
    /// How long the first word about a group waits for others of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    /// How long the next word about a change waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// When it is said again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<String>,
    /// Whether a page keeps the tickets of its objective quiet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inhibit: Option<bool>,
    /// How often it hears that the node is alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
}

/// A URL that gets CloudEvents.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ByWebhook {
    /// Where.
    pub url: Option<String>,
    /// Where the secrets stand that sign each request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sign: Vec<Secret>,
}

/// An Alertmanager.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ByAlertmanager {
    /// Its own URL, without `/api/v2/alerts`.
    pub url: Option<String>,
}

/// A service of PagerDuty.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ByPagerDuty {
    /// Where the integration's key stands.
    pub routing_key: Option<Secret>,
    /// Where events are sent, unless to the world's service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A channel of Slack.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BySlack {
    /// Where the URL of the incoming webhook stands: it is a secret.
    pub url: Option<Secret>,
}

/// Which alerts: those that have all that is named.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// Of this service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Of this subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Of this objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<String>,
    /// Of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// `page` or `ticket`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
}
