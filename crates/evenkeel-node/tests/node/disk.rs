//! A disk that fills up.

use std::sync::Arc;

use evenkeel_log::sim::SimDisk;
use evenkeel_node::node::Means;
use serde_json::json;

use crate::support::{row, start_with, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_503_with_retry_after_and_room_again_is_200_with_the_same_id() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SimDisk::new(1);
    let means = Means { disk: Some(Arc::new(disk.clone())), ..Means::default() };
    let node = start_with(folder.path(), "topics: { orders: { partitions: 1 } }\n", means).await;
    disk.set_capacity(Some(disk.used()));
    let body = |n: u32| {
        json!({ "specversion": "1.0", "id": n.to_string(), "source": "/s", "type": "T", "data": "x".repeat(100_000) })
            .to_string()
    };
    let structured = [("content-type", "application/cloudevents+json")];
    let mut stored = 0;
    let refused = loop {
        let reply = node.post("orders", &structured, body(stored)).await;
        if reply.status != 200 {
            break reply;
        }
        stored += 1;
        assert!(stored < 1_000, "the disk never fills");
    };
    assert_eq!(refused.status, 503, "{}", String::from_utf8_lossy(&refused.body));
    assert!(refused.retry_after.is_some());
    assert_eq!(refused.problem().code, evenkeel_node::error::codes::LOG_FULL);
    assert_eq!(row(&node.get("/v1/topics").await, "topics", "orders")["records"], stored, "reads go on");
    disk.set_capacity(None);
    let answer = until("room again", || async {
        let reply = node.post("orders", &structured, body(stored)).await;
        (reply.status == 200).then(|| reply.json().unwrap())
    })
    .await;
    assert_eq!(answer["results"][0]["duplicate"], false, "what was refused was not stored");
    assert_eq!(row(&node.get("/v1/topics").await, "topics", "orders")["records"], stored + 1);
}
