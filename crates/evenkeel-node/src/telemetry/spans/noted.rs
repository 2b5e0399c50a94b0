//! What every span of an event says of it, noted while the event is at hand.

use evenkeel_cloudevents::trace::TraceParent;
use evenkeel_delivery::Mark;
use evenkeel_model::{Event, EventId, Timestamp};
use evenkeel_transport::trace::{self, Creation};

use super::super::conventions::{self as named, Kind};
use super::super::span::Span;
use super::super::wire::Attribute;

/// An event, as far as spans tell of it.
pub(in super::super) struct Noted {
    pub(super) creation: Creation,
    /// Its `tracestate`.
    pub(super) state: String,
    pub(super) id: EventId,
    kind: String,
    subject: Option<String>,
    conversation: Option<String>,
}

impl Noted {
    pub(super) fn of(topic: &str, event: &Event) -> Noted {
        Noted::created(event, trace::creation(topic, event))
    }

    /// Of an event whose creation is known.
    pub(super) fn created(event: &Event, creation: Creation) -> Noted {
        Noted {
            creation,
            state: event.extension("tracestate").unwrap_or_default(),
            id: event.id.clone(),
            kind: event.kind.clone(),
            subject: event.subject.clone(),
            conversation: event.extension("correlationid"),
        }
    }

    /// The attributes that say which event it is.
    pub(super) fn identity(&self) -> Vec<Attribute> {
        let mut attributes = vec![
            (named::MESSAGE_ID, self.id.id.as_str().into()),
            (named::EVENT_ID, self.id.id.as_str().into()),
            (named::EVENT_SOURCE, self.id.source.as_str().into()),
            (named::EVENT_TYPE, self.kind.as_str().into()),
            (named::EVENT_SPEC_VERSION, "1.0".into()),
        ];
        attributes.extend(self.subject.as_deref().map(|subject| (named::EVENT_SUBJECT, subject.into())));
        attributes.extend(self.conversation.as_deref().map(|id| (named::CONVERSATION_ID, id.into())));
        attributes
    }

    /// The span of storing it. Where the event has a trace of its own its creation is elsewhere, and this is a
    /// client's span in that trace, which it may share with others; else this is the creation.
    pub(super) fn send(&self, topic: &str, began: Timestamp, ended: Timestamp) -> Span {
        let Creation { at, is_told } = self.creation;
        let mut attributes = vec![
            (named::MESSAGING_SYSTEM, named::SYSTEM.into()),
            (named::OPERATION_NAME, "send".into()),
            (named::OPERATION_TYPE, "send".into()),
            (named::DESTINATION, topic.into()),
        ];
        attributes.extend(self.identity());
        let own = trace::span_of(&Mark::of(topic, &self.id.source, &self.id.id).0, 1 << 42);
        Span {
            at: TraceParent { flags: 1, span: if is_told { own } else { at.span }, ..at },
            parent: is_told.then_some(at.span),
            state: self.state.clone(),
            name: format!("send {topic}"),
            kind: if is_told { Kind::Client } else { Kind::Producer },
            began,
            ended,
            attributes,
            links: if is_told { vec![at] } else { Vec::new() },
            error: None,
        }
    }
}
