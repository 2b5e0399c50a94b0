//! Dead letters through the API: grouped, dropped, and redriven over restarts until the books add up.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{Handler, Seen, Started, start, until};

const DEAD: u64 = 30;

/// Refuses events whose id begins with `x` until it is mended.
async fn handler() -> (Arc<AtomicBool>, Handler) {
    let mended = Arc::new(AtomicBool::new(false));
    let seen = mended.clone();
    let handler = Handler::start(move |call: &Seen| {
        let refused = call.header("ce-id").starts_with('x') && !seen.load(Ordering::SeqCst);
        if refused { 422 } else { 200 }
    });
    (mended, handler.await)
}

async fn node(folder: &Path, handler: &Handler, other: &Handler) -> Started {
    let (url, other) = (&handler.url, &other.url);
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 2 }} }}
subscriptions:
  s: {{ topic: orders, handler: {{ http: {{ url: \"{url}\" }} }} }}
  other: {{ topic: orders, handler: {{ http: {{ url: \"{other}\" }} }} }}
"
    );
    start(folder, &yaml).await
}

async fn publish_dead(node: &Started) {
    for n in 0..DEAD {
        let event = json!({
            "specversion": "1.0", "id": format!("x{n}"), "source": "/s", "type": if n % 3 == 0 { "Rare" } else { "T" },
            "partitionkey": format!("k{}", n % 5), "data": n,
        });
        node.publish("orders", event).await;
    }
    until("all dead", || async { (node.audited("s").await["dead"] == DEAD).then_some(()) }).await;
}

async fn redrive(node: &Started, body: Value) -> Result<Value, evenkeel_node::error::Error> {
    node.client.json("POST", "/v1/subscriptions/s/redrives", Some(body)).await
}

async fn job(node: &Started, id: &Value) -> Value {
    node.get(&format!("/v1/subscriptions/s/redrives/{}", id.as_str().unwrap())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_redriven_over_a_restart_and_the_books_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let ((mended, handler), other) = (handler().await, Handler::start(|_| 200).await);
    let first = node(folder.path(), &handler, &other).await;
    publish_dead(&first).await;
    let planned = redrive(&first, json!({ "dry_run": true, "filter": { "type": "T" }, "rate": "10/s" })).await.unwrap();
    assert_eq!((&planned["events"], &planned["takes_at_least_s"]), (&json!(20), &json!(2.0)), "{planned}");
    assert_eq!(first.get("/v1/subscriptions/s/redrives").await["redrives"], json!([]), "a dry run starts nothing");

    mended.store(true, Ordering::SeqCst);
    let started = redrive(&first, json!({ "canary": 2, "rate": "20/s", "reason": "mended" })).await.unwrap();
    let again = redrive(&first, json!({})).await.unwrap_err();
    assert_eq!(again.code, "redrive-under-way");
    until("some are taken", || async { (job(&first, &started["id"]).await["taken"].as_u64()? >= 5).then_some(()) })
        .await;
    first.node.shutdown().await;

    let second = node(folder.path(), &handler, &other).await;
    let done = until("the job is done", || async {
        let job = job(&second, &started["id"]).await;
        (job["state"] == "done").then_some(job)
    });
    let done = done.await;
    assert_eq!((&done["taken"], &done["completed"], &done["reason"]), (&json!(DEAD), &json!(DEAD), &json!("mended")));
    let audit = second.audited("s").await;
    assert_eq!((&audit["completed"], &audit["dead"]), (&json!(DEAD), &json!(0)), "{audit}");
    assert_eq!(second.get("/v1/audit").await["ok"], true, "{audit}");
    assert_eq!(second.get("/v1/subscriptions/s/dead").await["items"], json!([]), "no letter is open");
    assert_eq!(second.get("/v1/subscriptions/s/dead?state=closed").await["items"].as_array().unwrap().len(), 30);
    let story = second.get("/v1/events/x7").await;
    let of = story["subscriptions"].as_array().unwrap().iter().find(|s| s["name"] == "s").unwrap().clone();
    assert_eq!((&of["outcome"], &of["redriven"][0]["job"]), (&json!("completed"), &started["id"]), "{of}");

    assert_eq!(other.seen().len() as u64, DEAD, "only the subscription that failed is reached");
    let mut keys: HashMap<String, Vec<String>> = HashMap::new();
    for call in handler.seen() {
        keys.entry(call.header("ce-id")).or_default().push(call.header("idempotency-key"));
    }
    assert!(keys.values().all(|keys| keys.len() >= 2 && keys.iter().all(|key| *key == keys[0])), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_grouped_chosen_and_dropped_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let ((mended, handler), other) = (handler().await, Handler::start(|_| 200).await);
    let node = node(folder.path(), &handler, &other).await;
    publish_dead(&node).await;
    let groups = node.get("/v1/subscriptions/s/dead/groups").await;
    assert_eq!((&groups["letters"], &groups["groups"][0]["keys"]), (&json!(DEAD), &json!(5)), "{groups}");
    let drop = |body: Value| node.client.json("POST", "/v1/subscriptions/s/dead/drop", Some(body));
    assert_eq!(drop(json!({ "reason": "x" })).await.unwrap_err().code, "invalid-parameter");
    assert_eq!(drop(json!({ "all": true })).await.unwrap_err().code, "invalid-parameter");
    let dropped = drop(json!({ "filter": { "type": "Rare" }, "reason": "test orders" })).await.unwrap();
    assert_eq!(dropped["dropped"], 10);
    let page = node.client.send("GET", "/", &[], "".into(), crate::support::PATIENCE).await.unwrap();
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(
        page.contains("/v1/subscriptions/s/dead\"><span class=\"n\" data-n title=\"20\">"),
        "what was dropped is dealt with"
    );
    mended.store(true, Ordering::SeqCst);
    let started = redrive(&node, json!({ "canary": 0 })).await.unwrap();
    assert_eq!(started["selected"], 20);
    until("done", || async { (job(&node, &started["id"]).await["state"] == "done").then_some(()) }).await;
    let audit = node.audited("s").await;
    assert_eq!((&audit["completed"], &audit["dead"]), (&json!(20), &json!(10)), "what was dropped stays dead");
    assert_eq!(node.get("/v1/audit").await["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_that_cannot_be_granted_says_which_field_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let ((_, handler), other) = (handler().await, Handler::start(|_| 200).await);
    let node = node(folder.path(), &handler, &other).await;
    for (body, said) in [
        (json!({ "filter": { "colour": "red" } }), "`colour` is not one of"),
        (json!({ "filter": { "reson": "x" } }), "did you mean `reason`?"),
        (json!({ "filter": { "since": "noon" } }), "must be a time"),
        (json!({ "rate": "fast" }), "`rate`"),
        (json!({ "stop": { "share": 2 } }), "`stop.share` must lie between 0 and 1"),
        (json!({ "at_once": 0 }), "`at_once` must be at least 1"),
        (json!({ "cannary": 1 }), "unknown field `cannary`"),
    ] {
        let error = redrive(&node, body.clone()).await.unwrap_err();
        assert!(error.message.contains(said), "{body}: {}", error.message);
    }
    let unknown = node.client.json("DELETE", "/v1/subscriptions/s/redrives/r1", None).await.unwrap_err();
    assert_eq!(unknown.code, "unknown-redrive");
    let unknown = node.client.json("GET", "/v1/subscriptions/s/dead?colour=red", None).await.unwrap_err();
    assert_eq!(unknown.code, "invalid-parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_tells_what_holds_a_key_up_and_what_waits_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let refusing = Handler::start(|call: &Seen| if call.header("ce-id") == "a" { 500 } else { 200 }).await;
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions:
  s: {{ topic: orders, handler: {{ http: {{ url: \"{}\" }} }}, retry: {{ initial: 1h, max: 1h, age: 7d }} }}
",
        refusing.url
    );
    let node = start(folder.path(), &yaml).await;
    for id in ["a", "b", "c"] {
        let event = json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T", "partitionkey": "k" });
        node.publish("orders", event).await;
    }
    let key = until("the key is parked", || async {
        let why = node.get("/v1/why?key=k").await;
        (why["subscriptions"][0]["first"]["state"] == "waiting").then_some(why)
    });
    let of = key.await["subscriptions"][0].clone();
    assert_eq!((&of["name"], &of["behind"], &of["first"]["offset"]), (&json!("s"), &json!(2), &json!(0)), "{of}");
    assert!(of["says"][0].as_str().unwrap().starts_with("orders/0@0 waits for its next try at "), "{of}");
    let event = node.get("/v1/subscriptions/s/why?id=c").await["subscriptions"][0].clone();
    assert_eq!((&event["ahead"], &event["event"]["state"]), (&json!(2), &json!("queued")), "{event}");
    assert_eq!(node.get("/v1/why?what=nobody").await["subscriptions"], json!([]));
    let empty = node.client.json("GET", "/v1/why", None).await.unwrap_err();
    assert_eq!(empty.code, "invalid-parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_bad_deploy_rewind_takes_up_what_that_version_killed_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let (mended, handler) = handler().await;
    let yaml = format!(
        "topics: {{ orders: {{ partitions: 2 }} }}
subscriptions:
  s: {{ topic: orders, handler: {{ http: {{ url: \"{}\" }}, version: v2 }}, dead_letter_budget: {{ run: 10 }} }}
",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    for n in 0..DEAD {
        let event = json!({ "specversion": "1.0", "id": format!("x{n}"), "source": "/s", "type": "T" });
        node.publish("orders", event).await;
    }
    until("it pauses", || async { (node.get("/v1/subscriptions/s").await["state"] == "paused").then_some(()) }).await;
    let incident = until("an incident is open", || async {
        let found = node.get("/v1/incidents").await["incidents"][0].clone();
        (found["state"] == "open").then_some(found)
    });
    let incident = incident.await;
    assert_eq!((&incident["subscription"], &incident["severity"]), (&json!("s"), &json!("page")), "{incident}");
    let told = incident["timeline"].to_string();
    for said in ["10 events in a row died at handler version `v2`", "evenkeel dead rewind s"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    let firing = node.get("/v1/alerts").await.to_string();
    assert!(firing.contains("s.dead-letter-budget"), "{firing}");
    let rewind = |body: Value| node.client.json("POST", "/v1/subscriptions/s/rewind", Some(body));
    assert_eq!(rewind(json!({ "handler_version": "v9" })).await.unwrap_err().code, "unknown-event");
    assert_eq!(rewind(json!({ "pace": 1 })).await.unwrap_err().code, "invalid-parameter");
    mended.store(true, Ordering::SeqCst);
    let started = rewind(json!({ "canary": 1 })).await.unwrap();
    assert_eq!((&started["handler_version"], &started["filter"]), (&json!("v2"), &json!("version=v2")), "{started}");
    until("all is done", || async { (node.audited("s").await["completed"] == DEAD).then_some(()) }).await;
    assert_eq!(node.get("/v1/audit").await["ok"], true);
    assert_eq!(node.get("/v1/subscriptions/s").await["state"], "running");
    let over = || async { (node.get("/v1/incidents").await["incidents"][0]["state"] == "resolved").then_some(()) };
    until("the incident is over", over).await;
    assert_eq!(node.get("/v1/incidents").await["incidents"].as_array().unwrap().len(), 1, "there was one");
}
