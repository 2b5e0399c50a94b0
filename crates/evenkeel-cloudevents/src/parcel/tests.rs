use bytes::Bytes;
use evenkeel_model::{AttributeValue, Event, Header, Record, Timestamp, names};

use super::{Parcel, Style};
use crate::kafka::to_record;

const STYLES: [Style; 2] = [Style::Nats, Style::Amqp];
const NOW: Timestamp = Timestamp::from_millis(1_795_219_200_000);

fn order() -> Event {
    let mut event = Event::new("/shop", "ä \"1\" 100%", "OrderCreated");
    event.time = Some("2026-11-21T00:00:00Z".to_owned());
    event.subject = Some("order-1".to_owned());
    event.datacontenttype = Some("application/json".to_owned());
    event.set_extension("traceparent", AttributeValue::String("00-ab-cd-01".to_owned()));
    event.data = Some(Bytes::from_static(b"{}"));
    event
}

fn there_and_back(record: &Record, style: Style) -> (Parcel, Record) {
    let parcel = Parcel::of(record, style);
    let back = parcel.clone().into_record(style, Some(Bytes::from_static(b"native")), Timestamp::EPOCH);
    (parcel, back)
}

#[test]
fn an_event_is_written_in_the_binding_alone_and_read_back_as_it_was() {
    let record = to_record(&order(), NOW);
    for (style, id, value) in
        [(Style::Nats, "ce-id", "%C3%A4%20%221%22%20100%25"), (Style::Amqp, "cloudEvents:id", "ä \"1\" 100%")]
    {
        let (parcel, back) = there_and_back(&record, style);
        assert_eq!(back, record);
        assert_eq!(parcel.get(id), Some(value));
        assert_eq!(parcel.get("content-type"), Some("application/json"));
        assert_eq!(parcel.get(names::EXACT), None, "{parcel:?}");
    }
}

#[test]
fn what_the_binding_cannot_say_comes_back_all_the_same() {
    let mut with_more = to_record(&order(), NOW);
    with_more.headers.push(Header { name: "x-null".to_owned(), value: None });
    for value in [&b""[..], b"1", &[0, 0xff], b" padded ", b"two\nlines"] {
        with_more.headers.push(Header { name: "x-twice".to_owned(), value: Some(Bytes::copy_from_slice(value)) });
    }
    let timeless = to_record(&Event { time: None, ..order() }, NOW);
    let keyed = Record { key: Some(Bytes::from_static(&[1, 2])), created: NOW, ..Record::default() };
    for record in [with_more, timeless, keyed, Record::default()] {
        for style in STYLES {
            assert_eq!(there_and_back(&record, style).1, record);
        }
    }
}

#[test]
fn what_others_wrote_is_read_in_the_order_in_which_we_write_and_keeps_the_brokers_key() {
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let foreign = Parcel {
        headers: vec![
            text("zone", "eu"),
            text("Ce-Type", "OrderCreated"),
            text("ce-tenant", "50%zz"),
            text("ce-id", "1"),
            text("Content-Type", "text/plain"),
            text("ce-specversion", "1.0"),
            text("ce-source", "/shop"),
        ],
        body: Bytes::from_static(b"x"),
    };
    let record = foreign.into_record(Style::Nats, Some(Bytes::from_static(b"orders.7")), NOW);
    let found: Vec<&str> = record.headers.iter().map(|h| h.name.as_str()).collect();
    assert_eq!(found, ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_tenant", "content-type", "zone"]);
    assert_eq!(record.header("ce_tenant").map(Bytes::as_ref), Some(&b"50%zz"[..]), "not percent-encoded: literal");
    assert_eq!((record.key.as_deref(), record.created), (Some(&b"orders.7"[..]), NOW));
}

#[test]
fn amqp_attributes_are_read_with_either_separator() {
    let headers = vec![("cloudEvents_id".to_owned(), "1".to_owned()), ("cloudEvents:type".to_owned(), "T".to_owned())];
    let record = Parcel { headers, body: Bytes::new() }.into_record(Style::Amqp, None, NOW);
    let found: Vec<&str> = record.headers.iter().map(|h| h.name.as_str()).collect();
    assert_eq!(found, ["ce_id", "ce_type"]);
}

#[test]
fn a_damaged_exact_header_is_passed_over() {
    for text in ["", "!", "AAAA", "AP////8"] {
        let headers = vec![(names::EXACT.to_owned(), text.to_owned())];
        let record = Parcel { headers, body: Bytes::from_static(b"x") }.into_record(Style::Nats, None, NOW);
        assert_eq!(record.value.as_deref(), Some(&b"x"[..]), "{text}");
    }
}
