//! Events in, and what can be asked of them.

use serde_json::json;

use crate::support::{Handler, row, start, until};

const TOPIC: &str = "topics: { orders: { partitions: 4 } }\n";

fn event(id: &str, n: u32) -> serde_json::Value {
    json!({ "specversion": "1.0", "id": id, "source": "/shop", "type": "OrderCreated", "subject": "k", "data": { "n": n } })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_published_twice_is_stored_once_and_answered_with_the_first_place() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), TOPIC).await;
    let first = node.publish("orders", event("1", 7)).await;
    let again = node.publish("orders", event("1", 7)).await;
    assert_eq!(first["results"][0]["duplicate"], false);
    assert_eq!(again["results"][0]["duplicate"], true);
    for name in ["partition", "offset", "id", "source"] {
        assert_eq!(first["results"][0][name], again["results"][0][name], "{name}");
    }
    assert_eq!(row(&node.get("/v1/topics").await, "topics", "orders")["records"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_with_other_data_is_a_conflict_that_names_the_first_place() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), TOPIC).await;
    let first = node.publish("orders", event("1", 7)).await;
    let batch = json!([event("2", 1), event("1", 8)]).to_string();
    let reply = node.post("orders", &[("content-type", "application/cloudevents-batch+json")], batch).await;
    assert_eq!(reply.status, 409);
    let problem: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(problem["first"]["offset"], first["results"][0]["offset"]);
    assert_eq!(row(&node.get("/v1/topics").await, "topics", "orders")["records"], 1, "nothing of the batch is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_three_modes_end_as_the_same_event_at_the_handler() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let yaml = format!(
        "{TOPIC}subscriptions: {{ s: {{ topic: orders, handler: {{ http: {{ url: \"{}/\" }} }} }} }}\n",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "b"),
        ("ce-source", "/shop"),
        ("ce-type", "OrderCreated"),
        ("ce-subject", "Euro%20%E2%82%AC"),
        ("content-type", "application/json"),
    ];
    assert_eq!(node.post("orders", &binary, r#"{"n":1}"#).await.status, 200);
    node.publish("orders", event("s", 2)).await;
    let batch = json!([event("x", 3), event("y", 4)]).to_string();
    let reply = node.post("orders", &[("content-type", "application/cloudevents-batch+json")], batch).await;
    assert_eq!(reply.json().unwrap()["results"].as_array().unwrap().len(), 2);
    let seen = until("four calls", || async { Some(handler.seen()).filter(|s| s.len() == 4) }).await;
    let ids: std::collections::BTreeSet<String> = seen.iter().map(|s| s.header("ce-id")).collect();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["b", "s", "x", "y"]);
    let first = seen.iter().find(|s| s.header("ce-id") == "b").unwrap();
    assert_eq!(first.header("ce-subject"), "Euro%20%E2%82%AC");
    assert_eq!(first.header("idempotency-key").len(), 34, "32 hex digits in quotes");
    until("four outcomes", || async { (node.audited("s").await["completed"] == 4).then_some(()) }).await;
    let story = node.get("/v1/events/x").await;
    assert_eq!(story["subscriptions"][0]["outcome"], "completed");
    assert_eq!(node.get("/v1/audit").await["ok"], true);
    let page = node.client.send("GET", "/", &[], bytes::Bytes::new(), crate::support::PATIENCE).await.unwrap();
    assert_eq!(page.status, 200);
    assert!(String::from_utf8_lossy(&page.body).contains("</html>"));
    let metrics =
        node.client.send("GET", "/metrics", &[], bytes::Bytes::new(), crate::support::PATIENCE).await.unwrap();
    let counted =
        format!("{}{{subscription=\"s\",outcome=\"completed\"}} 4", evenkeel_node::metrics::names::EVENTS.name);
    assert!(String::from_utf8_lossy(&metrics.body).contains(&counted));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_reads_a_topic_to_its_end_without_gap_or_repeat() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), TOPIC).await;
    for n in 0..25 {
        let event =
            json!({ "specversion": "1.0", "id": n.to_string(), "source": "/s", "type": "T", "subject": n.to_string() });
        node.publish("orders", event).await;
    }
    let mut ids = std::collections::BTreeSet::new();
    let mut path = "/v1/topics/orders/events?limit=10".to_owned();
    loop {
        let page = node.get(&path).await;
        let items = page["items"].as_array().unwrap().clone();
        if items.is_empty() {
            break;
        }
        assert!(items.len() <= 10);
        for item in &items {
            assert!(ids.insert(item["event"]["id"].as_str().unwrap().to_owned()));
        }
        path = format!("/v1/topics/orders/events?limit=10&cursor={}", page["next"].as_str().unwrap());
    }
    assert_eq!(ids.len(), 25);
}
