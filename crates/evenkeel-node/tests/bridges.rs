//! Bridges between a node's own log and a real Kafka, both ways, as a user writes them.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod support;
#[path = "kafka/shop.rs"]
#[allow(dead_code, reason = "the other test uses the rest")]
mod shop;

use serde_json::json;
use shop::Shop;
use support::{start, until};

const EVENTS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_here_is_at_the_broker_once_and_in_order_and_comes_back_as_it_was() {
    let Some(shop) = Shop::open("classic").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "{}
topics: {{ out: {{ partitions: 3 }}, back: {{ partitions: 5 }} }}
subscriptions:
  to-kafka-{name}:
    topic: out
    from: earliest
    handler: {{ publish: \"{orders}\" }}
  from-kafka-{name}:
    topic: {orders}
    from: earliest
    handler: {{ publish: back }}
",
        shop.brokers(),
        name = shop.name(),
        orders = shop.orders_address(),
    );
    let node = start(folder.path(), &yaml).await;
    for n in 0..EVENTS {
        let key = format!("key-{}", n % 40);
        let event = json!({
            "specversion": "1.0", "id": format!("order-{n}"), "source": "/shop", "type": "OrderCreated",
            "partitionkey": key, "myextension": "kept", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "data": { "n": n }
        });
        node.publish("out", event).await;
    }
    let all = until("every event has come back", || async {
        let mut all = Vec::new();
        for partition in 0..5 {
            let page =
                node.get(&format!("/v1/topics/back/events?partition={partition}&from=earliest&limit=1000")).await;
            all.extend(page["items"].as_array().cloned().unwrap_or_default());
        }
        (all.len() >= EVENTS).then_some(all)
    })
    .await;
    let text = |value: &serde_json::Value| value.to_string();
    assert_eq!(all.len(), EVENTS, "each is there once");
    assert!(all.iter().all(|e| text(e).contains("\"myextension\":\"kept\"")), "{}", all[0]);
    assert!(all.iter().all(|e| text(e).contains("0af7651916cd43dd8448eb211c80319c")), "the trace goes along");
    let numbers: Vec<usize> = all.iter().map(shop::number_in).collect();
    shop::assert_in_order(&numbers);
    let audit = until("nothing is open", || async {
        let audit = node.get("/v1/audit").await;
        let rows = audit["subscriptions"].as_array().cloned().unwrap_or_default();
        let open: u64 =
            rows.iter().flat_map(|r| ["in_flight", "parked", "unread"].map(|n| r[n].as_u64().unwrap())).sum();
        (open == 0).then_some(audit)
    })
    .await;
    assert_eq!(audit["ok"], true, "{audit}");
    node.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_copies_partition_by_partition_and_says_where_a_consumer_goes_on() {
    let Some(shop) = Shop::open("classic").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let across = format!("across-{}", shop.name());
    shop.broker().create(&across, 6, &[]).await.unwrap();
    let yaml = format!(
        "{}
  second: {{ url: \"kafka://{}\", session: 3s }}
topics: {{ out: {{ partitions: 6 }}, copy: {{ partitions: 6 }} }}
subscriptions:
  there-{name}: {{ topic: out, from: earliest, handler: {{ publish: \"{orders}\", mirror: true }} }}
  over-{name}: {{ topic: {orders}, from: earliest, handler: {{ publish: \"kafka://second/{across}\", mirror: true }} }}
  copy-{name}: {{ topic: kafka://second/{across}, from: earliest, handler: {{ publish: copy, mirror: true }} }}
",
        shop.brokers(),
        shop.address(),
        name = shop.name(),
        orders = shop.orders_address(),
    );
    let node = start(folder.path(), &yaml).await;
    for n in 0..EVENTS {
        let key = format!("key-{}", n % 40);
        let event = json!({
            "specversion": "1.0", "id": format!("order-{n}"), "source": "/shop", "type": "OrderCreated",
            "partitionkey": key, "data": { "n": n }
        });
        node.publish("out", event).await;
    }
    let partition_of = async |topic: &str, partition: u32| {
        let page = node.get(&format!("/v1/topics/{topic}/events?partition={partition}&from=earliest&limit=1000")).await;
        page["items"].as_array().cloned().unwrap_or_default()
    };
    for partition in 0..6 {
        let there = partition_of("out", partition).await;
        let copied = until("the partition has come back", || async {
            let copied = partition_of("copy", partition).await;
            (copied.len() >= there.len()).then_some(copied)
        })
        .await;
        let numbers = |all: &[serde_json::Value]| all.iter().map(shop::number_in).collect::<Vec<_>>();
        assert_eq!(numbers(&copied), numbers(&there), "partition {partition}, in its order");
        for (offset, event) in there.iter().enumerate() {
            // Out of this log into Kafka, from there into another Kafka, and into this log again.
            let translated = async |mirror: &str, offset: u64| {
                let path =
                    format!("/v1/subscriptions/{mirror}-{}/mirror?partition={partition}&offset={offset}", shop.name());
                node.get(&path).await["translated"].as_u64().unwrap()
            };
            let at_kafka = translated("there", offset as u64).await;
            let across = translated("over", at_kafka).await;
            let back = usize::try_from(translated("copy", across).await).unwrap();
            assert_eq!(shop::number_in(&copied[back]), shop::number_in(event));
        }
    }
    let refused = node.client.json("GET", "/v1/subscriptions/nobody/mirror?partition=0&offset=0", None).await;
    assert_eq!(refused.unwrap_err().code, "unknown-subscription");
    node.node.shutdown().await;
}
