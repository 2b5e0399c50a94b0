//! What lies in a topic at the broker, for whoever looks.

use std::collections::BTreeMap;
use std::process::Command;

use evenkeel_delivery::ports::Sink;
use evenkeel_transport_kafka::KafkaSink;
use serde_json::{Value, json};

use super::shop::{Shop, number_in, order};
use super::support::start;
use super::{EVENTS, SAME_KEY};

fn items(answer: &Value) -> Vec<Value> {
    answer["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_at_the_broker_is_tailed_like_one_of_the_node() {
    let Some(shop) = Shop::open("classic").await else { return };
    let sink = KafkaSink::open(&shop.broker(), shop.orders()).await.unwrap();
    let publish = async |numbers: Vec<usize>| {
        let sent = sink.publish(numbers.into_iter().map(order).collect()).await;
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    };
    publish((0..EVENTS).chain((0..EVENTS).map(|n| n + SAME_KEY)).collect()).await;
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), &shop.brokers()).await;
    let at = |topic: &str| format!("/v1/topics/kafka%3A%2F%2Fmain%2F{topic}/events");
    let path = at(&shop.orders());

    // Page by page, each once.
    let (mut came, mut place) = (Vec::new(), String::new());
    loop {
        let page = node.get(&format!("{path}?limit=5{place}")).await;
        if items(&page).is_empty() {
            break;
        }
        assert!(items(&page).len() <= 5, "{page}");
        came.extend(items(&page));
        place = format!("&cursor={}", page["next"].as_str().unwrap());
    }
    assert!(came.iter().all(|item| item["topic"] == json!(shop.orders_address())), "{came:?}");
    let mut by_key: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for item in &came {
        by_key.entry(item["key"].to_string()).or_default().push(number_in(&item["event"]));
    }
    let expected: Vec<Vec<usize>> = (0..EVENTS).map(|n| vec![n, n + SAME_KEY]).collect();
    let mut shown: Vec<Vec<usize>> = by_key.into_values().collect();
    shown.sort();
    assert_eq!(shown, expected, "each once, in the order of its key");

    // What comes later is behind the end.
    let latest = node.get(&format!("{path}?from=latest")).await;
    assert_eq!(items(&latest), Vec::<Value>::new());
    publish(vec![7_000]).await;
    let newer = node.get(&format!("{path}?cursor={}", latest["next"].as_str().unwrap())).await;
    assert_eq!(items(&newer).iter().map(|item| number_in(&item["event"])).collect::<Vec<_>>(), [7_000]);
    let of_one = node.get(&format!("{path}?partition={}", newer["items"][0]["partition"])).await;
    assert!(items(&of_one).contains(&newer["items"][0]), "{of_one}");

    let missing = node.client.json("GET", &at("no-such-topic"), None).await.unwrap_err().to_string();
    assert!(missing.contains("broker `main` has no topic `no-such-topic`"), "{missing}");
    let beyond = node.client.json("GET", &format!("{path}?partition=99"), None).await.unwrap_err().to_string();
    assert!(beyond.contains("has no partition 99"), "{beyond}");

    let (address, url) = (shop.orders_address(), format!("http://{}", node.node.http));
    let run = move || Command::new(env!("CARGO_BIN_EXE_evenkeel")).args(["tail", &address, "--node", &url]).output();
    let done = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(said.lines().filter(|line| line.contains("OrderCreated")).count(), 2 * EVENTS + 1, "{said}");
    node.node.shutdown().await;
}
