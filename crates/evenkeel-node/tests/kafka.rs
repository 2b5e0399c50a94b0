//! Two and three real nodes on one real Kafka: rolled, killed, and stopped for longer than their session.
//!
//! The handler remembers every call; what is proven is read from Kafka: one effect for each event, in
//! the order of its key, and an account that adds up over all nodes.
#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test")]

mod support;
#[allow(dead_code, reason = "each test uses a part of it")]
#[path = "kafka/shop.rs"]
mod shop;

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use shop::Shop;
use support::up::Up;
use support::{row, until};

/// Events that are called between two blows.
const BETWEEN: usize = 100;

async fn start(shop: &Shop, folder: &Path, name: &'static str) -> Up {
    Up::start(folder, name, &shop.config(name)).await
}

async fn audited(node: &Up, shop: &Shop) -> Value {
    let audit = node.client.json("GET", "/v1/audit", None).await.unwrap();
    row(&audit, "subscriptions", &shop.subscription())
}

/// All of it: nothing lost, every effect once and in the order of its key, the books closed.
async fn proven(shop: &Shop, node: &Up, events: usize) {
    until("every event has its effect", || async { (shop.called() >= events).then_some(()) }).await;
    let audit = until("nothing is open", || async {
        let of = audited(node, shop).await;
        let open = ["in_flight", "parked", "unread"].iter().map(|n| of[n].as_u64().unwrap()).sum::<u64>();
        // What was confirmed too late is there twice.
        let appended = of["completed"].as_u64().unwrap() + of["duplicate"].as_u64().unwrap();
        (open == 0 && of["appended"].as_u64() == Some(appended) && appended >= events as u64).then_some(of)
    })
    .await;
    assert_eq!(audit["problems"].as_array().map(Vec::len), Some(0), "{audit}");
    assert_eq!(audit["completed"].as_u64(), Some(events as u64), "{audit}");
    let effects = shop.effects().await;
    assert_eq!(effects.len(), events, "each event has one committed effect");
    shop::assert_in_order(&effects);
    assert_eq!(shop.disorder(), Vec::<String>::new(), "calls of a key follow its order");
    println!("{events} events, {} calls, fences {:?}", shop.calls(), shop.fences());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_are_rolled_under_load_lose_nothing_and_do_nothing_twice() {
    let Some(shop) = Shop::open("classic").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = vec![start(&shop, folder.path(), "a").await, start(&shop, folder.path(), "b").await];
    let publishing = shop.publish();
    for name in ["c", "d", "e"] {
        shop.works(BETWEEN).await;
        let next = start(&shop, folder.path(), name).await;
        shop.node_works(name, 1).await;
        nodes.remove(0).leave().await;
        nodes.push(next);
    }
    shop.works(BETWEEN).await;
    let events = publishing.end().await;
    proven(&shop, &nodes[0], events).await;
    assert_eq!(shop.calls(), events, "who leaves in order finishes what is at the handlers: no call is repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_are_killed_under_load_lose_nothing_and_do_nothing_twice() {
    let Some(shop) = Shop::open("classic").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = vec![start(&shop, folder.path(), "a").await, start(&shop, folder.path(), "b").await];
    let publishing = shop.publish();
    for name in ["c", "d", "e"] {
        let victim = nodes.remove(0);
        shop.node_works(victim.name, BETWEEN).await;
        shop.hold();
        busy(&shop, &victim).await;
        let mut victim = victim;
        victim.kill();
        shop.release();
        nodes.push(start(&shop, folder.path(), name).await);
    }
    shop.works(BETWEEN).await;
    let events = publishing.end().await;
    proven(&shop, &nodes[0], events).await;
    assert!(shop.calls() > events, "what was at a handler when its node was killed goes out again");
}

/// Calls of that node wait for their answers.
async fn busy(shop: &Shop, node: &Up) {
    until("it has calls that nobody answered", || async { (shop.at_work(node.name) > 0).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_stood_still_for_longer_than_its_session_is_fenced() {
    let Some(shop) = Shop::open("classic").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let a = start(&shop, folder.path(), "a").await;
    let publishing = shop.publish();
    shop.node_works("a", BETWEEN).await;
    let b = start(&shop, folder.path(), "b").await;
    shop.node_works("b", 1).await;
    shop.hold();
    busy(&shop, &a).await;
    a.signal(Signal::STOP);
    shop.release();
    // All of it is the other's now: more than may be on its way where this one stood still.
    shop.works(4 * BETWEEN).await;
    a.signal(Signal::CONT);
    shop.works(BETWEEN).await;
    shop.node_works("a", 1).await;
    let events = publishing.end().await;
    proven(&shop, &b, events).await;
    assert!(audited(&a, &shop).await["completed"].as_u64() == Some(events as u64), "either node can answer for both");
    assert!(!b.said().contains("begins anew"), "nobody takes a partition from who was given it: {}", b.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_in_a_group_that_the_broker_shares_out() {
    let Some(shop) = Shop::open("consumer").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = Vec::new();
    for name in ["a", "b", "c"] {
        nodes.push(start(&shop, folder.path(), name).await);
    }
    let publishing = shop.publish();
    for name in ["a", "b", "c"] {
        shop.node_works(name, 1).await;
    }
    nodes.remove(0).leave().await;
    shop.works(BETWEEN).await;
    nodes.push(start(&shop, folder.path(), "d").await);
    shop.node_works("d", 1).await;
    let events = publishing.end().await;
    proven(&shop, &nodes[0], events).await;
}
