//! What goes out: the event in binary mode, and the headers that tell the handler about the call.
//!
//! `ce-traceparent` travels as the event has it; the header `traceparent` is a span of this
//! attempt, in the event's trace, named after the effect's key and the delivery's number, so
//! that it needs no randomness and differs between attempts.

use ::http::header::{HeaderName, HeaderValue, USER_AGENT};
use ::http::{HeaderMap, Uri};
use bytes::Bytes;
use evenkeel_cloudevents::http::{encode_binary, encode_structured};
use evenkeel_cloudevents::time::format_rfc3339;
use evenkeel_cloudevents::trace::TraceParent;
use evenkeel_delivery::ports::Call;
use evenkeel_model::{Event, Timestamp, names};

use super::{HttpSettings, Reach, literal};
use crate::trace;

/// The URL, checked. A host that is an address is judged here, a name for each connection.
pub(super) fn target(url: &str, reach: &Reach) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|e| format!("handler url `{url}` cannot be read: {e}"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        Some(other) => {
            return Err(format!("handler url `{url}`: scheme `{other}` is unknown; use http:// or https://"));
        }
        None => return Err(format!("handler url `{url}` has no scheme; write http://{url}")),
    }
    let authority = uri.authority().map(|a| a.as_str()).unwrap_or_default();
    if uri.host().unwrap_or_default().is_empty() {
        return Err(format!("handler url `{url}` names no host"));
    }
    if authority.contains('@') {
        return Err("handler url carries a user or password; credentials do not belong there".to_owned());
    }
    let host = uri.host().unwrap_or_default();
    if let Some(why) = literal(host).and_then(|ip| reach.refuses(host, ip)) {
        return Err(format!("handler url `{url}`: {why}"));
    }
    Ok(uri)
}

/// In which mode an event goes out alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// Attributes as headers, the data as the body.
    #[default]
    Binary,
    /// The whole event as JSON in the body, so that a signature covers all of it.
    Structured,
}

/// Headers and body of one attempt with one event, which begins `now`.
pub(super) fn build(settings: &HttpSettings, call: &Call, now: Timestamp) -> Result<(HeaderMap, Bytes), String> {
    let event = &call.delivered.event;
    let (attributes, body) = match settings.format {
        Format::Binary => encode_binary(event),
        Format::Structured => encode_structured(event),
    };
    let mut headers = HeaderMap::with_capacity(attributes.len() + 12);
    for (name, value) in attributes {
        let name = header(&name).ok_or_else(|| format!("`{name}` is no header name"))?;
        let value = HeaderValue::try_from(value)
            .map_err(|_| format!("the header `{name}` has a value that no header may have"))?;
        headers.insert(name, value);
    }
    let own = HeaderName::from_static;
    common(&mut headers, settings, call, now)?;
    put(&mut headers, own(names::IDEMPOTENCY_KEY), &format!("\"{}\"", call.key.to_hex()))?;
    headers.insert(own(names::ATTEMPT), HeaderValue::from(call.attempt));
    headers.insert(own(names::MAX_ATTEMPTS), HeaderValue::from(call.attempts_max));
    if call.delivery > call.attempt {
        headers.insert(own(names::DELIVERY), HeaderValue::from(call.delivery));
    }
    if let Some(span) = span(settings, event, call) {
        put(&mut headers, own("traceparent"), &span)?;
        if let Some(state) = event.extension("tracestate") {
            put(&mut headers, own("tracestate"), &state)?;
        }
    }
    settings.signing.sign(&mut headers, std::slice::from_ref(call), &body, now)?;
    Ok((headers, body))
}

/// What every request tells, whatever it carries.
pub(super) fn common(
    headers: &mut HeaderMap,
    settings: &HttpSettings,
    call: &Call,
    now: Timestamp,
) -> Result<(), String> {
    let own = HeaderName::from_static;
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("evenkeel/", env!("CARGO_PKG_VERSION"))));
    put(headers, own(names::DEADLINE), &format_rfc3339(now + call.timeout))?;
    headers.insert(own(names::FENCE), HeaderValue::from(call.fence));
    if settings.shadow {
        headers.insert(own(names::SHADOW), HeaderValue::from_static("true"));
    }
    put(headers, own(names::SUBSCRIPTION), &settings.subscription)
}

/// The header of that name; those that every event has cost nothing.
fn header(name: &str) -> Option<HeaderName> {
    const KNOWN: [&str; 6] = ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-subject", "ce-time"];
    match KNOWN.into_iter().find(|known| *known == name) {
        Some(known) => Some(HeaderName::from_static(known)),
        None => HeaderName::from_bytes(name.as_bytes()).ok(),
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), String> {
    let value = HeaderValue::from_str(value).map_err(|_| format!("`{value}` is no value for the header `{name}`"))?;
    headers.insert(name, value);
    Ok(())
}

/// The attempt's own span in the event's trace, as W3C trace context has it. An event without a
/// trace gets one where somebody keeps traces.
fn span(settings: &HttpSettings, event: &Event, call: &Call) -> Option<String> {
    let creation = trace::creation(&call.delivered.arrival.at.shard.topic, event);
    let flags = match (creation.is_told, &settings.sampling) {
        (true, _) => creation.at.flags,
        (false, Some(sampling)) => u8::from(sampling.keeps(&creation)),
        (false, None) => return None,
    };
    Some(TraceParent { span: trace::attempt_of(call), flags, ..creation.at }.to_string())
}
