//! Several events in one request: what goes out, and what each kind of answer means for each.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_delivery::Mark;
use evenkeel_delivery::ports::{Answer, Call, Delivered, Handler};
use evenkeel_model::{AttributeValue, Event, FailureClass, Verdict};

use super::server::{Manner, Server, http};
use super::{call, event, handler};
use crate::http::{Batch, HttpHandler, HttpSettings};

/// A call with an id, key and attempt of its own.
fn nth(n: u8) -> Call {
    let mut event = Event::new("/shop", format!("order-{n}"), "OrderCreated");
    event.datacontenttype = Some("application/json".into());
    event.data = Some(format!("{{\"n\":{n}}}").into());
    of(n, event)
}

fn of(n: u8, event: Event) -> Call {
    let plain = call(event.clone());
    let delivered = Arc::new(Delivered { event, ..(*plain.delivered).clone() });
    Call { delivered, key: Mark([n; 16]), attempt: u32::from(n), ..plain }
}

fn batching(url: &str, batch: Batch) -> HttpHandler {
    handler(HttpSettings { batch: Some(batch), ..HttpSettings::new(url, "payment") })
}

/// What three events get from a server that behaves so, and what it got.
async fn three(manner: Manner) -> (Vec<Answer>, Vec<String>) {
    let server = Server::start(manner).await;
    let handler = batching(&server.url, Batch::default());
    let answers = handler.handle_batch(vec![nth(1), nth(2), nth(3)]).await;
    (answers, server.requests())
}

fn json(body: &str) -> Manner {
    http("200 OK", &[("content-type", "application/json; charset=utf-8"), ("evenkeel-handler-version", "v7")], body)
}

fn classes(answers: &[Answer]) -> Vec<Option<FailureClass>> {
    let class = |answer: &Answer| match &answer.verdict {
        Verdict::Failed(failure) => Some(failure.class),
        _ => None,
    };
    answers.iter().map(class).collect()
}

fn message(answer: &Answer) -> &str {
    match &answer.verdict {
        Verdict::Failed(failure) => &failure.message,
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_batch_is_one_request_and_each_event_tells_its_own_key_and_attempt() {
    let (answers, requests) = three(http("204 No Content", &[], "")).await;
    assert_eq!(answers.iter().filter(|a| a.verdict == Verdict::Ack).count(), 3);
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    for line in [
        "content-type: application/cloudevents-batch+json; charset=utf-8",
        "evenkeel-subscription: payment",
        "evenkeel-deadline: 1994-11-06T08:49:27.000Z",
        "evenkeel-fence: 9",
    ] {
        assert!(request.lines().any(|l| l == line), "no `{line}` in\n{request}");
    }
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let events = evenkeel_cloudevents::json::decode_batch(body.as_bytes(), &Default::default()).unwrap();
    let told: Vec<_> = events.iter().map(|e| (e.extension("evenkeelkey"), e.extension("evenkeelattempt"))).collect();
    let expected = |n: u8| (Some(format!("{n:02x}").repeat(16)), Some(n.to_string()));
    assert_eq!(told, [expected(1), expected(2), expected(3)]);
    assert_eq!(events[2].data.as_deref(), Some(&b"{\"n\":3}"[..]));
    assert_eq!(events[0].extension("evenkeelmaxattempts").as_deref(), Some("8"));
    assert_eq!(events[0].extension("evenkeeldelivery").as_deref(), Some("5"));
}

#[tokio::test]
async fn an_event_cannot_tell_a_key_that_is_not_its_own() {
    let server = Server::start(http("200 OK", &[], "")).await;
    let mut forged = event();
    forged.set_extension("evenkeelkey", AttributeValue::String("ff".into()));
    batching(&server.url, Batch::default()).handle_batch(vec![of(5, forged)]).await;
    let request = server.requests().remove(0);
    assert!(request.contains(&format!("\"evenkeelkey\":\"{}\"", "05".repeat(16))) && !request.contains("\"ff\""));
}

#[tokio::test]
async fn each_event_gets_the_verdict_that_the_answer_gives_it_in_whatever_order() {
    let said = r#"{"results":[
        {"source":"/shop","id":"order-3","verdict":"ack","events":[{"specversion":"1.0","id":"p","source":"/p","type":"Paid"}]},
        {"id":"order-1","verdict":"retry; after=30s"},
        {"id":"order-2","source":"/shop","verdict":"reject; reason=\"no sku\"","extra":1}]}"#;
    let (answers, _) = three(json(said)).await;
    assert_eq!(
        answers[0].verdict,
        Verdict::Retry {
            after: Some(Duration::from_secs(30)),
            message: "the handler said retry".into(),
            dependency: None
        }
    );
    assert_eq!(answers[1].verdict, Verdict::Reject { reason: "no sku".into() });
    assert_eq!((&answers[2].verdict, answers[2].emitted.len()), (&Verdict::Ack, 1));
    assert_eq!(answers[2].emitted[0].kind, "Paid");
    assert!(answers.iter().all(|a| a.handler_version.as_deref() == Some("v7")));
}

#[tokio::test]
async fn nothing_is_done_that_the_answer_does_not_say_is_done() {
    for (third, why) in [
        ("", "no verdict for this event"),
        (r#",{"id":"order-3"}"#, "no `verdict`"),
        (r#",{"id":"order-3","verdict":null}"#, "no `verdict`"),
        (r#",{"id":"order-3","verdict":"fine"}"#, "`fine` is not a verdict"),
        (r#",{"id":"order-9","verdict":"ack"}"#, "no verdict for this event"),
        (r#",{"source":"/other","id":"order-3","verdict":"ack"}"#, "no verdict for this event"),
        (r#",{"id":"order-3","verdict":"ack"},{"id":"order-3","verdict":"ack"}"#, "two verdicts"),
        (r#",{"id":"order-3","verdict":"ack","events":[{"id":"x"}]}"#, "events of its verdict cannot be read"),
        (r#",{"id":"order-3","verdict":"ack","events":7}"#, "events of its verdict cannot be read"),
    ] {
        let said = format!(
            r#"{{"results":[{{"id":"order-1","verdict":"ack"}},{{"id":"order-2","verdict":"drop; reason=x"}}{third}]}}"#
        );
        let (answers, _) = three(json(&said)).await;
        assert_eq!(answers[0].verdict, Verdict::Ack, "{third}");
        assert_eq!(answers[1].verdict, Verdict::Drop { reason: "x".into() }, "{third}");
        assert_eq!(classes(&answers)[2], Some(FailureClass::Failed), "{third}");
        assert!(message(&answers[2]).contains(why), "{third}: {}", message(&answers[2]));
    }
}

#[tokio::test]
async fn an_answer_without_results_speaks_for_all() {
    for body in ["", "ok", "{\"ok\":true}", "[]", "\"done\""] {
        assert_eq!(classes(&three(json(body)).await.0).len(), 3);
    }
    for manner in
        [json("{\"ok\":true}"), json("[]"), json(" "), http("200 OK", &[("content-type", "text/plain")], "ok")]
    {
        assert!(three(manner).await.0.iter().all(|a| a.verdict == Verdict::Ack));
    }
    let busy = http("200 OK", &[("evenkeel-verdict", "busy; after=5s")], "");
    let busy = three(busy).await.0;
    assert!(busy.iter().all(|a| a.verdict == Verdict::Busy { after: Some(Duration::from_secs(5)) }), "{busy:?}");
}

#[tokio::test]
async fn poison_costs_its_neighbours_nothing_and_a_refused_batch_kills_nobody() {
    for manner in [
        http("500 Oops", &[], "poison"),
        http("422 Bad", &[], "poison"),
        http("404 Where", &[], ""),
        json("{\"results\":7}"),
        json("{\"results\":"),
        http("200 OK", &[("content-type", "application/cloudevents-batch+json")], "[1]"),
        Manner::Closes(b"HTTP/1.1 200 OK\r\ncontent-le".into()),
    ] {
        let server = Server::start(manner).await;
        let handler = batching(&server.url, Batch::default());
        let answers = handler.handle_batch(vec![nth(1), nth(2), nth(3)]).await;
        assert_eq!(classes(&answers), [Some(FailureClass::Deferred); 3], "{answers:?}");
        assert!(message(&answers[1]).contains("in a batch of 3") && message(&answers[1]).contains("goes alone next"));
        let again = handler.handle_batch(vec![nth(1), nth(2), nth(3), nth(4)]).await;
        assert_eq!(server.requests().len(), 5, "three alone, and the new one");
        assert!(!classes(&again).contains(&Some(FailureClass::Deferred)), "alone it counts: {again:?}");
    }
}

#[tokio::test]
async fn who_did_well_alone_is_no_suspect_any_more() {
    let server = Server::start(http("500 Oops", &[], "")).await;
    let bad = batching(&server.url, Batch::default());
    bad.handle_batch(vec![nth(1), nth(2)]).await;
    let suspects = &bad.outlet.suspects;
    assert_eq!((suspects.has(&Mark([1; 16])), suspects.has(&Mark([2; 16]))), (true, true));
    let ack = Answer { verdict: Verdict::Ack, emitted: Vec::new(), handler_version: None };
    let failed = bad.handle_batch(vec![nth(2)]).await.remove(0);
    suspects.judged(&[nth(1), nth(2)], &[ack, failed]);
    assert_eq!((suspects.has(&Mark([1; 16])), suspects.has(&Mark([2; 16]))), (false, true));
}

#[tokio::test]
async fn one_request_is_one_observation() {
    for (status, class) in [("429 Slow", FailureClass::Overload), ("410 Gone", FailureClass::Gone)] {
        let (answers, _) = three(http(status, &[("retry-after", "7")], "")).await;
        assert_eq!(classes(&answers), [Some(class), Some(FailureClass::Deferred), Some(FailureClass::Deferred)]);
        let Verdict::Failed(third) = &answers[2].verdict else { unreachable!() };
        assert_eq!(third.retry_after, Some(Duration::from_secs(7)));
    }
    let (answers, _) = three(http("200 OK", &[("content-type", "application/cloudevents+json")], "")).await;
    assert_eq!(classes(&answers), [Some(FailureClass::Deferred); 3]);
}

#[tokio::test]
async fn a_request_holds_no_more_events_and_bytes_than_its_limits() {
    let server = Server::start(http("200 OK", &[], "")).await;
    let handler = batching(&server.url, Batch { max: 4, bytes_max: 14, ..Batch::default() });
    let answers = handler.handle_batch((1..=6).map(nth).collect()).await;
    assert!(answers.iter().all(|a| a.verdict == Verdict::Ack));
    assert_eq!(server.requests().len(), 3, "7 bytes each, 14 at most");
    let batching = handler.batching();
    assert_eq!((batching.max, batching.linger), (4, Duration::ZERO));
    assert_eq!(handler.handle(nth(9)).await.verdict, Verdict::Ack);
    assert!(server.requests()[3].contains("application/cloudevents-batch+json"), "also when it is one event");
}
