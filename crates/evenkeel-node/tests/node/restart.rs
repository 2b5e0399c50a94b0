//! A node that goes down and comes back.

use serde_json::json;

use crate::support::{Handler, start, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_events_outcomes_and_what_was_published_before() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|call| if call.header("ce-id") == "stuck" { 503 } else { 200 }).await;
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 2 }} }}
subscriptions:
  s:
    topic: orders
    handler: {{ http: {{ url: \"{}/\" }} }}
    retry: {{ initial: 300ms }}
",
        handler.url
    );
    let event = |id: &str| json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T", "subject": id });
    let node = start(folder.path(), &yaml).await;
    let mut first = serde_json::Value::Null;
    for id in ["a", "b", "c", "stuck"] {
        first = node.publish("orders", event(id)).await;
    }
    until("three outcomes", || async { (node.audited("s").await["completed"] == 3).then_some(()) }).await;
    node.node.shutdown().await;

    let calls = handler.seen().iter().filter(|s| s.header("ce-id") != "stuck").count();
    let node = start(folder.path(), &yaml).await;
    let of = node.audited("s").await;
    assert_eq!((of["appended"].as_u64(), of["completed"].as_u64()), (Some(4), Some(3)), "{of}");
    let again = node.publish("orders", event("stuck")).await;
    assert_eq!(again["results"][0]["duplicate"], true);
    assert_eq!(again["results"][0]["offset"], first["results"][0]["offset"]);
    node.publish("orders", event("d")).await;
    until("a fourth outcome", || async { (node.audited("s").await["completed"] == 4).then_some(()) }).await;
    let now = handler.seen().iter().filter(|s| s.header("ce-id") != "stuck").count();
    assert_eq!(now, calls + 1, "what had its outcome is not handed out again");
    assert_eq!(node.get("/v1/audit").await["ok"], true);
    node.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_added_later_begins_at_the_end_and_stays_there_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let topic = "topics: { orders: { partitions: 1 } }\n";
    let event = |id: &str| json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T" });
    let node = start(folder.path(), topic).await;
    node.publish("orders", event("before")).await;
    node.node.shutdown().await;

    let yaml = format!(
        "{topic}subscriptions: {{ s: {{ topic: orders, handler: {{ http: {{ url: \"{}/\" }} }} }} }}\n",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    node.node.shutdown().await;
    let node = start(folder.path(), topic).await;
    node.publish("orders", event("between")).await;
    node.node.shutdown().await;

    let node = start(folder.path(), &yaml).await;
    until("one call", || async { (handler.seen().len() == 1).then_some(()) }).await;
    assert_eq!(handler.seen()[0].header("ce-id"), "between");
    assert_eq!(node.audited("s").await["appended"], 1);
    node.node.shutdown().await;
}
