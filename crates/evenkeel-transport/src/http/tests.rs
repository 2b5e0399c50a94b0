//! Against a real server on this machine: every answer, and every way of giving none.

mod server;
mod batch;
mod endpoints;
mod pending;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use evenkeel_delivery::ports::{Answer, Call, Delivered, Handler};
use evenkeel_delivery::{Arrival, Mark, Screen};
use evenkeel_model::{
    AttributeValue, Created, Event, Failure, FailureClass, ManualClock, Position, Record, Shard, Timestamp, Verdict,
};

use super::{Accepted, HttpHandler, HttpSettings, Reach};
use server::{Manner, Server, http};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub(super) fn event() -> Event {
    let mut event = Event::new("/shop", "order 7", "OrderCreated");
    event.subject = Some("customer-1".into());
    event.datacontenttype = Some("application/json".into());
    event.data = Some(Bytes::from_static(b"{\"total\":12}"));
    event
}

pub(super) fn call(event: Event) -> Call {
    let at = Position { shard: Shard::new("orders", 3), offset: 17 };
    let arrival = Arrival {
        at,
        key: None,
        mark: Mark([0xab; 16]),
        created: Created { at: Timestamp::EPOCH, believed: true },
        expires: None,
        bytes: 0,
        priority: 4,
        kind: "OrderCreated".into(),
        source: "/shop".into(),
        version: evenkeel_delivery::Version::None,
        given_before: 0,
        screen: Screen::Wanted,
    };
    Call {
        delivered: Arc::new(Delivered { arrival, appended: Timestamp::EPOCH, event, record: Record::default() }),
        key: Mark([0xab; 16]),
        attempt: 2,
        attempts_max: 8,
        delivery: 5,
        timeout: Duration::from_secs(20),
        fence: 9,
    }
}

fn handler(settings: HttpSettings) -> HttpHandler {
    HttpHandler::new(settings, Arc::new(ManualClock::at(Timestamp::from_millis(784_111_747_000)))).unwrap()
}

/// What one call of a server that behaves so gives.
async fn answer(manner: Manner) -> Answer {
    let server = Server::start(manner).await;
    handler(HttpSettings::new(&server.url, "payment")).handle(call(event())).await
}

async fn failure(manner: Manner) -> Failure {
    failed(answer(manner).await)
}

fn failed(answer: Answer) -> Failure {
    assert_eq!(answer.emitted, []);
    match answer.verdict {
        Verdict::Failed(failure) => failure,
        other => panic!("no failure: {other:?}"),
    }
}

#[tokio::test]
async fn the_event_goes_out_in_binary_mode_with_the_headers_of_the_call() {
    let server = Server::start(http("200 OK", &[], "")).await;
    let mut traced = event();
    traced.set_extension("traceparent", AttributeValue::String(TRACE.into()));
    let handler = handler(HttpSettings::new(&server.url, "payment"));
    let done = handler.handle(call(traced.clone())).await;
    assert_eq!(done, Answer { verdict: Verdict::Ack, emitted: vec![], handler_version: None });
    let request = server.requests().remove(0);
    for line in [
        "POST /events HTTP/1.1",
        "ce-specversion: 1.0",
        "ce-id: order%207",
        "ce-source: /shop",
        "ce-type: OrderCreated",
        "ce-subject: customer-1",
        "content-type: application/json",
        "idempotency-key: \"abababababababababababababababab\"",
        "evenkeel-attempt: 2",
        "evenkeel-max-attempts: 8",
        "evenkeel-delivery: 5",
        "evenkeel-subscription: payment",
        "evenkeel-deadline: 1994-11-06T08:49:27.000Z",
        "evenkeel-fence: 9",
        &format!("ce-traceparent: {TRACE}"),
    ] {
        assert!(request.lines().any(|l| l == line), "no `{line}` in\n{request}");
    }
    assert!(request.ends_with("\r\n\r\n{\"total\":12}"), "{request}");
    let span =
        |request: &str| request.lines().find_map(|l| l.strip_prefix("traceparent: ").map(str::to_owned)).unwrap();
    let first = span(&request);
    assert!(first.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && first.ends_with("-01") && first != TRACE);
    handler.handle(Call { delivery: 6, ..call(traced) }).await;
    assert_ne!(span(&server.requests()[1]), first, "each attempt is a span of its own");
    assert_eq!(server.connections(), 1, "the connection is used again");
}

#[tokio::test]
async fn an_event_without_a_trace_gets_no_traceparent() {
    let server = Server::start(http("200 OK", &[], "")).await;
    let mut broken = event();
    broken.set_extension("traceparent", AttributeValue::String("rubbish".into()));
    let handler = handler(HttpSettings::new(&server.url, "payment"));
    handler.handle(call(event())).await;
    handler.handle(call(broken)).await;
    assert!(server.requests().iter().all(|r| !r.contains("\r\ntraceparent:")));
}

#[tokio::test]
async fn each_status_gives_its_class_with_the_body_for_a_message() {
    use FailureClass::{Failed, Gone, Overload, Refused, Rejected};
    for (status, class) in [
        ("500 Oops", Failed),
        ("504 Late", Failed),
        ("409 Conflict", Failed),
        ("503 Busy", Overload),
        ("429 Slow", Overload),
        ("422 Bad", Rejected),
        ("410 Gone", Gone),
        ("404 None", Refused),
        ("401 Who", Refused),
    ] {
        let failure = failure(http(status, &[("evenkeel-x", "y")], "no\n stock\u{7}")).await;
        let code: u16 = status[..3].parse().unwrap();
        let expected = Failure {
            class,
            status: Some(code),
            unanswered: false,
            retry_after: None,
            message: format!("HTTP {code}: no stock"),
        };
        assert_eq!(failure, expected);
    }
}

#[tokio::test]
async fn a_202_is_done_unless_the_setting_says_otherwise() {
    assert_eq!(answer(http("202 Accepted", &[], "")).await.verdict, Verdict::Ack);
    let server = Server::start(http("202 Accepted", &[], "")).await;
    let settings = HttpSettings { accepted: Accepted::Failed, ..HttpSettings::new(&server.url, "payment") };
    let failure = failed(handler(settings).handle(call(event())).await);
    assert_eq!((failure.class, failure.status), (FailureClass::Failed, Some(202)));
}

#[tokio::test]
async fn retry_after_is_read_as_seconds_and_as_a_date() {
    let seconds = failure(http("503 Busy", &[("retry-after", "7")], "")).await;
    assert_eq!(seconds.retry_after, Some(Duration::from_secs(7)));
    let date = failure(http("429 Slow", &[("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")], "")).await;
    assert_eq!(date.retry_after, Some(Duration::from_secs(30)));
    assert_eq!(failure(http("503 Busy", &[("retry-after", "soon")], "")).await.retry_after, None);
}

#[tokio::test]
async fn a_redirect_is_refused_and_never_followed() {
    let elsewhere = Server::start(http("200 OK", &[], "")).await;
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let failure = failure(http(status, &[("location", &elsewhere.url)], "")).await;
        assert_eq!(failure.class, FailureClass::Refused);
        assert!(failure.message.contains(&elsewhere.url) && failure.message.contains("not followed"), "{failure:?}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn the_verdict_header_says_more_than_the_status() {
    let said = |status, verdict| answer(http(status, &[("evenkeel-verdict", verdict), ("retry-after", "9")], "why"));
    assert_eq!(
        said("200 OK", "retry; after=30s").await.verdict,
        Verdict::Retry { after: Some(Duration::from_secs(30)), message: "HTTP 200: why".into(), dependency: None }
    );
    assert_eq!(said("500 Oops", "busy").await.verdict, Verdict::Busy { after: Some(Duration::from_secs(9)) });
    assert_eq!(said("500 Oops", "reject; reason=\"x\"").await.verdict, Verdict::Reject { reason: "x".into() });
    assert_eq!(said("409 Conflict", "ack").await.verdict, Verdict::Ack);
    assert_eq!(said("503 Busy", "pause; dependency=bank").await.verdict, Verdict::Pause { dependency: "bank".into() });
}

#[tokio::test]
async fn a_garbage_verdict_header_is_a_failure_that_names_it() {
    for garbage in ["perhaps", "retry; after=soon", "defer"] {
        let failure = failure(http("200 OK", &[("evenkeel-verdict", garbage)], "")).await;
        assert_eq!((failure.class, failure.status, failure.unanswered), (FailureClass::Failed, Some(200), false));
        assert!(failure.message.contains(&format!("`evenkeel-verdict: {garbage}`")), "{}", failure.message);
    }
    let twice = failure(http("200 OK", &[("evenkeel-verdict", "ack"), ("evenkeel-verdict", "drop")], "")).await;
    assert!(twice.message.contains("more than once"), "{}", twice.message);
}

#[tokio::test]
async fn the_handlers_version_is_told_with_success_and_failure() {
    for status in ["200 OK", "500 Oops"] {
        let answer = answer(http(status, &[("evenkeel-handler-version", "2.1")], "")).await;
        assert_eq!(answer.handler_version.as_deref(), Some("2.1"));
    }
}

#[tokio::test]
async fn events_are_returned_in_binary_structured_and_batched_mode() {
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "p1"),
        ("ce-source", "/pay"),
        ("ce-type", "Paid"),
        ("content-type", "text/plain"),
    ];
    let one = answer(http("200 OK", &binary, "12 EUR")).await;
    assert_eq!(one.emitted.len(), 1);
    assert_eq!((one.emitted[0].id.id.as_str(), one.emitted[0].data.as_deref()), ("p1", Some(b"12 EUR".as_slice())));
    let json = r#"{"specversion":"1.0","id":"p2","source":"/pay","type":"Paid"}"#;
    let structured = [("content-type", "application/cloudevents+json; charset=utf-8")];
    assert_eq!(answer(http("201 Created", &structured, json)).await.emitted[0].id.id, "p2");
    let batch = [("content-type", "application/cloudevents-batch+json")];
    assert_eq!(answer(http("200 OK", &batch, &format!("[{json},{json}]"))).await.emitted.len(), 2);
    assert_eq!(answer(http("200 OK", &batch, "[]")).await.verdict, Verdict::Ack);
    assert_eq!(answer(http("200 OK", &[("content-type", "application/json")], json)).await.emitted, []);
}

#[tokio::test]
async fn an_answer_that_claims_events_and_has_none_is_a_failure() {
    let structured = ("content-type", "application/cloudevents+json");
    for (headers, body, field) in [
        (vec![structured], "garbage", ""),
        (vec![structured], "", ""),
        (vec![structured], r#"{"specversion":"1.0","id":"x","source":"/s"}"#, "type"),
        (vec![("content-type", "application/cloudevents-batch+json")], "[1]", "[0]"),
        (vec![("content-type", "application/cloudevents+xml")], "<event/>", "content-type"),
        (vec![("ce-specversion", "1.0"), ("ce-id", "1")], "x", "source"),
        (vec![("ce-specversion", "9.9")], "x", "specversion"),
    ] {
        let failure = failure(http("200 OK", &headers, body)).await;
        assert_eq!((failure.class, failure.status), (FailureClass::Failed, Some(200)), "{body}");
        assert!(failure.message.contains("events cannot be read") && failure.message.contains(field), "{failure:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_unreachable_and_unanswered() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let failure = failed(handler(HttpSettings::new(&url, "payment")).handle(call(event())).await);
    assert_eq!((failure.class, failure.status, failure.unanswered), (FailureClass::Unreachable, None, true));
    assert!(failure.message.contains(&url) && failure.message.contains("refused"), "{}", failure.message);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_unreachable() {
    let settings = HttpSettings::new("http://no-such-host.invalid/", "payment");
    let failure = failed(handler(settings).handle(call(event())).await);
    assert_eq!((failure.class, failure.unanswered), (FailureClass::Unreachable, true));
}

#[tokio::test]
async fn a_name_that_resolves_to_a_forbidden_address_is_never_called() {
    let server = Server::start(http("200 OK", &[], "")).await;
    let url = server.url.replace("127.0.0.1", "localhost");
    let call_with = |allow: &str| {
        let reach = Arc::new(Reach::new(&[allow.to_owned()]).unwrap());
        let settings = HttpSettings { reach, ..HttpSettings::new(&url, "payment") };
        async move { handler(settings).handle(call(event())).await }
    };
    let failure = failed(call_with("10.0.0.0/8").await);
    assert_eq!((failure.class, failure.unanswered), (FailureClass::Unreachable, true));
    assert!(failure.message.contains("not within `handlers.allow`"), "{}", failure.message);
    assert_eq!(server.connections(), 0);
    assert_eq!(call_with("localhost").await.verdict, Verdict::Ack);
    assert_eq!(call_with("127.0.0.0/8").await.verdict, Verdict::Ack);
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_unreachable() {
    // A full backlog: the kernel answers no further SYN.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fillers = Vec::new();
    for _ in 0..8 {
        fillers.push(tokio::time::timeout(Duration::from_millis(50), tokio::net::TcpStream::connect(address)).await);
    }
    let connect_timeout = Duration::from_millis(100);
    let settings = HttpSettings { connect_timeout, ..HttpSettings::new(format!("http://{address}/"), "payment") };
    let failure = failed(handler(settings).handle(call(event())).await);
    assert_eq!((failure.class, failure.unanswered), (FailureClass::Unreachable, true));
    assert!(failure.message.contains("within 100 ms"), "{}", failure.message);
}

#[tokio::test]
async fn a_server_that_never_answers_has_failed_when_the_time_is_up() {
    for begun in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"] {
        let server = Server::start(Manner::Hangs(begun.into())).await;
        let handler = handler(HttpSettings::new(&server.url, "payment"));
        let answer = handler.handle(Call { timeout: Duration::from_millis(150), ..call(event()) }).await;
        let failure = failed(answer);
        assert_eq!((failure.class, failure.unanswered), (FailureClass::Failed, true), "{begun}");
        assert!(failure.message.contains("within 150 ms"), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_failure_whose_body_never_ends_is_told_by_its_status() {
    let server = Server::start(Manner::Hangs(b"HTTP/1.1 422 Bad\r\ncontent-length: 99\r\n\r\nbad sku".into())).await;
    let handler = handler(HttpSettings::new(&server.url, "payment"));
    let failure = failed(handler.handle(Call { timeout: Duration::from_millis(150), ..call(event()) }).await);
    assert_eq!((failure.class, failure.message.as_str()), (FailureClass::Rejected, "HTTP 422: bad sku"));
}

#[tokio::test]
async fn a_connection_lost_after_the_request_has_failed() {
    for begun in ["", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"] {
        let failure = failure(Manner::Closes(begun.into())).await;
        assert_eq!((failure.class, failure.unanswered), (FailureClass::Failed, true), "{begun}");
        assert!(failure.message.len() > 20, "{}", failure.message);
    }
}

#[tokio::test]
async fn garbage_bytes_are_a_failure() {
    for garbage in [b"\x00\x01\x02\xff\xfe garbage\r\n\r\n".to_vec(), b"SSH-2.0-OpenSSH\r\n".to_vec()] {
        let failure = failure(Manner::Closes(garbage)).await;
        assert_eq!((failure.class, failure.status), (FailureClass::Failed, None));
        assert!(failure.message.contains("no HTTP answer"), "{}", failure.message);
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).into_bytes();
    let head = |status: &str| format!("HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
    let failure = failure(Manner::Endless(head("200 OK"), chunk.clone())).await;
    assert_eq!((failure.class, failure.unanswered), (FailureClass::Failed, false));
    assert!(failure.message.contains("longer than 1048576 bytes and was cut off"), "{}", failure.message);
    let bad = self::failure(Manner::Endless(head("400 Bad"), chunk)).await;
    assert_eq!(bad.class, FailureClass::Rejected);
    assert!(bad.message.len() <= 1024);
    let claimed = self::failure(Manner::Hangs(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".into())).await;
    assert!(claimed.message.contains("cut off"), "{}", claimed.message);
}

#[tokio::test]
async fn a_url_that_cannot_be_called_is_refused_with_what_is_wrong() {
    for (url, why) in [
        ("ftp://bank/", "scheme `ftp` is unknown"),
        ("/events", "has no scheme"),
        ("http://user:secret@bank/", "credentials"),
        ("http://a b/", "cannot be read"),
        ("http://169.254.169.254/latest", "metadata"),
        ("http://[::ffff:169.254.169.254]/latest", "metadata"),
    ] {
        let refused = HttpHandler::new(HttpSettings::new(url, "s"), Arc::new(ManualClock::default())).err().unwrap();
        assert!(refused.0.contains(why), "{url}: {refused}");
        assert!(!refused.0.contains("secret"), "{refused}");
    }
}
