//! A 202 that is answered later, and endpoints that are asked before they are sent events.

use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use bytes::Bytes;
use evenkeel_delivery::ports::{Answer, Handler};
use evenkeel_model::{FailureClass, Verdict};

use super::server::{Manner, Server, http};
use super::{call, event, failed, handler};
use crate::http::{Accepted, Callbacks, Handshake, HttpHandler, HttpSettings};

fn waiting_for(url: &str, within: Duration) -> (Arc<Callbacks>, HttpHandler) {
    let callbacks = Arc::new(Callbacks::new("http://node:8080"));
    let accepted = Accepted::Pending { within };
    let settings = HttpSettings { accepted, callbacks: Some(callbacks.clone()), ..HttpSettings::new(url, "payment") };
    (callbacks, handler(settings))
}

/// The token of the only call that the server got.
async fn token(server: &Server) -> String {
    loop {
        if let Some(request) = server.requests().first() {
            let line =
                request.lines().find_map(|l| l.strip_prefix("evenkeel-callback: http://node:8080/v1/callbacks/"));
            return line.unwrap().to_owned();
        }
        tokio::task::yield_now().await;
    }
}

/// What a handler that says 202 gets when it calls back with this.
async fn called_back(headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
    let server = Server::start(http("202 Accepted", &[("evenkeel-handler-version", "v3")], "")).await;
    let (callbacks, handler) = waiting_for(&server.url, Duration::from_secs(3600));
    let attempt = tokio::spawn(handler.handle(call(event())));
    let token = token(&server).await;
    assert!(token.len() == 32 && !attempt.is_finished());
    let mut said = HeaderMap::new();
    headers.iter().for_each(|(name, value)| drop(said.insert(*name, value.parse().unwrap())));
    assert!(!callbacks.answer(&"0".repeat(32), said.clone(), Bytes::new()).await.unwrap(), "nobody waits for that");
    assert!(callbacks.answer(&token, said.clone(), Bytes::from_static(body.as_bytes())).await.unwrap());
    let answer = attempt.await.unwrap();
    assert!(!callbacks.answer(&token, said, Bytes::new()).await.unwrap(), "a token is good for one");
    assert!(callbacks.is_empty());
    answer
}

#[tokio::test]
async fn an_accepted_event_is_done_when_its_callback_says_so() {
    let done = called_back(&[], "").await;
    assert_eq!((done.verdict, done.handler_version.as_deref()), (Verdict::Ack, Some("v3")));
    let rejected = called_back(&[("evenkeel-verdict", "reject; reason=\"no sku\"")], "").await;
    assert_eq!(rejected.verdict, Verdict::Reject { reason: "no sku".into() });
    let paid = r#"{"specversion":"1.0","id":"p","source":"/p","type":"Paid"}"#;
    let paid = called_back(&[("content-type", "application/cloudevents+json")], paid).await;
    assert_eq!((paid.verdict, paid.emitted.len()), (Verdict::Ack, 1));
    let garbage = failed(called_back(&[("evenkeel-verdict", "perhaps")], "").await);
    assert_eq!(garbage.class, FailureClass::Failed);
}

#[tokio::test]
async fn a_callback_that_does_not_come_in_time_is_no_answer() {
    let server = Server::start(http("202 Accepted", &[], "")).await;
    let (callbacks, handler) = waiting_for(&server.url, Duration::from_millis(50));
    let failure = failed(handler.handle(call(event())).await);
    assert_eq!((failure.class, failure.status, failure.unanswered), (FailureClass::Failed, Some(202), true));
    assert!(failure.message.contains("no callback within 50 ms"), "{}", failure.message);
    let late = callbacks.answer(&token(&server).await, HeaderMap::new(), Bytes::new()).await;
    assert_eq!(late, Ok(false), "it is too late");
}

#[tokio::test]
async fn what_is_no_bare_202_counts_at_once() {
    for (manner, expected) in [
        (http("200 OK", &[], ""), Some(Verdict::Ack)),
        (
            http("202 Accepted", &[("evenkeel-verdict", "drop; reason=x")], ""),
            Some(Verdict::Drop { reason: "x".into() }),
        ),
        (http("500 Oops", &[], ""), None),
        (Manner::Closes(Vec::new()), None),
    ] {
        let server = Server::start(manner).await;
        let (callbacks, handler) = waiting_for(&server.url, Duration::from_secs(3600));
        let answer = handler.handle(call(event())).await;
        match expected {
            Some(verdict) => assert_eq!(answer.verdict, verdict),
            None => assert_eq!(failed(answer).class, FailureClass::Failed),
        }
        assert!(callbacks.is_empty(), "nobody waits any more");
    }
}

fn asking(url: &str) -> HttpHandler {
    let handshake = Some(Handshake { origin: "events.shop.example".into(), rate: Some(600) });
    handler(HttpSettings { handshake, ..HttpSettings::new(url, "payment") })
}

#[tokio::test]
async fn an_endpoint_is_asked_once_and_its_rate_is_kept_without_spending_anything() {
    let agrees = [("webhook-allowed-origin", "events.shop.example"), ("webhook-allowed-rate", "60")];
    let server = Server::start(http("200 OK", &agrees, "")).await;
    let handler = asking(&server.url);
    assert_eq!(handler.handle(call(event())).await.verdict, Verdict::Ack);
    let requests = server.requests();
    assert!(requests[0].starts_with("OPTIONS /events HTTP/1.1"), "{}", requests[0]);
    assert!(requests[0].contains("\r\nwebhook-request-origin: events.shop.example\r\n"));
    assert!(requests[0].contains("\r\nwebhook-request-rate: 600\r\n") && requests[1].starts_with("POST"));
    let later = failed(handler.handle(call(event())).await);
    assert_eq!((later.class, later.retry_after), (FailureClass::Deferred, Some(Duration::from_secs(1))));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn an_endpoint_that_does_not_agree_is_sent_no_event() {
    for headers in [&[][..], &[("webhook-allowed-origin", "other.example")]] {
        let server = Server::start(http("200 OK", headers, "")).await;
        let failure = failed(asking(&server.url).handle(call(event())).await);
        assert_eq!((failure.class, failure.unanswered), (FailureClass::Unreachable, true));
        assert!(failure.message.contains("did not agree to be sent events"), "{}", failure.message);
        assert!(server.requests().iter().all(|r| r.starts_with("OPTIONS")));
    }
}
