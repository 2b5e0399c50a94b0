//! The desk against a node that is a stub: it forgets some answers and knows duplicates.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};

use super::{Asked, Desk, pace};
use crate::demo::plan::DeskPlan;
use crate::demo::shop::Place;

/// Keeps what arrives; every third answer is lost after the events were taken.
#[derive(Default)]
struct Stub {
    places: HashMap<String, u64>,
    by_customer: HashMap<String, Vec<String>>,
    calls: u32,
}

async fn take(State(stub): State<Arc<Mutex<Stub>>>, Json(batch): Json<Vec<Value>>) -> (StatusCode, Json<Value>) {
    let mut stub = stub.lock().unwrap();
    stub.calls += 1;
    let mut results = Vec::new();
    for event in batch {
        let id = event["id"].as_str().unwrap().to_owned();
        let next = stub.places.len() as u64;
        let known = stub.places.get(&id).copied();
        stub.places.entry(id.clone()).or_insert(next);
        if let (None, Some(customer)) = (known, event["partitionkey"].as_str()) {
            stub.by_customer.entry(customer.to_owned()).or_default().push(id.clone());
        }
        results.push(json!({"source": event["source"], "id": id, "partition": 0,
            "offset": known.unwrap_or(next), "duplicate": known.is_some()}));
    }
    let status = if stub.calls.is_multiple_of(3) { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(json!({ "results": results })))
}

#[tokio::test]
async fn orders_are_published_until_acknowledged_in_order_per_customer_and_duplicates_on_purpose_are_counted() {
    let stub = Arc::new(Mutex::new(Stub::default()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = format!("http://{}", listener.local_addr().unwrap());
    let routes = axum::Router::new().route("/v1/topics/orders/events", post(take)).with_state(Arc::clone(&stub));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });

    let dir = tempfile::tempdir().unwrap();
    let place = Place { dir: dir.path().to_owned(), port: 0, name: "order" };
    let plan = DeskPlan { seed: 9, total: 300, per_second: 3000.0, events: None };
    let desk = Desk::open(&place, plan).unwrap();
    let orders = desk.plan.orders().unwrap();
    let working = tokio::spawn(pace::work(Arc::clone(&desk), orders));
    desk.asked(Asked { node: Some(node), again_percent: Some(30), ..Asked::default() });
    while desk.status()["done"] != true {
        tokio::task::yield_now().await;
    }
    working.abort();

    let status = desk.status();
    assert!(status["again_sent"].as_u64().unwrap() > 30, "{status}");
    assert!(status["unknown_then_there"].as_u64().unwrap() > 0, "{status}");
    let acks = std::fs::read_to_string(dir.path().join("acks.jsonl")).unwrap();
    let acks: Vec<Value> = acks.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(acks.iter().filter(|ack| ack["again"] == false).count(), 300);
    assert!(acks.iter().filter(|ack| ack["again"] == true).all(|ack| ack["duplicate"] == true));
    for ids in stub.lock().unwrap().by_customer.values() {
        assert!(ids.is_sorted_by_key(|id| id.parse::<u64>().unwrap()), "{ids:?}");
    }
}
