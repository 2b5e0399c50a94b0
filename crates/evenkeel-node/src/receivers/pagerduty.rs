//! PagerDuty's Events API, version 2: one incident for each group of alerts.
//!
//! The `dedup_key` is made of the receiver and the group, so that words about a group that still
//! fires update its incident, and the word that all of it is over resolves it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::forms::alert::AlertForm;
use crate::forms::notice::NoticeForm;

/// The longest summary that is taken.
const SUMMARY_MAX: usize = 1024;
/// The longest `dedup_key` that is taken.
const KEY_MAX: usize = 255;
/// Alerts whose figures are sent, of those that fire and of those that are over: all of an event may be 512 KB.
const DETAILED_MAX: usize = 50;

/// The event: a `trigger` while anything of the group fires, else a `resolve`.
pub(super) fn body(form: &NoticeForm, routing_key: &str, link: &str) -> Value {
    let dedup_key = dedup_key(form);
    let Some(gravest) = form.firing.first() else {
        return json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key });
    };
    let more = match form.firing.len() - 1 {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    let mut summary = gravest.summary.clone();
    while summary.len() + more.len() > SUMMARY_MAX {
        summary.pop();
    }
    let since = form.firing.iter().map(|alert| alert.started_at.as_str()).min().unwrap_or(&form.said_at);
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "payload": {
            "summary": summary + &more,
            "source": if gravest.subscription.is_empty() { "evenkeel" } else { &gravest.subscription },
            "severity": if gravest.severity == "page" { "critical" } else { "warning" },
            "timestamp": since,
            "component": gravest.subscription,
            "group": gravest.service,
            "class": gravest.trigger,
            "custom_details": {
                "firing": detailed(&form.firing), "firing_count": form.firing.len(),
                "resolved": detailed(&form.resolved), "resolved_count": form.resolved.len(),
            },
        },
        "client": "Evenkeel",
        "client_url": link,
        "links": [{ "href": link, "text": "Evenkeel" }],
    })
}

fn detailed(alerts: &[AlertForm]) -> &[AlertForm] {
    &alerts[..alerts.len().min(DETAILED_MAX)]
}

/// One that is too long keeps its beginning, and a digest of the whole.
fn dedup_key(form: &NoticeForm) -> String {
    let mut key = format!("evenkeel/{}/{}", form.receiver, form.group_name());
    if key.len() > KEY_MAX {
        let digest = evenkeel_delivery::Mark::of("pagerduty", &key, "").to_hex();
        while key.len() + 1 + digest.len() > KEY_MAX {
            key.pop();
        }
        let _ = write!(key, "/{digest}");
    }
    key
}
