//! The verbs of an operator, through the binary against a node: dead letters, dependencies, why,
//! replay, drain, apply --prune. What the API answers is tested elsewhere; here it is what the
//! command makes of it: words, exit codes, JSON.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::binary::{err, evenkeel, out};
use crate::support::{Handler, PATIENCE, Seen, Started, start, until};

/// One verb, which must do what it is told.
fn done(node: &Started, words: &[&str]) -> String {
    let output = ran(node, words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", err(&output));
    out(&output)
}

/// As `done`, with JSON.
fn told(node: &Started, words: &[&str]) -> Value {
    let text = done(node, &[words, &["--output", "json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{words:?}: {e}: {text}"))
}

/// One verb, which must be refused: what it says.
fn refused(node: &Started, words: &[&str], code: i32) -> String {
    let output = ran(node, words);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}{}", out(&output), err(&output));
    assert_eq!(out(&output), "", "what went wrong is told on stderr");
    err(&output)
}

fn ran(node: &Started, words: &[&str]) -> Output {
    let url = format!("http://{}", node.node.http);
    evenkeel(Path::new("."), &[words, &["--node", &url]].concat())
}

fn event(id: &str, key: &str) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T", "partitionkey": key, "data": id })
}

async fn completed(node: &Started, name: &str, count: u64) {
    until("all completed", || async { (node.audited(name).await["completed"] == count).then_some(()) }).await;
}

/// The number of dead letters that the page shows for a subscription, as its reader sees it.
async fn dead_on_the_page(node: &Started, name: &str) -> String {
    let page = node.client.send("GET", "/", &[], "".into(), PATIENCE).await.unwrap();
    let page = String::from_utf8_lossy(&page.body).into_owned();
    let link = format!("<a href=\"/v1/subscriptions/{name}/dead\">");
    let (_, rest) = page.split_once(&link).unwrap_or_else(|| panic!("no {link} in {page}"));
    let (inside, _) = rest.split_once("</a>").unwrap();
    inside.split('<').map(|part| part.rsplit('>').next().unwrap_or_default()).collect()
}

const TOPIC: &str = "topics: { orders: { partitions: 2 } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_shown_grouped_exported_dropped_and_redriven_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let mended = Arc::new(AtomicBool::new(false));
    let seen = mended.clone();
    let handler = Handler::start(move |call: &Seen| {
        let refused = call.header("ce-id").starts_with('x') && !seen.load(Ordering::SeqCst);
        if refused { 422 } else { 200 }
    })
    .await;
    let yaml = format!(
        "{TOPIC}subscriptions: {{ s: {{ topic: orders, handler: {{ http: {{ url: \"{}\" }} }} }} }}",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    for n in 0..6 {
        node.publish("orders", event(&format!("x{n}"), &format!("k{n}"))).await;
    }
    until("all dead", || async { (node.audited("s").await["dead"] == 6).then_some(()) }).await;

    assert_eq!(dead_on_the_page(&node, "s").await, "6");
    let list = done(&node, &["dead", "list", "s"]);
    assert!(list.starts_with("OFFSET") && (0..6).all(|n| list.contains(&format!("x{n}"))), "{list}");
    assert_eq!(told(&node, &["dead", "list", "s", "--id", "x3"])["items"].as_array().unwrap().len(), 1);
    let page = told(&node, &["dead", "list", "s", "--limit", "4"]);
    let rest = told(&node, &["dead", "list", "s", "--from", &page["next"].to_string()]);
    assert_eq!((page["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (4, 2));
    let shown = told(&node, &["dead", "show", "s", "x4"]);
    assert_eq!((&shown["id"], &shown["reason"]), (&json!("x4"), &json!("rejected")), "{shown}");
    let groups = done(&node, &["dead", "groups", "s"]);
    assert!(groups.starts_with("LETTERS") && groups.contains("rejected"), "{groups}");
    let exported = done(&node, &["dead", "export", "s", "--key", "k1"]);
    let exported: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((exported.len(), &exported[0]["event"]["data"]), (1, &json!("x1")), "{exported:?}");

    assert!(refused(&node, &["dead", "list", "s", "--since", "yesterday"], 1).contains("since"));
    assert!(refused(&node, &["dead", "show", "s", "nobody"], 1).contains("error["));
    assert!(refused(&node, &["dead", "drop", "s", "--all"], 2).contains("--because"));
    assert!(refused(&node, &["dead", "drop", "s", "--because", "x"], 1).contains("filter"));
    let dropped = done(&node, &["dead", "drop", "s", "--id", "x0", "--because", "a test order"]);
    assert_eq!(dropped, "1 letters dropped\n");

    mended.store(true, Ordering::SeqCst);
    let planned = done(&node, &["dead", "redrive", "s", "--dry-run", "--canary", "2"]);
    assert!(
        planned.starts_with("5 events would be taken up (5 letters; 1 more are dealt with already), 2 of them first")
    );
    let job = told(&node, &["dead", "redrive", "s", "--because", "mended", "--canary", "2", "--rate", "500/s"]);
    let id = job["id"].as_str().unwrap();
    until("the job is done", || async {
        (told(&node, &["dead", "redrives", "show", "s", id])["state"] == "done").then_some(())
    })
    .await;
    let jobs = done(&node, &["dead", "redrives", "list", "s"]);
    assert!(jobs.contains(id) && jobs.contains("mended"), "{jobs}");
    assert!(refused(&node, &["dead", "redrives", "cancel", "s", id], 1).contains("is over"));
    assert_eq!(told(&node, &["dead", "list", "s"])["items"], json!([]), "none is open");
    assert_eq!(dead_on_the_page(&node, "s").await, "0", "what a redrive closed is no dead letter any more");
    assert_eq!(told(&node, &["dead", "list", "s", "--state", "closed"])["items"].as_array().unwrap().len(), 6);
    let audit = told(&node, &["audit"]);
    assert_eq!((&audit["ok"], &audit["subscriptions"][0]["dead"]), (&json!(true), &json!(1)), "{audit}");
    node.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn breakers_are_shown_opened_closed_and_left_to_themselves_by_command_and_why_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let yaml = format!(
        "{TOPIC}subscriptions: {{ s: {{ topic: orders, handler: {{ http: {{ url: \"{}\" }} }}, depends_on: [ bank ] }} }}\ndependencies: {{ bank: {{}} }}",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    let list = done(&node, &["dependencies"]);
    assert!(list.starts_with("DEPENDENCY") && list.contains("bank") && list.contains("closed"), "{list}");
    assert!(refused(&node, &["dependencies", "open", "bank"], 2).contains("--reason"));
    assert!(refused(&node, &["dependencies", "open", "--reason", "x"], 2).contains("NAME"));
    assert!(refused(&node, &["dependencies", "open", "bnak", "--reason", "x"], 1).contains("did you mean `bank`?"));
    done(&node, &["dependencies", "open", "bank", "--reason", "they move house"]);
    let shown = done(&node, &["dependencies", "show", "bank"]);
    assert!(shown.contains("open") && shown.contains("they move house"), "{shown}");
    node.publish("orders", event("a", "k")).await;
    until("why names the breaker", || async {
        let why = done(&node, &["why", "a"]);
        (why.starts_with("s:") && why.contains("an operator opened it (they move house)")).then_some(())
    })
    .await;
    assert!(handler.seen().is_empty(), "nothing is called");
    done(&node, &["dependencies", "close", "bank", "--reason", "they are back"]);
    completed(&node, "s", 1).await;
    assert!(told(&node, &["dependencies", "auto", "bank"])["forced"].is_null());

    done(&node, &["dependencies", "open", "--subscription", "s", "--reason", "ours moves"]);
    node.publish("orders", event("b", "k")).await;
    until("why names the handler's breaker", || async {
        let why = done(&node, &["why", "b"]);
        (why.starts_with("s:") && why.contains("ours moves")).then_some(())
    })
    .await;
    assert_eq!(node.audited("s").await["completed"], 1);
    done(&node, &["dependencies", "auto", "--subscription", "s"]);
    completed(&node, "s", 2).await;
    let why = done(&node, &["why", "b"]);
    assert!(why.contains("completed") && !why.contains("breaker"), "nothing holds it up any more: {why}");
    node.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_a_drain_and_a_pruned_file_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|seen: &Seen| {
        let wrong = seen.header("ce-id") == "e2" && seen.header("evenkeel-shadow") == "true";
        if wrong { 422 } else { 200 }
    })
    .await;
    let sub =
        |name: &str| format!("  {name}: {{ topic: orders, handler: {{ http: {{ url: \"{}\" }} }} }}\n", handler.url);
    let (one, two) = (sub("one"), sub("two"));
    let node = start(folder.path(), &format!("{TOPIC}subscriptions:\n{one}{two}")).await;
    for n in 0..4 {
        node.publish("orders", event(&format!("e{n}"), "k")).await;
    }
    completed(&node, "one", 4).await;
    completed(&node, "two", 4).await;
    let replayed = done(&node, &["replay", "one", "--from", "earliest", "--shadow"]);
    assert!(replayed.contains(": done") && replayed.contains("WAS") && replayed.contains("e2"), "{replayed}");
    let job = told(&node, &["replay", "one", "--from", "0", "--to", "2"]);
    assert_eq!((&job["state"], &job["different"]), (&json!("done"), &json!(0)), "{job}");
    assert!(refused(&node, &["replay", "one", "--from", "sometime"], 1).contains("from"));
    assert!(refused(&node, &["replay", "nobody", "--from", "earliest"], 1).contains("unknown-subscription"));

    let drained = told(&node, &["subscriptions", "drain", "two", "--grace", "1s"]);
    assert_eq!(drained["state"], "drained", "{drained}");
    node.publish("orders", event("e4", "k")).await;
    completed(&node, "one", 5).await;
    assert_eq!(node.audited("two").await["unread"], 1, "it rests");
    done(&node, &["subscriptions", "resume", "two"]);
    completed(&node, "two", 5).await;

    let file = folder.path().join("evenkeel.yaml");
    std::fs::write(&file, format!("{TOPIC}subscriptions:\n{one}")).unwrap();
    let file = file.to_str().unwrap();
    let kept = done(&node, &["apply", file]);
    assert!(kept.contains("two") && done(&node, &["subscriptions"]).contains("two"), "{kept}");
    assert_eq!(done(&node, &["apply", "--prune", "--dry-run", file]), "- subscription two\n");
    assert_eq!(done(&node, &["apply", "--prune", file]), "- subscription two\n");
    assert!(!done(&node, &["subscriptions"]).contains("two"));
    assert_eq!(done(&node, &["apply", "--prune", file]), "nothing differs\n");
    node.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_keys_are_listed_explained_released_and_skipped_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let mended = Arc::new(AtomicBool::new(false));
    let seen = mended.clone();
    let handler = Handler::start(move |call: &Seen| {
        let fails = call.header("ce-id").starts_with("bad") && !seen.load(Ordering::SeqCst);
        if fails { 500 } else { 200 }
    })
    .await;
    let yaml = format!(
        "{TOPIC}subscriptions:
  s:
    topic: orders
    handler: {{ http: {{ url: \"{}\" }} }}
    retry: {{ attempts: 1, initial: 1ms }}
    when_exhausted: park_key
",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    for (id, key) in [("bad-a", "a"), ("behind", "a"), ("bad-b", "b")] {
        node.publish("orders", event(id, key)).await;
    }
    // Others that succeed are the witnesses that these two are at fault.
    let mut witnesses = 0;
    while told(&node, &["parked", "list", "s"])["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|i| i["attempts"] == 1)
        .count()
        < 2
    {
        witnesses += 1;
        assert!(witnesses < 500, "{}", done(&node, &["parked", "list", "s"]));
        node.publish("orders", event(&format!("w{witnesses}"), &format!("w{witnesses}"))).await;
    }
    let list = done(&node, &["parked", "list", "s"]);
    assert!(list.starts_with("KEY") && list.lines().count() == 3, "{list}");
    let items = told(&node, &["parked", "list", "s"]);
    let of_a = items["items"].as_array().unwrap().iter().find(|i| i["key"] == "a").unwrap().clone();
    assert_eq!(of_a["behind"], 1, "{of_a}");
    let why = done(&node, &["why", "behind"]);
    assert!(why.starts_with("s:") && why.contains("waits behind it"), "{why}");
    assert!(refused(&node, &["parked", "list", "nobody"], 1).contains("unknown-subscription"));
    assert!(refused(&node, &["parked", "skip", "s"], 2).contains("--key"));

    done(&node, &["parked", "skip", "s", "--key", "b"]);
    until("the skipped one is dead", || async { (node.audited("s").await["dead"] == 1).then_some(()) }).await;
    assert_eq!(told(&node, &["dead", "list", "s"])["items"][0]["reason"], "operator");
    done(&node, &["subscriptions", "pause", "s"]);
    mended.store(true, Ordering::SeqCst);
    done(&node, &["parked", "release", "s", "--key", "a"]);
    until("it is paused", || async {
        (told(&node, &["subscriptions", "show", "s"])["state"] == "paused").then_some(())
    })
    .await;
    done(&node, &["subscriptions", "resume", "s"]);
    completed(&node, "s", witnesses + 2).await;
    assert_eq!(told(&node, &["parked", "list", "s"])["events"], 0);
    node.node.shutdown().await;
}
