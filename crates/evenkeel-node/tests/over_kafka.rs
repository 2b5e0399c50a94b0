//! A node over a real Kafka, as its user meets it: the command line, and ends that must be honest.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod support;
#[path = "kafka/shop.rs"]
#[allow(dead_code, reason = "the other test uses the rest")]
mod shop;

use std::process::Command;

use axum::Router;
use axum::http::{HeaderMap, header};
use evenkeel_delivery::ports::Sink;
use evenkeel_transport_kafka::KafkaSink;
use shop::{Shop, order};
use support::{start, until};

const EVENTS: usize = 12;
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
