//! Store-and-forward: what is published to a node while its Kafka is away.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use evenkeel_transport::contract::proxy::{Line, Proxy, Replacement};
use serde_json::json;

use super::EVENTS;
use super::shop::Shop;
use super::support::{Handler, Started, start, until};

/// In front of the broker: what the broker says of its own address is replaced by that of the proxy.
async fn proxied(shop: &Shop) -> Proxy {
    let target: SocketAddr = shop.address().parse().unwrap();
    let lives = |port: u16| [b"127.0.0.1".as_slice(), &u32::from(port).to_be_bytes()].concat();
    Proxy::replacing(target, |own: SocketAddr| Replacement::new(lives(target.port()), lives(own.port()))).await.unwrap()
}

/// A bridge from a topic of the node to the orders at the broker.
fn bridge(shop: &Shop, proxy: &Proxy) -> String {
    format!(
        "brokers:\n  main: {{ url: \"kafka://{}\", session: 3s }}
topics: {{ out: {{ partitions: 3 }} }}
subscriptions:
  forward-{}:
    topic: out
    from: earliest
    handler: {{ publish: \"{}\" }}
    retry: {{ initial: 50ms, max: 500ms }}
    breaker: {{ open: 300ms, consecutive: 2 }}
",
        proxy.address(),
        shop.name(),
        shop.orders_address(),
    )
}

/// Of two keys, in turn.
async fn publish(node: &Started, from: usize) {
    for n in from..from + EVENTS {
        let event = json!({
            "specversion": "1.0", "id": format!("order-{n}"), "source": "/shop", "type": "OrderCreated",
            "partitionkey": format!("key-{}", n % 2), "data": { "n": n }
        });
        node.publish("out", event).await;
    }
}

async fn finds_out(node: &Started, shop: &Shop) {
    until("its breaker opens", || async {
        let shown = node.get(&format!("/v1/subscriptions/forward-{}", shop.name())).await;
        shown.to_string().contains("\"state\":\"open\"").then_some(())
    })
    .await;
}

/// All are at the broker, in the order of each key, and nothing died of the outage.
async fn in_order(node: &Started, shop: &Shop, events: usize) {
    let audit = node.audited(&format!("forward-{}", shop.name())).await;
    assert_eq!(audit["dead"], 0, "an outage kills nothing: {audit}");
    let mut newest = [None, None];
    for event in shop.read(&shop.orders()).await {
        let id = String::from_utf8_lossy(event.header("ce_id").unwrap()).into_owned();
        let n: usize = id.rsplit('-').next().unwrap().parse().unwrap();
        // One whose confirmation was lost may be there twice, and none before what came before it.
        assert!(newest[n % 2].is_none_or(|before| before <= n), "{n} after {newest:?}");
        newest[n % 2] = Some(n);
    }
    assert_eq!(newest, [Some(events - 2), Some(events - 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_broker_is_away_events_are_taken_here_and_forwarded_in_order_when_it_is_back() {
    let Some(shop) = Shop::open("classic").await else { return };
    let proxy = proxied(&shop).await;
    let handler = Handler::start(|_| 200).await;
    let folder = tempfile::tempdir().unwrap();
    let read = format!(
        "  read-{}:
    topic: {}
    from: earliest
    handler: {{ http: {{ url: \"{}\" }} }}
",
        shop.name(),
        shop.orders_address(),
        handler.url,
    );
    let node = start(folder.path(), &format!("{}{read}", bridge(&shop, &proxy))).await;
    let handled = async |count: usize| {
        until("they are handled", || async {
            let ids: BTreeSet<String> = handler.seen().iter().map(|call| call.header("ce-id")).collect();
            (ids.len() >= count).then_some(())
        })
        .await;
    };
    publish(&node, 0).await;
    handled(EVENTS).await;
    proxy.set(Line::Cut);
    publish(&node, EVENTS).await;
    finds_out(&node, &shop).await;
    // Who asks meanwhile is told that the broker was not asked; of what is here, nothing is held back.
    let why = node.get("/v1/why?what=nobody").await;
    assert_eq!((&why["subscriptions"], &why["unseen"][0]["place"]), (&json!([]), &json!("main")), "{why}");
    let story = node.client.json("GET", "/v1/events/nobody", None).await.unwrap_err().to_string();
    assert!(story.contains("not everything was looked at"), "{story}");
    let own = node.get(&format!("/v1/events/order-{EVENTS}")).await;
    assert_eq!((&own["records"][0]["topic"], &own["unseen"][0]["place"]), (&json!("out"), &json!("main")), "{own}");
    proxy.set(Line::Open);
    handled(2 * EVENTS).await;
    in_order(&node, &shop, 2 * EVENTS).await;
    node.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_while_its_broker_is_away_holds_it_for_away_and_not_for_one_that_refuses() {
    let Some(shop) = Shop::open("classic").await else { return };
    let proxy = proxied(&shop).await;
    proxy.set(Line::Cut);
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), &bridge(&shop, &proxy)).await;
    publish(&node, 0).await;
    finds_out(&node, &shop).await;
    for n in [0, 1] {
        let why = node.get(&format!("/v1/why?id=order-{n}")).await;
        let first = &why["subscriptions"][0]["first"];
        assert_eq!((&first["attempts"], &first["provisional"]), (&json!(0), &json!(0)), "it costs nothing: {why}");
        let class = &first["failure"]["class"];
        assert!(class.is_null() || class == "unreachable", "{why}");
    }
    publish(&node, EVENTS).await;
    proxy.set(Line::Open);
    until("all are forwarded", || async {
        let audit = node.audited(&format!("forward-{}", shop.name())).await;
        (audit["completed"] == json!(2 * EVENTS)).then_some(())
    })
    .await;
    in_order(&node, &shop, 2 * EVENTS).await;
    node.node.shutdown().await;
}
