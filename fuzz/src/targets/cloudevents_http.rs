//! CloudEvents over HTTP: what is accepted survives the way out and in again.
#![no_main]

use evenkeel_cloudevents::{Limits, http};
use evenkeel_fuzz::{FULL_JSON, Tally, headers_and_body, seed};
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

fuzz_target!(
    init: {
        let required = "ce-specversion:1.0\nce-id:1\nce-source:/s\nce-type:T\n";
        seed(&[
            format!("{required}ce-note:%41%C3%BC \"a \\\" b\"\nce-time:2026-01-31T09:30:60.25-01:30\ncontent-type:text/plain; charset=\"utf-8\"\n\nbody").into_bytes(),
            format!("{required}traceparent:00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\ntracestate:a=1\n\n").into_bytes(),
            format!("content-type:application/cloudevents+json; charset=utf-8\n\n{FULL_JSON}").into_bytes(),
            format!("content-type:application/cloudevents-batch+json\n\n[{FULL_JSON},{FULL_JSON}]").into_bytes(),
        ]);
    },
    |input: &[u8]| {
        let (headers, body) = headers_and_body(input);
        let read = |headers: &[(String, Vec<u8>)], body: bytes::Bytes| {
            let headers = headers.iter().map(|(n, v)| (n.as_str(), v.as_slice()));
            http::decode(headers, body, &Limits::default())
        };
        let events = read(&headers, body.into());
        TALLY.count(events.is_ok());
        let Ok(events) = events else { return };
        let (headers, body) = http::encode_batch(&events);
        let headers: Vec<_> = headers.into_iter().map(|(n, v)| (n, v.into_bytes())).collect();
        // White space around a JSON value is not part of it, and a batch does not keep it.
        let (mut back, mut sent) = (read(&headers, body).expect("what was read can be written"), events.clone());
        for event in back.iter_mut().chain(&mut sent) {
            if let Some(data) = &mut event.data {
                *data = bytes::Bytes::copy_from_slice(data.trim_ascii());
            }
        }
        assert_eq!(back, sent);
        for event in &events {
            let (headers, body) = http::encode_binary(event);
            let headers: Vec<_> = headers.into_iter().map(|(n, v)| (n, v.into_bytes())).collect();
            let back = read(&headers, body).expect("what was read can be written");
            assert_eq!(back[0].id, event.id);
            assert_eq!(back[0].data.as_deref().unwrap_or_default(), event.data.as_deref().unwrap_or_default());
        }
    }
);
