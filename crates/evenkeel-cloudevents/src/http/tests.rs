use bytes::Bytes;
use evenkeel_model::{AttributeValue, Event};

use super::{BATCH_JSON, STRUCTURED_JSON, decode, encode_batch, encode_binary, encode_structured};
use crate::{Limits, Problem};

const REQUIRED: [(&str, &str); 4] =
    [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/shop"), ("ce-type", "OrderCreated")];

fn read(headers: &[(&str, &str)], body: &str) -> Result<Vec<Event>, Problem> {
    let headers = headers.iter().map(|(n, v)| (*n, v.as_bytes()));
    decode(headers, Bytes::copy_from_slice(body.as_bytes()), &Limits::default())
}

/// The required headers, with some replaced or added; a value of "-" takes one away.
fn with(changes: &[(&str, &str)]) -> Result<Event, Problem> {
    let kept = REQUIRED.iter().filter(|(n, _)| !changes.iter().any(|(c, _)| c == n));
    let all: Vec<(&str, &str)> = kept.chain(changes.iter().filter(|(_, v)| *v != "-")).copied().collect();
    read(&all, "{}").map(|mut events| events.remove(0))
}

#[test]
fn binary_mode_reads_headers_and_body() {
    let event = with(&[
        ("CE-Subject", "customer%204"),
        ("ce-time", "2026-01-31T09:30:00+01:00"),
        ("ce-dataschema", "https://example.com/s.json"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("ce-priority", "5"),
        ("host", "localhost"),
    ])
    .expect("reads");
    assert_eq!((event.id.source.as_str(), event.id.id.as_str(), event.kind.as_str()), ("/shop", "1", "OrderCreated"));
    assert_eq!(event.subject.as_deref(), Some("customer 4"));
    assert_eq!(event.time.as_deref(), Some("2026-01-31T09:30:00+01:00"), "kept as it came");
    assert_eq!(event.dataschema.as_deref(), Some("https://example.com/s.json"));
    assert_eq!(event.datacontenttype.as_deref(), Some("application/json; charset=utf-8"));
    assert_eq!(event.extensions, [("priority".to_owned(), AttributeValue::String("5".to_owned()))]);
    assert_eq!(event.data.as_deref(), Some(b"{}".as_slice()));
}

#[test]
fn an_empty_body_is_no_data() {
    assert_eq!(read(&REQUIRED, "").expect("reads")[0].data, None);
}

/// The example of the HTTP binding, 3.1.3.2, and what must be accepted beside it.
#[test]
fn header_values_are_percent_decoded_once() {
    for (raw, text) in [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("euro%20%e2%82%ac", "euro €"),
        ("%41%42", "AB"),
        ("%2541", "%41"),
        ("two words", "two words"),
        ("\"two words\"", "two words"),
        ("\"a \\\"quoted\\\" %20\"", "a \"quoted\"  "),
        ("a\\b", "a\\b"),
        ("", ""),
    ] {
        let event = with(&[("ce-note", raw)]).expect(raw);
        assert_eq!(event.extension("note").as_deref(), Some(text), "{raw}");
    }
    let mut event = Event::new("/s", "Euro € 😀 \"100%\"", "T");
    event.set_extension("tilde", AttributeValue::String("~!".to_owned()));
    let (headers, _) = encode_binary(&event);
    let of = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(of("ce-id"), Some("Euro%20%E2%82%AC%20%F0%9F%98%80%20%22100%25%22"));
    assert_eq!(of("ce-tilde"), Some("~!"));
}

#[test]
fn every_malformed_header_is_named_with_its_value_and_rule() {
    let long = "x".repeat(20_000);
    for (changes, field, value, rule) in [
        (&[("ce-specversion", "-")][..], "specversion", "", "is required"),
        (&[("ce-id", "-")], "id", "", "is required"),
        (&[("ce-source", "-")], "source", "", "is required"),
        (&[("ce-type", "-")], "type", "", "is required"),
        (&[("ce-specversion", "0.3")], "specversion", "0.3", "must be `1.0`"),
        (&[("ce-specversion", "1")], "specversion", "1", "must be `1.0`"),
        (&[("ce-specversion", "")], "specversion", "", "must be `1.0`"),
        (&[("ce-id", "")], "id", "", "must not be empty"),
        (&[("ce-source", "")], "source", "", "must not be empty"),
        (&[("ce-type", "")], "type", "", "must not be empty"),
        (&[("ce-subject", "")], "subject", "", "must not be empty"),
        (&[("ce-source", "not%20a%20uri")], "source", "not a uri", "must be a URI reference"),
        (&[("ce-time", "yesterday")], "time", "yesterday", "RFC 3339"),
        (&[("ce-time", "2026-01-31 09:30:00Z")], "time", "2026-01-31 09:30:00Z", "RFC 3339"),
        (&[("ce-time", "2026-02-30T09:30:00Z")], "time", "2026-02-30T09:30:00Z", "RFC 3339"),
        (&[("ce-dataschema", "/relative")], "dataschema", "/relative", "must be an absolute URI"),
        (&[("content-type", "json")], "datacontenttype", "json", "must be a media type"),
        (&[("content-type", "")], "content-type", "", "must be a media type"),
        (&[("content-type", "a/b"), ("content-type", "a/b")], "content-type", "a/b", "twice"),
        (
            &[("content-type", "application/cloudevents+avro")],
            "content-type",
            "application/cloudevents+avro",
            "must be",
        ),
        (&[("content-type", "application/cloudevents")], "content-type", "application/cloudevents", "must be"),
        (&[("ce-datacontenttype", "a/b")], "ce-datacontenttype", "a/b", "must not be a header"),
        (&[("ce-id", "1"), ("ce-id", "1")], "id", "1", "twice"),
        (&[("ce-a", "1"), ("CE-A", "2")], "a", "2", "twice"),
        (&[("ce-a_b", "1")], "ce-a_b", "1", "a-z and 0-9"),
        (&[("ce-", "1")], "ce-", "1", "a-z and 0-9"),
        (&[("ce-data", "1")], "data", "", "is not an attribute"),
        (&[("ce-data_base64", "1")], "ce-data_base64", "1", "a-z and 0-9"),
        (&[("ce-note", "100%")], "note", "100%", "two hex digits"),
        (&[("ce-note", "%4")], "note", "%4", "two hex digits"),
        (&[("ce-note", "%zz")], "note", "%zz", "two hex digits"),
        (&[("ce-note", "%C0%A0")], "note", "%C0%A0", "must be UTF-8"),
        (&[("ce-note", "%ED%A0%80")], "note", "%ED%A0%80", "must be UTF-8"),
        (&[("ce-note", "\"open")], "note", "\"open", "must close"),
        (&[("ce-note", "\"open\\")], "note", "\"open\\", "must close"),
        (&[("ce-note", "ü")], "note", "ü", "printable ASCII"),
        (&[("ce-note", "a%00b")], "note", "a\0b", "control characters"),
        (&[("ce-note", "%C2%85")], "note", "\u{85}", "control characters"),
        (&[("ce-note", "%EF%BF%BE")], "note", "\u{fffe}", "non-characters"),
        (&[("ce-note", &long)], "note", "xxx", "must not be longer than 16384 bytes"),
    ] {
        let problem = with(changes).expect_err(&format!("{changes:?}"));
        assert_eq!(problem.field, field, "{problem}");
        assert!(problem.value.starts_with(value) && problem.value.is_empty() == value.is_empty(), "{problem:?}");
        assert!(problem.rule.contains(rule), "{problem}");
        assert!(problem.value.len() <= 200, "{}", problem.value.len());
    }
}

#[test]
fn a_problem_reads_as_one_sentence() {
    let problem = with(&[("ce-specversion", "0.3")]).expect_err("refused");
    assert_eq!(problem.to_string(), "`specversion` must be `1.0`; it was `0.3`");
    let missing = with(&[("ce-id", "-")]).expect_err("refused");
    assert_eq!(missing.to_string(), "`id` is required");
}

#[test]
fn limits_name_what_they_refuse() {
    let limits = Limits { body_bytes_max: 10, attributes_max: 5, ..Limits::default() };
    let headers = || REQUIRED.iter().map(|(n, v)| (*n, v.as_bytes()));
    let problem = decode(headers(), Bytes::from_static(b"01234567890"), &limits).expect_err("too long");
    assert_eq!((problem.field.as_str(), problem.value.as_str()), ("body", "11 bytes"));
    assert!(problem.rule.contains("10 bytes"));
    let more = headers().chain([("ce-a", b"1".as_slice()), ("ce-b", b"1")]);
    let problem = decode(more, Bytes::new(), &limits).expect_err("too many");
    assert_eq!(problem.field, "b");
    assert!(problem.rule.contains('5'), "{problem}");
}

#[test]
fn structured_and_batched_mode_are_told_by_content_type() {
    let one = r#"{"specversion":"1.0","id":"1","source":"/s","type":"T","data":{"a":1}}"#;
    for content_type in [STRUCTURED_JSON, "Application/CloudEvents+JSON; charset=UTF-8"] {
        let events = read(&[("content-type", content_type), ("ce-id", "ignored")], one).expect("reads");
        assert_eq!(events[0].id.id, "1");
    }
    let events = read(&[("content-type", BATCH_JSON)], &format!("[{one},{one}]")).expect("reads");
    assert_eq!(events.len(), 2);
    assert_eq!(read(&[("content-type", BATCH_JSON)], "[]"), Ok(vec![]));
    let problem = read(&[("content-type", "application/cloudevents+json; charset=latin1")], one).expect_err("refused");
    assert_eq!(problem.field, "content-type");
    assert!(problem.rule.contains("utf-8"));
}

#[test]
fn a_request_s_trace_becomes_the_event_s_if_it_has_none() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let event = with(&[("traceparent", parent), ("tracestate", "a=1"), ("tracestate", "b=2")]).expect("reads");
    assert_eq!(event.extension("traceparent").as_deref(), Some(parent));
    assert_eq!(event.extension("tracestate").as_deref(), Some("a=1,b=2"));

    let own = "00-11111111111111111111111111111111-2222222222222222-00";
    let event = with(&[("traceparent", parent), ("tracestate", "a=1"), ("ce-traceparent", own)]).expect("reads");
    assert_eq!(event.extension("traceparent").as_deref(), Some(own));
    assert_eq!(event.extension("tracestate"), None, "a state belongs to its parent");

    for bad in [
        "",
        "x",
        "00-0-0-0",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        let event = with(&[("traceparent", bad)]).expect("ill-formed trace context is passed over");
        assert_eq!(event.extension("traceparent"), None, "{bad}");
    }
}

fn written(message: super::Message) -> Result<Vec<Event>, Problem> {
    let (headers, body) = message;
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    decode(headers, body, &Limits::default())
}

#[test]
fn every_mode_gives_back_the_event_that_went_in() {
    for event in crate::tests::samples() {
        let mut as_headers = event.clone();
        for (_, value) in &mut as_headers.extensions {
            *value = AttributeValue::String(value.to_text());
        }
        as_headers.data = as_headers.data.filter(|d| !d.is_empty());
        assert_eq!(written(encode_binary(&event)), Ok(vec![as_headers]));
        assert_eq!(written(encode_structured(&event)), Ok(vec![event]));
    }
    let samples = crate::tests::samples();
    assert_eq!(written(encode_batch(&samples)), Ok(samples));
}
