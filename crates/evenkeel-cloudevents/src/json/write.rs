//! Events as JSON. The text forms carry JSON data to the letter; the [`Value`] forms are for
//! those who build answers, and hold numbers as far as a double can.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evenkeel_model::{AttributeValue, Event};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{NESTING_MAX, scan};
use crate::media_type;

/// The event as a JSON value. Numbers in its data that a 64-bit integer or a double cannot hold
/// are rounded (data with one beyond a double comes as `data_base64`), and members come sorted:
/// [`encode_text`] keeps all of it.
pub fn encode(event: &Event) -> Value {
    let mut object: Map<String, Value> = attributes(event).into_iter().collect();
    let binary = |bytes: &[u8]| ("data_base64", Value::from(STANDARD.encode(bytes)));
    let (name, value) = match data(event) {
        Data::None => return Value::Object(object),
        Data::Json(text) => serde_json::from_str(&text).map_or_else(|_| binary(text.as_bytes()), |v| ("data", v)),
        Data::Text(text) => ("data", Value::from(text)),
        Data::Binary(bytes) => binary(bytes),
    };
    object.insert(name.to_owned(), value);
    Value::Object(object)
}

/// The events as a JSON array, each as [`encode`] has it.
pub fn encode_batch(events: &[Event]) -> Value {
    Value::Array(events.iter().map(encode).collect())
}

/// The event as JSON text: attributes in the order of the specification, extensions as they
/// came, then data.
pub fn encode_text(event: &Event) -> String {
    let mut out = String::with_capacity(256 + event.data.as_ref().map_or(0, bytes::Bytes::len));
    for (name, value) in attributes(event) {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(&format!("{}:{value}", Value::from(name)));
    }
    match data(event) {
        Data::None => {}
        Data::Json(text) => out.push_str(&format!(",\"data\":{text}")),
        Data::Text(text) => out.push_str(&format!(",\"data\":{}", Value::from(text))),
        Data::Binary(bytes) => out.push_str(&format!(",\"data_base64\":\"{}\"", STANDARD.encode(bytes))),
    }
    out.push('}');
    out
}

/// The events as the text of a JSON array.
pub fn encode_batch_text(events: &[Event]) -> String {
    let texts: Vec<String> = events.iter().map(encode_text).collect();
    format!("[{}]", texts.join(","))
}

fn attributes(event: &Event) -> Vec<(String, Value)> {
    let required =
        [("specversion", "1.0"), ("id", &event.id.id), ("source", &event.id.source), ("type", event.kind.as_str())];
    let optional = [
        ("subject", &event.subject),
        ("time", &event.time),
        ("datacontenttype", &event.datacontenttype),
        ("dataschema", &event.dataschema),
    ];
    let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let named = required.into_iter().chain(optional).map(|(name, value)| (name.to_owned(), Value::from(value)));
    named.chain(event.extensions.iter().map(|(name, value)| (name.clone(), extension(value)))).collect()
}

fn extension(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::String(text) => Value::from(text.as_str()),
        AttributeValue::Integer(number) => Value::from(*number),
        AttributeValue::Boolean(truth) => Value::from(*truth),
    }
}

enum Data<'e> {
    None,
    /// JSON text, compact.
    Json(String),
    Text(&'e str),
    Binary(&'e [u8]),
}

/// The member that gives the same bytes back when it is read; only JSON data may lose white
/// space. Data without a content type goes as bytes, since a reader would take JSON for granted.
fn data(event: &Event) -> Data<'_> {
    let Some(bytes) = event.data.as_deref() else { return Data::None };
    let (Some(content_type), Ok(text)) = (event.datacontenttype.as_deref(), str::from_utf8(bytes)) else {
        return Data::Binary(bytes);
    };
    if media_type::is_json(content_type) {
        return json_text(text).map_or(Data::Binary(bytes), Data::Json);
    }
    if media_type::is_text(content_type) { Data::Text(text) } else { Data::Binary(bytes) }
}

/// The text, compact, if it is JSON that is not too deep to be read back.
fn json_text(text: &str) -> Option<String> {
    if scan::nesting(text.as_bytes()) >= NESTING_MAX - 1 {
        return None;
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    Some(scan::compact(raw.get()))
}
