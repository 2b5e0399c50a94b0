//! Bad input of every kind: a clear error, and nothing is stored.

use serde_json::{Value, json};

use crate::support::{Started, row, start};

const TOPIC: &str = "topics: { orders: { partitions: 2 } }\nlimits: { body: 64KiB, batch_events: 3 }\n";
const JSON: [(&str, &str); 1] = [("content-type", "application/cloudevents+json")];
const BATCH: [(&str, &str); 1] = [("content-type", "application/cloudevents-batch+json")];

async fn refused(node: &Started, topic: &str, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> (u16, Value) {
    let reply = node.post(topic, headers, body).await;
    let problem: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(problem["status"], reply.status, "{problem}");
    for name in ["type", "title", "detail", "code"] {
        assert!(problem[name].is_string(), "{name}: {problem}");
    }
    (reply.status, problem)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_malformed_event_is_refused_with_field_value_and_rule_and_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), TOPIC).await;
    let good = json!({ "specversion": "1.0", "id": "1", "source": "/s", "type": "T" });
    let with = |name: &str, value: Value| {
        let mut event = good.clone();
        event[name] = value;
        event
    };
    for (event, field) in [
        (json!({ "id": "1", "source": "/s", "type": "T" }), "specversion"),
        (with("specversion", json!("0.3")), "specversion"),
        (with("id", json!("")), "id"),
        (with("id", json!(7)), "id"),
        (with("source", json!("")), "source"),
        (with("type", json!("")), "type"),
        (with("time", json!("yesterday")), "time"),
        (with("time", json!("2026-02-30T00:00:00Z")), "time"),
        (with("Bad_Name", json!("x")), "Bad_Name"),
        (with("data_base64", json!("not base64!")), "data_base64"),
        (with("nested", json!({ "a": 1 })), "nested"),
    ] {
        let (status, problem) = refused(&node, "orders", &JSON, event.to_string()).await;
        assert_eq!((status, problem["field"].as_str()), (400, Some(field)), "{event}: {problem}");
        assert!(problem["rule"].is_string() && problem["value"].is_string(), "{problem}");
    }
    for (body, headers) in [("{", &JSON), ("[]x", &BATCH), ("[1]", &BATCH), ("{}", &BATCH), ("null", &JSON)] {
        assert_eq!(refused(&node, "orders", headers, body).await.0, 400, "{body}");
    }
    let half = json!([good, with("id", json!(""))]).to_string();
    let (_, problem) = refused(&node, "orders", &BATCH, half).await;
    assert_eq!(problem["field"], "[1].id");
    let headers = [("ce-specversion", "1.0"), ("ce-source", "/s"), ("ce-type", "T")];
    assert_eq!(refused(&node, "orders", &headers, "{}").await.1["field"], "id");
    assert_eq!(row(&node.get("/v1/topics").await, "topics", "orders")["records"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_claim_to_be_an_event_is_415() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), TOPIC).await;
    let (status, problem) = refused(&node, "orders", &[("content-type", "text/plain")], "hello").await;
    assert_eq!(status, 415);
    assert!(problem["hint"].as_str().unwrap().contains("ce-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_is_413_and_names_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), TOPIC).await;
    let event = json!({ "specversion": "1.0", "id": "1", "source": "/s", "type": "T", "data": "x".repeat(70_000) });
    let (status, problem) = refused(&node, "orders", &JSON, event.to_string()).await;
    assert_eq!(
        (status, problem["limit"].as_str(), problem["limit_bytes"].as_u64()),
        (413, Some("limits.body"), Some(65_536))
    );
    let one = |id: u32| json!({ "specversion": "1.0", "id": id.to_string(), "source": "/s", "type": "T" });
    let four: Vec<Value> = (0..4).map(one).collect();
    let (status, problem) = refused(&node, "orders", &BATCH, json!(four).to_string()).await;
    assert!(status == 400 || status == 413, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains('3'), "{problem}");
    let long = "y".repeat(100 << 10);
    let reply = node.post("orders", &[("content-type", JSON[0].1), ("x-long", &long)], "{}").await;
    assert_eq!(reply.status, 431);
    node.publish("orders", one(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_topic_is_404_and_names_the_near_one() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), TOPIC).await;
    let event = json!({ "specversion": "1.0", "id": "1", "source": "/s", "type": "T" }).to_string();
    let (status, problem) = refused(&node, "ordrs", &JSON, event.clone()).await;
    assert_eq!((status, problem["topic"].as_str()), (404, Some("ordrs")));
    assert_eq!(problem["hint"], "did you mean `orders`?");
    let (status, problem) = refused(&node, evenkeel_model::names::LEDGER_TOPIC, &JSON, event).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("own-topic")));
}
