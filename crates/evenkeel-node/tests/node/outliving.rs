//! What goes on after SIGKILL: replays, and events that a handler accepted to answer later.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use evenkeel_node::client::Client;
use serde_json::{Value, json};

use crate::binary::{Up, up};
use crate::support::{Handler, PATIENCE, row, until};

/// Closed at first: who comes to it waits.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Blocks a thread that others need not wait for, and for no longer than anybody waits for anything.
    fn pass(&self) {
        let waited = || {
            let (open, waited) =
                self.opened.wait_timeout_while(self.open.lock().unwrap(), PATIENCE, |open| !*open).unwrap();
            drop(open);
            waited.timed_out()
        };
        assert!(!tokio::task::block_in_place(waited), "the gate stays closed");
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

fn file(folder: &Path, text: &str) {
    std::fs::write(folder.join("evenkeel.yaml"), text).unwrap();
}

async fn get(node: &Up, path: &str) -> Value {
    Client::new(&node.url()).json("GET", path, None).await.unwrap_or_else(|e| panic!("{path}: {e}"))
}

async fn publish(node: &Up, ids: impl Iterator<Item = String>) {
    let events: Vec<Value> =
        ids.map(|id| json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T" })).collect();
    let kind = [("content-type".to_owned(), "application/cloudevents-batch+json".to_owned())];
    let client = Client::new(&node.url());
    let body = json!(events).to_string().into();
    let reply = client.send("POST", "/v1/topics/orders/events", &kind, body, PATIENCE).await.unwrap();
    assert_eq!(reply.status, 200);
}

async fn completed(node: &Up, events: u64) {
    until("the outcomes", || async {
        let audit = get(node, "/v1/audit").await;
        (row(&audit, "subscriptions", "s")["completed"] == events).then_some(())
    })
    .await;
}

/// The records of a topic of the node's own.
async fn records(node: &Up, topic: &str) -> Vec<Value> {
    let page = get(node, &format!("/v1/topics/{topic}/events?partition=0&from=earliest&limit=1000")).await;
    page["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replay_goes_on_where_it_was_when_the_node_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let stands = gate.clone();
    let handler = Handler::start(move |seen| {
        if (seen.header("evenkeel-shadow"), seen.header("ce-id")) == ("true".to_owned(), "e30".to_owned()) {
            stands.pass();
        }
        200
    })
    .await;
    let url = &handler.url;
    file(
        folder.path(),
        &format!(
            "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions: {{ s: {{ topic: orders, from: earliest, handler: {{ http: {{ url: \"{url}/\" }} }} }} }}
"
        ),
    );
    let node = up(folder.path());
    publish(&node, (0..50).map(|n| format!("e{n}"))).await;
    completed(&node, 50).await;
    let ask = Some(json!({ "from": "earliest", "shadow": true }));
    let client = Client::new(&node.url());
    let job = client.json("POST", "/v1/subscriptions/s/replays", ask).await.unwrap();
    let path = format!("/v1/subscriptions/s/replays/{}", job["id"]);
    until("30 events are behind it", || async { (get(&node, &path).await["events"] == 30).then_some(()) }).await;
    until("that is on record", || async {
        let newest = records(&node, "evenkeel.replays").await.pop()?;
        (newest["event"]["data"]["counts"][0] == 30).then_some(())
    })
    .await;
    drop(node);
    let node = up(folder.path());
    let going = get(&node, &path).await;
    assert_eq!((going["state"].as_str(), going["events"].as_u64()), (Some("running"), Some(30)), "{going}");
    gate.open();
    let done = until("the replay ends", || async {
        let job = get(&node, &path).await;
        (job["state"] != "running").then_some(job)
    })
    .await;
    assert_eq!((done["state"].as_str(), done["events"].as_u64()), (Some("done"), Some(50)), "{done}");
    assert_eq!((done["same"].as_u64(), done["completed"].as_u64()), (Some(50), Some(50)), "{done}");
    let shadows: Vec<String> =
        handler.seen().iter().filter(|s| s.header("evenkeel-shadow") == "true").map(|s| s.header("ce-id")).collect();
    // The one that was at the handler comes once more, and no other does.
    assert_eq!(shadows.len(), 51, "{shadows:?}");
    assert_eq!(shadows.iter().filter(|id| *id == "e30").count(), 2);
    drop(node);
    let node = up(folder.path());
    assert_eq!(get(&node, &path).await, done, "how it ended is on record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replay_that_was_stopped_does_not_go_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let stands = gate.clone();
    let handler = Handler::start(move |seen| {
        if seen.header("evenkeel-shadow") == "true" {
            stands.pass();
        }
        200
    })
    .await;
    let url = &handler.url;
    file(
        folder.path(),
        &format!(
            "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions: {{ s: {{ topic: orders, from: earliest, handler: {{ http: {{ url: \"{url}/\" }} }} }} }}
"
        ),
    );
    let node = up(folder.path());
    publish(&node, (0..3).map(|n| format!("e{n}"))).await;
    completed(&node, 3).await;
    let client = Client::new(&node.url());
    let ask = Some(json!({ "from": "earliest", "shadow": true }));
    let job = client.json("POST", "/v1/subscriptions/s/replays", ask).await.unwrap();
    let path = format!("/v1/subscriptions/s/replays/{}", job["id"]);
    client.json("DELETE", &path, None).await.unwrap();
    drop(node);
    gate.open();
    let node = up(folder.path());
    let ended = until("it ends", || async {
        let job = get(&node, &path).await;
        (job["state"] != "running").then_some(job)
    })
    .await;
    assert_eq!((ended["state"].as_str(), ended["events"].as_u64()), (Some("stopped"), Some(0)), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_event_is_not_called_for_again_after_a_kill_and_its_callback_counts() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 202).await;
    let url = &handler.url;
    file(
        folder.path(),
        &format!(
            "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions:
  s: {{ topic: orders, from: earliest, handler: {{ http: {{ url: \"{url}/\", accepted: pending, pending: 1h }} }} }}
"
        ),
    );
    let mut node = up(folder.path());
    for (calls, id) in [(1, "first"), (2, "second")] {
        publish(&node, std::iter::once(id.to_owned())).await;
        let callback = until("the call", || async {
            let seen = handler.seen();
            (seen.len() == calls).then(|| seen[calls - 1].header("evenkeel-callback"))
        })
        .await;
        let path = format!("/v1/callbacks/{}", callback.rsplit('/').next().unwrap());
        if id == "first" {
            let accepted = || async { (!records(&node, "evenkeel.callbacks").await.is_empty()).then_some(()) };
            until("that it was accepted is on record", accepted).await;
            node = killed(node, folder.path());
            let audit = get(&node, "/v1/audit").await;
            assert_eq!(row(&audit, "subscriptions", "s")["completed"], 0, "{audit}");
        }
        let answered = Client::new(&node.url()).send("POST", &path, &[], "".into(), PATIENCE).await.unwrap();
        assert_eq!(answered.status, 204);
        if id == "second" {
            // What was said is not said again, whatever became of it by now.
            node = killed(node, folder.path());
        }
        completed(&node, calls as u64).await;
        let again = Client::new(&node.url()).send("POST", &path, &[], "".into(), PATIENCE).await.unwrap();
        assert_eq!(again.status, 404);
    }
    assert_eq!(handler.seen().len(), 2, "neither was called for twice");
    assert_eq!(get(&node, "/v1/audit").await["ok"], true);
}

fn killed(node: Up, folder: &Path) -> Up {
    drop(node);
    up(folder)
}
