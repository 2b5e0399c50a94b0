//! CloudEvents in JSON: what is accepted survives the way out and in again.
#![no_main]

use evenkeel_cloudevents::{Limits, data_pointer, json};
use evenkeel_fuzz::{FULL_JSON, Tally, seed};
use libfuzzer_sys::fuzz_target;

static TALLY: Tally = Tally::new();

fuzz_target!(
    init: {
        let plain = r#"{"specversion":"1.0","id":"1","source":"/s","type":"T""#;
        seed(&[
            FULL_JSON.as_bytes().to_vec(),
            format!("[{FULL_JSON},{plain}}}]").into_bytes(),
            format!("{plain},\"datacontenttype\":\"text/xml\",\"data\":\"<a/>\"}}").into_bytes(),
            format!("{plain},\"data_base64\":\"AAECAw==\"}}").into_bytes(),
            format!("{plain},\"data\" : [ 1E3 , {{ \"a\" : \"\\u00fc\" }} , null ] }}").into_bytes(),
        ]);
    },
    |input: &[u8]| {
        let limits = Limits::default();
        let events = json::decode(input, &limits).map(|event| vec![event]).or_else(|_| json::decode_batch(input, &limits));
        TALLY.count(events.is_ok());
        let Ok(events) = events else { return };
        for event in &events {
            let _ = (data_pointer(event, "/order/id"), json::encode(event));
            assert_eq!(json::decode(json::encode_text(event).as_bytes(), &limits).as_ref(), Ok(event));
        }
    }
);
