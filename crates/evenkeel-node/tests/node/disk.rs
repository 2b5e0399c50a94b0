//! A disk that fills up.

use std::sync::Arc;

use evenkeel_log::sim::{Fault, SimDisk};
use evenkeel_node::error::codes;
use evenkeel_node::node::Means;
use serde_json::json;

use crate::support::{PATIENCE, row, start_with, until};

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
    assert_eq!(refused.problem().code, codes::LOG_FULL);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_turns_readyz_red_for_good_says_what_to_do_and_reads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SimDisk::new(2);
    let means = Means { disk: Some(Arc::new(disk.clone())), ..Means::default() };
    let node = start_with(folder.path(), "topics: { orders: { partitions: 1 } }\n", means).await;
    node.publish("orders", json!({ "specversion": "1.0", "id": "1", "source": "/s", "type": "T" })).await;
    assert_eq!(node.get("/readyz").await["ready"], true);
    disk.inject(Fault::DurableWrite, 0);
    let structured = [("content-type", "application/cloudevents+json")];
    let two = json!({ "specversion": "1.0", "id": "2", "source": "/s", "type": "T" }).to_string();
    let unknown = node.post("orders", &structured, two.clone()).await;
    assert_eq!((unknown.status, unknown.problem().code), (503, codes::LOG_STOPPED));
    let ready = node.client.send("GET", "/readyz", &[], "".into(), PATIENCE).await.unwrap();
    let problem = ready.problem();
    assert_eq!((ready.status, problem.code), (503, codes::LOG_STOPPED), "a disk that is well again changes nothing");
    let hint = problem.hint.unwrap();
    assert!(hint.contains("evenkeel doctor --data") && hint.contains("start the node again"), "{hint}");
    assert_eq!(node.post("orders", &structured, two).await.status, 503, "it is never tried again");
    assert_eq!(node.get("/livez").await["live"], true);
    assert_eq!(row(&node.get("/v1/topics").await, "topics", "orders")["records"], 1, "reads go on");
    let page = node.client.send("GET", "/", &[], "".into(), PATIENCE).await.unwrap();
    assert!(String::from_utf8_lossy(&page.body).contains("The log has stopped"), "the page says so");
    let metrics = node.client.send("GET", "/metrics", &[], "".into(), PATIENCE).await.unwrap();
    assert!(String::from_utf8_lossy(&metrics.body).contains("\nevenkeel_log_stopped 1\n"));
}
