//! Chains of events on a started node: followed over topics, told, and known again after a restart.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::{ManualClock, Timestamp};
use evenkeel_node::node::Means;
use serde_json::{Value, json};

use crate::binary::{err, evenkeel, out};
use crate::support::{Started, plan, row, start, start_with, until};

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

const OBJECTIVE: &str = "apiVersion: openslo/v1
kind: SLO
metadata: { name: shipped-in-time }
spec:
  service: shop
  budgetingMethod: Occurrences
  timeWindow: [{ duration: 7d, isRolling: true }]
  indicator:
    metadata: { name: shipped }
    spec:
      ratioMetric:
        counter: true
        good: { metricSource: { type: evenkeel, spec: { chain: shop, within: 1h } } }
        total: { metricSource: { type: evenkeel, spec: { chain: shop } } }
  objectives: [{ target: 0.9 }]
";

/// Good and bad chains of the objective, when they are as many.
async fn budget(node: &Started, good: u64, bad: u64) -> Value {
    until("the budget", async || {
        let slo = row(&node.get("/v1/slos").await, "slos", "shipped-in-time");
        (slo["good"] == good && slo["bad"] == bad).then_some(slo)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objective_of_chains_counts_each_once_also_after_a_restart_and_after_the_file_changed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chains.yaml"), OBJECTIVE).unwrap();
    let yaml = format!("{YAML}objectives: ./chains.yaml\n");
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_000_000_000)));
    let means = || Means { clock: clock.clone(), ..Means::default() };
    let node = start_with(folder.path(), &yaml, means()).await;
    for order in ["a", "b", "c"] {
        publish(&node, "orders", "Placed", order, None).await;
    }
    for order in ["a", "b"] {
        publish(&node, "shipments", "Shipped", &format!("shipped-{order}"), Some(order)).await;
    }
    stands(&node, 3, 2).await;
    budget(&node, 2, 0).await;
    clock.advance(Duration::from_secs(3_700));
    let slo = budget(&node, 2, 1).await;
    assert_eq!(slo["subscription"], "chain:shop", "{slo}");
    let page = node.text("/metrics").await;
    for line in [
        "evenkeel_chains_begun_total{chain=\"shop\"} 3",
        "evenkeel_chains_completed_total{chain=\"shop\"} 2",
        "evenkeel_chains_late_total{chain=\"shop\"} 1",
        "evenkeel_chains_open{chain=\"shop\",step=\"Placed\"} 1",
        "evenkeel_chains_seconds_count{chain=\"shop\"} 2",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}: {page}");
    }
    assert!(!page.contains("subscription=\"chain:shop\",outcome"), "a chain is no subscription: {page}");
    // The file is read again with another objective beside it: all is counted again, once.
    let changed = OBJECTIVE.replace("0.9", "0.95");
    std::fs::write(
        folder.path().join("chains.yaml"),
        format!("{OBJECTIVE}---\n{}", changed.replace("shipped-in", "two-in")),
    )
    .unwrap();
    node.node.apply(plan(folder.path(), &yaml)).await.unwrap();
    until("the second objective", async || {
        let slo = row(&node.get("/v1/slos").await, "slos", "two-in-time");
        (slo["good"] == 2 && slo["bad"] == 1).then_some(())
    })
    .await;
    budget(&node, 2, 1).await;
    publish(&node, "shipments", "Shipped", "shipped-c", Some("c")).await;
    stands(&node, 3, 3).await;
    budget(&node, 2, 1).await;
    node.node.shutdown().await;

    let node = start_with(folder.path(), &yaml, means()).await;
    stands(&node, 3, 3).await;
    budget(&node, 2, 1).await;
    node.node.shutdown().await;
}
