//! Events as JSON. The text forms carry JSON data to the letter; the [`Value`] forms are for
//! those who build answers, and hold numbers as far as a double can.

use std::borrow::Cow;

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
    write_text(&mut out, event);
    out
}

/// Appends what [`encode_text`] gives.
pub fn write_text(out: &mut String, event: &Event) {
    out.push_str("{\"specversion\":\"1.0\"");
    let optional = [
        ("subject", &event.subject),
        ("time", &event.time),
        ("datacontenttype", &event.datacontenttype),
        ("dataschema", &event.dataschema),
    ];
    let required = [("id", &event.id.id), ("source", &event.id.source), ("type", &event.kind)];
    let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    for (name, value) in required.into_iter().chain(optional) {
        push_member(out, name);
        push_quoted(out, value);
    }
    for (name, value) in &event.extensions {
        push_member(out, name);
        match value {
            AttributeValue::String(text) => push_quoted(out, text),
            other => out.push_str(&other.to_text()),
        }
    }
    match data(event) {
        Data::None => {}
        Data::Json(text) => {
            push_member(out, "data");
            out.push_str(&text);
        }
        Data::Text(text) => {
            push_member(out, "data");
            push_quoted(out, text);
        }
        Data::Binary(bytes) => {
            push_member(out, "data_base64");
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
    }
    out.push('}');
}

fn push_member(out: &mut String, name: &str) {
    out.push(',');
    push_quoted(out, name);
    out.push(':');
}

/// The text as a JSON string; most need no escapes.
fn push_quoted(out: &mut String, text: &str) {
    if text.bytes().any(|b| b < b' ' || b == b'"' || b == b'\\') {
        return out.push_str(&Value::from(text).to_string());
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

/// The events as the text of a JSON array.
pub fn encode_batch_text(events: &[Event]) -> String {
    let mut out = String::from("[");
    for (number, event) in events.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        write_text(&mut out, event);
    }
    out.push(']');
    out
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
    Json(Cow<'e, str>),
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
fn json_text(text: &str) -> Option<Cow<'_, str>> {
    // Data with few brackets cannot be deep: counting them is much faster than following them.
    let brackets = text.bytes().filter(|b| matches!(b, b'[' | b'{')).count();
    if brackets >= NESTING_MAX - 1 && scan::nesting(text.as_bytes()) >= NESTING_MAX - 1 {
        return None;
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    // Without a branch for each byte; a space within a string is looked at more closely.
    let is_compact = !raw.get().bytes().fold(false, |found, b| found | b.is_ascii_whitespace());
    Some(if is_compact { Cow::Borrowed(raw.get()) } else { Cow::Owned(scan::compact(raw.get())) })
}
