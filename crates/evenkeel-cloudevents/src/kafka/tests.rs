use bytes::Bytes;
use evenkeel_model::{AttributeValue, Event, Header, Position, Record, Shard, Timestamp, names};

use super::{PLAIN_TYPE, Read, from_record, to_record};

const NOW: Timestamp = Timestamp::from_micros(1_769_848_200_000_000);

fn at() -> Position {
    Position { shard: Shard::new("orders", 3), offset: 17 }
}

fn record(headers: &[(&str, &str)], value: Option<&'static str>) -> Record {
    let headers = headers.iter().map(|(name, value)| Header {
        name: (*name).to_owned(),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
    });
    Record { key: None, value: value.map(Bytes::from), headers: headers.collect(), created: NOW }
}

#[test]
fn a_record_gives_back_the_event_with_the_types_of_its_extensions() {
    for event in crate::tests::samples() {
        assert_eq!(from_record(&to_record(&event, NOW), &at()), Read::Event(event));
    }
}

#[test]
fn an_event_is_written_as_the_binding_says() {
    let mut event = Event::new("/shop", "Größe 1", "OrderCreated");
    event.subject = Some("customer-4".to_owned());
    event.time = Some("2026-01-31T08:00:00Z".to_owned());
    event.datacontenttype = Some("application/json".to_owned());
    event.data = Some(Bytes::from_static(b"{}"));
    event.set_extension("priority", AttributeValue::Integer(5));
    let record = to_record(&event, NOW);
    let text = |name: &str| record.header(name).map(|v| String::from_utf8_lossy(v).into_owned());
    for (name, value) in [
        ("ce_specversion", "1.0"),
        ("ce_id", "Größe 1"),
        ("ce_source", "/shop"),
        ("ce_type", "OrderCreated"),
        ("ce_subject", "customer-4"),
        ("ce_time", "2026-01-31T08:00:00Z"),
        ("ce_priority", "5"),
        ("content-type", "application/json"),
        (names::EXTENSION_TYPES, "priority=integer"),
    ] {
        assert_eq!(text(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(record.key.as_deref(), Some(b"customer-4".as_slice()), "the subject is the key");
    assert_eq!(record.value.as_deref(), Some(b"{}".as_slice()));
    assert_eq!(record.created, NOW - std::time::Duration::from_secs(1800));
    event.set_extension("partitionkey", AttributeValue::String("k".to_owned()));
    event.time = None;
    let record = to_record(&event, NOW);
    assert_eq!(record.key.as_deref(), Some(b"k".as_slice()), "a partition key goes before it");
    assert_eq!(record.created, NOW);
}

#[test]
fn no_data_and_empty_data_stay_apart() {
    let mut event = Event::new("/s", "1", "T");
    assert_eq!(to_record(&event, NOW).value, None);
    event.data = Some(Bytes::new());
    assert_eq!(to_record(&event, NOW).value, Some(Bytes::new()));
}

#[test]
fn a_record_without_the_headers_is_an_event_by_its_place() {
    let mut plain = record(&[("content-type", "application/json"), ("other", "x")], Some("{}"));
    plain.key = Some(Bytes::from_static(b"k"));
    let Read::Plain(event) = from_record(&plain, &at()) else { panic!("plain") };
    assert_eq!((event.id.source.as_str(), event.id.id.as_str(), event.kind.as_str()), ("/orders/3", "17", PLAIN_TYPE));
    assert_eq!(event.time.as_deref(), Some("2026-01-31T08:30:00.000Z"));
    assert_eq!(event.datacontenttype.as_deref(), Some("application/json"));
    assert_eq!(event.data.as_deref(), Some(b"{}".as_slice()));
    assert_eq!(event.ordering_key().as_deref(), Some("k"));
    let Read::Plain(event) = from_record(&Record::default(), &at()) else { panic!("plain") };
    assert_eq!((event.time, event.datacontenttype, event.data), (None, None, None));
}

#[test]
fn structured_records_are_read() {
    let json = r#"{"specversion":"1.0","id":"1","source":"/s","type":"T","n":5,"data":{"a":1}}"#;
    let structured = record(&[("content-type", "application/cloudevents+json; charset=utf-8")], Some(json));
    let Read::Event(event) = from_record(&structured, &at()) else { panic!("event") };
    assert_eq!(event.extensions, [("n".to_owned(), AttributeValue::Integer(5))]);
    assert_eq!(event.data.as_deref(), Some(b"{\"a\":1}".as_slice()));
}

#[test]
fn a_record_that_claims_to_be_an_event_and_is_none_is_named_so() {
    let required = [("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_source", "/s"), ("ce_type", "T")];
    let structured = "application/cloudevents+json";
    for (headers, value, field) in [
        (vec![("ce_id", "1")], None, "specversion"),
        (vec![("ce_specversion", "0.3"), ("ce_id", "1")], None, "specversion"),
        ([&required[..], &[("ce_id", "2")]].concat(), None, "id"),
        ([&required[..], &[("ce_Id", "2")]].concat(), None, "Id"),
        ([&required[..], &[("ce_a_b", "2")]].concat(), None, "a_b"),
        ([&required[..], &[("ce_time", "now")]].concat(), None, "time"),
        ([&required[..], &[("ce_datacontenttype", "a/b")]].concat(), None, "ce_datacontenttype"),
        ([&required[..], &[("content-type", "json")]].concat(), None, "datacontenttype"),
        (vec![("content-type", structured)], Some("{}"), "specversion"),
        (vec![("content-type", structured)], Some("garbage"), "body"),
        (vec![("content-type", structured)], None, "body"),
        (vec![("content-type", "application/cloudevents+avro")], Some("x"), "content-type"),
        (vec![("content-type", "application/cloudevents-batch+json")], Some("[]"), "content-type"),
    ] {
        match from_record(&record(&headers, value), &at()) {
            Read::NotAnEvent(problem) => assert_eq!(problem.field, field, "{headers:?}: {problem}"),
            other => panic!("{headers:?}: {other:?}"),
        }
    }
    let mut not_utf8 = record(&required, None);
    not_utf8.push_header("ce_note", Bytes::from_static(b"\xff"));
    let Read::NotAnEvent(problem) = from_record(&not_utf8, &at()) else { panic!("not an event") };
    assert_eq!((problem.field.as_str(), problem.rule.as_str()), ("note", "must be UTF-8"));
}

#[test]
fn a_header_of_types_that_lies_changes_nothing() {
    let base = [("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_source", "/s"), ("ce_type", "T")];
    for types in ["a=integer,b=boolean", "id=integer", "garbage", "a=,=,", "a=float"] {
        let lying = [&base[..], &[("ce_a", "007"), ("ce_b", "TRUE"), (names::EXTENSION_TYPES, types)]].concat();
        let read = from_record(&record(&lying, None), &at());
        if types.starts_with("id") {
            assert!(matches!(&read, Read::NotAnEvent(p) if p.field == "id"), "{read:?}");
            continue;
        }
        let Read::Event(event) = read else { panic!("{types}: {read:?}") };
        assert_eq!(event.extension("a").as_deref(), Some("007"), "{types}");
        assert_eq!(event.extension("b").as_deref(), Some("TRUE"), "{types}");
    }
}
