//! CloudEvents over HTTP (the HTTP protocol binding 1.0): binary, structured and batched mode.
//!
//! The mode is told by `content-type`: `application/cloudevents+json`,
//! `application/cloudevents-batch+json`, anything else is binary mode. This module sees header
//! names and bytes, never a connection. A `traceparent` header of a request becomes the event's,
//! with its `tracestate`, when the event has none; ill-formed trace context is passed over.

mod headers;
mod trace;

use bytes::Bytes;
use evenkeel_model::Event;

use crate::draft::Draft;
use crate::{Limits, Problem, json, media_type};

/// The content type of one event in JSON.
pub const STRUCTURED_JSON: &str = "application/cloudevents+json";
/// The content type of a batch of events in JSON.
pub const BATCH_JSON: &str = "application/cloudevents-batch+json";

/// What goes over the wire: headers in lower case, and the body.
pub type Message = (Vec<(String, String)>, Bytes);

/// Reads all events of a message: one, or those of a batch, which may be none. All or nothing;
/// within a batch the problem's field begins with the event's index.
pub fn decode<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    body: Bytes,
    limits: &Limits,
) -> Result<Vec<Event>, Problem> {
    if body.len() > limits.body_bytes_max {
        let rule = format!("must not be longer than {} bytes", limits.body_bytes_max);
        return Err(Problem::new("body", &format!("{} bytes", body.len()), rule));
    }
    let headers = headers::sort(headers)?;
    let mut events = match mode(headers.content_type.as_deref())? {
        Mode::Binary => vec![binary(&headers, body, limits)?],
        Mode::Structured => vec![json::decode(&body, limits)?],
        Mode::Batch => json::decode_batch(&body, limits)?,
    };
    if let Some(context) = &headers.trace {
        events.iter_mut().for_each(|event| context.give_to(event));
    }
    Ok(events)
}

/// The event in binary mode: attributes as `ce-*` headers, data as the body. An event without
/// data and one with empty data look the same.
pub fn encode_binary(event: &Event) -> Message {
    let mut out = Vec::with_capacity(8 + event.extensions.len());
    let mut put = |name: &str, value: &str| out.push((format!("ce-{name}"), headers::percent_encode(value)));
    put("specversion", "1.0");
    put("id", &event.id.id);
    put("source", &event.id.source);
    put("type", &event.kind);
    for (name, value) in [("subject", &event.subject), ("time", &event.time), ("dataschema", &event.dataschema)] {
        value.iter().for_each(|v| put(name, v));
    }
    event.extensions.iter().for_each(|(name, value)| put(name, &value.to_text()));
    if let Some(content_type) = event.datacontenttype.as_deref().filter(|c| headers::is_plain(c)) {
        out.push(("content-type".to_owned(), content_type.to_owned()));
    }
    (out, event.data.clone().unwrap_or_default())
}

/// The event in structured mode.
pub fn encode_structured(event: &Event) -> Message {
    (content_type(STRUCTURED_JSON), json::encode_text(event).into())
}

/// The events as one batch.
pub fn encode_batch(events: &[Event]) -> Message {
    (content_type(BATCH_JSON), json::encode_batch_text(events).into())
}

fn content_type(essence: &str) -> Vec<(String, String)> {
    vec![("content-type".to_owned(), format!("{essence}; charset=utf-8"))]
}

enum Mode {
    Binary,
    Structured,
    Batch,
}

fn mode(content_type: Option<&str>) -> Result<Mode, Problem> {
    let Some(content_type) = content_type else { return Ok(Mode::Binary) };
    let essence = media_type::essence(content_type);
    let mode = match &*essence {
        STRUCTURED_JSON => Mode::Structured,
        BATCH_JSON => Mode::Batch,
        other if other.starts_with("application/cloudevents") => {
            let rule = format!("must be `{STRUCTURED_JSON}` or `{BATCH_JSON}`, or that of the data in binary mode");
            return Err(Problem::new("content-type", content_type, rule));
        }
        _ => return Ok(Mode::Binary),
    };
    if media_type::charset(content_type).is_some_and(|c| c != "utf-8" && c != "utf8") {
        return Err(Problem::new("content-type", content_type, "must have no charset but utf-8: JSON is UTF-8"));
    }
    Ok(mode)
}

fn binary(headers: &headers::Sorted, body: Bytes, limits: &Limits) -> Result<Event, Problem> {
    let mut draft = Draft::new(limits);
    for (name, value) in &headers.attributes {
        draft.set_text(name, headers::decode_value(name, value)?)?;
    }
    if let Some(content_type) = &headers.content_type {
        draft.set_text("datacontenttype", content_type.clone())?;
    }
    draft.finish((!body.is_empty()).then_some(body))
}

#[cfg(test)]
mod tests;
