//! CloudEvents as records: an event that is read, written and read again is the same.
#![no_main]

use bytes::Bytes;
use evenkeel_cloudevents::kafka::{Read, from_record, to_record};
use evenkeel_fuzz::{FULL_JSON, Tally, headers_and_body, seed};
use evenkeel_model::{Header, Position, Record, Shard, Timestamp};
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

fuzz_target!(
    init: {
        let required = "ce_specversion:1.0\nce_id:1\nce_source:/s\nce_type:T\n";
        seed(&[
            format!("{required}ce_n:5\nce_yes:true\nevenkeel-extension-types:n=integer,yes=boolean\ncontent-type:text/plain\n\nbody").into_bytes(),
            format!("content-type:application/cloudevents+json\n\n{FULL_JSON}").into_bytes(),
            b"other:header\n\nplain".to_vec(),
        ]);
    },
    |input: &[u8]| {
        let (headers, body) = headers_and_body(input);
        let headers = headers.into_iter().map(|(name, value)| Header { name, value: Some(Bytes::from(value)) });
        let record = Record {
            key: body.first().map(|b| Bytes::copy_from_slice(&[*b])),
            value: Some(body.into()),
            headers: headers.collect(),
            created: Timestamp::from_millis(1),
        };
        let at = Position { shard: Shard::new("orders", 0), offset: 7 };
        let read = from_record(&record, &at);
        TALLY.count(matches!(read, Read::Event(_)));
        if let Read::Event(event) = read {
            assert_eq!(from_record(&to_record(&event, Timestamp::EPOCH), &at), Read::Event(event));
        }
    }
);
