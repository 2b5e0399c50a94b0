//! What a handler is told of the event it handles, and how it makes events of its own.

use evenkeel_delivery::ports::Call;
use evenkeel_model::{AttributeValue, Event, Position, Timestamp};
use serde::Serialize;

use crate::HandlerError;

/// One call of a handler: the event, its place, and how often it was tried.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) subscription: std::sync::Arc<str>,
    pub(crate) now: Timestamp,
    pub(crate) call: Call,
}

impl Context {
    /// The event.
    pub fn event(&self) -> &Event {
        &self.call.delivered.event
    }

    /// 32 hex digits that name this event's effect in this subscription: the same over attempts,
    /// restarts and redrives. Hand it on to whatever must not be done twice.
    pub fn idempotency_key(&self) -> String {
        self.call.key.to_hex()
    }

    /// The subscription that calls.
    pub fn subscription(&self) -> &str {
        &self.subscription
    }

    /// Where the event stands in its topic.
    pub fn position(&self) -> &Position {
        &self.call.delivered.arrival.at
    }

    /// When the log took the event.
    pub fn appended(&self) -> Timestamp {
        self.call.delivered.appended
    }

    /// The number of this attempt among those that count, from 1.
    pub fn attempt(&self) -> u32 {
        self.call.attempt
    }

    /// How many attempts the policy allows.
    pub fn attempts_max(&self) -> u32 {
        self.call.attempts_max
    }

    /// How often the event was delivered, whatever came of it, this time included: handed out here, and given by the
    /// broker that it came from before it came here.
    pub fn delivery(&self) -> u32 {
        self.call.delivery
    }

    /// Grows with each start of the subscription, on whichever node: a call with a lower one than
    /// was seen before comes from an owner that is gone.
    pub fn fence(&self) -> u64 {
        self.call.fence
    }

    /// An event that this one caused, with `data` as JSON: to be returned by the handler of a
    /// subscription that [publishes](crate::Subscribe::publishes).
    ///
    /// Its source is `/{subscription}`, its id is derived from the idempotency key, so that it
    /// is the same however often the handler runs; it has the subject and partition key of its
    /// cause, so that it stays in order; its `causationid` is the cause's id, and its
    /// `correlationid` the cause's, or the cause's id.
    pub fn caused<T: Serialize>(&self, kind: &str, data: &T) -> Result<Event, HandlerError> {
        let cause = self.event();
        let id = format!("{}-{kind}", self.idempotency_key());
        let mut event = Event::new(format!("/{}", self.subscription), id, kind);
        event.subject.clone_from(&cause.subject);
        event.time = Some(evenkeel_cloudevents::time::format_rfc3339(self.now));
        event.datacontenttype = Some("application/json".to_owned());
        event.data = Some(serde_json::to_vec(data)?.into());
        let correlation = cause.extension("correlationid").unwrap_or_else(|| cause.id.id.clone());
        let mut set = |name: &str, text: String| event.set_extension(name, AttributeValue::String(text));
        set("correlationid", correlation);
        set("causationid", cause.id.id.clone());
        if let Some(key) = cause.extension("partitionkey") {
            set("partitionkey", key);
        }
        Ok(event)
    }
}
