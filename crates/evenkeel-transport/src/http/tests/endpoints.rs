//! Several endpoints of one handler, and what goes over the wire signed.

use std::time::Duration;

use evenkeel_delivery::ports::Handler;
use evenkeel_model::{FailureClass, Verdict};

use super::server::{Server, http};
use super::{call, event, failed, handler};
use crate::http::{Format, Health, HttpSettings, Pace, Signing};

async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

#[tokio::test]
async fn a_call_that_finds_no_connection_goes_to_another_endpoint() {
    let (one, two) = (Server::start(http("200 OK", &[], "")).await, Server::start(http("200 OK", &[], "")).await);
    let urls = vec![one.url.clone(), nobody().await, two.url.clone()];
    let handler = handler(HttpSettings { urls, ..HttpSettings::new("", "payment") });
    for _ in 0..30 {
        assert_eq!(handler.handle(call(event())).await.verdict, Verdict::Ack);
    }
    let (first, second) = (one.requests().len(), two.requests().len());
    assert!(first + second == 30 && first >= 10 && second >= 10, "{first} and {second}");
    let states: Vec<_> = handler.endpoints().iter().map(|e| (e.state, e.in_flight)).collect();
    assert_eq!(states, [("in", 0), ("ejected", 0), ("in", 0)]);
}

#[tokio::test]
async fn an_event_that_no_endpoint_may_have_yet_is_put_off_until_one_may_and_is_not_sent() {
    let server = Server::start(http("200 OK", &[], "")).await;
    let pace = Some(Pace { per_second: 0.01, burst: 1 });
    let handler = handler(HttpSettings { pace, ..HttpSettings::new(&server.url, "payment") });
    assert_eq!(handler.handle(call(event())).await.verdict, Verdict::Ack);
    let later = failed(handler.handle(call(event())).await);
    assert_eq!(later.class, FailureClass::Deferred, "it costs no attempt");
    let wait = later.retry_after.expect("it says when");
    assert!(wait > Duration::from_secs(60) && wait <= Duration::from_secs(100), "{wait:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_keeps_failing_is_left_out_and_its_answers_still_count() {
    let (bad, good) = (Server::start(http("500 Oops", &[], "")).await, Server::start(http("200 OK", &[], "")).await);
    let urls = vec![bad.url.clone(), good.url.clone()];
    let handler = handler(HttpSettings { urls, ..HttpSettings::new("", "payment") });
    let mut failures = 0;
    for _ in 0..40 {
        failures += usize::from(handler.handle(call(event())).await.verdict != Verdict::Ack);
    }
    assert_eq!((failures, bad.requests().len(), good.requests().len()), (5, 5, 35));
}

#[tokio::test]
async fn an_endpoint_whose_health_check_fails_is_not_called_and_comes_back() {
    let (sick, well) = (Server::start(http("503 Sick", &[], "")).await, Server::start(http("200 OK", &[], "")).await);
    let urls = vec![sick.url.clone(), well.url.clone(), nobody().await];
    let health = Health {
        path: "/healthz?deep=1".parse().unwrap(),
        every: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
    };
    let settings = HttpSettings { urls, health: Some(health.clone()), ..HttpSettings::new("", "payment") };
    let handler = handler(settings);
    crate::http::health::ask_all(&handler.outlet, &health).await;
    assert!(handler.endpoints().iter().all(|e| e.state == "in"), "once is chance");
    crate::http::health::ask_all(&handler.outlet, &health).await;
    let states: Vec<_> = handler.endpoints().iter().map(|e| e.state).collect();
    assert_eq!(states, ["unhealthy", "in", "unhealthy"]);
    for _ in 0..10 {
        assert_eq!(handler.handle(call(event())).await.verdict, Verdict::Ack);
    }
    let asked = sick.requests();
    assert_eq!(asked.len(), 2, "it was asked, and never given an event");
    assert!(asked.iter().all(|r| r.starts_with("GET /healthz?deep=1 HTTP/1.1")), "{asked:?}");
    let watch = handler.watch_health().unwrap();
    drop(handler);
    watch.await;
}

#[tokio::test]
async fn when_no_endpoint_answers_it_is_unreachable() {
    let urls = vec![nobody().await, nobody().await];
    let handler = handler(HttpSettings { urls, ..HttpSettings::new("", "payment") });
    let failure = failed(handler.handle(call(event())).await);
    assert_eq!((failure.class, failure.unanswered), (FailureClass::Unreachable, true));
    assert!(handler.endpoints().iter().all(|e| e.in_flight == 0));
}

#[tokio::test]
async fn a_signed_structured_event_can_be_checked_by_its_receiver() {
    let server = Server::start(http("200 OK", &[], "")).await;
    let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
    let signing = Signing::new(&secrets).unwrap();
    let settings = HttpSettings { signing, format: Format::Structured, ..HttpSettings::new(&server.url, "payment") };
    handler(settings).handle(call(event())).await;
    let request = server.requests().remove(0);
    let header = |name: &str| request.lines().find_map(|l| l.strip_prefix(&format!("{name}: "))).unwrap();
    assert_eq!(header("webhook-id"), "ab".repeat(16));
    assert_eq!(header("webhook-timestamp"), "784111747");
    assert!(header("webhook-signature").starts_with("v1,"));
    let body = request.split_once("\r\n\r\n").unwrap().1;
    assert!(
        body.starts_with("{\"specversion\":\"1.0\"") && header("content-type").contains("cloudevents+json"),
        "{body}"
    );
    assert!(!request.contains("whsec") && !request.contains("MfKQ9r8"));
}
