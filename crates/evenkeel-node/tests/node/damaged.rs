//! A damaged folder, as its operator meets it: what the node says, what it refuses, what the verbs
//! find, and the way back. On the real binary.

use std::path::{Path, PathBuf};

use evenkeel_node::client::Client;
use serde_json::Value;

use crate::binary::{Up, err, evenkeel, evenkeel_within, out, up};
use crate::support::PATIENCE;

const FILE: &str = "topics: { orders: { partitions: 1 } }\n";

/// A folder that a killed node left behind, in which the first of three acknowledged events was
/// changed on the disk.
fn broken() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("evenkeel.yaml"), FILE).unwrap();
    let node = up(folder.path());
    for n in 1..=3 {
        let event = format!("{{\"id\":{n},\"mark\":\"tell-tale-{n}\"}}");
        std::fs::write(folder.path().join("event.json"), event).unwrap();
        let words = ["publish", "orders", "event.json", "--type", "T", "--source", "/s", "--id-from", "/id", "--node"];
        let done = evenkeel(folder.path(), &[&words[..], &[&node.url()]].concat());
        assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    }
    drop(node);
    change(&folder.path().join("evenkeel-data/wal"), b"tell-tale-1", b"tell-tale-X");
    folder
}

/// Changes bytes wherever they stand in the files of a folder.
fn change(folder: &Path, from: &[u8], to: &[u8]) {
    let mut changed = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()) {
        let mut bytes = std::fs::read(&file).unwrap();
        while let Some(at) = bytes.windows(from.len()).position(|w| w == from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            changed += 1;
        }
        std::fs::write(&file, bytes).unwrap();
    }
    assert!(changed > 0, "nothing to change");
}

/// Every file of the data folder but the lock, with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.join("evenkeel-data")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("lock") {
                all.push((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

async fn get(node: &Up, path: &str) -> (u16, Value) {
    let reply = Client::new(&node.url()).send("GET", path, &[], "".into(), PATIENCE).await.unwrap();
    (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_on_a_damaged_folder_reads_refuses_to_write_and_says_what_to_do() {
    let folder = broken();
    let before = contents(folder.path());
    let node = up(folder.path());
    assert!(node.1.starts_with("evenkeel damaged, for reading only: http "), "{}", node.1);
    assert_eq!(get(&node, "/livez").await.0, 200);
    let (status, ready) = get(&node, "/readyz").await;
    assert_eq!((status, ready["code"].as_str()), (503, Some("data-corrupt")), "{ready}");
    assert_eq!(ready["damage"][0]["lost"][0]["topic"], "orders", "{ready}");
    assert_eq!(ready["damage"][0]["lost"][0]["from"], 0, "{ready}");
    assert!(ready["hint"].as_str().unwrap().contains("evenkeel log repair"), "{ready}");
    let (status, topics) = get(&node, "/v1/topics").await;
    assert_eq!(status, 200, "{topics}");
    assert_eq!(get(&node, "/v1/audit").await.0, 503, "books that are cut off prove nothing");
    assert_eq!(get(&node, "/metrics").await.0, 200);
    let headers = [("content-type".to_owned(), "application/cloudevents+json".to_owned())];
    let event = "{\"specversion\":\"1.0\",\"id\":\"4\",\"source\":\"/s\",\"type\":\"T\"}";
    let client = Client::new(&node.url());
    let refused = client.send("POST", "/v1/topics/orders/events", &headers, event.into(), PATIENCE).await.unwrap();
    assert_eq!((refused.status, refused.problem().code), (503, "data-corrupt"));
    let page = client.send("GET", "/", &[], "".into(), PATIENCE).await.unwrap();
    let page = String::from_utf8_lossy(&page.body).into_owned();
    assert!(page.contains("The log is damaged at") && page.contains("evenkeel log verify"), "the page says so first");
    drop(node);
    assert_eq!(contents(folder.path()), before, "nothing in the folder was changed");
}

#[test]
fn publishing_to_a_damaged_log_says_so_and_ends() {
    let folder = broken();
    let node = up(folder.path());
    let url = node.url();
    let words =
        ["publish", "orders", "event.json", "--type", "T", "--source", "/s", "--id-from", "/id", "--node", &url];
    let done = evenkeel_within(PATIENCE, folder.path(), &words);
    assert_eq!(done.status.code(), Some(1), "{}", err(&done));
    let said = err(&done);
    assert!(said.contains("error[data-corrupt]") && said.contains("evenkeel log verify"), "{said}");
    assert!(!said.contains("go again"), "{said}");
}

#[test]
fn verify_names_file_place_and_offsets_dump_shows_what_is_whole_and_neither_changes_anything() {
    let folder = broken();
    let before = contents(folder.path());
    let verify = evenkeel(folder.path(), &["log", "verify", "evenkeel-data", "--output", "json"]);
    assert_eq!(verify.status.code(), Some(3), "{}", err(&verify));
    let said: Value = serde_json::from_str(&out(&verify)).unwrap();
    let damage = &said["damage"][0];
    assert_eq!((said["ok"].as_bool(), damage["kind"].as_str()), (Some(false), Some("write-ahead")), "{said}");
    assert!(damage["file"].as_str().unwrap().starts_with("wal/") && damage["at"].is_u64(), "{damage}");
    assert_eq!((damage["lost"][0]["from"].as_u64(), damage["lost"][0]["to"].as_u64()), (Some(0), Some(0)), "{damage}");
    assert_eq!((damage["cut"][0]["from"].as_u64(), damage["cut"][0]["to"].as_u64()), (Some(1), Some(2)), "{damage}");
    let words = evenkeel(folder.path(), &["log", "verify", "evenkeel-data"]);
    assert!(out(&words).contains("lost: orders-0 offset 0") && out(&words).ends_with("not ok\n"), "{}", out(&words));
    assert!(err(&words).contains("error[data-corrupt]"), "{}", err(&words));
    let dump = evenkeel(folder.path(), &["log", "dump", "evenkeel-data", "--records", "--topic", "orders"]);
    assert_eq!(dump.status.code(), Some(0), "{}", err(&dump));
    let lines: Vec<Value> = out(&dump).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let records: Vec<&Value> = lines.iter().filter(|l| l["is"] == "record").collect();
    assert_eq!(records.len(), 2, "{}", out(&dump));
    assert!(records[0]["value"].as_str().unwrap().contains("tell-tale-2"), "{}", records[0]);
    assert!(lines.iter().any(|l| l["is"] == "damage"), "{}", out(&dump));
    assert_eq!(contents(folder.path()), before, "nothing in the folder was changed");
    let nothing = evenkeel(folder.path(), &["log", "verify", "elsewhere"]);
    assert!(nothing.status.code() == Some(2) && !folder.path().join("elsewhere").exists(), "{}", err(&nothing));
}

#[tokio::test(flavor = "multi_thread")]
async fn repair_says_what_it_gives_up_does_it_when_told_to_and_the_node_takes_events_again() {
    let folder = broken();
    let before = contents(folder.path());
    let plan = evenkeel(folder.path(), &["log", "repair", "evenkeel-data"]);
    assert_eq!(plan.status.code(), Some(3), "{}", err(&plan));
    assert!(out(&plan).contains("lost     orders-0 offset 0"), "{}", out(&plan));
    assert!(out(&plan).contains("cut off  orders-0 offsets 1 to 2"), "{}", out(&plan));
    assert!(err(&plan).contains("--yes"), "{}", err(&plan));
    assert_eq!(contents(folder.path()), before, "nothing was changed yet");
    let done = evenkeel(folder.path(), &["log", "repair", "evenkeel-data", "--yes", "--output", "json"]);
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert!(out(&done).contains("\"repaired\": true"), "{}", out(&done));
    let whole = evenkeel(folder.path(), &["log", "verify", "evenkeel-data"]);
    assert_eq!(whole.status.code(), Some(0), "{}{}", out(&whole), err(&whole));
    let again = evenkeel(folder.path(), &["log", "repair", "evenkeel-data"]);
    assert_eq!(again.status.code(), Some(0), "{}", err(&again));
    let node = up(folder.path());
    assert!(node.1.starts_with("evenkeel ready: http "), "{}", node.1);
    std::fs::write(folder.path().join("event.json"), "{\"id\":2}").unwrap();
    let words = ["publish", "orders", "event.json", "--type", "T", "--source", "/s", "--id-from", "/id", "--node"];
    let published = evenkeel(folder.path(), &[&words[..], &[&node.url(), "--output", "json"]].concat());
    assert_eq!(published.status.code(), Some(0), "{}", err(&published));
    assert!(out(&published).contains("\"duplicate\":false"), "what was cut off is new again: {}", out(&published));
    assert_eq!(get(&node, "/readyz").await.0, 200);
    let held = evenkeel(folder.path(), &["log", "verify", "evenkeel-data"]);
    assert_eq!(held.status.code(), Some(1));
    assert!(err(&held).contains("error[data-in-use]") && err(&held).contains("stop the node"), "{}", err(&held));
}

#[test]
fn doctor_says_who_has_the_folder_and_runs_beside_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let node = up(folder.path());
    let looked = evenkeel(folder.path(), &["doctor", "--data", "evenkeel-data", "--output", "json"]);
    let said: Value = serde_json::from_str(&out(&looked)).unwrap();
    let checks = said["checks"].as_array().unwrap();
    let found = |check: &str| checks.iter().find(|c| c["check"] == check).unwrap()["found"].to_string();
    assert!(found("data folder").contains("open by process"), "{said}");
    assert!(found("flush").contains("a synchronous write of 4 KiB takes"), "{said}");
    drop(node);
    let looked = evenkeel(folder.path(), &["doctor", "--data", "evenkeel-data"]);
    assert!(out(&looked).contains("which no node has open"), "{}", out(&looked));
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_that_only_a_reader_of_records_meets_makes_the_node_read_only_as_well() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("evenkeel.yaml"), FILE).unwrap();
    let node = up(folder.path());
    std::fs::write(folder.path().join("event.json"), "{\"id\":1,\"mark\":\"tell-tale-1\"}").unwrap();
    let words = ["publish", "orders", "event.json", "--type", "T", "--source", "/s", "--id-from", "/id", "--node"];
    let done = evenkeel(folder.path(), &[&words[..], &[&node.url()]].concat());
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    assert_eq!(node.stop(), Some(0), "a clean stop puts everything into segments");
    let topics = folder.path().join("evenkeel-data/topics");
    let mut all = std::fs::read_dir(topics).unwrap().map(|f| f.unwrap().path());
    let orders = all.find(|p| p.file_name().unwrap().to_string_lossy().starts_with("orders-0@")).unwrap();
    change(&orders, b"tell-tale-1", b"tell-tale-X");
    let node = up(folder.path());
    assert!(node.1.starts_with("evenkeel damaged, for reading only: http "), "{}", node.1);
    let (status, ready) = get(&node, "/readyz").await;
    assert_eq!((status, ready["code"].as_str()), (503, Some("data-corrupt")), "{ready}");
    assert_eq!(ready["damage"][0]["lost"][0]["topic"], "orders", "{ready}");
    let (status, read) = get(&node, "/v1/topics/orders/events").await;
    assert_eq!((status, read["code"].as_str()), (500, Some("data-corrupt")), "{read}");
}
