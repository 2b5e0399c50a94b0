//! A window through the handler once more, beside the subscription.

use serde_json::{Value, json};

use crate::support::{Handler, Started, start, until};

async fn over(node: &Started, job: &Value) -> Value {
    let path = format!("/v1/subscriptions/mail/replays/{}", job["id"]);
    until("the replay ends", || async {
        let job = node.get(&path).await;
        (job["state"] != "running").then_some(job)
    })
    .await
}

async fn replay(node: &Started, ask: Value) -> Value {
    let job = node.client.json("POST", "/v1/subscriptions/mail/replays", Some(ask)).await.unwrap();
    over(node, &job).await
}

#[tokio::test]
async fn a_shadow_says_so_compares_with_then_and_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // The next release rejects what this one takes.
    let handler = Handler::start(|seen| {
        let wrong = seen.header("ce-id") == "e3" && seen.header("evenkeel-shadow") == "true";
        if wrong { 422 } else { 200 }
    })
    .await;
    let file = format!(
        "topics: {{ orders: {{ partitions: 2 }} }}\nsubscriptions: {{ mail: {{ topic: orders, from: earliest, handler: {{ http: {{ url: \"{}\" }} }} }} }}\n",
        handler.url
    );
    let node = start(folder.path(), &file).await;
    for n in 0..8 {
        node.publish("orders", json!({ "specversion": "1.0", "id": format!("e{n}"), "source": "/shop", "type": "T", "partitionkey": format!("k{}", n % 3) })).await;
    }
    let before = until("all ended", || async {
        let audited = node.audited("mail").await;
        (audited["completed"] == 8).then_some(audited)
    })
    .await;
    let job = replay(&node, json!({ "from": "earliest", "shadow": true })).await;
    assert_eq!(
        (job["state"].as_str(), job["events"].as_u64(), job["same"].as_u64()),
        (Some("done"), Some(8), Some(7)),
        "{job}"
    );
    let different = &job["differences"][0];
    assert_eq!([&different["id"], &different["was"], &different["now"]], ["e3", "completed", "dead"]);
    let seen = handler.seen();
    assert_eq!(seen.len(), 16);
    let shadows: Vec<_> = seen[8..].iter().map(|s| s.header("evenkeel-shadow")).collect();
    assert!(shadows.iter().all(|s| s == "true") && seen[..8].iter().all(|s| s.header("evenkeel-shadow").is_empty()));
    for again in &seen[8..] {
        let first = seen[..8].iter().find(|s| s.header("ce-id") == again.header("ce-id")).unwrap();
        assert_eq!(first.header("idempotency-key"), again.header("idempotency-key"));
    }
    assert_eq!(node.audited("mail").await, before, "what the subscription knows is as it was");
    let part = replay(&node, json!({ "from": 1, "to": 3, "partition": 0 })).await;
    assert_eq!((part["events"].as_u64(), part["shadow"].as_bool()), (part["total"].as_u64(), Some(false)), "{part}");
    let wrong = node.client.json("POST", "/v1/subscriptions/mail/replays", Some(json!({ "from": "then" }))).await;
    assert!(wrong.unwrap_err().message.contains("`from`"));
    node.node.shutdown().await;
}

#[tokio::test]
async fn a_handler_that_keeps_failing_ends_the_replay() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|seen| if seen.header("evenkeel-shadow") == "true" { 500 } else { 200 }).await;
    let file = format!(
        "topics: {{ orders: {{ partitions: 1 }} }}\nsubscriptions: {{ mail: {{ topic: orders, from: earliest, handler: {{ http: {{ url: \"{}\" }} }} }} }}\n",
        handler.url
    );
    let node = start(folder.path(), &file).await;
    for n in 0..5 {
        node.publish("orders", json!({ "specversion": "1.0", "id": format!("e{n}"), "source": "/shop", "type": "T" }))
            .await;
    }
    let job = replay(&node, json!({ "from": "earliest", "shadow": true, "failures_max": 1 })).await;
    assert_eq!((job["state"].as_str(), job["events"].as_u64()), (Some("failed"), Some(1)), "{job}");
    assert!(job["why"].as_str().unwrap().contains("1 events have failed"), "{job}");
    node.node.shutdown().await;
}
