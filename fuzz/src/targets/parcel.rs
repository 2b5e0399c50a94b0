//! Messages of NATS and AMQP, and the text that says all of a record: whatever stands in them, reading ends, and what was
//! read is written so that it comes back as it was.
#![no_main]

use bytes::Bytes;
use evenkeel_cloudevents::kafka::to_record;
use evenkeel_cloudevents::{Parcel, Style};
use evenkeel_fuzz::{Tally, seed};
use evenkeel_model::{AttributeValue, Event, Header, Record, Timestamp, names};
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

const NOW: Timestamp = Timestamp::from_micros(1_769_848_200_000_000);

fn samples() -> Vec<Vec<u8>> {
    let mut event = Event::new("/shop", "\u{e4} 1 100%", "OrderCreated");
    event.time = Some("2026-11-21T00:00:00Z".to_owned());
    event.subject = Some("order-1".to_owned());
    event.set_extension("traceparent", AttributeValue::String("00-ab-cd-01".to_owned()));
    event.data = Some(Bytes::from_static(b"{}"));
    let mut ornate = to_record(&event, NOW);
    for value in [None, Some(Bytes::from_static(b"\0\xff"))] {
        ornate.headers.push(Header { name: "x-twice".to_owned(), value });
    }
    let native = Record { key: Some(Bytes::from_static(&[1, 2])), created: NOW, ..Record::default() };
    let written = [ornate, native].into_iter().flat_map(|r| [Parcel::of(&r, Style::Nats), Parcel::of(&r, Style::Amqp)]);
    written.map(|parcel| lines(&parcel).into_bytes()).collect()
}

/// A header a line, then what is left: the payload.
fn lines(parcel: &Parcel) -> String {
    let headers = parcel.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
    format!("{}\n{}", headers.collect::<String>(), String::from_utf8_lossy(&parcel.body))
}

fn parcel(input: &[u8]) -> Parcel {
    let text = String::from_utf8_lossy(input);
    let (head, body) = text.split_once("\n\n").unwrap_or((&*text, ""));
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    Parcel { headers: head.lines().filter_map(header).collect(), body: Bytes::copy_from_slice(body.as_bytes()) }
}

fuzz_target!(
    init: seed(&samples()),
    |input: &[u8]| {
        for style in [Style::Nats, Style::Amqp] {
            let came = parcel(input);
            let exact = came.get(names::EXACT).and_then(|text| Parcel::restored(text, &came.body));
            TALLY.count(exact.is_some());
            let record = came.into_record(style, None, NOW);
            let back = Parcel::of(&record, style).into_record(style, None, NOW);
            // A payload that is none and one that is empty are told apart by the exact text.
            assert_eq!(back, record);
        }
    }
);
