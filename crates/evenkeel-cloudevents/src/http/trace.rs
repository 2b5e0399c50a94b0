//! W3C trace context of a request, for events that have none of their own. It is never
//! rewritten, and what is ill-formed is passed over, as the recommendation asks.

use evenkeel_model::{AttributeValue, Event};

/// A request's `traceparent`, and its `tracestate`.
pub(super) struct Context {
    parent: String,
    state: Option<String>,
}

impl Context {
    pub(super) fn read(parent: &[u8], states: &[&[u8]]) -> Option<Context> {
        let parent = str::from_utf8(parent).ok().filter(|p| is_traceparent(p))?;
        let states: Option<Vec<&str>> = states.iter().map(|s| plain(s)).collect();
        let state = states.map(|s| s.join(",")).filter(|s| !s.is_empty() && s.len() <= STATE_BYTES_MAX);
        Some(Context { parent: parent.to_owned(), state })
    }

    /// Both go together: an event with a `traceparent` keeps what it has.
    pub(super) fn give_to(&self, event: &mut Event) {
        if event.extension("traceparent").is_some() {
            return;
        }
        event.set_extension("traceparent", AttributeValue::String(self.parent.clone()));
        if let Some(state) = &self.state {
            event.set_extension("tracestate", AttributeValue::String(state.clone()));
        }
    }
}

/// More than a vendor may be asked to carry (512 is the least that must be).
const STATE_BYTES_MAX: usize = 4096;

/// `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zeros; versions other than `ff` may say more.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |digits: usize| {
        let part = parts.next().unwrap_or_default();
        let is_hex = part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hex.then_some(part)
    };
    let (version, trace, span, flags) = (hex(2), hex(32), hex(16), hex(2));
    let is_set = |id: Option<&str>| id.is_some_and(|id| id.bytes().any(|b| b != b'0'));
    let version_fits = match version {
        Some("00") => parts.next().is_none(),
        Some("ff") | None => false,
        Some(_) => text.len() <= 256,
    };
    version_fits && is_set(trace) && is_set(span) && flags.is_some() && plain(text.as_bytes()).is_some()
}

fn plain(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok().filter(|v| v.bytes().all(|b| matches!(b, b' '..=b'~')))
}
