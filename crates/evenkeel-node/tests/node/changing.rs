//! Subscriptions made, changed, drained and removed while the node runs.

use serde_json::{Value, json};

use crate::support::{Handler, Started, row, start, until};

const ORDERS: &str = "topics: { orders: { partitions: 2 }, other: {} }\n";

fn event(n: usize) -> Value {
    json!({ "specversion": "1.0", "id": format!("e{n}"), "source": "/shop", "type": "T", "partitionkey": format!("k{}", n % 5), "data": n })
}

async fn publish(node: &Started, topic: &str, range: std::ops::Range<usize>) {
    for n in range {
        node.publish(topic, event(n)).await;
    }
}

async fn put(node: &Started, name: &str, body: Value) -> Result<Value, String> {
    let path = format!("/v1/subscriptions/{name}");
    node.client.json("PUT", &path, Some(body)).await.map_err(|e| format!("{e}"))
}

fn to(handler: &Handler, more: Value) -> Value {
    let mut body = json!({ "topic": "orders", "handler": { "http": { "url": handler.url } } });
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    body
}

async fn handled(handler: &Handler, count: usize) {
    until(&format!("{count} events"), || async { (handler.seen().len() >= count).then_some(()) }).await;
}

fn ids(handler: &Handler) -> Vec<String> {
    let mut ids: Vec<String> = handler.seen().iter().map(|s| s.header("ce-id")).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_subscription_made_at_run_time_begins_where_it_is_told_and_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), ORDERS).await;
    publish(&node, "orders", 0..10).await;
    let (all, new) = (Handler::start(|_| 200).await, Handler::start(|_| 200).await);
    let some = Handler::start(|_| 200).await;
    put(&node, "all", to(&all, json!({ "from": "earliest" }))).await.unwrap();
    put(&node, "new", to(&new, json!({ "from": "latest" }))).await.unwrap();
    put(&node, "some", to(&some, json!({ "from": { "0": 1, "1": 2 } }))).await.unwrap();
    handled(&all, 10).await;
    handled(&some, 7).await;
    assert_eq!(new.seen().len(), 0, "nothing that was there before");
    node.node.shutdown().await;
    let node = start(folder.path(), ORDERS).await;
    publish(&node, "orders", 10..15).await;
    handled(&all, 15).await;
    handled(&new, 5).await;
    handled(&some, 12).await;
    assert_eq!(ids(&new), ["e10", "e11", "e12", "e13", "e14"]);
    let audit = node.get("/v1/audit").await;
    assert_eq!(audit["ok"], true, "{audit}");
    let shown = row(&node.get("/v1/subscriptions").await, "subscriptions", "all");
    assert_eq!((shown["declared"].as_bool(), shown["written"]["order"].as_str()), (Some(false), Some("key")));
    node.node.shutdown().await;
}

#[tokio::test]
async fn what_is_wrong_or_declared_is_refused_with_field_value_and_fix() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let declared = format!(
        "{ORDERS}subscriptions: {{ kept: {{ topic: other, handler: {{ http: {{ url: \"{}\" }} }} }} }}\n",
        handler.url
    );
    let node = start(folder.path(), &declared).await;
    for (name, body, said) in [
        ("kept", to(&handler, json!({})), "error[subscription-declared]"),
        ("a.b", to(&handler, json!({})), "a subscription's name is"),
        ("s", to(&handler, json!({ "topic": "ordres" })), "did you mean `orders`?"),
        ("s", to(&handler, json!({ "ordr": "key" })), "did you mean `subscriptions.s.order`?"),
        ("s", to(&handler, json!({ "from": "sometimes" })), "`subscriptions.s.from`: `sometimes` is none of"),
        ("s", to(&handler, json!({ "from": 7 })), "partition 0 holds the offsets from 0 to 0, not 7"),
        ("s", to(&handler, json!({ "from": { "9": 0 } })), "topic `orders` has no partition 9 (it has 2)"),
        ("s", to(&handler, json!({ "uid": "kept" })), "`kept` is that of `kept`"),
        ("s", json!({ "topic": "orders" }), "`subscriptions.s.handler`: is missing"),
        (
            "s",
            json!({ "topic": "orders", "handler": { "http": { "url": "http://169.254.169.254/" } } }),
            "error[config-url]",
        ),
    ] {
        let refused = put(&node, name, body).await.expect_err(said);
        assert!(refused.contains(said), "{name}: {refused}");
    }
    let refused = node.client.json("DELETE", "/v1/subscriptions/kept", None).await.unwrap_err();
    assert_eq!(refused.code, "subscription-declared");
    let unknown = node.client.json("DELETE", "/v1/subscriptions/nobody", None).await.unwrap_err();
    assert_eq!(unknown.code, "unknown-subscription");
    node.node.shutdown().await;
}

#[tokio::test]
async fn a_change_goes_on_where_it_was_and_a_removal_lets_retention_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), ORDERS).await;
    let (first, second) = (Handler::start(|_| 200).await, Handler::start(|_| 200).await);
    put(&node, "mail", to(&first, json!({ "from": "earliest" }))).await.unwrap();
    publish(&node, "orders", 0..6).await;
    handled(&first, 6).await;
    put(&node, "mail", to(&second, json!({ "from": "earliest" }))).await.unwrap();
    publish(&node, "orders", 6..9).await;
    handled(&second, 3).await;
    assert_eq!((ids(&first).len(), ids(&second)), (6, vec!["e6".into(), "e7".into(), "e8".into()]));
    let moved = put(&node, "mail", to(&second, json!({ "topic": "other" }))).await.unwrap_err();
    assert!(moved.contains("`subscriptions.mail.topic`: it is `orders`, and cannot become `other`"), "{moved}");
    put(&node, "ashes", to(&first, json!({ "topic": "mail.dead" }))).await.unwrap();
    let used = node.client.json("DELETE", "/v1/subscriptions/mail", None).await.unwrap_err();
    assert_eq!(used.code, "subscription-in-use");
    node.client.json("DELETE", "/v1/subscriptions/ashes", None).await.unwrap();
    node.client.json("DELETE", "/v1/subscriptions/mail", None).await.unwrap();
    publish(&node, "orders", 9..12).await;
    let cut = node.client.json("POST", "/v1/topics/orders/delete-records", Some(json!({ "before": "latest" }))).await;
    assert!(cut.is_ok(), "nobody owes anything: {cut:?}");
    publish(&node, "orders", 12..13).await;
    put(&node, "mail", to(&second, json!({ "from": "earliest" }))).await.unwrap();
    handled(&second, 4).await;
    assert_eq!(ids(&second)[0], "e12", "what was there while it was gone is not called for");
    let audited = until("it adds up", || async {
        let audited = node.audited("mail").await;
        (audited["completed"] == 10 && audited["expired"] == 3).then_some(audited)
    });
    assert_eq!(audited.await["unread"], 0);
    node.node.shutdown().await;
}

#[tokio::test]
async fn partitions_that_are_added_are_read_from_their_first_event_on() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "").await;
    let path = "/v1/topics/grows";
    node.client.json("PUT", path, Some(json!({ "partitions": 1 }))).await.unwrap();
    publish(&node, "grows", 0..5).await;
    let handler = Handler::start(|_| 200).await;
    put(&node, "late", to(&handler, json!({ "topic": "grows", "from": "latest" }))).await.unwrap();
    node.client.json("PUT", path, Some(json!({ "partitions": 8 }))).await.unwrap();
    publish(&node, "grows", 5..30).await;
    handled(&handler, 25).await;
    node.node.shutdown().await;
    let node = start(folder.path(), "").await;
    publish(&node, "grows", 30..40).await;
    handled(&handler, 35).await;
    let audit = node.get("/v1/audit").await;
    assert_eq!(audit["ok"], true, "{audit}");
    node.node.shutdown().await;
}

#[tokio::test]
async fn a_drained_subscription_rests_and_goes_on_where_it_was_when_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), ORDERS).await;
    let handler = Handler::start(|_| 200).await;
    put(&node, "mail", to(&handler, json!({ "from": "earliest" }))).await.unwrap();
    publish(&node, "orders", 0..4).await;
    handled(&handler, 4).await;
    let drained = node.client.json("POST", "/v1/subscriptions/mail/drain?grace=2s", None).await.unwrap();
    assert_eq!((drained["state"].as_str(), drained["unfinished"].as_u64()), (Some("drained"), Some(0)), "{drained}");
    publish(&node, "orders", 4..8).await;
    let audit = node.get("/v1/audit").await;
    assert_eq!((audit["ok"].as_bool(), row(&audit, "subscriptions", "mail")["unread"].as_u64()), (Some(true), Some(4)));
    let resumed = node.client.json("POST", "/v1/subscriptions/mail/resume", None).await.unwrap();
    assert_eq!(resumed["state"], "running");
    handled(&handler, 8).await;
    assert_eq!(handler.seen().len(), 8, "nothing twice");
    let wrong = node.client.json("POST", "/v1/subscriptions/mail/drain?grace=long", None).await.unwrap_err();
    assert!(wrong.message.contains("`grace`"), "{wrong}");
    node.node.shutdown().await;
}
