//! Bytes that change under a running node, in the files of the real binary: it reads on, refuses to write, says
//! what is lost and what to do, and a restart does not forget it.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use evenkeel_node::client::Client;
use serde_json::Value;

use crate::binary::{Up, err, evenkeel, out, up};
use crate::support::{PATIENCE, until};

const FILE: &str = "
topics: { orders: { partitions: 1 } }
subscriptions:
  payment: { topic: orders, from: latest, handler: { http: { url: 'http://127.0.0.1:9/' } } }
";

/// A node that was stopped in order and runs again: what it holds is in segments, and nothing of it in memory.
fn running(folder: &Path, file: &str) -> Up {
    std::fs::write(folder.join("evenkeel.yaml"), file).unwrap();
    let node = up(folder);
    for n in 1..=3 {
        publish(folder, &node, n);
    }
    assert_eq!(node.stop(), Some(0), "a clean stop puts everything into segments");
    up(folder)
}

fn publish(folder: &Path, node: &Up, n: u32) {
    std::fs::write(folder.join("event.json"), format!("{{\"id\":{n},\"mark\":\"tell-tale-{n}\"}}")).unwrap();
    let words = ["publish", "orders", "event.json", "--type", "T", "--source", "/s", "--id-from", "/id", "--node"];
    let done = evenkeel(folder, &[&words[..], &[&node.url()]].concat());
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
}

/// The segment of a partition.
fn segment(folder: &Path, partition: &str) -> PathBuf {
    let mut all = std::fs::read_dir(folder.join("evenkeel-data/topics")).unwrap().map(|f| f.unwrap().path());
    let is = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().starts_with(&format!("{partition}@"));
    all.find(is).unwrap().join("00000000000000000000.log")
}

/// Changes one byte where it stands, as a medium does that rots.
fn rot(file: &Path, what: &[u8]) {
    let bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(what.len()).position(|w| w == what).unwrap();
    let opened = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    opened.write_all_at(&[bytes[at] ^ 0x01], at as u64).unwrap();
}

async fn get(node: &Up, path: &str) -> (u16, Value) {
    let reply = Client::new(&node.url()).send("GET", path, &[], "".into(), PATIENCE).await.unwrap();
    (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
}

fn is_corrupt(answer: &(u16, Value)) -> bool {
    answer.0 == 503
        && answer.1["code"] == "data-corrupt"
        && answer.1["hint"].as_str().is_some_and(|h| h.contains("evenkeel log repair"))
}

#[tokio::test(flavor = "multi_thread")]
async fn rot_that_a_reader_meets_makes_a_running_node_read_only_and_a_restart_does_not_forget_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = running(folder.path(), FILE);
    assert!(node.1.starts_with("evenkeel ready: "), "{}", node.1);
    assert_eq!(get(&node, "/readyz").await.0, 200);
    publish(folder.path(), &node, 4);
    // From here on anybody may meet it: the index of stories reads now and then.
    rot(&segment(folder.path(), "orders-0"), b"tell-tale-1");
    let (status, read) = get(&node, "/v1/topics/orders/events").await;
    assert_eq!((status, read["code"].as_str()), (500, Some("data-corrupt")), "{read}");

    let ready = get(&node, "/readyz").await;
    assert!(is_corrupt(&ready), "{ready:?}");
    let lost = &ready.1["damage"][0]["lost"][0];
    assert_eq!((lost["topic"].as_str(), lost["partition"].as_u64()), (Some("orders"), Some(0)), "{lost}");
    assert_eq!((lost["from"].as_u64(), lost["to"].as_u64()), (Some(0), Some(0)), "{lost}");
    assert_eq!(get(&node, "/livez").await.0, 200);
    let client = Client::new(&node.url());
    let headers = [("content-type".to_owned(), "application/cloudevents+json".to_owned())];
    let event = "{\"specversion\":\"1.0\",\"id\":\"5\",\"source\":\"/s\",\"type\":\"T\"}";
    let refused = client.send("POST", "/v1/topics/orders/events", &headers, event.into(), PATIENCE).await.unwrap();
    let said = refused.problem();
    assert_eq!((refused.status, said.code), (503, "data-corrupt"));
    assert!(said.message.contains("orders-0 offset 0"), "{}", said.message);
    let metrics = client.send("GET", "/metrics", &[], "".into(), PATIENCE).await.unwrap();
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(metrics.contains("evenkeel_log_damaged_places 1"), "the metric says so");
    for path in ["/v1/audit", "/v1/why?id=1", "/v1/events/1"] {
        let answer = get(&node, path).await;
        assert!(is_corrupt(&answer), "{path}: {answer:?}");
    }
    let (status, read) = get(&node, "/v1/topics/orders/events?partition=0&from=1").await;
    assert_eq!((status, read["items"].as_array().map(Vec::len)), (200, Some(3)), "what is whole is served: {read}");

    drop(node);
    let node = up(folder.path());
    assert!(node.1.starts_with("evenkeel damaged, for reading only: "), "{}", node.1);
    assert!(is_corrupt(&get(&node, "/readyz").await));
    assert_eq!(node.stop(), Some(0));
    let done = evenkeel(folder.path(), &["log", "repair", "evenkeel-data", "--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}{}", out(&done), err(&done));
    let node = up(folder.path());
    assert!(node.1.starts_with("evenkeel ready: "), "{}", node.1);
    publish(folder.path(), &node, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_meets_rot_has_the_node_say_so_and_the_restart_comes_up_for_reading() {
    let folder = tempfile::tempdir().unwrap();
    let node = running(folder.path(), FILE);
    rot(&segment(folder.path(), "orders-0"), b"tell-tale-2");
    let ask = serde_json::json!({ "from": 0 });
    let client = Client::new(&node.url());
    // Whoever looks first says so: the replay's first page, or this answer.
    let _ = client.json("POST", "/v1/subscriptions/payment/replays", Some(ask)).await;
    until("it is told", || async { is_corrupt(&get(&node, "/readyz").await).then_some(()) }).await;
    drop(node);
    assert!(up(folder.path()).1.starts_with("evenkeel damaged, for reading only: "));
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_books_that_a_node_reads_once_it_is_wired_is_told_and_starts_it_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let node = running(folder.path(), FILE);
    let client = Client::new(&node.url());
    let ask = serde_json::json!({ "from": 0, "shadow": true });
    client.json("POST", "/v1/subscriptions/payment/replays", Some(ask)).await.unwrap();
    assert_eq!(node.stop(), Some(0));
    rot(&segment(folder.path(), "evenkeel.replays-0"), b"payment");
    let node = up(folder.path());
    let ready = get(&node, "/readyz").await;
    assert!(is_corrupt(&ready), "{} {ready:?}", node.1);
    assert_eq!(ready.1["damage"][0]["lost"][0]["topic"], "evenkeel.replays", "{ready:?}");
    assert!(node.1.starts_with("evenkeel damaged, for reading only: "), "{}", node.1);
}
