use bytes::Bytes;
use evenkeel_cloudevents::kafka::to_record;
use evenkeel_model::{AttributeValue, Event, Header, Record, Timestamp, names};

use super::{Attribute, Given, Message, SIZE_MAX, is_name};

const NOW: Timestamp = Timestamp::from_millis(1_795_219_200_000);

fn event(data: &[u8]) -> Event {
    let mut event = Event::new("/shop", "7", "OrderCreated");
    event.time = Some("2026-11-22T00:00:00Z".into());
    event.data = Some(Bytes::copy_from_slice(data));
    event.set_extension("partitionkey", AttributeValue::String("anna".into()));
    event
}

fn text(message: &Message, name: &str) -> Option<String> {
    match message.attributes.get(name)? {
        Attribute::Text(text) => Some(text.clone()),
        Attribute::Bytes(_) => None,
    }
}

fn plain(body: &str, attributes: &[(&str, &str)]) -> Message {
    let attributes = attributes.iter().map(|(name, value)| ((*name).into(), Attribute::Text((*value).into())));
    Message { body: body.into(), attributes: attributes.collect() }
}

fn header<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    record.header(name).map(|value| str::from_utf8(value).unwrap())
}

#[test]
fn an_event_travels_as_json_that_anybody_reads_and_comes_back_as_it_was() {
    let record = to_record(&Event { datacontenttype: Some("text/plain".into()), ..event(b"for anna") }, NOW);
    let message = Message::of(&record, None);
    let json: serde_json::Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(
        (&json["specversion"], &json["type"], &json["data"]),
        (&"1.0".into(), &"OrderCreated".into(), &"for anna".into())
    );
    assert_eq!(message.attributes.len(), 1, "nothing more had to be said: {:?}", message.attributes);
    assert_eq!(text(&message, "content-type").unwrap(), "application/cloudevents+json");
    assert_eq!(message.into_record(&Given::default()), record);
}

#[test]
fn whatever_a_record_holds_comes_back() {
    let mut ornate = to_record(&event(&[0, 255]), NOW);
    for (name, value) in [("x-empty", Some("")), ("x-null", None), ("x-twice", Some("1")), ("x-twice", Some("2"))] {
        ornate.headers.push(Header { name: name.into(), value: value.map(Bytes::from) });
    }
    let of = |key: Option<&str>, value: Option<&[u8]>| Record {
        key: key.map(|key| Bytes::from(key.to_owned())),
        value: value.map(Bytes::copy_from_slice),
        headers: Vec::new(),
        created: NOW,
    };
    let mut odd = to_record(&event("\u{1}\u{fffe}\u{ffff}\u{1f600}".as_bytes()), NOW);
    odd.push_header("AWS.Mine", "reserved");
    let mut broken = of(None, Some(b"{}"));
    broken.push_header("ce_id", "an event without a type");
    let all =
        [ornate, odd, broken, of(None, None), of(None, Some(b"")), of(Some("k"), Some(b"\x00")), of(None, Some(b"t"))];
    for record in all {
        for group in [None, Some("g")] {
            let message = Message::of(&record, group);
            assert!(message.attributes.len() <= 10 && !message.body.is_empty());
            let given = Given { group: group.map(str::to_owned), ..Given::default() };
            assert_eq!(message.into_record(&given), record);
        }
    }
}

#[test]
fn a_million_bytes_that_are_no_text_find_room() {
    let record = to_record(&event(&vec![0xff; 1_000_000]), NOW);
    let message = Message::of(&record, None);
    assert!(message.size() <= SIZE_MAX, "{}", message.size());
    assert!(message.into_record(&Given::default()) == record);
}

#[test]
fn at_most_ten_attributes_are_written() {
    let mut record = to_record(&event(b"d"), NOW);
    for n in 0..20 {
        record.push_header(format!("x-{n:02}"), "v");
    }
    let message = Message::of(&record, None);
    assert!(message.attributes.len() <= 10, "{:?}", message.attributes.keys());
    assert!(message.attributes.contains_key(names::EXACT));
    assert_eq!(message.into_record(&Given::default()), record);
}

#[test]
fn the_group_orders_a_message_that_names_no_key_and_others_where_it_is_said_to() {
    let given = |group_orders| Given { group: Some("g".into()), group_orders, ..Given::default() };
    let keyless = plain("hello", &[]);
    assert_eq!(keyless.into_record(&given(false)).key.unwrap(), "g");
    let body = r#"{"specversion":"1.0","id":"1","source":"/s","type":"T","subject":"s"}"#;
    assert_eq!(plain(body, &[]).into_record(&given(false)).key.unwrap(), "s");
    assert_eq!(plain(body, &[]).into_record(&given(true)).key.unwrap(), "g");
}

#[test]
fn events_as_others_write_them_are_events() {
    let given = Given { id: "m-1".into(), sent: NOW, ..Given::default() };
    let body = r#"{"specversion":"1.0","id":"1","source":"/s","type":"T","datacontenttype":"application/json","data":{"a":1}}"#;
    for (how, message) in [
        ("said", plain(body, &[("content-type", "application/cloudevents+json; charset=utf-8")])),
        ("seen", plain(body, &[])),
        (
            "binary",
            plain(
                r#"{"a":1}"#,
                &[
                    ("ce_id", "1"),
                    ("ce_source", "/s"),
                    ("ce_type", "T"),
                    ("ce_specversion", "1.0"),
                    ("content-type", "application/json"),
                ],
            ),
        ),
        (
            "AMQP's names",
            plain(
                r#"{"a":1}"#,
                &[
                    ("cloudEvents_id", "1"),
                    ("cloudEvents_source", "/s"),
                    ("cloudEvents_type", "T"),
                    ("cloudEvents_specversion", "1.0"),
                    ("cloudEvents_datacontenttype", "application/json"),
                ],
            ),
        ),
    ] {
        let record = message.into_record(&given);
        assert_eq!(header(&record, "ce_id"), Some("1"), "{how}");
        assert_eq!(record.value.as_deref(), Some(r#"{"a":1}"#.as_bytes()), "{how}");
        assert_eq!(header(&record, "content-type"), Some("application/json"), "{how}");
        assert_eq!(header(&record, "aws-message-id"), None, "{how}");
    }
}

#[test]
fn what_is_no_event_keeps_what_aws_says_of_it() {
    let given = Given { id: "m-1".into(), sent: NOW, died_in: Some("arn:aws:sqs:::a".into()), ..Given::default() };
    let record = plain("hello", &[("tier", "gold")]).into_record(&given);
    assert_eq!(record.value.as_deref(), Some(b"hello".as_slice()));
    assert_eq!((header(&record, "tier"), header(&record, "aws-message-id")), (Some("gold"), Some("m-1")));
    assert_eq!(header(&record, "aws-died-in"), Some("arn:aws:sqs:::a"));
    assert_eq!((record.created, record.key), (NOW, None));
}

#[test]
fn a_notification_is_taken_out_of_its_wrapping_unless_it_is_to_stay() {
    let inner = Message::of(&to_record(&event(b"hi"), NOW), None);
    let attributes: serde_json::Map<String, serde_json::Value> = inner
        .attributes
        .keys()
        .map(|name| (name.clone(), serde_json::json!({ "Type": "String", "Value": text(&inner, name) })))
        .collect();
    let body = serde_json::json!({
        "Type": "Notification", "MessageId": "n-1", "TopicArn": "arn:aws:sns:x:1:t", "Message": inner.body,
        "Timestamp": "2026-11-22T00:00:00.000Z", "MessageAttributes": attributes,
    });
    let message = plain(&body.to_string(), &[]);
    let given = Given { unwrap: true, ..Given::default() };
    let record = message.clone().into_record(&given);
    assert_eq!((header(&record, "ce_id"), header(&record, "aws-sns-message-id")), (Some("7"), Some("n-1")));
    assert_eq!(record.value.as_deref(), Some(b"hi".as_slice()));
    let kept = message.into_record(&Given::default());
    assert_eq!(kept.value.unwrap(), body.to_string());
}

#[test]
fn names_that_aws_refuses_are_known() {
    for name in ["a", "x-1", "A_b.c"] {
        assert!(is_name(name), "{name}");
    }
    for name in ["", "a b", "ä", ".a", "a.", "a..b", "AWS.x", "amazon.x", "a:b"] {
        assert!(!is_name(name), "{name}");
    }
}

#[test]
fn bytes_of_a_header_travel_as_bytes() {
    let mut record = Record { value: Some(Bytes::from_static(b"{}")), created: NOW, ..Record::default() };
    record.push_header("bin", vec![0, 255]);
    let message = Message::of(&record, None);
    assert_eq!((&*message.body, message.attributes.get("bin")), ("{}", Some(&Attribute::Bytes(vec![0, 255].into()))));
    assert_eq!(message.into_record(&Given { sent: NOW, ..Given::default() }), record);
}
