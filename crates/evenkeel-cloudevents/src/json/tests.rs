use bytes::Bytes;
use evenkeel_model::{AttributeValue, Event};

use super::{NESTING_MAX, decode, decode_batch, encode, encode_batch, encode_batch_text, encode_text};
use crate::{Limits, Problem};

/// An event with the required attributes, and these members beside them.
fn read(members: &str) -> Result<Event, Problem> {
    let comma = if members.is_empty() { "" } else { "," };
    let text = format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"T"{comma}{members}}}"#);
    decode(text.as_bytes(), &Limits::default())
}

fn data(members: &str) -> Option<Bytes> {
    read(members).unwrap_or_else(|p| panic!("{members}: {p}")).data
}

#[test]
fn json_data_is_kept_to_the_letter_without_white_space_between_tokens() {
    let members = "\"datacontenttype\":\"application/json\",\
         \"data\": { \"z\" : 12345678901234567890.120 ,\n\t\"a\":[ 1E3 , \"two  words \\\" {\" , \"\\u00fc ü\" ] , \"z\":null }";
    let kept = "{\"z\":12345678901234567890.120,\"a\":[1E3,\"two  words \\\" {\",\"\\u00fc ü\"],\"z\":null}";
    assert_eq!(data(members).as_deref(), Some(kept.as_bytes()));
    let event = read(members).expect("reads");
    assert!(encode_text(&event).ends_with(&format!("\"data\":{kept}}}")), "and written as it was");
}

#[test]
fn data_without_a_content_type_is_json_and_says_so() {
    let event = read(r#""data":"text""#).expect("reads");
    assert_eq!(event.data.as_deref(), Some(b"\"text\"".as_slice()));
    assert_eq!(event.datacontenttype.as_deref(), Some("application/json"));
    assert_eq!(data(r#""data":null"#).as_deref(), Some(b"null".as_slice()));
    assert_eq!(read("").expect("reads").datacontenttype, None);
    let binary = read(r#""data_base64":"eA==""#).expect("reads");
    assert_eq!((binary.datacontenttype, binary.data.as_deref()), (None, Some(b"x".as_slice())));
}

#[test]
fn data_of_another_content_type_is_the_string_s_text() {
    assert_eq!(
        data(r#""datacontenttype":"text/xml","data":"<a b=\"ü\"\/>""#).as_deref(),
        Some("<a b=\"ü\"/>".as_bytes())
    );
    assert_eq!(data(r#""data":"{}","datacontenttype":"text/plain""#).as_deref(), Some(b"{}".as_slice()));
    assert_eq!(data(r#""datacontenttype":"text/plain","data":null"#), None);
    assert_eq!(data(r#""datacontenttype":"text/plain","data":"""#).as_deref(), Some(b"".as_slice()));
}

#[test]
fn binary_data_comes_as_base64_beside_no_other() {
    assert_eq!(data(r#""data_base64":"AAH/""#).as_deref(), Some([0, 1, 255].as_slice()));
    assert_eq!(data(r#""data_base64":"""#).as_deref(), Some(b"".as_slice()));
    assert_eq!(data(r#""data_base64":null"#), None);
    assert_eq!(data(r#""data":null,"data_base64":"eA==""#).as_deref(), Some(b"x".as_slice()));
    assert_eq!(data(r#""data":1,"data_base64":null"#).as_deref(), Some(b"1".as_slice()));
}

#[test]
fn extensions_keep_their_order_and_type_and_null_is_absent() {
    let event = read(r#""zeta":"5","alpha":5,"neg":-2147483648,"yes":true,"gone":null,"subject":null,"time":null"#);
    let event = event.expect("reads");
    let expected = [
        ("zeta", AttributeValue::String("5".to_owned())),
        ("alpha", AttributeValue::Integer(5)),
        ("neg", AttributeValue::Integer(i32::MIN)),
        ("yes", AttributeValue::Boolean(true)),
    ];
    assert_eq!(event.extensions, expected.map(|(n, v)| (n.to_owned(), v)));
    assert_eq!((event.subject, event.time), (None, None));
}

#[test]
fn every_malformed_member_is_named_with_its_value_and_rule() {
    for (members, field, value, rule) in [
        (r#""Priority":1"#, "Priority", "", "a-z and 0-9"),
        (r#""order-id":"1""#, "order-id", "", "a-z and 0-9"),
        (r#""größe":"1""#, "größe", "", "a-z and 0-9"),
        (r#""":"1""#, "", "", "a-z and 0-9"),
        (r#""a":1.5"#, "a", "1.5", "must be an integer"),
        (r#""a":1.0"#, "a", "1.0", "must be an integer"),
        (r#""a":1e2"#, "a", "1e2", "must be an integer"),
        (r#""a":2147483648"#, "a", "2147483648", "2147483647"),
        (r#""a":-2147483649"#, "a", "-2147483649", "-2147483648"),
        (r#""a":{}"#, "a", "{}", "never an object"),
        (r#""a":[1]"#, "a", "[1]", "never an object"),
        (r#""a":"1","a":"1""#, "a", "1", "twice"),
        (r#""a":1,"a":2"#, "a", "2", "twice"),
        (r#""a":1,"a":null"#, "a", "null", "twice"),
        (r#""id":"2""#, "id", "2", "twice"),
        (r#""subject":1"#, "subject", "1", "must be a string"),
        (r#""subject":"""#, "subject", "", "must not be empty"),
        (r#""time":true"#, "time", "true", "must be a string"),
        (r#""time":"2026""#, "time", "2026", "RFC 3339"),
        (r#""dataschema":"x""#, "dataschema", "x", "absolute URI"),
        (r#""dataschema":"""#, "dataschema", "", "must not be empty"),
        (r#""datacontenttype":"json""#, "datacontenttype", "json", "media type"),
        (r#""a":"b\u0000""#, "a", "b\0", "control characters"),
        (r#""a":"\ud800""#, "a", "", "valid JSON string"),
        (r#""data":1,"data":2"#, "data", "2", "twice"),
        (r#""data":1,"data_base64":"eA==""#, "data_base64", "\"eA==\"", "must not stand beside"),
        (r#""data_base64":"eA""#, "data_base64", "\"eA\"", "base64"),
        (r#""data_base64":"_-==""#, "data_base64", "\"_-==\"", "base64"),
        (r#""data_base64":5"#, "data_base64", "5", "base64"),
        (r#""datacontenttype":"text/plain","data":{"a":1}"#, "data", "{\"a\":1}", "must be a JSON string"),
    ] {
        let problem = read(members).expect_err(members);
        assert_eq!((problem.field.as_str(), problem.value.as_str()), (field, value), "{problem}");
        assert!(problem.rule.contains(rule), "{members}: {problem}");
    }
}

#[test]
fn what_is_no_event_at_all_is_refused() {
    for (text, field, rule) in [
        ("", "body", "must be one JSON object"),
        ("{", "body", "must be one JSON object"),
        ("[]", "body", "must be one JSON object"),
        ("null", "body", "must be one JSON object"),
        ("\"x\"", "body", "must be one JSON object"),
        ("{} {}", "body", "must be one JSON object"),
        ("{\"id\":1,}", "body", "must be one JSON object"),
        ("{\"id\":\"1\u{1}\"}", "body", "must be one JSON object"),
        ("\u{feff}{}", "body", "must be one JSON object"),
        ("{}", "specversion", "is required"),
        (r#"{"specversion":null}"#, "specversion", "is required"),
        (r#"{"specversion":1.0}"#, "specversion", "integer"),
        (r#"{"specversion":1}"#, "specversion", "must be a string"),
        (r#"{"specversion":"1.1"}"#, "specversion", "must be `1.0`"),
        (r#"{"specversion":"1.0","source":"/s","type":"T"}"#, "id", "is required"),
        (r#"{"specversion":"1.0","id":"1","type":"T"}"#, "source", "is required"),
        (r#"{"specversion":"1.0","id":"1","source":"/s"}"#, "type", "is required"),
        (r#"{"specversion":"1.0","id":7,"source":"/s","type":"T"}"#, "id", "must be a string"),
        (r#"{"specversion":"1.0","id":"","source":"/s","type":"T"}"#, "id", "must not be empty"),
    ] {
        let problem = decode(text.as_bytes(), &Limits::default()).expect_err(text);
        assert_eq!(problem.field, field, "{text}: {problem}");
        assert!(problem.rule.contains(rule), "{text}: {problem}");
    }
    let not_utf8 = b"{\"specversion\":\"1.0\",\"id\":\"\xff\"}";
    assert_eq!(decode(not_utf8, &Limits::default()).expect_err("refused").field, "body");
}

#[test]
fn a_batch_is_read_whole_or_not_at_all_and_the_index_is_named() {
    let good = r#"{"specversion":"1.0","id":"1","source":"/s","type":"T"}"#;
    let bad = r#"{"specversion":"0.3","id":"1","source":"/s","type":"T"}"#;
    let limits = Limits::default();
    assert_eq!(decode_batch(b" [ ] ", &limits), Ok(vec![]));
    assert_eq!(decode_batch(format!("[{good},{good}]").as_bytes(), &limits).map(|e| e.len()), Ok(2));
    let problem = decode_batch(format!("[{good},{good},{bad}]").as_bytes(), &limits).expect_err("refused");
    assert_eq!(problem.to_string(), "`[2].specversion` must be `1.0`; it was `0.3`");
    let problem = decode_batch(format!("[{good},7]").as_bytes(), &limits).expect_err("refused");
    assert_eq!(problem.field, "[1].body");
    for no_array in ["", "{}", good, "[", "[1,]", "null"] {
        assert_eq!(decode_batch(no_array.as_bytes(), &limits).expect_err(no_array).field, "body");
    }
    let two = Limits { batch_events_max: 1, ..limits };
    let problem = decode_batch(format!("[{good},{good}]").as_bytes(), &two).expect_err("too many");
    assert_eq!((problem.field.as_str(), problem.value.as_str()), ("body", "2 events"));
}

#[test]
fn nesting_is_bounded_and_what_is_within_can_be_written_and_read() {
    let nested = |depth: usize| format!("\"data\":{}{}", "[".repeat(depth), "]".repeat(depth));
    let event = read(&nested(NESTING_MAX - 1)).expect("as deep as it may be");
    assert!(
        encode(&event).get("data").is_some_and(serde_json::Value::is_array)
            || encode(&event).get("data_base64").is_some()
    );
    assert_eq!(decode(encode_text(&event).as_bytes(), &Limits::default()), Ok(event));
    let problem = read(&nested(NESTING_MAX)).expect_err("too deep");
    assert_eq!(problem.field, "body");
    assert!(problem.rule.contains("100"));
    let bomb = format!("{{\"data\":{}", "[".repeat(1_000_000));
    assert!(decode(bomb.as_bytes(), &Limits::default()).is_err());
    assert!(read(r#""data":"[[[[[{{{{\"""#).is_ok(), "brackets in strings do not nest");
}

#[test]
fn data_is_written_as_json_unless_a_batch_of_it_would_be_too_deep_however_many_brackets_it_has() {
    let of = |data: String| {
        let mut event = Event::new("/s", "1", "T");
        event.datacontenttype = Some("application/json".to_owned());
        event.data = Some(data.into());
        event
    };
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let wide = of(format!("[{}]", vec!["[]"; 10 * NESTING_MAX].join(",")));
    assert!(encode(&wide).get("data").is_some_and(serde_json::Value::is_array), "many brackets are not deep");
    for depth in [1, NESTING_MAX - 2, NESTING_MAX - 1, NESTING_MAX, 3 * NESTING_MAX] {
        let event = of(deep(depth));
        assert_eq!(encode(&event).get("data").is_some(), depth < NESTING_MAX - 1, "{depth} deep");
        let batch = encode_batch_text(std::slice::from_ref(&event));
        assert_eq!(decode_batch(batch.as_bytes(), &Limits::default()), Ok(vec![event]), "{depth} deep");
    }
}

#[test]
fn values_and_texts_agree() {
    for event in crate::tests::samples() {
        let value = encode(&event);
        let text: serde_json::Value = serde_json::from_str(&encode_text(&event)).expect("is JSON");
        assert_eq!(value, text);
    }
    let samples = crate::tests::samples();
    let batch: serde_json::Value = serde_json::from_str(&encode_batch_text(&samples)).expect("is JSON");
    assert_eq!(encode_batch(&samples), batch);
    assert_eq!(encode_batch_text(&[]), "[]");
}

#[test]
fn a_number_that_no_double_holds_is_never_turned_into_null() {
    let event = read(r#""data":{"n":1e400}"#).expect("reads");
    assert!(encode_text(&event).ends_with(r#""data":{"n":1e400}}"#));
    let value = encode(&event);
    assert_eq!(value.get("data"), None);
    let bytes = serde_json::to_vec(&value).expect("writes");
    assert_eq!(decode(&bytes, &Limits::default()), Ok(event));
}
