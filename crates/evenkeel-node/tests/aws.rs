//! A node that takes in from SQS and publishes to it, wired by its file alone.
//!
//! `EVENKEEL_TEST_SQS=host:port` names the server (`. .ci/servers/sqs`); without it the tests say that
//! they were skipped, and with `sqs` in `EVENKEEL_REQUIRE` they fail instead.
#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod support;

use bytes::Bytes;
use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{Outgoing, Sink};
use evenkeel_model::{AttributeValue, Event, Timestamp};
use evenkeel_transport::Queue;
use evenkeel_transport::contract::real::Need;
use evenkeel_transport_aws::{Account, Identity, SqsQueue, SqsSettings, SqsSink};
use support::up::Up;
use support::{Handler, Seen, start, until};

/// The server's address, unless there is none.
fn need() -> Option<std::net::SocketAddr> {
    let (server, variable) = ("sqs", "EVENKEEL_TEST_SQS");
    Need { tests: "node", server, variable, beside: env!("CARGO_TARGET_TMPDIR") }.address()
}

fn outgoing(n: usize) -> Outgoing {
    let mut event = Event::new("/shop", format!("order-{n}"), "OrderCreated");
    event.set_extension("partitionkey", AttributeValue::String(format!("customer-{}", n % 5)));
    event.data = Some(Bytes::from(format!("order {n}")));
    let id = Mark::of("test", "/shop", &n.to_string());
    let key = Some(Bytes::from(format!("customer-{}", n % 5)));
    Outgoing { event, key, headers: Vec::new(), created: Timestamp::from_millis(1_795_219_200_000), id }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fifo_queue_is_handled_by_group_over_a_restart_and_bridged_on() {
    let Some(server) = need() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "test\n").unwrap();
    let fails = |call: &Seen| call.header("ce-id") == "order-7" && call.header("evenkeel-attempt") == "1";
    let handler = Handler::start(move |call| if fails(call) { 500 } else { 200 }).await;
    let (queue, out) = (format!("orders-{}.fifo", std::process::id()), format!("out-{}", std::process::id()));
    let identity = Identity::Keys { id: "test".into(), secret: "test".into() };
    let account = Account { region: Some("eu-central-1".into()), endpoint: Some(format!("http://{server}")), identity };
    let made = SqsSettings { declare: true, ..SqsSettings::new(&out) };
    let copies = SqsQueue::open(&account, made).await.unwrap();
    let yaml = format!(
        "brokers: {{ cloud: {{ url: 'aws://eu-central-1', endpoint: 'http://{server}', user: test, password: {{ file: ./secret }} }} }}
topics: {{ orders: {{ partitions: 2 }} }}
intakes: {{ orders: {{ broker: cloud, queue: '{queue}' }} }}
subscriptions:
  s: {{ topic: orders, from: earliest, handler: {{ http: {{ url: \"{}/\" }} }}, retry: {{ initial: 10ms }} }}
  bridge: {{ topic: orders, from: earliest, handler: {{ publish: 'aws://cloud/sqs/{out}' }} }}
",
        handler.url
    );
    let node = start(folder.path(), &yaml).await;
    let intake = || async { node.get("/v1/topics/orders").await["intake"].clone() };
    let sink = SqsSink::new(account.clone(), &queue);
    let publish = |from: usize, to: usize| sink.publish((from..to).map(outgoing).collect());
    until("the queue is made", || async { publish(0, 1).await[0].is_ok().then_some(()) }).await;
    assert!(publish(1, 40).await.iter().all(Result::is_ok));
    until("all have their outcome", || async { (node.audited("s").await["completed"] == 40).then_some(()) }).await;
    until("all are settled", || async { (intake().await["settled"] == 40).then_some(()) }).await;
    assert_eq!((&intake().await["held"], &intake().await["problem"]), (&0.into(), &serde_json::Value::Null));
    node.node.shutdown().await;

    assert!(publish(40, 60).await.iter().all(Result::is_ok), "the queue keeps them while the node is away");
    let node = start(folder.path(), &yaml).await;
    until("those as well", || async { (node.audited("s").await["completed"] == 60).then_some(()) }).await;
    until("and bridged", || async { (node.audited("bridge").await["completed"] == 60).then_some(()) }).await;
    assert_eq!(node.get("/v1/audit").await["ok"], true);
    for customer in 0..5 {
        let key = format!("customer-{customer}");
        let of = |call: &&Seen| call.header("ce-partitionkey") == key && !fails(call);
        let done: Vec<String> = handler.seen().iter().filter(of).map(|call| call.header("ce-id")).collect();
        let wanted: Vec<String> = (0..60).filter(|n| n % 5 == customer).map(|n| format!("order-{n}")).collect();
        assert_eq!(done, wanted, "in order, each once");
    }
    let mut copied = std::collections::BTreeSet::new();
    while copied.len() < 60 {
        let taken = copies.receive(100).await.unwrap();
        assert!(!taken.is_empty(), "60 were bridged, and these are there: {copied:?}");
        copied.extend(taken.iter().map(|one| one.record.header("ce_id").unwrap().clone()));
    }
    node.node.shutdown().await;
}

/// Published while nodes come and go.
const EVENTS: usize = 400;
/// So often one goes.
const LIVES: usize = 5;

/// Every third node is killed, the others leave.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fifo_queue_keeps_each_groups_order_and_loses_nothing_while_nodes_follow_each_other_under_load() {
    let Some(server) = need() else { return };
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start(|_| 200).await;
    let queue = format!("follow-{}.fifo", std::process::id());
    let identity = Identity::Keys { id: "test".into(), secret: "test".into() };
    let account = Account { region: Some("eu-central-1".into()), endpoint: Some(format!("http://{server}")), identity };
    let made = SqsSettings { declare: true, ..SqsSettings::new(&queue) };
    SqsQueue::open(&account, made).await.unwrap();
    let yaml = format!(
        "data: ./data
http: {{ listen: '127.0.0.1:0' }}
brokers: {{ cloud: {{ url: 'aws://eu-central-1', endpoint: 'http://{server}', user: test, password: {{ env: RABBIT_PASSWORD }} }} }}
topics: {{ orders: {{ partitions: 2 }} }}
intakes: {{ orders: {{ broker: cloud, queue: '{queue}', visibility: 10s }} }}
subscriptions: {{ s: {{ topic: orders, from: earliest, handler: {{ http: {{ url: '{}/' }} }} }} }}
",
        handler.url
    );
    let sink = SqsSink::new(account, &queue);
    let publishing = tokio::spawn(async move {
        for from in (0..EVENTS).step_by(4) {
            let sent = sink.publish((from..from + 4).map(outgoing).collect()).await;
            assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        }
    });
    let called = || handler.seen().iter().map(|call| call.header("ce-id")).collect::<std::collections::BTreeSet<_>>();
    let mut node = Up::start(folder.path(), "node", &yaml).await;
    for life in 1..=LIVES {
        let calls = life * EVENTS / (LIVES + 1);
        until("more were called", || async { (called().len() >= calls).then_some(()) }).await;
        if life % 3 == 0 {
            node.kill()
        } else {
            node.leave().await
        }
        node = Up::start(folder.path(), "node", &yaml).await;
    }
    publishing.await.unwrap();
    until("each was called", || async { (called().len() == EVENTS).then_some(()) }).await;
    let seen = handler.seen();
    for customer in 0..5 {
        let mut first = Vec::new();
        for call in seen.iter().filter(|call| call.header("ce-partitionkey") == format!("customer-{customer}")) {
            let id = call.header("ce-id");
            if !first.contains(&id) {
                first.push(id);
            }
        }
        let wanted: Vec<String> = (0..EVENTS).filter(|n| n % 5 == customer).map(|n| format!("order-{n}")).collect();
        assert_eq!(first, wanted, "in the order of their group");
    }
    let audit = || async { node.client.json("GET", "/v1/audit", None).await.unwrap() };
    until("each has its outcome, and the account adds up", || async {
        let audit = audit().await;
        let done = support::row(&audit, "subscriptions", "s")["completed"].as_u64();
        (audit["ok"] == true && done >= Some(EVENTS as u64)).then_some(())
    })
    .await;
    node.leave().await;
}
