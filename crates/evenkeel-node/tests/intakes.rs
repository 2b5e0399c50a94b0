//! A node that takes in from a broker, wired by its file alone.
//!
//! `EVENKEEL_TEST_RABBITMQ=host:port` names the server (`. .ci/servers/rabbitmq`); without it the test
//! that needs one says that it was skipped, and with `rabbitmq` in `EVENKEEL_REQUIRE` it fails.
#![cfg(feature = "rabbitmq")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod support;

use bytes::Bytes;
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{Outgoing, Sink};
use evenkeel_model::{AttributeValue, Event, Timestamp};
use evenkeel_transport_rabbitmq::{RabbitSink, Server};
use support::{Handler, Seen, start, until};

/// The server's address, unless there is none.
fn need() -> Option<String> {
    let found = std::env::var("EVENKEEL_TEST_RABBITMQ").ok();
    if found.is_none() {
        let required = std::env::var("EVENKEEL_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "rabbitmq"), "EVENKEEL_TEST_RABBITMQ is required and not set");
        println!("skipped: EVENKEEL_TEST_RABBITMQ is not set");
    }
    found
}

fn outgoing(n: usize) -> Outgoing {
    let mut event = Event::new("/shop", format!("order-{n}"), "OrderCreated");
    event.set_extension("partitionkey", AttributeValue::String(format!("customer-{}", n % 5)));
    event.data = Some(Bytes::from(format!("{{\"order\":{n}}}")));
    let id = Mark::of("test", "/shop", &n.to_string());
    let key = Some(Bytes::from(format!("customer-{}", n % 5)));
    Outgoing { event, key, headers: Vec::new(), created: Timestamp::from_millis(1_795_219_200_000), id }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_queue_are_handled_by_key_and_settled_over_a_restart() {
    let Some(broker) = need() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "guest\n").unwrap();
    let fails = |call: &Seen| call.header("ce-id") == "order-7" && call.header("evenkeel-attempt") == "1";
    let handler = Handler::start(move |call| if fails(call) { 500 } else { 200 }).await;
    let queue = format!("orders-{}", std::process::id());
    let yaml = format!(
        "brokers: {{ shop: {{ url: 'amqp://{broker}', user: guest, password: {{ file: ./password }} }} }}
topics: {{ orders: {{ partitions: 1 }} }}
intakes: {{ orders: {{ broker: shop, queue: '{queue}' }} }}
subscriptions:
  s: {{ topic: orders, from: earliest, handler: {{ http: {{ url: \"{}/\" }} }}, retry: {{ initial: 10ms }} }}
",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    let intake = || async { node.get("/v1/topics/orders").await["intake"].clone() };
    until("the queue is made", || async { intake().await["problem"].is_null().then_some(()) }).await;
    let sink =
        RabbitSink::new(Server::new(&format!("amqp://{broker}/%2f"), Some(("guest", "guest")), None), "", &queue);
    let publish = |from: usize, to: usize| sink.publish((from..to).map(outgoing).collect());
    until("the queue takes messages", || async { publish(0, 1).await[0].is_ok().then_some(()) }).await;
    assert!(publish(1, 40).await.iter().all(Result::is_ok));
    until("all have their outcome", || async { (node.audited("s").await["completed"] == 40).then_some(()) }).await;
    until("all are settled", || async { (intake().await["settled"] == 40).then_some(()) }).await;
    assert_eq!(intake().await["held"], 0);
    assert_eq!((&intake().await["connected"], &intake().await["received"]), (&true.into(), &40.into()));
    assert_eq!(node.get("/v1/intakes").await["intakes"][0], intake().await);
    let metrics = node.text("/metrics").await;
    for (name, value) in [("connected", 1), ("placed_total", 40), ("settled_total", 40), ("redelivered_total", 0)] {
        let line = format!("evenkeel_intake_{name}{{topic=\"orders\",broker=\"shop\"}} {value}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    node.node.shutdown().await;

    assert!(publish(40, 60).await.iter().all(Result::is_ok), "the broker keeps them while the node is away");
    let node = start(folder.path(), &yaml).await;
    until("those as well", || async { (node.audited("s").await["completed"] == 60).then_some(()) }).await;
    assert_eq!(node.get("/v1/audit").await["ok"], true);
    for customer in 0..5 {
        let key = format!("customer-{customer}");
        let done: Vec<String> = handler
            .seen()
            .iter()
            .filter(|call| call.header("ce-partitionkey") == key && !fails(call))
            .map(|call| call.header("ce-id"))
            .collect();
        let wanted: Vec<String> = (0..60).filter(|n| n % 5 == customer).map(|n| format!("order-{n}")).collect();
        assert_eq!(done, wanted, "in order, each once");
    }
    node.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_keeps_nothing_else_from_running() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let yaml = format!(
        "brokers: {{ shop: {{ url: 'amqp://127.0.0.1:1' }} }}
topics: {{ orders: {{}}, others: {{}} }}
intakes: {{ orders: {{ broker: shop, queue: orders }} }}
subscriptions: {{ s: {{ topic: others, from: earliest, handler: {{ http: {{ url: \"{}/\" }} }} }} }}
",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    let event = serde_json::json!({ "specversion": "1.0", "id": "1", "source": "/s", "type": "T" });
    node.publish("others", event).await;
    until("the other topic's event is handled", || async { (handler.seen().len() == 1).then_some(()) }).await;
    let told = until("the intake says why", || async {
        node.get("/v1/topics/orders").await["intake"]["problem"].as_str().map(str::to_owned)
    })
    .await;
    assert!(told.contains("RabbitMQ amqp://127.0.0.1:1/%2f"), "{told}");
    let metrics = node.text("/metrics").await;
    assert!(metrics.contains("evenkeel_intake_connected{topic=\"orders\",broker=\"shop\"} 0\n"), "{metrics}");
    node.node.shutdown().await;
}
