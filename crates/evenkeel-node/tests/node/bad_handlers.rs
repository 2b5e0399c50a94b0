//! Handlers that do not resolve, never answer, answer garbage or redirect: events wait, and
//! nothing is dead-lettered for it.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Handler, Started, row, start, until};

fn yaml(url: &str) -> String {
    format!(
        "topics: {{ orders: {{ partitions: 1 }} }}
subscriptions:
  s:
    topic: orders
    handler: {{ http: {{ url: \"{url}\", timeout: 300ms }} }}
    retry: {{ attempts: 3, initial: 10ms, factor: 1, max: 20ms }}
    breaker: {{ open: 100ms }}
"
    )
}

/// Publishes one event and waits for the class of its first failed attempt.
async fn first_failure(node: &Started) -> Value {
    node.publish("orders", json!({ "specversion": "1.0", "id": "1", "source": "/s", "type": "T" })).await;
    until("a failed attempt", || async {
        let story = node.get("/v1/events/1").await;
        story["subscriptions"][0]["attempts"].as_array()?.iter().find(|a| a["class"].is_string()).cloned()
    })
    .await
}

async fn nothing_is_dead(node: &Started) {
    let of = node.audited("s").await;
    assert_eq!((of["dead"].as_u64(), of["completed"].as_u64()), (Some(0), Some(0)), "{of}");
    assert_eq!(node.get("/v1/audit").await["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_does_not_resolve_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), &yaml("http://no-such-host.invalid:9/")).await;
    assert_eq!(first_failure(&node).await["class"], "unreachable");
    nothing_is_dead(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_refuses_connections_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    drop(closed);
    let node = start(folder.path(), &yaml(&url)).await;
    assert_eq!(first_failure(&node).await["class"], "unreachable");
    nothing_is_dead(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_never_answers_fails_within_its_time_out() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let node = start(folder.path(), &yaml(&url)).await;
    let failure = first_failure(&node).await;
    assert_eq!(failure["class"], "failed");
    assert!(failure["took_ms"].as_f64().unwrap() >= 300.0, "{failure}");
    nothing_is_dead(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_answers_garbage_fails() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", garbage.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = garbage.accept().await {
            let mut some = [0; 64];
            let _ = stream.read(&mut some).await;
            let _ = stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").await;
        }
    });
    let node = start(folder.path(), &yaml(&url)).await;
    assert_eq!(first_failure(&node).await["class"], "failed");
    nothing_is_dead(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 307).await;
    let node = start(folder.path(), &yaml(&format!("{}/", handler.url))).await;
    let failure = first_failure(&node).await;
    assert_eq!((failure["class"].as_str(), failure["status"].as_u64()), (Some("refused"), Some(307)));
    nothing_is_dead(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_rejects_an_event_gets_it_into_the_dead_letters_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|call| if call.header("ce-id") == "poison" { 422 } else { 200 }).await;
    let node = start(folder.path(), &yaml(&format!("{}/", handler.url))).await;
    for id in ["poison", "fine"] {
        let event = json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "T", "subject": "k" });
        node.publish("orders", event).await;
    }
    until("both outcomes", || async {
        let of = node.audited("s").await;
        (of["dead"] == 1 && of["completed"] == 1).then_some(())
    })
    .await;
    let dead = node.get("/v1/subscriptions/s/dead").await;
    let letter = row(
        &json!({ "items": dead["items"].as_array().unwrap().iter().map(|l| {
        let mut named = l.clone();
        named["name"] = l["id"].clone();
        named
    }).collect::<Vec<_>>() }),
        "items",
        "poison",
    );
    assert_eq!(
        (letter["class"].as_str(), letter["key"].as_str(), letter["topic"].as_str()),
        (Some("rejected"), Some("k"), Some("orders"))
    );
    assert_eq!(node.get("/v1/audit").await["ok"], true);
}
