//! Producers on a started node: one that fell silent is told, as an alert too, and is usual again when it is back.

use std::time::Duration;

use evenkeel_model::{Clock, SystemClock};
use evenkeel_node::metrics::names;
use serde_json::{Value, json};

use crate::support::{Handler, Started, start, until};

fn event(id: &str, time: &str) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/till", "type": "Sold", "time": time })
}

async fn sending(node: &Started) -> Option<String> {
    let answer = node.get("/v1/producers").await;
    answer["producers"].as_array()?.first()?["sending"].as_str().map(str::to_owned)
}

/// Whether the alert fires or is over.
async fn alert(node: &Started) -> Option<String> {
    let answer = node.get("/v1/alerts").await;
    let found = answer["alerts"].as_array()?.iter().find(|alert| alert["name"] == "source-silent")?.clone();
    assert_eq!((found["objective"].as_str(), found["severity"].as_str()), (Some("orders/till"), Some("page")));
    found["state"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fell_silent_is_an_alert_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions: {{ s: {{ topic: orders, handler: {{ http: {{ url: \"{}/\" }} }} }} }}
alerts: {{ producers: {{ silent: page }} }}
",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    // Three events a minute until ten minutes ago.
    let now = SystemClock::new().now();
    let times = (0..120).map(|n| now - Duration::from_secs(3_000 - 20 * n));
    for (id, at) in times.enumerate() {
        node.publish("orders", event(&id.to_string(), &evenkeel_cloudevents::time::format_rfc3339(at))).await;
    }
    until("silence", || async { (sending(&node).await? == "silent").then_some(()) }).await;
    until("the alert", || async { (alert(&node).await? == "firing").then_some(()) }).await;
    let reply = node.client.send("GET", "/metrics", &[], bytes::Bytes::new(), crate::support::PATIENCE).await.unwrap();
    let line = format!("{}{{topic=\"orders\",source=\"/till\",state=\"silent\"}} 1\n", names::SENDING.name);
    assert!(String::from_utf8_lossy(&reply.body).contains(&line));
    let page = node.client.send("GET", "/", &[], bytes::Bytes::new(), crate::support::PATIENCE).await.unwrap();
    assert!(String::from_utf8_lossy(&page.body).contains("fell silent"));

    let now = SystemClock::new().now();
    node.publish("orders", event("back", &evenkeel_cloudevents::time::format_rfc3339(now))).await;
    until("usual", || async { (sending(&node).await? == "usual").then_some(()) }).await;
    until("its end", || async { (alert(&node).await? == "resolved").then_some(()) }).await;
    node.node.shutdown().await;
}
