//! Producers that publish small batches and repeat each with the same ids until acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_node::client::Client;
use serde_json::json;
use tokio::sync::watch;

use super::support::pass;

const BATCH: u64 = 4;
const LANES: u64 = 40;

#[derive(Default)]
pub struct Produced {
    pub enough: AtomicBool,
    /// Events sent and not acknowledged.
    pub unacknowledged: AtomicUsize,
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Produced {
    pub fn ids(&self) -> BTreeSet<String> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The lanes of a producer are its own, so that their order is that of its numbers.
pub async fn produce(producer: usize, mut node: watch::Receiver<String>, produced: Arc<Produced>) {
    let headers = [("content-type".to_owned(), "application/cloudevents-batch+json".to_owned())];
    let mut number = 0;
    while !produced.enough.load(Ordering::SeqCst) {
        let batch: Vec<u64> = (number..number + BATCH).collect();
        number += BATCH;
        let ids: Vec<String> = batch.iter().map(|n| format!("{producer}-{n}")).collect();
        let events: Vec<_> = batch
            .iter()
            .map(|n| {
                json!({
                    "specversion": "1.0", "id": format!("{producer}-{n}"), "source": "/kill", "type": "Made",
                    "partitionkey": format!("{producer}/{}", n % LANES), "data": { "n": n },
                })
            })
            .collect();
        let body = Bytes::from(json!(events).to_string());
        produced.unacknowledged.fetch_add(ids.len(), Ordering::SeqCst);
        loop {
            let url = node.borrow_and_update().clone();
            let client = Client::new(&url);
            let sent = client.send("POST", "/v1/topics/orders/events", &headers, body.clone(), Duration::from_secs(10));
            match sent.await {
                Ok(reply) if reply.status == 200 => break,
                Ok(reply) => assert_eq!(reply.status, 503, "{}", String::from_utf8_lossy(&reply.body)),
                Err(_) => pass(Duration::from_millis(10)).await,
            }
        }
        produced.unacknowledged.fetch_sub(ids.len(), Ordering::SeqCst);
        produced.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
        pass(Duration::from_millis(4)).await;
    }
}
