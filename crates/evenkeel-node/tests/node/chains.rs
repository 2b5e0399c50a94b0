//! Chains of events on a started node: followed over topics, told, and known again after a restart.

use serde_json::{Value, json};

use crate::binary::{err, evenkeel, out};
use crate::support::{Started, row, start, until};

const YAML: &str = "topics: { orders: { partitions: 2 }, shipments: { partitions: 1 } }
chains: { shop: { topics: [ orders, shipments ], steps: [ Placed, Paid, Shipped ], within: 1h } }
";

async fn publish(node: &Started, topic: &str, kind: &str, id: &str, chain: Option<&str>) {
    let mut event = json!({ "specversion": "1.0", "id": id, "source": "/shop", "type": kind, "subject": id });
    if let Some(chain) = chain {
        event["correlationid"] = json!(chain);
    }
    node.publish(topic, event).await;
}

/// The chain, when so many were begun and completed.
async fn stands(node: &Started, begun: u64, completed: u64) -> Value {
    until("the chain", async || {
        let chain = row(&node.get("/v1/chains").await, "chains", "shop");
        (chain["begun"] == begun && chain["completed"] == completed).then_some(chain)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_followed_over_topics_told_where_it_is_stuck_and_known_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), YAML).await;
    for order in ["a", "b", "c"] {
        publish(&node, "orders", "Placed", order, None).await;
    }
    stands(&node, 3, 0).await;
    publish(&node, "orders", "Paid", "paid-a", Some("a")).await;
    publish(&node, "orders", "Paid", "paid-b", Some("b")).await;
    publish(&node, "shipments", "Shipped", "shipped-a", Some("a")).await;
    publish(&node, "shipments", "Other", "other-c", Some("c")).await;
    let chain = stands(&node, 3, 1).await;
    let stuck: Vec<(Value, Value)> =
        chain["stuck"].as_array().unwrap().iter().map(|at| (at["after"].clone(), at["oldest"].clone())).collect();
    assert_eq!(stuck, [(json!("Placed"), json!("c")), (json!("Paid"), json!("b"))], "{chain}");
    assert!(chain["took_p50_ms"].as_f64().is_some() && chain["open"] == 2, "{chain}");
    node.node.shutdown().await;

    let node = start(folder.path(), YAML).await;
    assert_eq!(stands(&node, 3, 1).await["stuck"], chain["stuck"]);
    let told = evenkeel(folder.path(), &["chains", "--node", &format!("http://{}", node.node.http)]);
    assert_eq!(told.status.code(), Some(0), "{}", err(&told));
    assert!(out(&told).contains("STUCK AFTER") && out(&told).contains("Paid (1, b since"), "{}", out(&told));
    node.node.shutdown().await;
}
