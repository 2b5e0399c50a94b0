//! Alertmanager's API, version 2: `POST /api/v2/alerts` takes a list of alerts.
//!
//! An alert is known by its labels there, so that whatever changes stands in annotations. One that
//! fires is said again and again; each time it says itself until when it counts, so that the
//! server's `resolve_timeout` does not matter.

use std::time::Duration;

use evenkeel_model::Timestamp;
use serde_json::{Map, Value, json};

use crate::forms::alert::AlertForm;
use crate::forms::notice::NoticeForm;
use crate::forms::time;

/// The list of alerts. Those that fire count for `expires` from now on.
pub(super) fn body(form: &NoticeForm, now: Timestamp, expires: Duration, link: &str) -> Value {
    let until = time(now + expires);
    if form.is_heartbeat() {
        let labels = json!({ "alertname": "EvenkeelHeartbeat", "severity": "none", "receiver": form.receiver });
        let annotations = json!({ "summary": "Evenkeel is alive. When this stops, nobody hears of alerts." });
        return json!([alert(labels, annotations, &form.said_at, &until, link)]);
    }
    let firing = form.firing.iter().map(|one| said(one, &until, link));
    let over = form.resolved.iter().map(|one| {
        let ended = one.resolved_at.as_deref().unwrap_or(&form.said_at);
        said(one, ended, link)
    });
    firing.chain(over).collect()
}

fn said(one: &AlertForm, until: &str, link: &str) -> Value {
    let labels: Map<String, Value> = [
        ("alertname", name(&one.trigger)),
        ("slo", &one.objective),
        ("alert", &one.name),
        ("service", &one.service),
        ("subscription", &one.subscription),
        ("severity", &one.severity),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(label, text)| (label.to_owned(), Value::from(text)))
    .collect();
    let number = |number: f64| format!("{number:.4}").trim_end_matches('0').trim_end_matches('.').to_owned();
    let annotations = json!({
        "summary": one.summary,
        "burn_long": number(one.burn_long),
        "burn_short": number(one.burn_short),
        "burn_above": number(one.factor),
        "bad": one.bad.to_string(),
        "valid": one.valid.to_string(),
        "first_bad_at": one.first_bad_at,
    });
    alert(Value::Object(labels), annotations, &one.started_at, until, link)
}

fn alert(labels: Value, annotations: Value, from: &str, until: &str, link: &str) -> Value {
    json!({ "labels": labels, "annotations": annotations, "startsAt": from, "endsAt": until, "generatorURL": link })
}

/// Pyrra's names where it has one.
fn name(trigger: &str) -> &'static str {
    match trigger {
        "burn" => "ErrorBudgetBurn",
        "silence" => "SLOMetricAbsent",
        "remaining" => "ErrorBudgetLow",
        "exhaustion" => "ErrorBudgetExhaustion",
        "dead_letter_budget" => "DeadLetterBudgetSpent",
        "silent" => "SourceSilent",
        "surging" => "SourceSurging",
        _ => "EvenkeelAlert",
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_watch::Sending;

    #[test]
    fn what_a_source_does_has_a_name_of_its_own() {
        let names = Sending::ALL.map(|sending| super::name(sending.name()));
        assert_eq!(names, ["EvenkeelAlert", "SourceSilent", "SourceSurging"], "the usual is no alert");
    }
}
