//! What goes out: the event in binary mode, and the headers that tell the handler about the call.
//!
//! `ce-traceparent` travels as the event has it; the header `traceparent` is a span of this
//! attempt, in the event's trace, named after the effect's key and the delivery's number, so
//! that it needs no randomness and differs between attempts.

use ::http::header::{HeaderName, HeaderValue, USER_AGENT};
use ::http::{Method, Request, Uri};
use bytes::Bytes;
use evenkeel_cloudevents::http::encode_binary;
use evenkeel_cloudevents::time::format_rfc3339;
use evenkeel_delivery::ports::Call;
use evenkeel_model::{Event, Timestamp, names};
use http_body_util::Full;

use super::{Reach, literal};

/// The URL, checked. A host that is an address is judged here, a name for each connection.
pub(super) fn target(url: &str, reach: &Reach) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|e| format!("handler url `{url}` cannot be read: {e}"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(format!("handler url `{url}`: TLS is not spoken yet; use http:// to a local proxy"));
        }
        Some(other) => return Err(format!("handler url `{url}`: scheme `{other}` is unknown; use http://")),
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

/// The request of one attempt, which begins `now`.
pub(super) fn build(
    target: &Uri,
    subscription: &str,
    call: &Call,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, String> {
    let event = &call.delivered.event;
    let (headers, body) = encode_binary(event);
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.clone();
    let mut put = |name: &str, value: &str| put(request.headers_mut(), name, value);
    for (name, value) in &headers {
        put(name, value)?;
    }
    put(USER_AGENT.as_str(), concat!("evenkeel/", env!("CARGO_PKG_VERSION")))?;
    put(names::IDEMPOTENCY_KEY, &format!("\"{}\"", call.key.to_hex()))?;
    put(names::ATTEMPT, &call.attempt.to_string())?;
    put(names::MAX_ATTEMPTS, &call.attempts_max.to_string())?;
    put(names::DEADLINE, &format_rfc3339(now + call.timeout))?;
    put(names::FENCE, &call.fence.to_string())?;
    put(names::SUBSCRIPTION, subscription)?;
    if let Some(span) = span(event, call) {
        put("traceparent", &span)?;
        if let Some(state) = event.extension("tracestate") {
            put("tracestate", &state)?;
        }
    }
    Ok(request)
}

fn put(headers: &mut ::http::HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header name"))?;
    let value = HeaderValue::from_str(value).map_err(|_| format!("`{value}` is no value for the header `{name}`"))?;
    headers.insert(header, value);
    Ok(())
}

/// The attempt's own span in the event's trace, as W3C trace context has it.
fn span(event: &Event, call: &Call) -> Option<String> {
    let parent = event.extension("traceparent")?;
    let mut parts = parent.split('-');
    let (version, trace, id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, len| text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !(hex(version, 2) && hex(trace, 32) && hex(id, 16) && hex(flags, 2)) || trace.bytes().all(|b| b == b'0') {
        return None;
    }
    let own = call.key.0[..8].iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let own = own.wrapping_add(u64::from(call.delivery).wrapping_mul(0x9e37_79b9_7f4a_7c15)).max(1);
    Some(format!("00-{trace}-{own:016x}-{flags}"))
}
