//! A node over a real Kafka, as its user meets it: the command line, and ends that must be honest.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod support;
#[path = "kafka/shop.rs"]
#[allow(dead_code, reason = "the other test uses the rest")]
mod shop;
#[path = "kafka/forwarding.rs"]
mod forwarding;
#[path = "kafka/tailing.rs"]
mod tailing;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use evenkeel_delivery::ports::Sink;
use evenkeel_transport_kafka::KafkaSink;
use serde_json::json;
use shop::{Shop, order};
use support::{Handler, Started, start, until};

const EVENTS: usize = 12;
/// Two orders whose numbers are so far apart have one key.
const SAME_KEY: usize = 40;
/// The one that returns more than its topic takes.
const LARGE: usize = 4;

/// Returns a small event, and once a large one.
async fn returning() -> String {
    let routes = Router::new().fallback(|headers: HeaderMap| async move {
        let id = headers.get("ce-id").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let fill = if id == format!("order-{LARGE}") { "x".repeat(4_000) } else { "x".to_owned() };
        let event = format!(
            "{{\"specversion\":\"1.0\",\"id\":\"for-{id}\",\"source\":\"/p\",\"type\":\"Paid\",\"data\":\"{fill}\"}}"
        );
        ([(header::CONTENT_TYPE, "application/cloudevents+json")], event)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_returns_and_its_topic_does_not_take_kills_its_cause_and_nothing_else() {
    let Some(shop) = Shop::open("classic").await else { return };
    let small = format!("small-{}", shop.name());
    shop.broker().create(&small, 1, &[("max.message.bytes", "2000")]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "{}
subscriptions:
  {}:
    topic: {}
    from: earliest
    handler: {{ http: {{ url: \"{}\" }} }}
    effects: {{ mode: log, topic: \"kafka://main/{small}\" }}
",
        shop.brokers(),
        shop.subscription(),
        shop.orders_address(),
        returning().await,
    );
    let node = start(folder.path(), &yaml).await;
    let sink = KafkaSink::open(&shop.broker(), shop.orders()).await.unwrap();
    let sent = sink.publish((0..EVENTS).map(order).collect()).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    let audit = until("each event has its outcome", || async {
        let of = node.audited(&shop.subscription()).await;
        let ended = of["completed"].as_u64().unwrap() + of["dead"].as_u64().unwrap();
        (ended == EVENTS as u64).then_some(of)
    })
    .await;
    assert_eq!((audit["dead"].as_u64(), audit["unread"].as_u64()), (Some(1), Some(0)), "{audit}");
    let letters = shop.read(&format!("{}.dead", shop.subscription())).await;
    assert_eq!(letters.len(), 1);
    let said = letters[0].header(evenkeel_model::names::dead::MESSAGE).map(|v| String::from_utf8_lossy(v).into_owned());
    let said = said.unwrap_or_else(|| panic!("{:?}", letters[0].headers));
    assert!(said.contains(&small) && said.contains("takes 2000"), "{said}");
    node.node.shutdown().await;
}

/// The command, and what it said on stderr.
async fn check(folder: &std::path::Path, yaml: String) -> (Option<i32>, String) {
    let file = folder.join("evenkeel.yaml");
    std::fs::write(&file, yaml).unwrap();
    let run = move || Command::new(env!("CARGO_BIN_EXE_evenkeel")).args(["check", "--connect"]).arg(file).output();
    let done = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn check_connect_says_what_it_would_create_and_refuses_what_cannot_work() {
    let Some(shop) = Shop::open("classic").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = check(folder.path(), shop.config("")).await;
    assert_eq!(code, Some(0), "{said}");
    for part in ["with 6 partitions", &format!("would create evenkeel.{}.journal", shop.subscription()), "transactions"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let missing = shop.config("").replace(&format!("/orders-{}", shop.name()), "/no-such-topic");
    let (code, said) = check(folder.path(), missing).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("`no-such-topic` does not exist at broker `main`"), "{said}");
    let nobody = shop.config("").replace(shop.address(), "127.0.0.1:1");
    let (code, said) = check(folder.path(), nobody).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("broker `main` (127.0.0.1:1)"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_at_the_broker_are_listed_grouped_dropped_and_redriven_like_any() {
    let Some(shop) = Shop::open("classic").await else { return };
    let broken = Arc::new(AtomicBool::new(true));
    let answer = broken.clone();
    let handler = Handler::start(move |_| if answer.load(Ordering::SeqCst) { 422 } else { 200 }).await;
    let folder = tempfile::tempdir().unwrap();
    let name = shop.subscription();
    let yaml = format!(
        "{}\nsubscriptions:\n  {name}:\n    topic: {}\n    from: earliest\n    handler: {{ http: {{ url: \"{}\" }} }}\n",
        shop.brokers(),
        shop.orders_address(),
        handler.url,
    );
    let node = start(folder.path(), &yaml).await;
    let sink = KafkaSink::open(&shop.broker(), shop.orders()).await.unwrap();
    let sent = sink.publish((0..EVENTS).map(order).collect()).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    let path = format!("/v1/subscriptions/{name}/dead");
    let listed = until("all of them are dead", || async {
        let listed = node.get(&path).await;
        (listed["items"].as_array().map(Vec::len) == Some(EVENTS)).then_some(listed)
    })
    .await;
    let items = listed["items"].as_array().unwrap();
    let partitions: BTreeSet<u64> = items.iter().map(|item| item["dead_partition"].as_u64().unwrap()).collect();
    assert!(partitions.len() > 1, "they lie in several partitions: {partitions:?}");
    let numbers: BTreeSet<u64> = items.iter().map(|item| item["letter"].as_u64().unwrap()).collect();
    assert_eq!(numbers.len(), EVENTS, "each has a number of its own");
    let groups = node.get(&format!("{path}/groups")).await;
    assert_eq!(
        (groups["letters"].as_u64(), groups["groups"].as_array().map(Vec::len)),
        (Some(12), Some(1)),
        "{groups}"
    );
    let last = numbers.iter().next_back().unwrap();
    let shown = node.get(&format!("{path}/{last}")).await;
    assert_eq!(shown["letter"].as_u64(), Some(*last), "{shown}");

    // Two pages, one after the other.
    let first = node.get(&format!("{path}?limit=5")).await;
    let rest = node.get(&format!("{path}?from={}", first["next"])).await;
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(EVENTS - 5), "{rest}");

    // One is dropped, the others are redriven.
    let drop = json!({ "offsets": [last], "reason": "a test order" });
    let dropped = node.client.json("POST", &format!("{path}/drop"), Some(drop)).await.unwrap();
    assert_eq!(dropped["dropped"], 1, "{dropped}");
    broken.store(false, Ordering::SeqCst);
    let redrives = format!("/v1/subscriptions/{name}/redrives");
    let dry = node.client.json("POST", &redrives, Some(json!({ "dry_run": true }))).await.unwrap();
    assert_eq!((&dry["events"], &dry["passed_over"], &dry["elsewhere"]), (&json!(11), &json!(1), &json!(0)), "{dry}");
    let job = node.client.json("POST", &redrives, Some(json!({ "reason": "mended" }))).await.unwrap();
    assert_eq!(job["elsewhere"], 0, "this node has all partitions: {job}");
    let id = job["id"].as_str().unwrap().to_owned();
    let done = until("it is done", || async {
        let job = node.get(&format!("{redrives}/{id}")).await;
        (job["state"] == "done").then_some(job)
    })
    .await;
    assert_eq!((&done["completed"], &done["dead"]), (&json!(11), &json!(0)), "{done}");
    assert_eq!(node.get(&path).await["items"].as_array().map(Vec::len), Some(0), "all are dealt with");
    let audit = node.audited(&name).await;
    assert_eq!((&audit["completed"], &audit["problems"]), (&json!(11), &json!([])), "{audit}");
    node.node.shutdown().await;
}

/// Refuses one, fails at another, and returns an event for the rest.
async fn of_all_kinds() -> String {
    let routes = Router::new().fallback(|headers: HeaderMap| async move {
        let id = headers.get("ce-id").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let status = match &*id {
            "order-4" => StatusCode::UNPROCESSABLE_ENTITY,
            "order-5" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::OK,
        };
        let event = json!({ "specversion": "1.0", "id": format!("for-{id}"), "source": "/p", "type": "Paid" });
        (status, [(header::CONTENT_TYPE, "application/cloudevents+json")], event.to_string())
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_tells_what_became_of_an_event_at_the_broker_and_what_holds_it_up_at_another_node() {
    let Some(shop) = Shop::open("classic").await else { return };
    let paid = format!("paid-{}", shop.name());
    shop.broker().create(&paid, 2, &[]).await.unwrap();
    let name = shop.subscription();
    let yaml = format!(
        "{}
subscriptions:
  {name}:
    topic: {}
    from: earliest
    handler: {{ http: {{ url: \"{}\" }} }}
    retry: {{ initial: 1h, max: 1h }}
    effects: {{ mode: log, topic: \"kafka://main/{paid}\" }}
",
        shop.brokers(),
        shop.orders_address(),
        of_all_kinds().await,
    );
    let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (start(folders.0.path(), &yaml).await, start(folders.1.path(), &yaml).await);
    let sink = KafkaSink::open(&shop.broker(), shop.orders()).await.unwrap();
    let sent = sink.publish((0..EVENTS).map(order).collect()).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    // Of the one that waits its owner tells, and the other node that it is another's: as soon as both have partitions.
    let says = async |node: &Started, what: &str| {
        let why = node.get(&format!("/v1/why?what={what}")).await;
        why["subscriptions"][0]["says"].to_string()
    };
    let shared = until("it waits at one of both", || async {
        let said = (says(&a, "order-5").await, says(&b, "order-5").await);
        let waits = [&said.0, &said.1].iter().all(|said| said.contains("waits for its next try"));
        let elsewhere = [&said.0, &said.1].iter().filter(|said| said.contains("another node's")).count();
        (waits && elsewhere == 1).then_some(said)
    })
    .await;
    let away = if shared.0.contains("another node's") { &a } else { &b };
    assert!(says(away, "key-5").await.contains("another node's"), "its key is found likewise");
    for node in [&a, &b] {
        for n in [3, 4] {
            let story = until("it has its outcome", || async {
                let story = node.get(&format!("/v1/events/order-{n}")).await;
                story["subscriptions"][0]["outcome"].is_string().then_some(story)
            })
            .await;
            assert_eq!((&story["records"][0]["topic"], &story["unseen"]), (&json!(shop.orders_address()), &json!([])));
            let ends = (&story["subscriptions"][0]["outcome"], &story["subscriptions"][0]["name"]);
            let caused: Vec<&str> =
                story["caused"].as_array().unwrap().iter().filter_map(|c| c["id"].as_str()).collect();
            let paid = format!("for-order-{n}");
            match n {
                4 => assert_eq!((ends, caused), ((&json!("dead"), &json!(name)), vec![]), "{story}"),
                _ => assert_eq!((ends, caused), ((&json!("completed"), &json!(name)), vec![&*paid]), "{story}"),
            }
        }
        let dead = node.get("/v1/events/order-4").await;
        assert_eq!(dead["records"].as_array().map(Vec::len), Some(2), "with its letter: {dead}");
        let groups = node.get(&format!("/v1/subscriptions/{name}/dead/groups")).await;
        let fingerprint = groups["groups"][0]["fingerprint"].as_str().unwrap().to_owned();
        until("the page shows the letter", || async { node.text("/").await.contains(&fingerprint).then_some(()) })
            .await;
    }
    let path = format!("/v1/subscriptions/{name}/replays");
    let replay = a.client.json("POST", &path, Some(json!({ "from": "earliest" }))).await;
    assert!(replay.unwrap_err().to_string().contains("at a broker"), "nothing is replayed, and that is said");
    a.node.shutdown().await;
    b.node.shutdown().await;
}
