//! W3C trace context of a request, for events that have none of their own. It is never
//! rewritten, and what is ill-formed is passed over, as the recommendation asks.

use evenkeel_model::{AttributeValue, Event};

use crate::trace::{TraceParent, state};

/// A request's `traceparent`, and its `tracestate`.
pub(super) struct Context {
    parent: String,
    state: Option<String>,
}

impl Context {
    pub(super) fn read(parent: &[u8], states: &[&[u8]]) -> Option<Context> {
        let parent = str::from_utf8(parent).ok().filter(|text| TraceParent::parse(text).is_some())?;
        Some(Context { parent: parent.to_owned(), state: state(states) })
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
