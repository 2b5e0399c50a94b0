//! What the machine can do without us: the same client, the same bodies, the same concurrency,
//! no log, no order, no outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use evenkeel::{Clock, SystemClock};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;

use crate::Outcome;

/// What is posted, by its number.
pub(crate) type Body = dyn Fn(u64) -> String + Sync;

/// Requests per second.
pub(crate) async fn bare(url: &str, events: u64, concurrency: u32, body: &'static Body) -> Outcome<f64> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let target: Uri = url.parse()?;
    let next = Arc::new(AtomicU64::new(0));
    let clock = SystemClock::new();
    let started = clock.now();
    let mut loops = JoinSet::new();
    for _ in 0..concurrency {
        loops.spawn(calls(client.clone(), target.clone(), next.clone(), events, body));
    }
    while let Some(ended) = loops.join_next().await {
        ended??;
    }
    Ok(events as f64 / clock.now().since(started).as_secs_f64())
}

async fn calls(
    client: Client<HttpConnector, Full<Bytes>>,
    target: Uri,
    next: Arc<AtomicU64>,
    events: u64,
    body: &'static Body,
) -> Outcome<()> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= events {
            return Ok(());
        }
        let mut request = Request::new(Full::new(Bytes::from(body(number))));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.clone();
        let response = client.request(request).await?;
        if !response.status().is_success() {
            return Err(format!("the sink answered {}", response.status()).into());
        }
        response.into_body().collect().await?;
    }
}
