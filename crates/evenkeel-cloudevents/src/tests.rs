//! Samples that every form must carry, and bytes that none must trip over.

use bytes::Bytes;
use evenkeel_model::{AttributeValue, Event, Header, Position, Record, Shard, Timestamp};

use crate::{Limits, content_hash, data_pointer, filter, http, json, kafka, time};

/// Events of all kinds. JSON data is compact, as reading leaves it.
pub(crate) fn samples() -> Vec<Event> {
    let bare = Event::new("/s", "1", "T");
    let mut full = Event::new("urn:shop:eu", "Größe „1“ 100% \"x\" 😀", "com.example.OrderCreated");
    full.subject = Some("customer 4/ü".to_owned());
    full.time = Some("2026-01-31T09:30:00.000000123+01:00".to_owned());
    full.datacontenttype = Some("application/json".to_owned());
    full.dataschema = Some("https://example.com/order.json#v1".to_owned());
    for (name, value) in [
        ("traceparent", AttributeValue::String("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned())),
        ("zone", AttributeValue::String(String::new())),
        ("count", AttributeValue::Integer(-5)),
        ("max", AttributeValue::Integer(i32::MAX)),
        ("test", AttributeValue::Boolean(true)),
        ("number", AttributeValue::String("5".to_owned())),
    ] {
        full.set_extension(name, value);
    }
    full.data = Some(Bytes::from_static(b"{\"z\":[1.5,true,null],\"a\":\"\\u00fc \xc3\xbc\"}"));
    let with = |content_type: Option<&str>, data: &'static [u8]| {
        let mut event = Event::new("/s", "2", "T");
        event.datacontenttype = content_type.map(str::to_owned);
        event.data = Some(Bytes::from_static(data));
        event
    };
    vec![
        bare,
        full,
        with(Some("text/plain"), "„text“\n".as_bytes()),
        with(Some("text/plain"), b"{\"not\":\"json\"}"),
        with(Some("text/plain"), b"\xff\xfe"),
        with(Some("application/xml"), b"<a/>"),
        with(Some("application/octet-stream"), &[0, 1, 2, 255]),
        with(Some("application/json"), b"null"),
        with(Some("application/json"), b"not json"),
        with(Some("application/vnd.shop+json"), b"\"text\""),
        with(None, b"{ \"raw\" : 1 }"),
        with(None, b""),
    ]
}

/// xorshift64*: the same bytes in every run.
struct Bytestream(u64);

impl Bytestream {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % n
    }

    fn bytes(&mut self, max: usize) -> Vec<u8> {
        (0..self.below(max)).map(|_| self.next().to_le_bytes()[7]).collect()
    }

    /// A good message with some bytes changed, taken away or doubled.
    fn bend(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(3) {
                0 => bytes.insert(at, *b"\"{}[],:\\%\0 nu19.eE-\xff".get(self.below(20)).expect("within")),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ if at < bytes.len() => bytes[at] = self.next().to_le_bytes()[7],
                _ => {}
            }
        }
        bytes
    }
}

#[test]
fn no_bytes_make_any_reader_panic() {
    let mut random = Bytestream(0x0123_4567_89ab_cdef);
    let at = Position { shard: Shard::new("t", 0), offset: 0 };
    let limits = Limits::default();
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..3000 {
        let event = samples().swap_remove(round % samples().len());
        let text = json::encode_text(&event);
        for bytes in
            [random.bytes(200), random.bend(text.as_bytes()), random.bend(format!("[{text},{text}]").as_bytes())]
        {
            let _ = time::parse_rfc3339(&String::from_utf8_lossy(&bytes));
            let body = Bytes::from(bytes.clone());
            let (headers, _) = http::encode_binary(&event);
            let bent: Vec<(String, Vec<u8>)> = headers
                .into_iter()
                .map(|(n, v)| (n, if random.below(4) == 0 { random.bend(v.as_bytes()) } else { v.into() }))
                .collect();
            for extra in [http::STRUCTURED_JSON.as_bytes(), http::BATCH_JSON.as_bytes(), b"a/b", &bytes] {
                let headers = bent.iter().filter(|(n, _)| n != "content-type").map(|(n, v)| (n.as_str(), v.as_slice()));
                match http::decode(headers.chain([("content-type", extra)]), body.clone(), &limits) {
                    Ok(events) => {
                        accepted += 1;
                        events.iter().for_each(look_at);
                    }
                    Err(_) => refused += 1,
                }
            }
            let headers = bent
                .into_iter()
                .map(|(name, value)| Header { name: name.replacen('-', "_", 1), value: Some(value.into()) });
            let record = Record {
                key: Some(body.clone()),
                value: Some(body),
                headers: headers.collect(),
                created: Timestamp::EPOCH,
            };
            if let kafka::Read::Event(event) | kafka::Read::Plain(event) = kafka::from_record(&record, &at) {
                look_at(&event);
            }
        }
    }
    assert!(accepted > 1000 && refused > 1000, "both ways were walked: {accepted} accepted, {refused} refused");
}

/// Whatever was read can be asked, written, and read again as the same.
fn look_at(event: &Event) {
    let _ = (content_hash(event), data_pointer(event, "/a/0"), filter::attribute(event, "count"));
    assert_eq!(json::decode(json::encode_text(event).as_bytes(), &Limits::default()).as_ref(), Ok(event));
}
