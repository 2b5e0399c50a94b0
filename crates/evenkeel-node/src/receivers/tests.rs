//! What each service is told, held against what it documents.

use std::time::Duration;

use evenkeel_model::Timestamp;
use serde_json::{Value, json};

use super::{alertmanager, pagerduty, slack};
use crate::forms::notice::{self, NoticeForm};

mod documented;

const LINK: &str = "http://127.0.0.1:8080";

fn alert(objective: &str, severity: &str, resolved_at: Option<&str>) -> Value {
    json!({
        "state": if resolved_at.is_some() { "resolved" } else { "firing" },
        "objective": objective, "name": "page-quick", "service": "", "subscription": "payment",
        "severity": severity, "trigger": "burn", "summary": format!("{objective} burns <20> & more"),
        "budget_share": 0.02, "long_s": 3600.0, "short_s": 300.0, "factor": 14.4, "burn_long": 20.5,
        "burn_short": 30.0, "bad": 10, "valid": 100, "started_at": "2026-11-21T14:00:00Z",
        "first_bad_at": "2026-11-21T13:59:00Z", "resolved_at": resolved_at,
    })
}

fn word(firing: Vec<Value>, resolved: Vec<Value>) -> NoticeForm {
    let state = if firing.is_empty() { "resolved" } else { "firing" };
    serde_json::from_value(json!({
        "receiver": "on-call", "state": state, "group": ["latency"], "said_at": "2026-11-21T14:00:01Z",
        "again": false, "moot_after": null, "firing": firing, "resolved": resolved,
    }))
    .unwrap()
}

fn both() -> NoticeForm {
    word(vec![alert("latency", "page", None)], vec![alert("success", "ticket", Some("2026-11-21T14:00:00.5Z"))])
}

#[test]
fn an_alertmanager_is_told_what_changes_in_annotations_and_until_when_it_counts() {
    let now = Timestamp::from_millis(1_795_269_600_000);
    let body = alertmanager::body(&both(), now, Duration::from_secs(240), LINK);
    let (firing, over) = (&body[0], &body[1]);
    assert_eq!(firing["labels"]["alertname"], "ErrorBudgetBurn");
    assert!(firing["labels"]["service"].is_null(), "an empty label is none");
    for labels in [&firing["labels"], &over["labels"]] {
        assert!(labels.as_object().unwrap().values().all(Value::is_string), "{labels}");
        assert!(labels["burn_long"].is_null() && labels["summary"].is_null(), "{labels}");
    }
    assert_eq!(firing["annotations"]["burn_long"], "20.5");
    assert_eq!(firing["endsAt"], crate::forms::time(now + Duration::from_secs(240)));
    assert_eq!(over["endsAt"], "2026-11-21T14:00:00.5Z");
    assert_eq!(over["startsAt"], "2026-11-21T14:00:00Z");
}

#[test]
fn pagerduty_gets_one_incident_a_group_that_is_resolved_by_the_same_key() {
    let key = "0123456789abcdef0123456789abcdef";
    let trigger = pagerduty::body(&both(), key, LINK);
    assert_eq!((&trigger["routing_key"], &trigger["event_action"]), (&json!(key), &json!("trigger")));
    let payload = &trigger["payload"];
    for field in ["summary", "source", "severity"] {
        assert!(payload[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {payload}");
    }
    assert_eq!(payload["severity"], "critical");
    let over = pagerduty::body(&word(vec![], vec![alert("latency", "page", Some("2026-11-21T15:00:00Z"))]), key, LINK);
    assert_eq!(over["event_action"], "resolve");
    assert_eq!(over["dedup_key"], trigger["dedup_key"]);
    let mut long = both();
    long.group = vec!["ä".repeat(300)];
    long.firing[0].summary = "ü".repeat(2000);
    let cut = pagerduty::body(&long, key, LINK);
    assert!(
        cut["dedup_key"].as_str().unwrap().len() <= 255 && cut["payload"]["summary"].as_str().unwrap().len() <= 1024
    );
    long.group[0].push('x');
    assert_ne!(pagerduty::body(&long, key, LINK)["dedup_key"], cut["dedup_key"], "two groups stay two");
}

#[test]
fn slack_gets_text_and_blocks_within_its_limits_and_what_means_something_is_escaped() {
    let many = word((0..80).map(|n| alert(&format!("o{n}"), "page", None)).collect(), vec![]);
    for form in [both(), many] {
        let body = slack::body(&form, LINK);
        assert!(!body["text"].as_str().unwrap().is_empty());
        let blocks = body["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50, "{}", blocks.len());
        assert!(body.to_string().contains("burns &lt;20&gt; &amp; more"), "{body}");
    }
}

#[test]
fn words_to_one_receiver_about_one_group_are_one_lane_and_a_heartbeat_is_its_own() {
    let (one, other) = (notice::event(&both()), notice::event(&word(vec![], vec![])));
    assert_eq!(one.subject, other.subject);
    let at = Timestamp::from_millis(1_795_269_600_000);
    let beat = NoticeForm::heartbeat("on-call", at, at + Duration::from_secs(60));
    let event = notice::event(&beat);
    assert_ne!(event.subject, one.subject);
    assert_eq!(event.extension("expirytime").unwrap(), crate::forms::time(at + Duration::from_secs(60)));
    assert!(notice::read(&event).unwrap().read().is_none(), "it tells of no alert");
    let body = alertmanager::body(&beat, at, Duration::from_secs(240), LINK);
    assert_eq!(body[0]["labels"]["alertname"], "EvenkeelHeartbeat");
}
