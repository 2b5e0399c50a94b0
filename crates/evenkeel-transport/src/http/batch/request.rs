//! The request of a batch: what its events have in common as headers, what differs in each event.

use ::http::HeaderMap;
use ::http::header::{CONTENT_TYPE, HeaderValue};
use bytes::Bytes;
use evenkeel_cloudevents::json::write_text;
use evenkeel_delivery::ports::Call;
use evenkeel_model::{Timestamp, names};

use crate::http::{HttpSettings, request};

/// Headers and body.
pub(super) fn build(settings: &HttpSettings, calls: &[Call], now: Timestamp) -> Result<(HeaderMap, Bytes), String> {
    let first = calls.first().ok_or("a batch of no event")?;
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/cloudevents-batch+json; charset=utf-8"));
    request::common(&mut headers, settings, first, now)?;
    let data = |call: &Call| call.delivered.event.data.as_ref().map_or(0, Bytes::len);
    let mut body = String::with_capacity(calls.iter().map(|call| 512 + data(call)).sum());
    for call in calls {
        body.push(if body.is_empty() { '[' } else { ',' });
        push(&mut body, call);
    }
    body.push(']');
    settings.signing.sign(&mut headers, calls, body.as_bytes(), now)?;
    Ok((headers, Bytes::from(body)))
}

/// The event, with what tells of this call. An event that has such attributes of its own loses
/// them: they are ours to say.
fn push(body: &mut String, call: &Call) {
    let event = &call.delivered.event;
    let ours =
        [names::KEY_ATTRIBUTE, names::ATTEMPT_ATTRIBUTE, names::MAX_ATTEMPTS_ATTRIBUTE, names::DELIVERY_ATTRIBUTE];
    if event.extensions.iter().any(|(name, _)| ours.contains(&name.as_str())) {
        let mut event = event.clone();
        event.extensions.retain(|(name, _)| !ours.contains(&name.as_str()));
        write_text(body, &event);
    } else {
        write_text(body, event);
    }
    body.pop();
    let [key, attempt, most, delivery] = ours;
    let told =
        format!(",\"{key}\":\"{}\",\"{attempt}\":{},\"{most}\":{}", call.key.to_hex(), call.attempt, call.attempts_max);
    body.push_str(&told);
    if call.delivery > call.attempt {
        body.push_str(&format!(",\"{delivery}\":{}", call.delivery));
    }
    body.push('}');
}
