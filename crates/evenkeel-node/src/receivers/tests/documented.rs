//! What PagerDuty (Events API v2, "Send an alert event") and Slack (incoming webhooks, Block Kit) document of what they
//! take, as rules: every field known, of its type, within its limits.

use serde_json::{Map, Value};

use super::{LINK, alert, both, word};
use crate::forms::notice::NoticeForm;
use crate::receivers::{pagerduty, slack};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Words of every shape: one alert, many, long ones, none that fires, a group without a name.
fn words() -> Vec<NoticeForm> {
    let many = |n: usize| (0..n).map(|n| alert(&format!("o{n}"), "ticket", None)).collect::<Vec<_>>();
    let over = || vec![alert("latency", "page", Some("2026-11-21T15:00:00Z"))];
    let mut long = word(many(1), over());
    long.firing[0].summary = "<&>".repeat(20_000);
    long.group = vec!["ü".repeat(400)];
    let mut nameless = word(many(2), vec![]);
    nameless.group.clear();
    nameless.firing[0].subscription.clear();
    vec![both(), word(many(2_000), many(2_000)), word(vec![], over()), word(vec![], many(30)), long, nameless]
}

fn object<'v>(value: &'v Value, known: &[&str]) -> &'v Map<String, Value> {
    let object = value.as_object().unwrap_or_else(|| panic!("an object: {value}"));
    let unknown: Vec<&String> = object.keys().filter(|key| !known.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?} is documented nowhere");
    object
}

fn text<'v>(of: &'v Map<String, Value>, key: &str, characters: usize) -> &'v str {
    let text = of.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("`{key}` is no text: {of:?}"));
    assert!((1..=characters).contains(&text.chars().count()), "`{key}` has {} characters", text.chars().count());
    text
}

#[test]
fn what_pagerduty_is_sent_is_what_it_documents() {
    for form in words() {
        let body = pagerduty::body(&form, KEY, LINK);
        assert!(body.to_string().len() <= 512 << 10, "an event is at most 512 KB: {}", body.to_string().len());
        let known = ["routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"];
        let event = object(&body, &known);
        assert_eq!(text(event, "routing_key", 32).len(), 32);
        assert!(body["dedup_key"].as_str().is_some_and(|key| !key.is_empty() && key.len() <= 255));
        if form.firing.is_empty() {
            assert_eq!((&body["event_action"], event.get("payload")), (&Value::from("resolve"), None));
            continue;
        }
        assert_eq!(body["event_action"], "trigger");
        let known = ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"];
        let payload = object(&body["payload"], &known);
        text(payload, "summary", 1024);
        text(payload, "source", 1024);
        assert!(["critical", "error", "warning", "info"].contains(&text(payload, "severity", 8)));
        assert!(evenkeel_cloudevents::time::parse_rfc3339(text(payload, "timestamp", 40)).is_some());
        for optional in ["component", "group", "class"] {
            assert!(payload.get(optional).is_none_or(Value::is_string), "{optional}");
        }
        let details = payload["custom_details"].as_object().expect("an object");
        assert_eq!(details["firing_count"], form.firing.len(), "what is left out is counted");
        for link in body["links"].as_array().expect("a list") {
            text(object(link, &["href", "text"]), "href", 2_000);
        }
    }
}

#[test]
fn what_slack_is_sent_is_what_it_documents() {
    for form in words() {
        let body = slack::body(&form, LINK);
        let message = object(&body, &["text", "blocks"]);
        text(message, "text", 40_000);
        let blocks = message["blocks"].as_array().expect("a list");
        assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
        for block in blocks {
            match block["type"].as_str() {
                Some("section") => mrkdwn(&object(block, &["type", "text"])["text"], 3_000),
                Some("context") => {
                    let elements = object(block, &["type", "elements"])["elements"].as_array().expect("a list");
                    assert!((1..=10).contains(&elements.len()));
                    elements.iter().for_each(|element| mrkdwn(element, 3_000));
                }
                other => panic!("no such block: {other:?}"),
            }
        }
    }
}

/// A text in Slack's markup: the three characters that mean something are escaped, and no escape is cut in two.
fn mrkdwn(value: &Value, characters: usize) {
    let of = object(value, &["type", "text"]);
    assert_eq!(of["type"], "mrkdwn");
    let text = text(of, "text", characters);
    for (at, _) in text.match_indices('&') {
        let rest = &text[at..];
        assert!(
            ["&amp;", "&lt;", "&gt;"].iter().any(|escape| rest.starts_with(escape)),
            "{:?}",
            &rest[..rest.len().min(8)]
        );
    }
    assert!(!text.contains('<') || text.starts_with(&format!("<{LINK}|")), "{text}");
}
