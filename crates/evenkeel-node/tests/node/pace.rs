//! Whether a subscription gets on, as a started node tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use evenkeel_model::{ManualClock, Timestamp};
use evenkeel_node::node::Means;
use serde_json::{Value, json};

use crate::support::{Handler, Started, start_with, until};

/// What is known of `s`, when it has this pace; time goes on meanwhile.
async fn paced(node: &Started, clock: &ManualClock, pace: &str) -> Value {
    until(pace, async || {
        clock.advance(Duration::from_secs(10));
        let seen = node.get("/v1/subscriptions/s").await;
        (seen["pace"] == pace).then_some(seen)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_in_vain_is_stalled_who_is_paused_has_stopped_and_who_goes_on_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = mended.clone();
    let fails = move |id: &str| id == "stuck" && !is_mended.load(Ordering::SeqCst);
    let handler = Handler::start(move |seen| if fails(&seen.header("ce-id")) { 500 } else { 200 }).await;
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions:
  s: {{ topic: orders, handler: {{ http: {{ url: \"{}/\" }} }}, retry: {{ attempts: 1000000, max: 1s, age: 300d }} }}
",
        handler.url
    );
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_000_000_000)));
    let node = start_with(folder.path(), &yaml, Means { clock: clock.clone(), ..Means::default() }).await;
    let tell = async |verb: &str| node.client.json("POST", &format!("/v1/subscriptions/s/{verb}"), None).await.unwrap();
    // Both are there before the first one ends: from then on there is always something to do.
    tell("pause").await;
    for id in ["first", "stuck"] {
        node.publish("orders", json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T" })).await;
    }
    tell("resume").await;

    let seen = paced(&node, &clock, "stalled").await;
    assert_eq!(seen["lag_events"], 1, "{seen}");
    let page = node.text("/metrics").await;
    assert!(page.lines().any(|line| line == "evenkeel_lag_events{subscription=\"s\"} 1"), "{page}");
    tell("pause").await;
    paced(&node, &clock, "stopped").await;
    mended.store(true, Ordering::SeqCst);
    tell("resume").await;
    let seen = paced(&node, &clock, "good").await;
    assert_eq!(seen["lag_events"], 0, "{seen}");
    node.node.shutdown().await;
}
