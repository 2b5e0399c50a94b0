//! A service as a subscription meets it: over a real connection, with a real book.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::{Station, Trade, routes};
use crate::demo::shop::{Place, inventory, payment};

struct Open {
    url: String,
    dir: tempfile::TempDir,
    name: &'static str,
    _serving: tokio::task::JoinHandle<()>,
}

async fn opened(name: &'static str, trade: Trade) -> Open {
    let dir = tempfile::tempdir().unwrap();
    let place = Place { dir: dir.path().to_owned(), port: 0, name };
    let station: Arc<Station> = Station::open(&place, trade).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, routes(station)).await.unwrap() });
    Open { url, dir, name, _serving: serving }
}

impl Open {
    async fn call(&self, path: &str, key: &str, body: Value) -> (u16, String) {
        let request = Request::post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("idempotency-key", format!("\"{key}\""))
            .header("ce-id", "e-1")
            .header("ce-type", "OrderCreated")
            .header("ce-partitionkey", "17850")
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    fn book(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join(format!("{}.jsonl", self.name))).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn order() -> Value {
    json!({"id":"536365","type":"OrderCreated","time":"2010-12-01T08:26:00Z","customer":"17850","country":"EIRE",
        "lines":[{"sku":"85123A","name":null,"quantity":6,"price":2.55}]})
}

#[tokio::test]
async fn a_repeated_key_has_one_effect_and_the_same_answer() {
    let payment = opened("payment", payment::TRADE).await;
    let first = payment.call("/events", "k1", order()).await;
    let second = payment.call("/events", "k1", order()).await;
    assert_eq!(first.0, 200);
    assert_eq!(first, second);
    let event: Value = serde_json::from_str(&first.1).unwrap();
    assert_eq!((event["type"].as_str(), event["partitionkey"].as_str()), (Some("PaymentCaptured"), Some("17850")));
    let book = payment.book();
    assert_eq!((book.len(), book[0]["pence"].as_i64(), book[0]["key"].as_str()), (1, Some(1530), Some("k1")));
}

#[tokio::test]
async fn a_refused_call_has_no_effect() {
    let inventory = opened("inventory", inventory::TRADE).await;
    inventory.call("/faults", "-", json!({"mode": "down", "status": 502})).await;
    assert_eq!(inventory.call("/events", "k1", order()).await.0, 502);
    inventory.call("/faults", "-", json!({"mode": "wedged"})).await;
    assert_eq!(inventory.call("/events", "k1", order()).await.0, 500);
    assert!(inventory.book().is_empty());
    inventory.call("/recycle", "-", json!({})).await;
    assert_eq!(inventory.call("/events", "k1", order()).await.0, 200);
    assert_eq!(inventory.book().len(), 1);
}

#[tokio::test]
async fn poison_fails_each_time_and_nothing_else_does() {
    let payment = opened("payment", payment::TRADE).await;
    payment.call("/faults", "-", json!({"mode": "poison", "order": "536365"})).await;
    assert_eq!(payment.call("/events", "k1", order()).await.0, 500);
    assert_eq!(payment.call("/events", "k1", order()).await.0, 500);
    let mut other = order();
    other["id"] = "536366".into();
    assert_eq!(payment.call("/events", "k2", other).await.0, 200);
}
