//! A dependency that two subscriptions share, and an operator's word on it.

use serde_json::{Value, json};

use crate::support::{Handler, row, start, until};

fn yaml(url: &str) -> String {
    let subscription = format!(
        "{{ topic: orders, handler: {{ http: {{ url: \"{url}/\" }} }}, depends_on: [ bank ], retry: {{ initial: 10ms }} }}"
    );
    format!(
        "topics: {{ orders: {{ partitions: 2 }} }}
subscriptions: {{ one: {subscription}, two: {subscription} }}
dependencies: {{ bank: {{ breaker: {{ open: 100ms }} }} }}
"
    )
}

fn event(id: &str) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T", "subject": id })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_opens_a_shared_breaker_it_outlives_a_restart_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let yaml = yaml(&handler.url);
    let node = start(folder.path(), &yaml).await;
    let path = "/v1/dependencies/bank/breaker";
    let refused = node.client.json("POST", path, Some(json!({ "state": "open" }))).await.unwrap_err();
    assert!(refused.message.contains("reason"), "{refused}");
    let said = json!({ "state": "open", "reason": "maintenance" });
    let bank = node.client.json("POST", path, Some(said)).await.unwrap();
    assert_eq!((&bank["state"], &bank["forced"]["reason"]), (&json!("open"), &json!("maintenance")));
    assert_eq!(bank["subscriptions"], json!(["one", "two"]));
    for name in ["one", "two"] {
        until("both subscriptions know", || async {
            let all = node.get(&format!("/v1/subscriptions/{name}")).await;
            (all["breakers"][1]["state"] == "open").then_some(())
        })
        .await;
    }
    node.publish("orders", event("a")).await;
    node.node.shutdown().await;

    let node = start(folder.path(), &yaml).await;
    until("it is found open", || async {
        let all = node.get("/v1/dependencies").await;
        (row(&all, "dependencies", "bank")["forced"]["state"] == "open").then_some(())
    })
    .await;
    assert!(handler.seen().is_empty(), "nothing was called");
    node.client.json("POST", path, Some(json!({ "state": "automatic" }))).await.unwrap();
    until("two outcomes", || async {
        let (one, two) = (node.audited("one").await, node.audited("two").await);
        (one["completed"] == 1 && two["completed"] == 1).then_some(())
    })
    .await;
    let unknown = node.client.json("GET", "/v1/dependencies/bnak", None).await.unwrap_err();
    assert!(unknown.to_string().contains("did you mean `bank`?"), "{unknown}");
    node.node.shutdown().await;
}
