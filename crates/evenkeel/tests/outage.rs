//! An outage of the handler, of each kind, for longer than all retries together: no healthy
//! event is dead-lettered. Over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod house;

use std::sync::Arc;
use std::time::Duration;

use evenkeel::testing::SimDisk;
use evenkeel::{Answer, BreakerPolicy, Call, Evenkeel, Handler, Policy, RetrySchedule, Subscribe, SystemClock};
use evenkeel_delivery::ports::BoxFuture;
use evenkeel_transport::{HttpHandler, HttpSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use house::{all_ended, event};

const EVENTS: u32 = 12;
const ATTEMPTS: u32 = 3;
/// More calls than all attempts of all events together.
const EVERY_ATTEMPT: u32 = EVENTS * ATTEMPTS + 1;

#[tokio::test]
async fn a_refused_connection_kills_no_healthy_event() {
    // A port that was given out and is closed again: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    outage(url, EVERY_ATTEMPT).await;
}

#[tokio::test]
async fn a_503_kills_no_healthy_event() {
    // Shedding slows dispatch down to seconds between calls: eight of them take a hundred times
    // longer than all retries of an event.
    outage(server(Some("503 Service Unavailable")).await, 8).await;
}

#[tokio::test]
async fn a_500_kills_no_healthy_event() {
    outage(server(Some("500 Internal Server Error")).await, EVERY_ATTEMPT).await;
}

#[tokio::test]
async fn a_hanging_service_kills_no_healthy_event() {
    outage(server(None).await, EVERY_ATTEMPT).await;
}

/// The service is down until it was called so often.
async fn outage(down: String, beyond: u32) {
    let up = server(Some("204 No Content")).await;
    let (calls, mut called) = watch::channel(0);
    let service = Arc::new(Service { down: http(&down), up: http(&up), calls, works: watch::Sender::new(false) });
    let evenkeel = Evenkeel::builder()
        .disk(Arc::new(SimDisk::new(1)))
        .topic("orders", 2)
        .subscribe(Subscribe::by("payment", "orders", service.clone()).policy(impatient()))
        .start()
        .await
        .unwrap();
    for number in 0..EVENTS {
        let order = event(format!("order-{number}"), &format!("customer-{}", number % 5), "{}");
        evenkeel.publish("orders", order).await.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(120), called.wait_for(|calls| *calls > beyond))
        .await
        .expect("the outage is probed on and on")
        .unwrap();
    service.works.send_replace(true);
    let audit = all_ended(&evenkeel, u64::from(EVENTS)).await;
    let books = &audit.subscriptions[0];
    assert_eq!((books.completed, books.dead, books.dropped), (u64::from(EVENTS), 0, 0), "{books:?}");
}

fn impatient() -> Policy {
    let retry = RetrySchedule {
        attempts: ATTEMPTS,
        initial: Duration::from_millis(2),
        factor: 2.0,
        max: Duration::from_millis(10),
        inline: Duration::from_millis(5),
        ..RetrySchedule::default()
    };
    let open = Duration::from_millis(15);
    let breaker = BreakerPolicy { window: Duration::from_millis(300), open, ..BreakerPolicy::default() };
    Policy { retry, timeout: Duration::from_millis(80), handler_breaker: breaker, ..Policy::default() }
}

fn http(url: &str) -> HttpHandler {
    HttpHandler::new(HttpSettings::new(url, "payment"), Arc::new(SystemClock::new())).unwrap()
}

/// A service that can be down: the same handler, at another address.
struct Service {
    down: HttpHandler,
    up: HttpHandler,
    calls: watch::Sender<u32>,
    works: watch::Sender<bool>,
}

impl Handler for Service {
    fn handle(&self, call: Call) -> BoxFuture<'static, Answer> {
        self.calls.send_modify(|calls| *calls += 1);
        if *self.works.borrow() { self.up.handle(call) } else { self.down.handle(call) }
    }
}

/// Answers every request with this status, or never.
async fn server(status: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, status));
        }
    });
    url
}

async fn converse(mut stream: TcpStream, status: Option<&'static str>) {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(n) => read.extend_from_slice(&chunk[..n]),
        }
        // Bodies here are `{}`: a request is whole when that has come.
        if !read.ends_with(b"\r\n\r\n{}") {
            continue;
        }
        read.clear();
        let Some(status) = status else { std::future::pending().await };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
