//! Subscriptions made, changed, drained and removed while the node runs.

use serde_json::{Value, json};

use crate::binary::{err, evenkeel, out, up};
use crate::support::{Handler, Started, row, start, until};

const ORDERS: &str = "topics: { orders: { partitions: 2 }, other: {} }\n";

fn event(n: usize) -> Value {
    json!({ "specversion": "1.0", "id": format!("e{n}"), "source": "/shop", "type": "T", "partitionkey": format!("k{}", n % 5), "data": n })
}

async fn publish(node: &Started, topic: &str, range: std::ops::Range<usize>) {
    for n in range {
        node.publish(topic, event(n)).await;
    }
}

async fn put(node: &Started, name: &str, body: Value) -> Result<Value, String> {
    let path = format!("/v1/subscriptions/{name}");
    node.client.json("PUT", &path, Some(body)).await.map_err(|e| format!("{e}"))
}

fn to(handler: &Handler, more: Value) -> Value {
    let mut body = json!({ "topic": "orders", "handler": { "http": { "url": handler.url } } });
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    body
}

async fn handled(handler: &Handler, count: usize) {
    until(&format!("{count} events"), || async { (handler.seen().len() >= count).then_some(()) }).await;
}

fn ids(handler: &Handler) -> Vec<String> {
    let mut ids: Vec<String> = handler.seen().iter().map(|s| s.header("ce-id")).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_subscription_made_at_run_time_begins_where_it_is_told_and_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), ORDERS).await;
    publish(&node, "orders", 0..10).await;
    let (all, new) = (Handler::start(|_| 200).await, Handler::start(|_| 200).await);
    let some = Handler::start(|_| 200).await;
    put(&node, "all", to(&all, json!({ "from": "earliest" }))).await.unwrap();
    put(&node, "new", to(&new, json!({ "from": "latest" }))).await.unwrap();
    put(&node, "some", to(&some, json!({ "from": { "0": 1, "1": 2 } }))).await.unwrap();
    handled(&all, 10).await;
    handled(&some, 7).await;
    assert_eq!(new.seen().len(), 0, "nothing that was there before");
    node.node.shutdown().await;
    let node = start(folder.path(), ORDERS).await;
    publish(&node, "orders", 10..15).await;
    handled(&all, 15).await;
    handled(&new, 5).await;
    handled(&some, 12).await;
    assert_eq!(ids(&new), ["e10", "e11", "e12", "e13", "e14"]);
    let audit = node.get("/v1/audit").await;
    assert_eq!(audit["ok"], true, "{audit}");
    let shown = row(&node.get("/v1/subscriptions").await, "subscriptions", "all");
    assert_eq!((shown["declared"].as_bool(), shown["written"]["order"].as_str()), (Some(false), Some("key")));
    node.node.shutdown().await;
}

#[tokio::test]
async fn what_is_wrong_or_declared_is_refused_with_field_value_and_fix() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let declared = format!(
        "{ORDERS}subscriptions: {{ kept: {{ topic: other, handler: {{ http: {{ url: \"{}\" }} }} }} }}\n",
        handler.url
    );
    let node = start(folder.path(), &declared).await;
    for (name, body, said) in [
        ("kept", to(&handler, json!({})), "error[subscription-declared]"),
        ("a.b", to(&handler, json!({})), "a subscription's name is"),
        ("s", to(&handler, json!({ "topic": "ordres" })), "did you mean `orders`?"),
        ("s", to(&handler, json!({ "ordr": "key" })), "did you mean `subscriptions.s.order`?"),
        ("s", to(&handler, json!({ "from": "sometimes" })), "`subscriptions.s.from`: `sometimes` is none of"),
        ("s", to(&handler, json!({ "from": 7 })), "partition 0 holds the offsets from 0 to 0, not 7"),
        ("s", to(&handler, json!({ "from": { "9": 0 } })), "topic `orders` has no partition 9 (it has 2)"),
        ("s", to(&handler, json!({ "uid": "kept" })), "`kept` is that of `kept`"),
        ("s", json!({ "topic": "orders" }), "`subscriptions.s.handler`: is missing"),
        (
            "s",
            json!({ "topic": "orders", "handler": { "http": { "url": "http://169.254.169.254/" } } }),
            "error[config-url]",
        ),
    ] {
        let refused = put(&node, name, body).await.expect_err(said);
        assert!(refused.contains(said), "{name}: {refused}");
    }
    let refused = node.client.json("DELETE", "/v1/subscriptions/kept", None).await.unwrap_err();
    assert_eq!(refused.code, "subscription-declared");
    let unknown = node.client.json("DELETE", "/v1/subscriptions/nobody", None).await.unwrap_err();
    assert_eq!(unknown.code, "unknown-subscription");
    node.node.shutdown().await;
}

#[tokio::test]
async fn a_change_goes_on_where_it_was_and_a_removal_lets_retention_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), ORDERS).await;
    let (first, second) = (Handler::start(|_| 200).await, Handler::start(|_| 200).await);
    put(&node, "mail", to(&first, json!({ "from": "earliest" }))).await.unwrap();
    publish(&node, "orders", 0..6).await;
    handled(&first, 6).await;
    put(&node, "mail", to(&second, json!({ "from": "earliest" }))).await.unwrap();
    publish(&node, "orders", 6..9).await;
    handled(&second, 3).await;
    assert_eq!((ids(&first).len(), ids(&second)), (6, vec!["e6".into(), "e7".into(), "e8".into()]));
    let moved = put(&node, "mail", to(&second, json!({ "topic": "other" }))).await.unwrap_err();
    assert!(moved.contains("`subscriptions.mail.topic`: it is `orders`, and cannot become `other`"), "{moved}");
    put(&node, "ashes", to(&first, json!({ "topic": "mail.dead" }))).await.unwrap();
    let used = node.client.json("DELETE", "/v1/subscriptions/mail", None).await.unwrap_err();
    assert_eq!(used.code, "subscription-in-use");
    node.client.json("DELETE", "/v1/subscriptions/ashes", None).await.unwrap();
    node.client.json("DELETE", "/v1/subscriptions/mail", None).await.unwrap();
    publish(&node, "orders", 9..12).await;
    let cut = node.client.json("POST", "/v1/topics/orders/delete-records", Some(json!({ "before": "latest" }))).await;
    assert!(cut.is_ok(), "nobody owes anything: {cut:?}");
    publish(&node, "orders", 12..13).await;
    put(&node, "mail", to(&second, json!({ "from": "earliest" }))).await.unwrap();
    handled(&second, 4).await;
    assert_eq!(ids(&second)[0], "e12", "what was there while it was gone is not called for");
    let audited = until("it adds up", || async {
        let audited = node.audited("mail").await;
        (audited["completed"] == 10 && audited["expired"] == 3).then_some(audited)
    });
    assert_eq!(audited.await["unread"], 0);
    node.node.shutdown().await;
}

#[tokio::test]
async fn partitions_that_are_added_are_read_from_their_first_event_on() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "").await;
    let path = "/v1/topics/grows";
    node.client.json("PUT", path, Some(json!({ "partitions": 1 }))).await.unwrap();
    publish(&node, "grows", 0..5).await;
    let handler = Handler::start(|_| 200).await;
    put(&node, "late", to(&handler, json!({ "topic": "grows", "from": "latest" }))).await.unwrap();
    node.client.json("PUT", path, Some(json!({ "partitions": 8 }))).await.unwrap();
    publish(&node, "grows", 5..30).await;
    handled(&handler, 25).await;
    node.node.shutdown().await;
    let node = start(folder.path(), "").await;
    publish(&node, "grows", 30..40).await;
    handled(&handler, 35).await;
    let audit = node.get("/v1/audit").await;
    assert_eq!(audit["ok"], true, "{audit}");
    node.node.shutdown().await;
}

#[tokio::test]
async fn a_drained_subscription_rests_and_goes_on_where_it_was_when_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), ORDERS).await;
    let handler = Handler::start(|_| 200).await;
    put(&node, "mail", to(&handler, json!({ "from": "earliest" }))).await.unwrap();
    publish(&node, "orders", 0..4).await;
    handled(&handler, 4).await;
    let drained = node.client.json("POST", "/v1/subscriptions/mail/drain?grace=2s", None).await.unwrap();
    assert_eq!((drained["state"].as_str(), drained["unfinished"].as_u64()), (Some("drained"), Some(0)), "{drained}");
    publish(&node, "orders", 4..8).await;
    let audit = node.get("/v1/audit").await;
    assert_eq!((audit["ok"].as_bool(), row(&audit, "subscriptions", "mail")["unread"].as_u64()), (Some(true), Some(4)));
    let resumed = node.client.json("POST", "/v1/subscriptions/mail/resume", None).await.unwrap();
    assert_eq!(resumed["state"], "running");
    handled(&handler, 8).await;
    assert_eq!(handler.seen().len(), 8, "nothing twice");
    let wrong = node.client.json("POST", "/v1/subscriptions/mail/drain?grace=long", None).await.unwrap_err();
    assert!(wrong.message.contains("`grace`"), "{wrong}");
    node.node.shutdown().await;
}

const DECLARED: &str = "topics: { orders: { partitions: 2 } }\nsubscriptions:\n  first: { topic: orders, from: earliest, handler: { http: { url: \"URL\" } } }\n  second: { topic: orders, from: earliest, handler: { http: { url: \"URL\" } } }\n";

async fn apply(node: &Started, folder: &std::path::Path, text: &str, how: Value) -> Result<Vec<String>, String> {
    let mut body = json!({ "text": text, "folder": folder });
    body.as_object_mut().unwrap().extend(how.as_object().cloned().unwrap_or_default());
    let answer = node.client.json("POST", "/v1/apply", Some(body)).await.map_err(|e| format!("{e}"))?;
    let line = |c: &Value| [&c["what"], &c["kind"], &c["name"]].map(|v| v.as_str().unwrap().to_owned()).join(" ");
    Ok(answer["changes"].as_array().unwrap().iter().map(line).collect())
}

#[tokio::test]
async fn a_changed_file_is_taken_in_and_what_it_does_not_name_never_notices() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Handler::start(|_| 200).await, Handler::start(|_| 200).await);
    let before = DECLARED.replace("URL", &old.url);
    let node = start(folder.path(), &before).await;
    publish(&node, "orders", 0..5).await;
    handled(&old, 10).await;
    let after = before.replacen(&old.url, &new.url, 1).replace("orders: {", "returns: {}, orders: {");
    let after = format!("{after}  third: {{ topic: returns, handler: {{ http: {{ url: \"{}\" }} }} }}\n", new.url);
    let shown = ["make topic returns", "change subscription first", "make subscription third"];
    let dry = apply(&node, folder.path(), &after, json!({ "dry_run": true })).await.unwrap();
    assert_eq!(dry, shown);
    assert_eq!(apply(&node, folder.path(), &after, json!({})).await.unwrap(), shown, "the dry run did nothing");
    assert_eq!(apply(&node, folder.path(), &after, json!({})).await.unwrap(), Vec::<String>::new());
    publish(&node, "orders", 5..8).await;
    publish(&node, "returns", 0..2).await;
    handled(&new, 5).await;
    handled(&old, 13).await;
    let refused = put(&node, "third", to(&new, json!({}))).await.unwrap_err();
    assert!(refused.contains("error[subscription-declared]"), "{refused}");
    let wrong = apply(&node, folder.path(), &after.replace("topic: returns", "topic: retruns"), json!({})).await;
    assert!(wrong.as_ref().is_err_and(|e| e.contains("did you mean `returns`?")), "{wrong:?}");
    node.node.shutdown().await;
    let node = start(folder.path(), &after).await;
    assert_eq!(node.get("/v1/audit").await["ok"], true);
    node.node.shutdown().await;
}

#[tokio::test]
async fn what_leaves_the_file_is_kept_over_restarts_until_it_is_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let before = DECLARED.replace("URL", &handler.url);
    let after = before.split("  second").next().unwrap().to_owned();
    let node = start(folder.path(), &before).await;
    put(&node, "made", to(&handler, json!({}))).await.unwrap();
    let kept = apply(&node, folder.path(), &after, json!({})).await.unwrap();
    assert_eq!(kept, ["keep subscription second"]);
    node.node.shutdown().await;
    let node = start(folder.path(), &after).await;
    publish(&node, "orders", 0..3).await;
    handled(&handler, 9).await;
    let pruned = apply(&node, folder.path(), &after, json!({ "prune": true })).await.unwrap();
    assert_eq!(pruned, ["remove subscription second"], "and not what a request made");
    publish(&node, "orders", 3..5).await;
    handled(&handler, 13).await;
    let names = |answer: Value| -> Vec<String> {
        answer["subscriptions"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(node.get("/v1/subscriptions").await), ["first", "made"]);
    node.node.shutdown().await;
}

#[tokio::test]
async fn a_file_is_applied_from_the_command_line_and_by_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("evenkeel.yaml"), text).unwrap();
    let sub = "subscriptions: { mail: { topic: orders, handler: { http: { url: \"http://127.0.0.1:9/\" } } } }\n";
    write(&format!("{ORDERS}{sub}"));
    let node = up(folder.path());
    let url = node.url();
    let run = |words: &[&str]| evenkeel(folder.path(), &[words, &["--node", &url]].concat());
    write(&format!(
        "topics: {{ orders: {{ partitions: 2 }}, returns: {{}} }}\n{}",
        sub.replace("handler", "order: none, handler")
    ));
    let dry = run(&["apply", "--dry-run"]);
    let applied = run(&["apply"]);
    let shown = "+ topic returns\n= topic other left the file and stays, with its events; `evenkeel topics delete other` deletes it\n~ subscription mail: order key → none\n";
    assert_eq!((out(&dry).as_str(), out(&applied).as_str()), (shown, shown), "{}", err(&applied));
    assert_eq!(out(&run(&["apply"])), "nothing differs\n");
    write("topics: { orders: { partitions: many } }");
    let wrong = run(&["apply"]);
    assert!(wrong.status.code() == Some(3) && err(&wrong).contains("topics.orders.partitions"), "{}", err(&wrong));
    node.hang_up();
    write(&format!("topics: {{ orders: {{ partitions: 2 }}, returns: {{}}, late: {{}} }}\n{sub}"));
    node.hang_up();
    until("the topic is there", || async { run(&["topics", "show", "late"]).status.success().then_some(()) }).await;
    until("the subscription is as it was", || async {
        out(&run(&["subscriptions", "show", "mail", "--output", "json"])).contains("\"order\": \"key\"").then_some(())
    })
    .await;
}
