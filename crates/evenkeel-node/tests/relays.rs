//! A chain over two real brokers, with nodes that are killed in the middle of it: RabbitMQ → topic → NATS → topic →
//! RabbitMQ, and a service that is called on the way. And what is published while a broker is away.
//!
//! `. .ci/servers/nats` and `. .ci/servers/rabbitmq` start the servers and name them; without them the tests say
//! that they were skipped.
#![cfg(all(feature = "nats", feature = "rabbitmq"))]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod support;
#[path = "relays/site.rs"]
mod site;

use std::ops::Range;

use evenkeel_transport::contract::proxy::{Line, Proxy};
use serde_json::{Value, json};
use site::Site;
use support::up::Up;
use support::{Handler, Started, needs, start, until};

const EVENTS: usize = 120;
const KEYS: usize = 7;
/// Kills, each when so many more calls were made.
const KILLS: usize = 3;

/// The events of a key, each once, in the order in which they came first.
fn by_key(came: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new(); KEYS];
    for n in came {
        if !all[n % KEYS].contains(n) {
            all[n % KEYS].push(*n);
        }
    }
    all
}

fn expected(events: usize) -> Vec<Vec<usize>> {
    (0..KEYS).map(|key| (0..events).filter(|n| n % KEYS == key).collect()).collect()
}

/// Nothing is open in any row of the audit, and it adds up.
async fn closed(audit: impl AsyncFn() -> Value) -> Value {
    until("nothing is open", || async {
        let audit = audit().await;
        let rows = audit["subscriptions"].as_array().cloned().unwrap_or_default();
        let open =
            |row: &Value| ["in_flight", "parked", "unread"].iter().map(|n| row[n].as_u64().unwrap()).sum::<u64>();
        (rows.iter().map(open).sum::<u64>() == 0 && audit["ok"] == true).then_some(audit)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_chain_over_two_brokers_loses_nothing_when_its_node_is_killed() {
    let (Some(rabbit), Some(nats)) = (needs("rabbitmq", "EVENKEEL_TEST_RABBITMQ"), needs("nats", "EVENKEEL_TEST_NATS"))
    else {
        return;
    };
    let site = Site::make(&rabbit, &nats).await;
    let handler = Handler::start(|_| 200).await;
    let folder = tempfile::tempdir().unwrap();
    let name = site.name();
    let yaml = format!(
        "data: ./data
http: {{ listen: '127.0.0.1:0' }}
brokers:
  shop: {{ url: 'amqp://{rabbit}', user: guest, password: {{ env: RABBIT_PASSWORD }} }}
  bus: {{ url: 'nats://{nats}' }}
topics: {{ orders: {{ partitions: 3 }}, back: {{ partitions: 2 }} }}
intakes:
  orders: {{ broker: shop, queue: '{name}-in', topology: verify }}
  back: {{ broker: bus, stream: '{name}', consumer: evenkeel, topology: verify }}
subscriptions:
  work: {{ topic: orders, from: earliest, handler: {{ http: {{ url: '{}/' }} }} }}
  out: {{ topic: orders, from: earliest, handler: {{ publish: 'nats://bus/{name}.{{key}}' }} }}
  done: {{ topic: back, from: earliest, handler: {{ publish: 'amqp://shop/{name}-done' }} }}
",
        handler.url
    );
    let mut node = Up::start(folder.path(), "node", &yaml).await;
    site.publish(0..EVENTS / 2).await;
    for kill in 1..=KILLS {
        let calls = kill * EVENTS / 2 / (KILLS + 1);
        until("some were called", || async { (handler.seen().len() >= calls).then_some(()) }).await;
        node.kill();
        node = Up::start(folder.path(), "node", &yaml).await;
    }
    site.publish(EVENTS / 2..EVENTS).await;
    let mut came = Vec::new();
    until("each is at the end of the chain", || {
        let next = site.next();
        let site = &site;
        async {
            next.await;
            site.whole(EVENTS).then_some(())
        }
    })
    .await;
    came.extend(site.came());
    assert_eq!(by_key(&came), expected(EVENTS), "each of them, in the order of its key");
    let audit = closed(async || node.client.json("GET", "/v1/audit", None).await.unwrap()).await;
    let completed = |name: &str| support::row(&audit, "subscriptions", name)["completed"].as_u64();
    assert_eq!(completed("work"), Some(EVENTS as u64), "{audit}");
    let mut called: Vec<String> = handler.seen().iter().map(|call| call.header("ce-id")).collect();
    called.sort();
    called.dedup();
    assert_eq!(called.len(), EVENTS, "the service was called for each");
    until("RabbitMQ and NATS keep nothing", || async { (site.kept().await == (0, 0)).then_some(()) }).await;
    node.leave().await;
    site.remove().await;
}

async fn publish(node: &Started, numbers: Range<usize>) {
    for n in numbers {
        let event = json!({
            "specversion": "1.0", "id": format!("{n}"), "source": "/shop", "type": "OrderCreated",
            "partitionkey": format!("k{}", n % KEYS), "data": { "n": n },
        });
        node.publish("orders", event).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_published_while_a_broker_is_away_is_there_in_order_when_it_is_back() {
    let (Some(rabbit), Some(nats)) = (needs("rabbitmq", "EVENKEEL_TEST_RABBITMQ"), needs("nats", "EVENKEEL_TEST_NATS"))
    else {
        return;
    };
    let site = Site::make(&rabbit, &nats).await;
    let (to_rabbit, to_nats) =
        (Proxy::start(rabbit.parse().unwrap()).await.unwrap(), Proxy::start(nats.parse().unwrap()).await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("guest"), "guest\n").unwrap();
    let name = site.name();
    let breaker = "breaker: { open: 300ms }";
    let yaml = format!(
        "brokers:
  shop: {{ url: 'amqp://{}', user: guest, password: {{ file: ./guest }} }}
  bus: {{ url: 'nats://{}' }}
topics: {{ orders: {{ partitions: 3 }} }}
subscriptions:
  to-rabbit: {{ topic: orders, from: earliest, handler: {{ publish: 'amqp://shop/{name}-done' }}, {breaker} }}
  to-nats: {{ topic: orders, from: earliest, handler: {{ publish: 'nats://bus/{name}.{{key}}' }}, {breaker} }}
",
        to_rabbit.address(),
        to_nats.address()
    );
    let node = start(folder.path(), &yaml).await;
    publish(&node, 0..20).await;
    for subscription in ["to-rabbit", "to-nats"] {
        let all = || async { (node.audited(subscription).await["completed"] == 20).then_some(()) };
        until("the first ones are at the brokers", all).await;
    }
    to_rabbit.set(Line::Cut);
    to_nats.set(Line::Cut);
    publish(&node, 20..60).await;
    for subscription in ["to-rabbit", "to-nats"] {
        let seen = || async {
            let breaker = &node.get(&format!("/v1/subscriptions/{subscription}")).await["breakers"];
            breaker.to_string().contains("open").then_some(())
        };
        until("the broker is known to be away", seen).await;
        assert_eq!(node.audited(subscription).await["completed"], 20, "nothing counts as sent");
    }
    // The node goes down and comes up, and the brokers are still away.
    node.node.shutdown().await;
    let node = start(folder.path(), &yaml).await;
    publish(&node, 60..EVENTS).await;
    to_rabbit.set(Line::Open);
    to_nats.set(Line::Open);
    let audit = closed(async || node.get("/v1/audit").await).await;
    for subscription in ["to-rabbit", "to-nats"] {
        let row = support::row(&audit, "subscriptions", subscription);
        assert_eq!((&row["completed"], &row["dead"]), (&json!(EVENTS), &json!(0)), "{row}");
    }
    until("all are in the queue", || {
        let next = site.next();
        let site = &site;
        async {
            next.await;
            site.whole(EVENTS).then_some(())
        }
    })
    .await;
    assert_eq!(by_key(&site.came()), expected(EVENTS), "in the queue in the order of each key");
    assert_eq!(by_key(&site.streamed().await), expected(EVENTS), "and in the stream");
    node.node.shutdown().await;
    site.remove().await;
}
