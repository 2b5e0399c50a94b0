//! A node that cheats on purpose: whoever keeps books of its own can tell.

use std::collections::BTreeSet;

use evenkeel_node::node::Means;
use evenkeel_node::sabotage::Sabotage;
use serde_json::{Value, json};

use crate::support::{Handler, Seen, start_with, until};

const EVENTS: usize = 120;

/// Runs the load on a node that cheats so; what the handler saw, and the audit.
async fn cheated(how: Sabotage) -> (Vec<Seen>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let url = &handler.url;
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 2 }} }}\nsubscriptions: {{ s: {{ topic: orders, handler: {{ http: {{ url: \"{url}/\" }} }} }} }}\n"
    );
    let node = start_with(folder.path(), &yaml, Means { sabotage: Some(how), ..Means::default() }).await;
    let event = |n: usize| json!({ "specversion": "1.0", "id": n.to_string(), "source": "/s", "type": "T", "subject": (n % 5).to_string() });
    let batch: Vec<Value> = (0..EVENTS).map(event).collect();
    let headers = [("content-type", "application/cloudevents-batch+json")];
    assert_eq!(node.post("orders", &headers, json!(batch).to_string()).await.status, 200);
    let audit = until("everything has an outcome", || async {
        let audit = node.get("/v1/audit").await;
        let of = &audit["subscriptions"][0];
        (["in_flight", "parked", "unread"].iter().all(|name| of[name] == 0)).then_some(audit)
    })
    .await;
    (handler.seen(), audit)
}

fn distinct(seen: &[Seen], header: &str) -> usize {
    seen.iter().map(|s| s.header(header)).collect::<BTreeSet<_>>().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_events_are_completed_in_the_audit_and_absent_at_the_handler() {
    let (seen, audit) = cheated(Sabotage::Lose).await;
    assert_eq!(audit["subscriptions"][0]["completed"], EVENTS);
    assert!(distinct(&seen, "ce-id") < EVENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_done_twice_come_under_two_keys() {
    let (seen, _) = cheated(Sabotage::Twice).await;
    assert_eq!(distinct(&seen, "ce-id"), EVENTS);
    assert!(distinct(&seen, "idempotency-key") > EVENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_change_places_are_disorder_in_the_audit() {
    let (seen, audit) = cheated(Sabotage::Reorder).await;
    assert_eq!(distinct(&seen, "ce-id"), EVENTS);
    assert_eq!(audit["ok"], false);
    assert!(audit["subscriptions"][0]["order_violations"].as_u64().unwrap() > 0, "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misreported_audit_does_not_agree_with_what_was_published() {
    let (seen, audit) = cheated(Sabotage::Misreport).await;
    assert_eq!(seen.len(), EVENTS);
    assert_ne!(audit["subscriptions"][0]["appended"], EVENTS);
}
